import { expectTensor, expectTensors } from '../../torch/expect.js';
import { noGrad, ops, type Tensor } from '../../torch/index.js';
import * as signature from '../signatures.js';

/** x Wᵀ + b; weight [out, in]. */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  return ops.linear(x, weight, bias);
}

export function bilinear(x1: Tensor, x2: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  return ops.bilinear(x1, x2, weight, bias);
}

export interface EmbeddingArguments {
  /** The row that gets no gradient; a negative one counts from the end. Default null. */
  readonly paddingIdx?: number | null;
  /** Rows of `weight` that are read are shortened to this norm, in place. Default null. */
  readonly maxNorm?: number | null;
  /** Of `maxNorm`. Default 2. */
  readonly normType?: number;
  /** Whether a row's gradient is divided by how often it was read. Default false. */
  readonly scaleGradByFreq?: boolean;
}

/** Rows of `weight` [entries, width] at int64 `indices`: `embedding(i, w, 0)` or `embedding(i, w, { paddingIdx: 0 })`. */
export function embedding(
  indices: Tensor,
  weight: Tensor,
  paddingIdx?: number | null | EmbeddingArguments,
  options?: Omit<EmbeddingArguments, 'paddingIdx'>,
): Tensor {
  expectTensors('embedding', indices, weight);
  const o = signature.embeddingOf.read('embedding', [paddingIdx], options);
  const { paddingIdx: at, maxNorm, normType, scaleGradByFreq } = o;
  if (maxNorm !== null) noGrad(() => ops.embeddingRenorm_(weight, indices.contiguous(), maxNorm, normType));
  const row = at === null ? -1 : at < 0 ? at + (weight.shape[0] as number) : at;
  return ops.embedding(weight, indices, row, scaleGradByFreq);
}

/** int64 [...] to int64 [..., numClasses]; -1 takes the greatest index present. */
export function oneHot(x: Tensor, numClasses = -1): Tensor {
  return ops.oneHot(x, signature.oneHot.read('oneHot', [numClasses]).numClasses);
}

type Size = number | readonly number[];

export interface ConvArguments {
  readonly stride?: Size;
  /** Zeros on both sides; `'same'` keeps the size (stride 1 only, the odd one after), `'valid'` is 0. */
  readonly padding?: Size | 'same' | 'valid';
  readonly dilation?: Size;
  readonly groups?: number;
}

export interface ConvTransposeArguments {
  readonly stride?: Size;
  readonly padding?: Size;
  readonly outputPadding?: Size;
  readonly groups?: number;
  readonly dilation?: Size;
}

const list = (value: Size): number[] => (typeof value === 'number' ? [value] : [...value]);

/** A convolution's arguments as the operators take them; a padding in words is libtorch's own. */
function convolution(where: string, o: ConvArguments | undefined) {
  const { stride, padding, dilation, groups } = signature.convOf.read(where, [], o);
  return [list(stride), typeof padding === 'string' ? padding : list(padding), list(dilation), groups] as const;
}

function transposed(where: string, o: ConvTransposeArguments | undefined) {
  const { stride, padding, outputPadding, groups, dilation } = signature.convTransposeOf.read(where, [], o);
  return [list(stride), list(padding), list(outputPadding), groups, list(dilation)] as const;
}

/** Input [B, C, L], weight [out, C / groups, kernel]. */
export function conv1d(x: Tensor, weight: Tensor, bias: Tensor | null = null, o?: ConvArguments): Tensor {
  const [stride, padding, dilation, groups] = convolution('conv1d', o);
  return typeof padding === 'string'
    ? ops.conv1d(x, weight, bias, stride, padding, dilation, groups)
    : ops.conv1d(x, weight, bias, stride, padding, dilation, groups);
}

/** Input [B, C, H, W], weight [out, C / groups, kh, kw]. */
export function conv2d(x: Tensor, weight: Tensor, bias: Tensor | null = null, o?: ConvArguments): Tensor {
  const [stride, padding, dilation, groups] = convolution('conv2d', o);
  return typeof padding === 'string'
    ? ops.conv2d(x, weight, bias, stride, padding, dilation, groups)
    : ops.conv2d(x, weight, bias, stride, padding, dilation, groups);
}

/** Input [B, C, D, H, W], weight [out, C / groups, kd, kh, kw]. */
export function conv3d(x: Tensor, weight: Tensor, bias: Tensor | null = null, o?: ConvArguments): Tensor {
  const [stride, padding, dilation, groups] = convolution('conv3d', o);
  return typeof padding === 'string'
    ? ops.conv3d(x, weight, bias, stride, padding, dilation, groups)
    : ops.conv3d(x, weight, bias, stride, padding, dilation, groups);
}

/** Weight [C, out / groups, ...kernel]. */
export function convTranspose1d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  o?: ConvTransposeArguments,
): Tensor {
  return ops.convTranspose1d(x, weight, bias, ...transposed('convTranspose1d', o));
}

/** Weight [C, out / groups, ...kernel]. */
export function convTranspose2d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  o?: ConvTransposeArguments,
): Tensor {
  return ops.convTranspose2d(x, weight, bias, ...transposed('convTranspose2d', o));
}

/** Weight [C, out / groups, ...kernel]. */
export function convTranspose3d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  o?: ConvTransposeArguments,
): Tensor {
  return ops.convTranspose3d(x, weight, bias, ...transposed('convTranspose3d', o));
}

export interface NormalizeOptions {
  /** Default 2. */
  readonly p?: number;
  /** Default 1. */
  readonly dim?: number | readonly number[];
  /** Default 1e-12. */
  readonly eps?: number;
}

/** x / max(‖x‖ₚ, eps) along `dim`. */
export function normalize(x: Tensor, options?: NormalizeOptions): Tensor {
  expectTensor('normalize', x);
  const { p, dim, eps } = signature.normalize.read('normalize', [], options);
  return x.div(ops.linalgVectorNorm(x, p, list(dim), true).clampMin(eps));
}

export interface CosineSimilarityOptions {
  /** Default 1. */
  readonly dim?: number;
  /** Default 1e-8. */
  readonly eps?: number;
}

/** `cosineSimilarity(a, b, 1)`, or `cosineSimilarity(a, b, { dim: 1 })`. */
export function cosineSimilarity(x1: Tensor, x2: Tensor, dim?: number | CosineSimilarityOptions, eps?: number): Tensor {
  expectTensors('cosineSimilarity', x1, x2);
  const values = signature.cosineSimilarity.read('cosineSimilarity', [dim, eps]);
  return ops.cosineSimilarity(x1, x2, values.dim, values.eps);
}

export interface PairwiseDistanceOptions {
  /** Default 2. */
  readonly p?: number;
  /** Added to each difference, so that the root has a gradient. Default 1e-6. */
  readonly eps?: number;
  readonly keepdim?: boolean;
}

export function pairwiseDistance(x1: Tensor, x2: Tensor, options?: PairwiseDistanceOptions): Tensor {
  expectTensors('pairwiseDistance', x1, x2);
  const { p, eps, keepdim } = signature.pairwiseDistance.read('pairwiseDistance', [], options);
  return ops.pairwiseDistance(x1, x2, p, eps, keepdim);
}
