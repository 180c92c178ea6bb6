import { ConfigError, ops, type Tensor } from '../../torch/index.js';

/** `'none'` keeps a loss per element. */
export type Reduction = 'none' | 'mean' | 'sum';

export interface LossOptions {
  /** Default `'mean'`. */
  readonly reduction?: Reduction;
}

/** libtorch's number of a reduction. */
function code(reduction: Reduction = 'mean'): number {
  const found = { none: 0, mean: 1, sum: 2 }[reduction];
  if (found === undefined) throw new ConfigError(`Expected reduction 'none', 'mean' or 'sum', got '${reduction}'`);
  return found;
}

function reduce(loss: Tensor, reduction: Reduction = 'mean'): Tensor {
  return reduction === 'none' ? loss : reduction === 'sum' ? loss.sum() : loss.mean();
}

export interface NllLossOptions extends LossOptions {
  /** A weight per class [C]. */
  readonly weight?: Tensor | null;
  /** Targets of this value count for nothing. Default -100. */
  readonly ignoreIndex?: number;
}

export interface CrossEntropyOptions extends NllLossOptions {
  /** Share of the target that is spread over all classes. Default 0. */
  readonly labelSmoothing?: number;
}

/** Logits [B, C, ...] against int64 classes [B, ...] or class probabilities [B, C, ...]. */
export function crossEntropy(logits: Tensor, target: Tensor, o: CrossEntropyOptions = {}): Tensor {
  const smoothing = o.labelSmoothing ?? 0;
  return ops.crossEntropyLoss(logits, target, o.weight ?? null, code(o.reduction), o.ignoreIndex ?? -100, smoothing);
}

/** Log probabilities [B, C, ...] against int64 classes [B, ...]. */
export function nllLoss(logProbabilities: Tensor, target: Tensor, o: NllLossOptions = {}): Tensor {
  return ops.nllLossNd(logProbabilities, target, o.weight ?? null, code(o.reduction), o.ignoreIndex ?? -100);
}

export function mseLoss(input: Tensor, target: Tensor, o: LossOptions = {}): Tensor {
  return ops.mseLoss(input, target, code(o.reduction));
}

export function l1Loss(input: Tensor, target: Tensor, o: LossOptions = {}): Tensor {
  return ops.l1Loss(input, target, code(o.reduction));
}

/** Quadratic below `beta` (default 1), linear above, slope 1. */
export function smoothL1Loss(input: Tensor, target: Tensor, o: LossOptions & { readonly beta?: number } = {}): Tensor {
  const beta = o.beta ?? 1;
  return beta === 0 ? l1Loss(input, target, o) : ops.smoothL1Loss(input, target, code(o.reduction), beta);
}

/** Quadratic below `delta` (default 1), linear above, slope `delta`. */
export function huberLoss(input: Tensor, target: Tensor, o: LossOptions & { readonly delta?: number } = {}): Tensor {
  return ops.huberLoss(input, target, code(o.reduction), o.delta ?? 1);
}

/** Probabilities against targets in 0..1. */
export function binaryCrossEntropy(
  input: Tensor,
  target: Tensor,
  o: LossOptions & { readonly weight?: Tensor | null } = {},
): Tensor {
  return ops.binaryCrossEntropy(input, target, o.weight ?? null, code(o.reduction));
}

export interface BceWithLogitsOptions extends LossOptions {
  readonly weight?: Tensor | null;
  /** Weight of the positive examples, per class. */
  readonly posWeight?: Tensor | null;
}

/** Logits against targets in 0..1. */
export function binaryCrossEntropyWithLogits(input: Tensor, target: Tensor, o: BceWithLogitsOptions = {}): Tensor {
  return ops.binaryCrossEntropyWithLogits(input, target, o.weight ?? null, o.posWeight ?? null, code(o.reduction));
}

export interface KlDivOptions {
  /** `'batchmean'` is the divergence proper: the sum over the batch's size. Default `'mean'`, as PyTorch's. */
  readonly reduction?: Reduction | 'batchmean';
  /** Whether the target is given as log probabilities. Default false. */
  readonly logTarget?: boolean;
}

/** Log probabilities against probabilities. */
export function klDiv(
  input: Tensor,
  target: Tensor,
  { reduction = 'mean', logTarget = false }: KlDivOptions = {},
): Tensor {
  if (reduction !== 'batchmean') return ops.klDiv(input, target, code(reduction), { logTarget });
  return ops.klDiv(input, target, code('sum'), { logTarget }).div(input.shape[0] ?? 1);
}

export interface MarginOptions extends LossOptions {
  readonly margin?: number;
}

/** Pairs [B, D] with targets 1 (alike) or -1 (unlike, pushed below the margin, default 0). */
export function cosineEmbeddingLoss(x1: Tensor, x2: Tensor, target: Tensor, o: MarginOptions = {}): Tensor {
  return ops.cosineEmbeddingLoss(x1, x2, target, o.margin ?? 0, code(o.reduction));
}

export function marginRankingLoss(x1: Tensor, x2: Tensor, target: Tensor, o: MarginOptions = {}): Tensor {
  return ops.marginRankingLoss(x1, x2, target, o.margin ?? 0, code(o.reduction));
}

export function hingeEmbeddingLoss(input: Tensor, target: Tensor, o: MarginOptions = {}): Tensor {
  return ops.hingeEmbeddingLoss(input, target, o.margin ?? 1, code(o.reduction));
}

export function softMarginLoss(input: Tensor, target: Tensor, o: LossOptions = {}): Tensor {
  return ops.softMarginLoss(input, target, code(o.reduction));
}

export interface TripletOptions extends MarginOptions {
  readonly p?: number;
  readonly eps?: number;
  /** Whether the distance from positive to negative is used when it is the smaller. Default false. */
  readonly swap?: boolean;
}

/** max(d(anchor, positive) - d(anchor, negative) + margin, 0); margin 1 by default. */
export function tripletMarginLoss(anchor: Tensor, positive: Tensor, negative: Tensor, o: TripletOptions = {}): Tensor {
  const [margin, p, eps, swap] = [o.margin ?? 1, o.p ?? 2, o.eps ?? 1e-6, o.swap ?? false];
  return ops.tripletMarginLoss(anchor, positive, negative, margin, p, eps, swap, code(o.reduction));
}

export interface GaussianNllOptions extends LossOptions {
  /** Whether the constant ½ log 2π is added. Default false. */
  readonly full?: boolean;
  /** Smallest variance. Default 1e-6. */
  readonly eps?: number;
}

/** Negative log likelihood of `target` under a normal distribution of mean `input` and variance `variance`. */
export function gaussianNllLoss(input: Tensor, target: Tensor, variance: Tensor, o: GaussianNllOptions = {}): Tensor {
  const bounded = variance.clampMin(o.eps ?? 1e-6);
  const loss = bounded.log().add(input.sub(target).square().div(bounded)).mul(0.5);
  return reduce(o.full ? loss.add(0.5 * Math.log(2 * Math.PI)) : loss, o.reduction);
}

export interface PoissonNllOptions extends LossOptions {
  /** Whether the input is the logarithm of the rate. Default true. */
  readonly logInput?: boolean;
  readonly full?: boolean;
  readonly eps?: number;
}

export function poissonNllLoss(input: Tensor, target: Tensor, o: PoissonNllOptions = {}): Tensor {
  return ops.poissonNllLoss(input, target, o.logInput ?? true, o.full ?? false, o.eps ?? 1e-8, code(o.reduction));
}

export interface CtcOptions extends LossOptions {
  /** Default 0. */
  readonly blank?: number;
  /** Whether infinite losses (targets longer than inputs) count as zero. Default false. */
  readonly zeroInfinity?: boolean;
}

/** Log probabilities [T, B, C], int64 targets [B, S], lengths [B]. */
export function ctcLoss(
  logProbabilities: Tensor,
  targets: Tensor,
  inputLengths: Tensor,
  targetLengths: Tensor,
  o: CtcOptions = {},
): Tensor {
  const [blank, reduction, zeroInfinity] = [o.blank ?? 0, code(o.reduction), o.zeroInfinity ?? false];
  return ops.ctcLoss(logProbabilities, targets, inputLengths, targetLengths, blank, reduction, zeroInfinity);
}
