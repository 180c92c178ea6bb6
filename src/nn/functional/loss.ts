import { expectList, expectTensors } from '../../torch/expect.js';
import { DataError, ops, ShapeError, Tensor, tensor } from '../../torch/index.js';
import * as signature from '../loss-signatures.js';

/** `'none'` keeps a loss per element. */
export type Reduction = 'none' | 'mean' | 'sum';

export interface LossOptions {
  /** Default `'mean'`. */
  readonly reduction?: Reduction;
}

/** libtorch's number of a reduction. */
const code = (reduction: Reduction): number => ({ none: 0, mean: 1, sum: 2 })[reduction];

function reduce(loss: Tensor, reduction: Reduction): Tensor {
  return reduction === 'none' ? loss : reduction === 'sum' ? loss.sum() : loss.mean();
}

/** Refuses a target of another shape: stretched to each other, [N] and [N, 1] would compare all pairs. */
function expectSameShape(where: string, input: Tensor, target: Tensor): void {
  expectTensors(where, input, target);
  const [own, other] = [input.shape, target.shape];
  if (own.length === other.length && own.every((size, i) => size === other[i])) return;
  throw new ShapeError(
    `Expected a target of the input's shape [${own}] in ${where}, got [${other}]. ` +
      'Give them one shape with view, unsqueeze or squeeze; expandAs where a value should count for several.',
  );
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
export function crossEntropy(logits: Tensor, target: Tensor, options?: CrossEntropyOptions): Tensor {
  expectTensors('crossEntropy', logits, target);
  const o = signature.crossEntropy.read('crossEntropy', [], options);
  return ops.crossEntropyLoss(logits, target, o.weight, code(o.reduction), o.ignoreIndex, o.labelSmoothing);
}

/** Log probabilities [B, C, ...] against int64 classes [B, ...]. */
export function nllLoss(logProbabilities: Tensor, target: Tensor, options?: NllLossOptions): Tensor {
  expectTensors('nllLoss', logProbabilities, target);
  const o = signature.nllLoss.read('nllLoss', [], options);
  return ops.nllLossNd(logProbabilities, target, o.weight, code(o.reduction), o.ignoreIndex);
}

/** @throws ShapeError where the shapes differ: PyTorch warns, and compares all with all */
export function mseLoss(input: Tensor, target: Tensor, options?: LossOptions): Tensor {
  expectSameShape('mseLoss', input, target);
  return ops.mseLoss(input, target, code(signature.plain.read('mseLoss', [], options).reduction));
}

/** @throws ShapeError where the shapes differ */
export function l1Loss(input: Tensor, target: Tensor, options?: LossOptions): Tensor {
  expectSameShape('l1Loss', input, target);
  return ops.l1Loss(input, target, code(signature.plain.read('l1Loss', [], options).reduction));
}

export interface SmoothL1Options extends LossOptions {
  /** Default 1. */
  readonly beta?: number;
}

/** Quadratic below `beta` (default 1), linear above, slope 1. @throws ShapeError where the shapes differ */
export function smoothL1Loss(input: Tensor, target: Tensor, options?: SmoothL1Options): Tensor {
  const { beta, reduction } = signature.smoothL1.read('smoothL1Loss', [], options);
  expectSameShape('smoothL1Loss', input, target);
  if (beta === 0) return ops.l1Loss(input, target, code(reduction));
  return ops.smoothL1Loss(input, target, code(reduction), beta);
}

export interface HuberOptions extends LossOptions {
  /** Default 1. */
  readonly delta?: number;
}

/** Quadratic below `delta` (default 1), linear above, slope `delta`. @throws ShapeError where the shapes differ */
export function huberLoss(input: Tensor, target: Tensor, options?: HuberOptions): Tensor {
  const { delta, reduction } = signature.huber.read('huberLoss', [], options);
  expectSameShape('huberLoss', input, target);
  return ops.huberLoss(input, target, code(reduction), delta);
}

export interface BceOptions extends LossOptions {
  /** Of each element, or broadcast to the target. */
  readonly weight?: Tensor | null;
}

/** Probabilities against targets in 0..1. @throws ShapeError where the shapes differ */
export function binaryCrossEntropy(input: Tensor, target: Tensor, options?: BceOptions): Tensor {
  const { weight, reduction } = signature.bce.read('binaryCrossEntropy', [], options);
  expectSameShape('binaryCrossEntropy', input, target);
  return ops.binaryCrossEntropy(input, target, weight, code(reduction));
}

export interface BceWithLogitsOptions extends LossOptions {
  readonly weight?: Tensor | null;
  /** Weight of the positive examples, per class. */
  readonly posWeight?: Tensor | null;
}

/** Logits against targets in 0..1. @throws ShapeError where the shapes differ */
export function binaryCrossEntropyWithLogits(input: Tensor, target: Tensor, options?: BceWithLogitsOptions): Tensor {
  const o = signature.bceWithLogits.read('binaryCrossEntropyWithLogits', [], options);
  expectSameShape('binaryCrossEntropyWithLogits', input, target);
  return ops.binaryCrossEntropyWithLogits(input, target, o.weight, o.posWeight, code(o.reduction));
}

export interface KlDivOptions {
  /** `'batchmean'` is the divergence proper: the sum over the batch's size. Default `'mean'`, as PyTorch's. */
  readonly reduction?: Reduction | 'batchmean';
  /** Whether the target is given as log probabilities. Default false. */
  readonly logTarget?: boolean;
}

/** Log probabilities against probabilities. */
export function klDiv(input: Tensor, target: Tensor, options?: KlDivOptions): Tensor {
  expectTensors('klDiv', input, target);
  const { reduction, logTarget } = signature.klDiv.read('klDiv', [], options);
  if (reduction !== 'batchmean') return ops.klDiv(input, target, code(reduction), { logTarget });
  return ops.klDiv(input, target, code('sum'), { logTarget }).div(input.shape[0] ?? 1);
}

export interface MarginOptions extends LossOptions {
  readonly margin?: number;
}

/** Pairs [B, D] with targets 1 (alike) or -1 (unlike, pushed below the margin, default 0). */
export function cosineEmbeddingLoss(x1: Tensor, x2: Tensor, target: Tensor, options?: MarginOptions): Tensor {
  const { margin, reduction } = signature.margin.read('cosineEmbeddingLoss', [], options);
  return ops.cosineEmbeddingLoss(x1, x2, target, margin, code(reduction));
}

/** max(0, -target (x1 - x2) + margin), target 1 or -1; all of as many dimensions. */
export function marginRankingLoss(x1: Tensor, x2: Tensor, target: Tensor, options?: MarginOptions): Tensor {
  expectTensors('marginRankingLoss', x1, x2, target);
  const { margin, reduction } = signature.margin.read('marginRankingLoss', [], options);
  if (x1.ndim !== x2.ndim || x1.ndim !== target.ndim) {
    const got = `[${x1.shape}], [${x2.shape}] and [${target.shape}]`;
    throw new ShapeError(`Expected three tensors of as many dimensions in marginRankingLoss, got ${got}`);
  }
  return ops.marginRankingLoss(x1, x2, target, margin, code(reduction));
}

/** The input where the target is 1, max(0, margin - input) where it is -1; margin 1 by default. */
export function hingeEmbeddingLoss(input: Tensor, target: Tensor, options?: MarginOptions): Tensor {
  const { margin, reduction } = signature.hinge.read('hingeEmbeddingLoss', [], options);
  return ops.hingeEmbeddingLoss(input, target, margin, code(reduction));
}

export function softMarginLoss(input: Tensor, target: Tensor, options?: LossOptions): Tensor {
  return ops.softMarginLoss(input, target, code(signature.plain.read('softMarginLoss', [], options).reduction));
}

export interface TripletOptions extends MarginOptions {
  readonly p?: number;
  readonly eps?: number;
  /** Whether the distance from positive to negative is used when it is the smaller. Default false. */
  readonly swap?: boolean;
}

/** max(d(anchor, positive) - d(anchor, negative) + margin, 0); margin 1 by default. */
export function tripletMarginLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options?: TripletOptions,
): Tensor {
  const { margin, p, eps, swap, reduction } = signature.triplet.read('tripletMarginLoss', [], options);
  return ops.tripletMarginLoss(anchor, positive, negative, margin, p, eps, swap, code(reduction));
}

export interface GaussianNllOptions extends LossOptions {
  /** Whether the constant ½ log 2π is added. Default false. */
  readonly full?: boolean;
  /** Smallest variance. Default 1e-6. */
  readonly eps?: number;
}

/**
 * Negative log likelihood of `target` under a normal distribution of mean `input` and variance `variance`: of the input's
 * shape, or one for each row ([..., 1], or without the last dimension). The gradient of a variance below `eps` is that at `eps`.
 * @throws ShapeError for a variance of another shape, DataError for a negative one
 */
export function gaussianNllLoss(input: Tensor, target: Tensor, variance: Tensor, options?: GaussianNllOptions): Tensor {
  expectTensors('gaussianNllLoss', input, target, variance);
  const { full, eps, reduction } = signature.gaussianNll.read('gaussianNllLoss', [], options);
  const each = perElement(input, variance);
  if (each.lt(0).any().item()) throw new DataError('Expected a variance >= 0 in gaussianNllLoss, got a negative one.');
  // Bounded by a step that the gradient does not see, as PyTorch does: a small variance still learns to grow.
  const bounded = each.add(each.detach().clampMin(eps).sub(each.detach()));
  const loss = bounded.log().add(input.sub(target).square().div(bounded)).mul(0.5);
  return reduce(full ? loss.add(0.5 * Math.log(2 * Math.PI)) : loss, reduction);
}

/** A variance per element or row, with as many dimensions as the input. */
function perElement(input: Tensor, variance: Tensor): Tensor {
  const [own, other] = [input.shape, variance.shape];
  const row = own.slice(0, -1);
  const kept = [...row, 1];
  if (own.join() === other.join() || (own.length > 0 && kept.join() === other.join())) return variance;
  if (own.length > 0 && other.length === row.length && row.join() === other.join()) return variance.unsqueeze(-1);
  throw new ShapeError(
    `Expected a variance of the input's shape [${own}], or one a row, [${kept}], in gaussianNllLoss, got [${other}]`,
  );
}

export interface PoissonNllOptions extends LossOptions {
  /** Whether the input is the logarithm of the rate. Default true. */
  readonly logInput?: boolean;
  readonly full?: boolean;
  readonly eps?: number;
}

export function poissonNllLoss(input: Tensor, target: Tensor, options?: PoissonNllOptions): Tensor {
  const { logInput, full, eps, reduction } = signature.poissonNll.read('poissonNllLoss', [], options);
  return ops.poissonNllLoss(input, target, logInput, full, eps, code(reduction));
}

export interface CtcOptions extends LossOptions {
  /** Default 0. */
  readonly blank?: number;
  /** Whether infinite losses (targets longer than inputs) count as zero. Default false. */
  readonly zeroInfinity?: boolean;
}

/** Log probabilities [T, B, C], int64 targets [B, S] (or all one after another), lengths [B] as tensors or as lists. */
export function ctcLoss(
  logProbabilities: Tensor,
  targets: Tensor,
  inputLengths: Tensor | readonly number[],
  targetLengths: Tensor | readonly number[],
  options?: CtcOptions,
): Tensor {
  const { blank, reduction, zeroInfinity } = signature.ctc.read('ctcLoss', [], options);
  const lengths = (given: Tensor | readonly number[]) => {
    if (!(given instanceof Tensor)) expectList('ctcLoss', given, 'lengths in a tensor or a list');
    return given instanceof Tensor ? given : tensor([...given], { dtype: 'int64' });
  };
  const [own, theirs] = [lengths(inputLengths), lengths(targetLengths)];
  return ops.ctcLoss(logProbabilities, targets, own, theirs, blank, code(reduction), zeroInfinity);
}
