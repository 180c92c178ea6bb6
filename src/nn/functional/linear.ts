import { op, ops, type Tensor } from '../../torch/index.js';

/** x Wᵀ + b; weight [out, in]. */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  return ops.linear(x, weight, bias);
}

export function bilinear(x1: Tensor, x2: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  return ops.bilinear(x1, x2, weight, bias);
}

/** Rows of `weight` [entries, width] at int64 `indices`. */
export function embedding(indices: Tensor, weight: Tensor, paddingIdx: number | null = null): Tensor {
  return ops.embedding(weight, indices, paddingIdx ?? -1);
}

/** int64 [...] to int64 [..., numClasses]; -1 takes the greatest index present. */
export function oneHot(x: Tensor, numClasses = -1): Tensor {
  return ops.oneHot(x, numClasses);
}

export interface ConvArguments {
  readonly stride?: number | readonly number[];
  readonly padding?: number | readonly number[];
  readonly dilation?: number | readonly number[];
  readonly groups?: number;
}

export interface ConvTransposeArguments extends ConvArguments {
  readonly outputPadding?: number | readonly number[];
}

const list = (value: number | readonly number[] | undefined, otherwise: number) =>
  value === undefined ? [otherwise] : typeof value === 'number' ? [value] : [...value];

export function conv1d(x: Tensor, weight: Tensor, bias: Tensor | null = null, o: ConvArguments = {}): Tensor {
  return ops.conv1d(x, weight, bias, list(o.stride, 1), list(o.padding, 0), list(o.dilation, 1), o.groups ?? 1);
}

export function conv2d(x: Tensor, weight: Tensor, bias: Tensor | null = null, o: ConvArguments = {}): Tensor {
  return ops.conv2d(x, weight, bias, list(o.stride, 1), list(o.padding, 0), list(o.dilation, 1), o.groups ?? 1);
}

export function conv3d(x: Tensor, weight: Tensor, bias: Tensor | null = null, o: ConvArguments = {}): Tensor {
  return ops.conv3d(x, weight, bias, list(o.stride, 1), list(o.padding, 0), list(o.dilation, 1), o.groups ?? 1);
}

export function convTranspose1d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  o: ConvTransposeArguments = {},
): Tensor {
  const [stride, padding, extra] = [list(o.stride, 1), list(o.padding, 0), list(o.outputPadding, 0)];
  return ops.convTranspose1d(x, weight, bias, stride, padding, extra, o.groups ?? 1, list(o.dilation, 1));
}

export function convTranspose2d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  o: ConvTransposeArguments = {},
): Tensor {
  const [stride, padding, extra] = [list(o.stride, 1), list(o.padding, 0), list(o.outputPadding, 0)];
  return ops.convTranspose2d(x, weight, bias, stride, padding, extra, o.groups ?? 1, list(o.dilation, 1));
}

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
  return ops.groupNorm(x, numGroups, weight, bias, eps);
}

/** Updates the running statistics in place when training. */
export function batchNorm(
  x: Tensor,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  { training = false, momentum = 0.1, eps = 1e-5 } = {},
): Tensor {
  return ops.batchNorm(x, weight, bias, runningMean, runningVar, training, momentum, eps, true);
}

export interface BatchNormReluArguments {
  /** Added before the ReLU; of x's shape. */
  readonly residual?: Tensor | null;
  readonly training?: boolean;
  readonly momentum?: number;
  readonly eps?: number;
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
  { residual = null, training = false, momentum = 0.1, eps = 1e-5 }: BatchNormReluArguments = {},
): Tensor {
  const fused = op('headrace::batchNormRelu');
  return fused(x, residual, weight, bias, runningMean, runningVar, training, momentum, eps) as Tensor;
}

export function instanceNorm(x: Tensor, weight: Tensor | null = null, bias: Tensor | null = null, eps = 1e-5): Tensor {
  return ops.instanceNorm(x, weight, bias, null, null, true, 0.1, eps, true);
}

/** x / max(‖x‖ₚ, eps) along `dim`. */
export function normalize(x: Tensor, { p = 2, dim = 1, eps = 1e-12 } = {}): Tensor {
  return x.div(ops.linalgVectorNorm(x, p, [dim], true).clampMin(eps));
}

export function cosineSimilarity(x1: Tensor, x2: Tensor, { dim = 1, eps = 1e-8 } = {}): Tensor {
  return ops.cosineSimilarity(x1, x2, dim, eps);
}

export function pairwiseDistance(x1: Tensor, x2: Tensor, { p = 2, eps = 1e-6, keepdim = false } = {}): Tensor {
  return ops.pairwiseDistance(x1, x2, p, eps, keepdim);
}
