/** Functions that gradients pass through on their way back. */
import { TorchError, translating } from './errors.js';
import { readTensors, writeTensors } from './frame.js';
import { native } from './native.js';
import type { Tensor } from './tensor.js';

/** What a registration gives back: it can be undone. */
export interface RemovableHandle {
  /** Undoes the registration; a second time does nothing. */
  remove(): void;
  /** The same as {@link remove}, by the name that tensors use. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** A handle that calls `undo` once. */
export function removable(undo: () => void): RemovableHandle {
  let registered = true;
  const remove = () => {
    if (registered) undo();
    registered = false;
  };
  return { remove, dispose: remove, [Symbol.dispose]: remove };
}

/** Sees a tensor's gradient, and may return another in its place, of the same shape and dtype. */
// biome-ignore lint/suspicious/noConfusingVoidType: a hook that returns nothing is the usual one
export type GradHook = (grad: Tensor) => Tensor | null | undefined | void;

/** Sees the gradients of several tensors at once, null where there is none; returns others in their place, or nothing. */
export type GradsHook = (grads: (Tensor | null)[]) => readonly (Tensor | null | undefined)[] | null | undefined;

/** What stands behind `tensor.registerHook`. */
export function registerHook(tensor: Tensor, hook: GradHook): RemovableHandle {
  const slot: Slot = { hook };
  const callback = ofSlot(slot);
  translating(() => native.registerHook(tensor.handle, callback));
  return removable(() => {
    slot.hook = null;
  });
}

interface Slot {
  hook: GradHook | null;
}

/**
 * The graph keeps the callback, and the collector cannot see through the graph: a callback that holds a tensor of it keeps both for
 * ever. All closures of a function share its variables, so that callbacks are made where no tensor is among them.
 */
function ofSlot(slot: Slot): () => void {
  return passing(([grad]) => [slot.hook?.(grad as Tensor) ?? null]);
}

/**
 * The same values as new tensors of the graph, whose gradients pass through `hook` together, once all are known. Tensors
 * that require no gradient come back as they are to autograd: their entry is null.
 */
export function watchGrads(tensors: readonly Tensor[], hook: GradsHook): Tensor[] {
  const callback = passing(hook);
  writeTensors(tensors);
  translating(() => native.watchGrads(callback));
  return readTensors() as Tensor[];
}

/** The addon's form of a hook: gradients come and go in the frame. */
function passing(hook: GradsHook): () => void {
  return () => {
    const grads = readTensors();
    const changed = hook(grads) ?? [];
    writeTensors(grads.map((grad, i) => replacement(grad, changed[i])));
  };
}

function replacement(grad: Tensor | null, changed: Tensor | null | undefined): Tensor | null {
  if (!changed) return null;
  const wanted = grad && describe(grad);
  if (wanted === null || describe(changed) !== wanted) {
    throw new TorchError(
      `Expected a hook to return ${wanted === null ? 'nothing where there is no gradient' : `nothing or a gradient as it got, ${wanted}`}, ` +
        `got ${describe(changed)}`,
      { code: 'HOOK' },
    );
  }
  return changed;
}

function describe({ dtype, shape, device }: Tensor): string {
  return `${dtype}[${shape}] on ${device}`;
}
