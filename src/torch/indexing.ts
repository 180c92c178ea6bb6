/** `x.index(...)`: Python's `x[...]`. */
import { ShapeError } from './errors.js';
import { ops } from './ops.js';
import { Tensor } from './tensor.js';

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

function isMask(index: Tensor): boolean {
  return index.dtype === 'bool' || index.dtype === 'uint8';
}

/** Dimensions that an index takes up. */
function consumed(index: Index): number {
  if (index === null || index === '...') return 0;
  return index instanceof Tensor && isMask(index) ? index.ndim : 1;
}

function checkIndex(index: unknown): void {
  const known = index === null || index === '...' || index instanceof Slice || index instanceof Tensor;
  if (!known && !Number.isInteger(index)) {
    throw new ShapeError(`expected an integer, null, slice(), '...' or a Tensor as an index, got ${String(index)}`);
  }
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
  indices.forEach(checkIndex);
  let view = self;
  let dim = 0;
  const gathers: (Tensor | null)[] = [];
  for (const index of expandEllipsis(indices, self.ndim)) {
    if (index === null) {
      view = view.unsqueeze(dim++);
      gathers.push(null);
    } else if (typeof index === 'number') {
      view = view.select(dim, index);
    } else if (index instanceof Slice) {
      const whole = index.start === null && index.end === null && index.step === 1;
      if (!whole) view = ops.slice(view, dim, index.start, index.end, index.step);
      gathers.push(null);
      dim++;
    } else if (index instanceof Tensor && index.ndim === 0) {
      // As in PyTorch: an integer without dimensions picks like a number, a boolean masks a dimension of its own.
      view = isMask(index) ? view.unsqueeze(dim++) : view.select(dim, index.item());
      if (isMask(index)) gathers.push(index.unsqueeze(0));
    } else if (index instanceof Tensor) {
      // A mask takes one place in aten's list, however many dimensions it takes up.
      gathers.push(index);
      dim += consumed(index);
    }
  }
  // What was indexed stays another tensor than the result, which may be disposed of by itself.
  if (!gathers.some((gather) => gather)) return view === self ? ops.alias(self) : view;
  const last = gathers.findLastIndex((gather) => gather);
  return ops.index(view, gathers.slice(0, last + 1));
}
