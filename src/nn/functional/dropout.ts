import { expectTensor } from '../../torch/expect.js';
import { defaultGenerator, type Generator, ops, type Tensor } from '../../torch/index.js';
import * as signature from '../signatures.js';

/**
 * Zeroes elements with probability `p` and scales the rest by 1 / (1 - p), in training only.
 * The mask comes from `generator`; without one, from the default generator, or on another device than the CPU from
 * libtorch's own. `inplace` overwrites the input.
 */
export function dropout(
  x: Tensor,
  p = 0.5,
  training = true,
  generator: Generator | null = null,
  inplace = false,
): Tensor {
  expectTensor('dropout', x);
  signature.dropoutOf.read('dropout', [p, training, generator, inplace]);
  if (!training || p === 0) return x;
  const source = generator ?? drawFrom(x);
  if (source === null) return inplace ? ops.dropout_(x, p, true) : ops.dropout(x, p, true);
  return scaled(x, mask(x.emptyLike(), p, source), inplace);
}

/** As {@link dropout}, for whole channels of [B, C, ...]. */
export function featureDropout(
  x: Tensor,
  p = 0.5,
  training = true,
  generator: Generator | null = null,
  inplace = false,
): Tensor {
  expectTensor('featureDropout', x);
  signature.dropoutOf.read('featureDropout', [p, training, generator, inplace]);
  if (!training || p === 0) return x;
  const shape = x.shape.map((size, i) => (i < 2 ? size : 1));
  return scaled(x, mask(x.newEmpty(shape), p, generator ?? drawFrom(x)), inplace);
}

export { featureDropout as dropout1d, featureDropout as dropout2d, featureDropout as dropout3d };

/** Stochastic depth: zeroes whole samples (first dimension) with probability `p`, and scales the rest by 1 / (1 - p). */
export function dropPath(x: Tensor, p: number, training = true, generator: Generator | null = null): Tensor {
  expectTensor('dropPath', x);
  signature.dropoutOf.read('dropPath', [p, training, generator]);
  if (!training || p === 0) return x;
  const shape = x.shape.map((size, i) => (i === 0 ? size : 1));
  return x.mul(mask(x.newEmpty(shape), p, generator ?? drawFrom(x)));
}

/** The generator where none is given; null is libtorch's own of the device. */
export function drawFrom(x: Tensor): Generator | null {
  return x.device === 'cpu' ? defaultGenerator : null;
}

function scaled(x: Tensor, factor: Tensor, inplace: boolean): Tensor {
  return inplace ? x.mul_(factor) : x.mul(factor);
}

function mask(into: Tensor, p: number, generator: Generator | null): Tensor {
  if (p === 1) return into.zero_();
  return into.bernoulli_(1 - p, { generator }).div_(1 - p);
}
