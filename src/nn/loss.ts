import type { Tensor } from '../torch/index.js';
import * as F from './functional/loss.js';
import { Module } from './module.js';

/** A loss of a prediction and a target. The options are those of the function of the same name. */
abstract class Loss<Options> extends Module {
  readonly options: Options;

  constructor(options: Options = {} as Options) {
    super();
    this.options = options;
  }
}

/** A loss with class weights or the like, held as a buffer so that `to` moves it and the state dict has it. */
abstract class WeightedLoss<Options extends { readonly weight?: Tensor | null }> extends Loss<Options> {
  weight!: Tensor | null;

  constructor(options: Options = {} as Options) {
    super(options);
    this.registerBuffer('weight', options.weight ?? null);
  }
}

/** Logits [B, C, ...] against int64 classes or class probabilities. */
export class CrossEntropyLoss extends WeightedLoss<F.CrossEntropyOptions> {
  forward(logits: Tensor, target: Tensor): Tensor {
    return F.crossEntropy(logits, target, { ...this.options, weight: this.weight });
  }
}

/** Log probabilities [B, C, ...] against int64 classes. */
export class NLLLoss extends WeightedLoss<F.NllLossOptions> {
  forward(logProbabilities: Tensor, target: Tensor): Tensor {
    return F.nllLoss(logProbabilities, target, { ...this.options, weight: this.weight });
  }
}

/** Probabilities against targets in 0..1. */
export class BCELoss extends WeightedLoss<F.LossOptions & { readonly weight?: Tensor | null }> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.binaryCrossEntropy(input, target, { ...this.options, weight: this.weight });
  }
}

/** Logits against targets in 0..1. */
export class BCEWithLogitsLoss extends WeightedLoss<F.BceWithLogitsOptions> {
  pos_weight!: Tensor | null;

  constructor(options: F.BceWithLogitsOptions = {}) {
    super(options);
    this.registerBuffer('pos_weight', options.posWeight ?? null);
  }

  forward(input: Tensor, target: Tensor): Tensor {
    const options = { ...this.options, weight: this.weight, posWeight: this.pos_weight };
    return F.binaryCrossEntropyWithLogits(input, target, options);
  }
}

export class MSELoss extends Loss<F.LossOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.mseLoss(input, target, this.options);
  }
}

export class L1Loss extends Loss<F.LossOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.l1Loss(input, target, this.options);
  }
}

export class SmoothL1Loss extends Loss<F.LossOptions & { readonly beta?: number }> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.smoothL1Loss(input, target, this.options);
  }
}

export class HuberLoss extends Loss<F.LossOptions & { readonly delta?: number }> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.huberLoss(input, target, this.options);
  }
}

/** Log probabilities against probabilities. */
export class KLDivLoss extends Loss<F.KlDivOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.klDiv(input, target, this.options);
  }
}

export class CosineEmbeddingLoss extends Loss<F.MarginOptions> {
  forward(x1: Tensor, x2: Tensor, target: Tensor): Tensor {
    return F.cosineEmbeddingLoss(x1, x2, target, this.options);
  }
}

export class MarginRankingLoss extends Loss<F.MarginOptions> {
  forward(x1: Tensor, x2: Tensor, target: Tensor): Tensor {
    return F.marginRankingLoss(x1, x2, target, this.options);
  }
}

export class HingeEmbeddingLoss extends Loss<F.MarginOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.hingeEmbeddingLoss(input, target, this.options);
  }
}

export class SoftMarginLoss extends Loss<F.LossOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.softMarginLoss(input, target, this.options);
  }
}

export class TripletMarginLoss extends Loss<F.TripletOptions> {
  forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    return F.tripletMarginLoss(anchor, positive, negative, this.options);
  }
}

export class GaussianNLLLoss extends Loss<F.GaussianNllOptions> {
  forward(input: Tensor, target: Tensor, variance: Tensor): Tensor {
    return F.gaussianNllLoss(input, target, variance, this.options);
  }
}

export class PoissonNLLLoss extends Loss<F.PoissonNllOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.poissonNllLoss(input, target, this.options);
  }
}

/** Log probabilities [T, B, C], int64 targets [B, S], lengths [B]. */
export class CTCLoss extends Loss<F.CtcOptions> {
  forward(logProbabilities: Tensor, targets: Tensor, inputLengths: Tensor, targetLengths: Tensor): Tensor {
    return F.ctcLoss(logProbabilities, targets, inputLengths, targetLengths, this.options);
  }
}
