/** Pooling and normalisation by powers, and draws from categories. */
import { expectTensor } from '../../torch/expect.js';
import { defaultGenerator, type Generator, ops, ShapeError, type Tensor } from '../../torch/index.js';
import * as signature from '../more-signatures.js';
import { avgPool1d, avgPool2d } from './pooling.js';

type Size = number | readonly number[];

export interface LpPoolArguments {
  /** Default: the kernel's size. */
  readonly stride?: Size | null;
  readonly ceilMode?: boolean;
}

/** The root of the sum of `normType`-th powers in each window of [B, C, L]. */
export function lpPool1d(x: Tensor, normType: number, kernelSize: Size, options?: LpPoolArguments): Tensor {
  expectTensor('lpPool1d', x);
  const { stride, ceilMode } = signature.lpPool.read('lpPool1d', [normType, kernelSize], options);
  return rootOfSums(avgPool1d(x.pow(normType), kernelSize, { stride, ceilMode }), normType, volume(kernelSize, 1));
}

/** As {@link lpPool1d}, of [B, C, H, W]. */
export function lpPool2d(x: Tensor, normType: number, kernelSize: Size, options?: LpPoolArguments): Tensor {
  expectTensor('lpPool2d', x);
  const { stride, ceilMode } = signature.lpPool.read('lpPool2d', [normType, kernelSize], options);
  return rootOfSums(avgPool2d(x.pow(normType), kernelSize, { stride, ceilMode }), normType, volume(kernelSize, 2));
}

/** Means of windows of `count` to roots of their sums; NaN where a sum of odd powers is negative, as in PyTorch. */
function rootOfSums(means: Tensor, normType: number, count: number): Tensor {
  return means
    .sign()
    .mul(means.abs().relu())
    .mul(count)
    .pow(1 / normType);
}

function volume(kernelSize: Size, dimensions: number): number {
  if (typeof kernelSize === 'number') return kernelSize ** dimensions;
  return kernelSize.reduce((product, size) => product * size, 1);
}

export interface LocalResponseNormOptions {
  /** Default 1e-4. */
  readonly alpha?: number;
  /** Default 0.75. */
  readonly beta?: number;
  /** Default 1. */
  readonly k?: number;
}

/** x / (k + alpha · mean of squares over `size` neighbouring channels)^beta, of [B, C, ...]. */
export function localResponseNorm(x: Tensor, size: number, options?: LocalResponseNormOptions): Tensor {
  expectTensor('localResponseNorm', x);
  const { alpha, beta, k } = signature.responseNorm.read('localResponseNorm', [size], options);
  const shape = x.shape;
  if (shape.length < 3) throw new ShapeError(`Expected [batch, channels, ...] of 3 dimensions or more, got [${shape}]`);
  if (x.numel === 0) return x;
  const [batch, channels] = shape as [number, number];
  const squares = x.square().reshape([batch, 1, channels, -1]);
  const padded = ops.constantPadNd(squares, [0, 0, Math.floor(size / 2), Math.floor((size - 1) / 2)], 0);
  const means = avgPool2d(padded, [size, 1], { stride: 1 }).reshape(shape);
  return x.div(means.mul(alpha).add(k).pow(beta));
}

export interface GumbelOptions {
  /** The lower, the nearer to one category. Default 1. */
  readonly tau?: number;
  /** Whether the result is one-hot, with the gradient of the soft one. Default false. */
  readonly hard?: boolean;
  /** The categories' dimension. Default -1. */
  readonly dim?: number;
  readonly generator?: Generator | null;
}

/** A draw from categories with a gradient (Jang et al., 2016): the softmax of logits with Gumbel noise. */
export function gumbelSoftmax(logits: Tensor, options?: GumbelOptions): Tensor {
  expectTensor('gumbelSoftmax', logits);
  const { tau, hard, dim, ...o } = signature.gumbel.read('gumbelSoftmax', [], options);
  const generator = o.generator ?? (logits.device === 'cpu' ? defaultGenerator : null);
  const noise = ops.emptyLike(logits).exponential_(1, { generator }).log().neg();
  const soft = logits.add(noise).div(tau).softmax(dim);
  if (!hard) return soft;
  const [, index] = soft.max(dim, true);
  const oneHot = ops.zerosLike(soft).scatter(dim, index, 1);
  return oneHot.sub(soft.detach()).add(soft);
}
