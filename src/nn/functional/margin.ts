/** Losses of margins between classes, and of triplets under any distance. */
import { expectTensors } from '../../torch/expect.js';
import { ops, type Tensor } from '../../torch/index.js';
import * as signature from '../more-signatures.js';
import type { LossOptions, MarginOptions, Reduction } from './loss.js';

/** libtorch's number for a loss per element, of which {@link reduced} makes what is wanted. */
const EACH = 0;

function reduced(loss: Tensor, reduction: Reduction): Tensor {
  return reduction === 'none' ? loss : reduction === 'sum' ? loss.sum() : loss.mean();
}

export interface MultiMarginOptions extends MarginOptions {
  /** 1 (default) or 2: the power of each violation. */
  readonly p?: number;
  /** A weight per class [C]. */
  readonly weight?: Tensor | null;
}

/** Scores [B, C] against int64 classes [B]: the mean over classes of max(0, margin - x[target] + x[class])^p; margin 1. */
export function multiMarginLoss(input: Tensor, target: Tensor, options?: MultiMarginOptions): Tensor {
  const { p, margin, weight, reduction } = signature.multiMargin.read('multiMarginLoss', [], options);
  return reduced(ops.multiMarginLoss(input, target, p, margin, weight, EACH), reduction);
}

/** Scores [B, C] against lists of int64 classes [B, C], each list ended by -1. */
export function multilabelMarginLoss(input: Tensor, target: Tensor, options?: LossOptions): Tensor {
  const { reduction } = signature.multilabelMargin.read('multilabelMarginLoss', [], options);
  return reduced(ops.multilabelMarginLoss(input, target, EACH), reduction);
}

export interface MultilabelSoftMarginOptions extends LossOptions {
  /** A weight per class [C]. */
  readonly weight?: Tensor | null;
}

/** Logits [..., C] against targets 0 or 1 of the same shape: the mean over classes of the binary cross entropy. */
export function multilabelSoftMarginLoss(input: Tensor, target: Tensor, options?: MultilabelSoftMarginOptions): Tensor {
  expectTensors('multilabelSoftMarginLoss', input, target);
  const { weight, reduction } = signature.multilabelSoftMargin.read('multilabelSoftMarginLoss', [], options);
  const each = ops.binaryCrossEntropyWithLogits(input, target, null, null, EACH);
  return reduced((weight ? each.mul(weight) : each).mean([-1]), reduction);
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
  options?: TripletDistanceOptions,
): Tensor {
  expectTensors('tripletMarginWithDistanceLoss', anchor, positive, negative);
  const o = signature.tripletDistance.read('tripletMarginWithDistanceLoss', [], options);
  const distance = o.distanceFunction ?? ((x: Tensor, y: Tensor) => ops.pairwiseDistance(x, y));
  const near = distance(anchor, positive);
  const away = distance(anchor, negative);
  const far = o.swap ? away.minimum(distance(positive, negative)) : away;
  return reduced(near.sub(far).add(o.margin).clampMin(0), o.reduction);
}
