/**
 * Who frees a tensor. Inside a scope the scope does, natively, at its end; outside, the garbage collector does. It sees
 * only the small handle, not the megabytes behind it, so the addon tells it of them and makes it run in time; see
 * native/collector.h.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { native } from './native.js';
import { warnOfPile } from './pile.js';

let depth = 0;

// In whose care a tensor is that no synchronous scope owns; an asynchronous scope's number is another.
const COLLECTOR = 0;
const KEPT = 1;
let lastCare = 1;
let asyncScopes = 0;
const openScope = new AsyncLocalStorage<number>();

/** A JavaScript object that names a native tensor. */
export interface Owner {
  readonly handle: number;
}

function watch(owner: Owner, care: number): void {
  if (native.watch(owner, owner.handle, care)) warnOfPile();
}

// Asked for only while there are such scopes: the store costs time.
function currentCare(): number {
  return asyncScopes === 0 ? COLLECTOR : (openScope.getStore() ?? COLLECTOR);
}

/** Called for a tensor that is new, or has left a scope: outside scopes, ties the native tensor to the object's life. */
export function adopt(owner: Owner): void {
  if (depth === 0) watch(owner, currentCare());
}

/** Moves a tensor out of all scopes, into the collector's care. */
export function outlive(owner: Owner): void {
  native.keep(owner.handle);
  watch(owner, KEPT);
}

/** Frees the native tensor now. */
export function free(owner: Owner): void {
  native.release(owner.handle);
}

/** Frees a tensor that nobody has kept and no scope owns. */
export function letGo(owner: Owner): void {
  native.letGo(owner.handle, COLLECTOR);
}

export function enterScope(): void {
  native.beginScope();
  depth++;
}

/**
 * Ends the innermost scope; the frame holds the handles of its `survivors`, which move to the scope around it. Of those
 * that another owns the frame says 0 afterwards.
 */
export function leaveScope(survivors: number): void {
  depth--;
  native.endScope(survivors);
}

export function scopeDepth(): number {
  return depth;
}

/** Runs `body` in an asynchronous scope. What `survivorsOf` finds in its result goes to the scope around. */
export async function inAsyncScope<T>(body: () => Promise<T>, survivorsOf: (result: T) => Owner[]): Promise<T> {
  const around = currentCare();
  const own = ++lastCare;
  asyncScopes++;
  try {
    const result = await openScope.run(own, body);
    for (const { handle } of survivorsOf(result)) native.entrust(handle, own, around);
    return result;
  } finally {
    asyncScopes--;
    native.endCare(own);
  }
}

// What was dropped is freed when new tensors are made. Where none are, as in a server that has come to rest, this does it:
// an object that nothing refers to is reported, in a task of its own, after each collection of all memory.
const collections = new FinalizationRegistry<null>(() => {
  native.freeDropped();
  awaitCollection();
});
function awaitCollection(): void {
  collections.register({}, null);
}
awaitCollection();
