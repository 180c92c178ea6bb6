import type { Tensor } from '../torch/index.js';
import * as F from './functional/linear.js';
import { Module } from './module.js';

/** Cosine of the angle between two tensors along `dim`. */
export class CosineSimilarity extends Module {
  constructor(
    readonly dim = 1,
    readonly eps = 1e-8,
  ) {
    super();
  }

  forward(x1: Tensor, x2: Tensor): Tensor {
    return F.cosineSimilarity(x1, x2, this);
  }
}

export interface PairwiseDistanceOptions {
  /** Default 2. */
  readonly p?: number;
  /** Added to each difference, so that the root has a gradient. Default 1e-6. */
  readonly eps?: number;
  readonly keepdim?: boolean;
}

/** The p-norm of x1 - x2 along the last dimension. */
export class PairwiseDistance extends Module {
  constructor(readonly options: PairwiseDistanceOptions = {}) {
    super();
  }

  forward(x1: Tensor, x2: Tensor): Tensor {
    return F.pairwiseDistance(x1, x2, this.options);
  }
}
