/**
 * Who frees a tensor. Inside a scope the scope does, natively, at its end; outside, the garbage collector does.
 * Scopes matter because the collector sees only the small handle, not the megabytes behind it.
 */
import { native } from './native.js';

let depth = 0;

const registry = new FinalizationRegistry<number>((handle) => native.release(handle));

/** Called by every new Tensor: outside scopes, ties the native tensor to the object's life. */
export function adopt(owner: object, handle: number): void {
  if (depth === 0) registry.register(owner, handle);
}

/** Moves a tensor out of all scopes, into the collector's care. */
export function outlive(owner: object, handle: number): void {
  native.keep(handle);
  registry.register(owner, handle);
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
