import type { Tensor } from '../torch/index.js';
import * as F from './functional/linear.js';
import { Module } from './module.js';
import * as signature from './signatures.js';

/** Cosine of the angle between two tensors along `dim`. */
export class CosineSimilarity extends Module {
  readonly dim: number;
  readonly eps: number;

  constructor(dim?: number | F.CosineSimilarityOptions, eps?: number) {
    super();
    const values = signature.cosineSimilarity.read(this.typeName, [dim, eps]);
    this.dim = values.dim;
    this.eps = values.eps;
  }

  forward(x1: Tensor, x2: Tensor): Tensor {
    return F.cosineSimilarity(x1, x2, this.dim, this.eps);
  }
}

/** The p-norm of x1 - x2 along the last dimension. */
export class PairwiseDistance extends Module {
  readonly options: Required<F.PairwiseDistanceOptions>;

  constructor(options?: F.PairwiseDistanceOptions) {
    super();
    this.options = signature.pairwiseDistance.read(this.typeName, [], options);
  }

  forward(x1: Tensor, x2: Tensor): Tensor {
    return F.pairwiseDistance(x1, x2, this.options);
  }
}
