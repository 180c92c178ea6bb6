/** Losses of margins between classes, and of triplets under any distance. */
import { ConfigError, checkOptions, ops, type Tensor } from '../../torch/index.js';
import type { LossOptions, MarginOptions, Reduction } from './loss.js';

/** libtorch's number for a loss per element, of which {@link reduced} makes what is wanted. */
const EACH = 0;

function reduced(loss: Tensor, reduction: Reduction = 'mean'): Tensor {
  if (reduction === 'none') return loss;
  if (reduction === 'mean') return loss.mean();
  if (reduction === 'sum') return loss.sum();
  throw new ConfigError(`Expected reduction 'none', 'mean' or 'sum', got '${reduction}'`);
}

export interface MultiMarginOptions extends MarginOptions {
  /** 1 (default) or 2: the power of each violation. */
  readonly p?: number;
  /** A weight per class [C]. */
  readonly weight?: Tensor | null;
}

/** Scores [B, C] against int64 classes [B]: the mean over classes of max(0, margin - x[target] + x[class])^p; margin 1. */
export function multiMarginLoss(input: Tensor, target: Tensor, o: MultiMarginOptions = {}): Tensor {
  checkOptions('multiMarginLoss', o, ['p', 'margin', 'weight', 'reduction']);
  const { p = 1, margin = 1, weight = null } = o;
  if (p !== 1 && p !== 2) throw new ConfigError(`Expected p 1 or 2 of multiMarginLoss, got ${p}`);
  return reduced(ops.multiMarginLoss(input, target, p, margin, weight, EACH), o.reduction);
}

/** Scores [B, C] against lists of int64 classes [B, C], each list ended by -1. */
export function multilabelMarginLoss(input: Tensor, target: Tensor, o: LossOptions = {}): Tensor {
  checkOptions('multilabelMarginLoss', o, ['reduction']);
  return reduced(ops.multilabelMarginLoss(input, target, EACH), o.reduction);
}

export interface MultilabelSoftMarginOptions extends LossOptions {
  /** A weight per class [C]. */
  readonly weight?: Tensor | null;
}

/** Logits [..., C] against targets 0 or 1 of the same shape: the mean over classes of the binary cross entropy. */
export function multilabelSoftMarginLoss(input: Tensor, target: Tensor, o: MultilabelSoftMarginOptions = {}): Tensor {
  checkOptions('multilabelSoftMarginLoss', o, ['weight', 'reduction']);
  const each = ops.binaryCrossEntropyWithLogits(input, target, null, null, EACH);
  return reduced((o.weight ? each.mul(o.weight) : each).mean([-1]), o.reduction);
}

export interface TripletDistanceOptions extends MarginOptions {
  /** [B, ...] and [B, ...] to [B]. Default: Euclid's, as `pairwiseDistance`. */
  readonly distanceFunction?: ((x: Tensor, y: Tensor) => Tensor) | null;
  /** Whether the distance from positive to negative is used when it is the smaller. Default false. */
  readonly swap?: boolean;
}

/** max(d(anchor, positive) - d(anchor, negative) + margin, 0) under any distance; margin 1 by default. */
export function tripletMarginWithDistanceLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  o: TripletDistanceOptions = {},
): Tensor {
  checkOptions('tripletMarginWithDistanceLoss', o, ['distanceFunction', 'margin', 'swap', 'reduction']);
  const distance = o.distanceFunction ?? ((x: Tensor, y: Tensor) => ops.pairwiseDistance(x, y));
  const near = distance(anchor, positive);
  const away = distance(anchor, negative);
  const far = o.swap ? away.minimum(distance(positive, negative)) : away;
  return reduced(
    near
      .sub(far)
      .add(o.margin ?? 1)
      .clampMin(0),
    o.reduction,
  );
}
