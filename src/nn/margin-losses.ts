/** Losses as modules: see the functions of the same names. */
import type { Tensor } from '../torch/index.js';
import { PairwiseDistance } from './distance.js';
import type { LossOptions } from './functional/loss.js';
import * as F from './functional/margin.js';
import { Module } from './module.js';
import * as signature from './more-signatures.js';

/** Scores [B, C] against int64 classes [B]. */
export class MultiMarginLoss extends Module {
  weight!: Tensor | null;
  readonly options: F.MultiMarginOptions;

  constructor(options?: F.MultiMarginOptions) {
    super();
    this.options = signature.multiMargin.read('MultiMarginLoss', [], options);
    this.registerBuffer('weight', this.options.weight ?? null);
  }

  forward(input: Tensor, target: Tensor): Tensor {
    return F.multiMarginLoss(input, target, { ...this.options, weight: this.weight });
  }
}

/** Scores [B, C] against lists of int64 classes [B, C], each list ended by -1. */
export class MultiLabelMarginLoss extends Module {
  readonly options: LossOptions;

  constructor(options?: LossOptions) {
    super();
    this.options = signature.multilabelMargin.read('MultiLabelMarginLoss', [], options);
  }

  forward(input: Tensor, target: Tensor): Tensor {
    return F.multilabelMarginLoss(input, target, this.options);
  }
}

/** Logits [..., C] against targets 0 or 1 of the same shape. */
export class MultiLabelSoftMarginLoss extends Module {
  weight!: Tensor | null;
  readonly options: F.MultilabelSoftMarginOptions;

  constructor(options?: F.MultilabelSoftMarginOptions) {
    super();
    this.options = signature.multilabelSoftMargin.read('MultiLabelSoftMarginLoss', [], options);
    this.registerBuffer('weight', this.options.weight ?? null);
  }

  forward(input: Tensor, target: Tensor): Tensor {
    return F.multilabelSoftMarginLoss(input, target, { ...this.options, weight: this.weight });
  }
}

export interface DistanceModule extends Module {
  forward(x: Tensor, y: Tensor): Tensor;
}

export interface TripletDistanceModuleOptions extends Omit<F.TripletDistanceOptions, 'distanceFunction'> {
  /** A function or a module, [B, ...] and [B, ...] to [B]. Default: {@link PairwiseDistance}. */
  readonly distanceFunction?: ((x: Tensor, y: Tensor) => Tensor) | DistanceModule | null;
}

/** Triplets under any distance. A distance that is a module is the child `distance_function`. */
export class TripletMarginWithDistanceLoss extends Module {
  distance_function: ((x: Tensor, y: Tensor) => Tensor) | DistanceModule;
  readonly options: Omit<F.TripletDistanceOptions, 'distanceFunction'>;

  constructor(options?: TripletDistanceModuleOptions) {
    super();
    const values = signature.tripletDistance.read('TripletMarginWithDistanceLoss', [], options);
    const { distanceFunction, ...others } = values as Required<TripletDistanceModuleOptions>;
    this.distance_function = distanceFunction ?? new PairwiseDistance();
    this.options = others;
  }

  forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    const { distance_function: own } = this;
    const distanceFunction = own instanceof Module ? (x: Tensor, y: Tensor) => own.forward(x, y) : own;
    return F.tripletMarginWithDistanceLoss(anchor, positive, negative, { ...this.options, distanceFunction });
  }
}
