/** `x.index(...)`: Python's `x[...]`. */
import { ShapeError } from './errors.js';
import { ops } from './ops.js';
import type { Tensor } from './tensor.js';

/** `start:end:step`; null leaves a bound open. Made by {@link slice}. */
export class Slice {
  constructor(
    readonly start: number | null,
    readonly end: number | null,
    readonly step: number,
  ) {}
}

/** Python's `start:end:step`, for {@link Tensor.index}: `x.index(slice(1, 3))` is `x[1:3]`. */
export function slice(start: number | null = null, end: number | null = null, step = 1): Slice {
  return new Slice(start, end, step);
}

/** One position of an index: a number picks, a Slice cuts, null adds a dimension, a tensor gathers, `'...'` skips. */
export type Index = number | null | Slice | Tensor | '...';

function isTensor(index: Index): index is Tensor {
  return typeof index === 'object' && index !== null && !(index instanceof Slice);
}

function consumed(index: Index): number {
  if (index === null || index === '...') return 0;
  return isTensor(index) && index.dtype === 'bool' ? index.ndim : 1;
}

function expandEllipsis(indices: readonly Index[], ndim: number): Index[] {
  const used = indices.reduce<number>((sum, index) => sum + consumed(index), 0);
  if (used > ndim) throw new ShapeError(`expected at most ${ndim} indices, got ${used}`);
  const at = indices.indexOf('...');
  const fill: Index[] = Array.from({ length: ndim - used }, () => new Slice(null, null, 1));
  if (at < 0) return [...indices, ...fill];
  if (indices.indexOf('...', at + 1) >= 0) throw new ShapeError("an index holds at most one '...'");
  return [...indices.slice(0, at), ...fill, ...indices.slice(at + 1)];
}

/** Applies numbers, slices and new dimensions as views, then gathers by the tensors, if there are any. */
export function indexTensor(self: Tensor, indices: readonly Index[]): Tensor {
  let view = self;
  let dim = 0;
  const gathers: (Tensor | null)[] = [];
  for (const index of expandEllipsis(indices, self.ndim)) {
    if (index === null) {
      view = view.unsqueeze(dim);
      gathers[dim++] = null;
    } else if (typeof index === 'number') {
      view = view.select(dim, index);
    } else if (index instanceof Slice) {
      const whole = index.start === null && index.end === null && index.step === 1;
      if (!whole) view = ops.slice(view, dim, index.start, index.end, index.step);
      gathers[dim++] = null;
    } else if (isTensor(index)) {
      gathers[dim] = index;
      dim += consumed(index);
    }
  }
  if (!gathers.some((gather) => gather)) return view;
  const last = gathers.findLastIndex((gather) => gather);
  return ops.index(view, boolsInPlace(gathers.slice(0, last + 1)));
}

// A boolean mask over several dimensions takes one place in aten's list.
function boolsInPlace(gathers: readonly (Tensor | null)[]): (Tensor | null)[] {
  const list: (Tensor | null)[] = [];
  for (let dim = 0; dim < gathers.length; dim++) {
    const gather = gathers[dim] ?? null;
    list.push(gather);
    if (gather) dim += consumed(gather) - 1;
  }
  return list;
}
