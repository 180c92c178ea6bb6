import { expectTensor } from '../../torch/expect.js';
import { op, ops, ShapeError, type Tensor } from '../../torch/index.js';
import * as signature from '../signatures.js';

export function layerNorm(
  x: Tensor,
  normalizedShape: readonly number[],
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  eps = 1e-5,
): Tensor {
  return ops.layerNorm(x, normalizedShape, weight, bias, eps);
}

export function groupNorm(
  x: Tensor,
  numGroups: number,
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  eps = 1e-5,
): Tensor {
  expectTensor('groupNorm', x);
  const [batch = 0, channels = 0, ...rest] = x.shape;
  // As PyTorch counts: several groups count as several values, even where each has but one.
  expectSeveral([Math.floor((batch * channels) / numGroups), numGroups, ...rest], x.shape);
  return ops.groupNorm(x, numGroups, weight, bias, eps);
}

export interface BatchNormArguments {
  /** Whether the batch's own statistics are used, and the running ones updated. Default false. */
  readonly training?: boolean;
  /** Weight of this batch in the running statistics. Default 0.1. */
  readonly momentum?: number;
  /** Default 1e-5. */
  readonly eps?: number;
}

/**
 * Normalises each channel of [B, C, ...]. Updates the running statistics in place when training.
 * @throws ShapeError in training with one value per channel, which has no variance
 */
export function batchNorm(
  x: Tensor,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  options?: BatchNormArguments,
): Tensor {
  expectTensor('batchNorm', x);
  const { training, momentum, eps } = signature.batchNormOf.read('batchNorm', [], options);
  if (training) expectSeveral(x.shape);
  return ops.batchNorm(x, weight, bias, runningMean, runningVar, training, momentum, eps, true);
}

export interface BatchNormReluArguments extends BatchNormArguments {
  /** Added before the ReLU; of x's shape. */
  readonly residual?: Tensor | null;
}

/**
 * relu(batchNorm(x) + residual), and its gradients. In training on the CPU with channels-last float32 it is one operator
 * of this package's, which goes over memory about half as often; anything else goes through libtorch's operators.
 */
export function batchNormRelu(
  x: Tensor,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  options?: BatchNormReluArguments,
): Tensor {
  expectTensor('batchNormRelu', x);
  const { residual, training, momentum, eps } = signature.batchNormRelu.read('batchNormRelu', [], options);
  if (training) expectSeveral(x.shape);
  const fused = op('headrace::batchNormRelu');
  return fused(x, residual, weight, bias, runningMean, runningVar, training, momentum, eps) as Tensor;
}

export function instanceNorm(x: Tensor, weight: Tensor | null = null, bias: Tensor | null = null, eps = 1e-5): Tensor {
  expectTensor('instanceNorm', x);
  expectSeveralPlaces(x.shape);
  return ops.instanceNorm(x, weight, bias, null, null, true, 0.1, eps, true);
}

/** Refuses statistics of one value per channel of [B, C, ...]: its variance is none. @param shown - of the input */
export function expectSeveral(shape: readonly number[], shown = shape): void {
  const [batch = 0, , ...rest] = shape;
  if (rest.reduce((product, size) => product * size, batch) !== 1) return;
  throw new ShapeError(
    `Expected more than 1 value per channel when training, got input size [${shown}]. ` +
      'Give a batch of more than one, or leave out a last batch of one.',
  );
}

/** Refuses statistics of images [B, C, ...] of a single element. */
export function expectSeveralPlaces(shape: readonly number[]): void {
  if (shape.slice(2).reduce((product, size) => product * size, 1) !== 1) return;
  throw new ShapeError(`Expected more than 1 spatial element when training, got input size [${shape}].`);
}
