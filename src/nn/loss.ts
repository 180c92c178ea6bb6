import type { Tensor } from '../torch/index.js';
import * as F from './functional/loss.js';
import * as signature from './loss-signatures.js';
import { Module } from './module.js';

/** A loss of a prediction and a target. The options are those of the function of the same name. */
abstract class Loss<Options> extends Module {
  readonly options: Options;

  constructor(options: Options) {
    super();
    this.options = options;
  }
}

/** The base of a loss whose options are of a signature. */
function taking<Options>(known: Reads<Options>): abstract new (options?: Options) => Loss<Options> {
  abstract class Taking extends Loss<Options> {
    constructor(options?: Options) {
      super(known.read(new.target.name, [], options));
    }
  }
  return Taking;
}

interface Reads<Options> {
  read(where: string, given: readonly unknown[], options?: unknown): Options;
}

interface Weighted {
  readonly weight?: Tensor | null;
}

/** As {@link taking}, with class weights or the like, held as a buffer so that `to` moves it and the state dict has it. */
function weighted<Options extends Weighted>(
  known: Reads<Options>,
): abstract new (
  options?: Options,
) => Loss<Options> & { weight: Tensor | null } {
  abstract class WeightedLoss extends taking(known) {
    weight!: Tensor | null;

    constructor(options?: Options) {
      super(options);
      this.registerBuffer('weight', this.options.weight ?? null);
    }
  }
  return WeightedLoss;
}

/** Logits [B, C, ...] against int64 classes or class probabilities. */
export class CrossEntropyLoss extends weighted<F.CrossEntropyOptions>(signature.crossEntropy) {
  forward(logits: Tensor, target: Tensor): Tensor {
    return F.crossEntropy(logits, target, { ...this.options, weight: this.weight });
  }
}

/** Log probabilities [B, C, ...] against int64 classes. */
export class NLLLoss extends weighted<F.NllLossOptions>(signature.nllLoss) {
  forward(logProbabilities: Tensor, target: Tensor): Tensor {
    return F.nllLoss(logProbabilities, target, { ...this.options, weight: this.weight });
  }
}

/** Probabilities against targets in 0..1. */
export class BCELoss extends weighted<F.BceOptions>(signature.bce) {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.binaryCrossEntropy(input, target, { ...this.options, weight: this.weight });
  }
}

/** Logits against targets in 0..1. */
export class BCEWithLogitsLoss extends weighted<F.BceWithLogitsOptions>(signature.bceWithLogits) {
  pos_weight!: Tensor | null;

  constructor(options?: F.BceWithLogitsOptions) {
    super(options);
    this.registerBuffer('pos_weight', this.options.posWeight ?? null);
  }

  forward(input: Tensor, target: Tensor): Tensor {
    const options = { ...this.options, weight: this.weight, posWeight: this.pos_weight };
    return F.binaryCrossEntropyWithLogits(input, target, options);
  }
}

export class MSELoss extends taking<F.LossOptions>(signature.plain) {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.mseLoss(input, target, this.options);
  }
}

export class L1Loss extends taking<F.LossOptions>(signature.plain) {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.l1Loss(input, target, this.options);
  }
}

export class SmoothL1Loss extends taking<F.SmoothL1Options>(signature.smoothL1) {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.smoothL1Loss(input, target, this.options);
  }
}

export class HuberLoss extends taking<F.HuberOptions>(signature.huber) {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.huberLoss(input, target, this.options);
  }
}

/** Log probabilities against probabilities. */
export class KLDivLoss extends taking<F.KlDivOptions>(signature.klDiv) {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.klDiv(input, target, this.options);
  }
}

export class CosineEmbeddingLoss extends taking<F.MarginOptions>(signature.margin) {
  forward(x1: Tensor, x2: Tensor, target: Tensor): Tensor {
    return F.cosineEmbeddingLoss(x1, x2, target, this.options);
  }
}

export class MarginRankingLoss extends taking<F.MarginOptions>(signature.margin) {
  forward(x1: Tensor, x2: Tensor, target: Tensor): Tensor {
    return F.marginRankingLoss(x1, x2, target, this.options);
  }
}

export class HingeEmbeddingLoss extends taking<F.MarginOptions>(signature.hinge) {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.hingeEmbeddingLoss(input, target, this.options);
  }
}

export class SoftMarginLoss extends taking<F.LossOptions>(signature.plain) {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.softMarginLoss(input, target, this.options);
  }
}

export class TripletMarginLoss extends taking<F.TripletOptions>(signature.triplet) {
  forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    return F.tripletMarginLoss(anchor, positive, negative, this.options);
  }
}

export class GaussianNLLLoss extends taking<F.GaussianNllOptions>(signature.gaussianNll) {
  forward(input: Tensor, target: Tensor, variance: Tensor): Tensor {
    return F.gaussianNllLoss(input, target, variance, this.options);
  }
}

export class PoissonNLLLoss extends taking<F.PoissonNllOptions>(signature.poissonNll) {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.poissonNllLoss(input, target, this.options);
  }
}

/** Log probabilities [T, B, C], int64 targets [B, S], lengths [B]. */
export class CTCLoss extends taking<F.CtcOptions>(signature.ctc) {
  forward(
    logProbabilities: Tensor,
    targets: Tensor,
    inputLengths: Tensor | readonly number[],
    targetLengths: Tensor | readonly number[],
  ): Tensor {
    return F.ctcLoss(logProbabilities, targets, inputLengths, targetLengths, this.options);
  }
}
