import { ConfigError, type Generator, type Tensor } from '../torch/index.js';
import * as F from './functional/dropout.js';
import { Module } from './module.js';
import { pyFloat } from './repr.js';

/** In training, draws from `generator`, or the default one while that is null. See {@link Module.setGenerator}. */
abstract class Dropping extends Module {
  generator: Generator | null = null;

  constructor(readonly p = 0.5) {
    super();
    if (!(p >= 0 && p <= 1)) throw new ConfigError(`Expected a dropout probability in 0..1, got ${p}`);
  }

  abstract override forward(x: Tensor): Tensor;

  override extraRepr(): string {
    return `p=${pyFloat(this.p)}, inplace=False`;
  }
}

/** Zeroes elements with probability `p` in training and scales the rest by 1 / (1 - p). */
export class Dropout extends Dropping {
  forward(x: Tensor): Tensor {
    return F.dropout(x, this.p, this.training, this.generator);
  }
}

/** Zeroes whole channels of [B, C, L]. */
export class Dropout1d extends Dropping {
  forward(x: Tensor): Tensor {
    return F.featureDropout(x, this.p, this.training, this.generator);
  }
}

/** Zeroes whole channels of [B, C, H, W]. */
export class Dropout2d extends Dropping {
  forward(x: Tensor): Tensor {
    return F.featureDropout(x, this.p, this.training, this.generator);
  }
}

/** Stochastic depth (timm's name): zeroes whole samples of a residual branch. */
export class DropPath extends Dropping {
  constructor(p = 0) {
    super(p);
  }

  forward(x: Tensor): Tensor {
    return F.dropPath(x, this.p, this.training, this.generator);
  }

  override extraRepr(): string {
    return `drop_prob=${pyFloat(Math.round(this.p * 1000) / 1000).replace(/\.0$/, '.000')}`;
  }
}
