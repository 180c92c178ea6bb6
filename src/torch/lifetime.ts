/**
 * Who frees a tensor. Inside a scope the scope does, natively, at its end; outside, the garbage collector does.
 * Scopes matter because the collector sees only the small handle, not the megabytes behind it.
 */
import { native } from './native.js';

let depth = 0;

const registry = new FinalizationRegistry<number>((handle) => native.release(handle));

/** A JavaScript object that names a native tensor. */
export interface Owner {
  readonly handle: number;
  /** Whether the collector frees the native tensor with this object; registering twice would cost memory. */
  collectable: boolean;
}

function register(owner: Owner): void {
  if (owner.collectable) return;
  owner.collectable = true;
  registry.register(owner, owner.handle, owner);
}

/** Frees the native tensor now. The collector forgets it: on a thread that never pauses, its list would only grow. */
export function free(owner: Owner): void {
  native.release(owner.handle);
  if (owner.collectable) registry.unregister(owner);
}

/** Called for a tensor that is new, or has left a scope: outside scopes, ties the native tensor to the object's life. */
export function adopt(owner: Owner): void {
  if (depth === 0) register(owner);
}

/** Moves a tensor out of all scopes, into the collector's care. */
export function outlive(owner: Owner): void {
  native.keep(owner.handle);
  register(owner);
}

export function enterScope(): void {
  native.beginScope();
  depth++;
}

/** Ends the innermost scope; the frame holds the handles of its `survivors`, which move to the scope around it. */
export function leaveScope(survivors: number): void {
  depth--;
  native.endScope(survivors);
}

export function scopeDepth(): number {
  return depth;
}
