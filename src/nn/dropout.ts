import type { Generator, Tensor } from '../torch/index.js';
import type { InplaceOption } from './functional/activation.js';
import * as F from './functional/dropout.js';
import { Module } from './module.js';
import { pyBool, pyFloat } from './repr.js';
import * as signature from './signatures.js';

export interface DropoutOptions extends InplaceOption {
  /** Share of what is dropped. Default 0.5. */
  readonly p?: number;
}

/** In training, draws from `generator`, or the default one while that is null. See {@link Module.setGenerator}. */
abstract class Dropping extends Module {
  generator: Generator | null = null;
  readonly p: number;
  readonly inplace: boolean;

  /** `new Dropout(0.2)` or `new Dropout({ p: 0.2 })`. */
  constructor(p?: number | DropoutOptions, options?: InplaceOption) {
    super();
    const values = signature.dropout.read(this.typeName, [p], options);
    this.p = values.p;
    this.inplace = values.inplace;
  }

  abstract override forward(x: Tensor): Tensor;

  override extraRepr(): string {
    return `p=${pyFloat(this.p)}, inplace=${pyBool(this.inplace)}`;
  }
}

/** Zeroes elements with probability `p` in training and scales the rest by 1 / (1 - p). */
export class Dropout extends Dropping {
  forward(x: Tensor): Tensor {
    return F.dropout(x, this.p, this.training, this.generator, this.inplace);
  }
}

/** Zeroes whole channels of [B, C, L]. */
export class Dropout1d extends Dropping {
  forward(x: Tensor): Tensor {
    return F.featureDropout(x, this.p, this.training, this.generator, this.inplace);
  }
}

/** Zeroes whole channels of [B, C, H, W]. */
export class Dropout2d extends Dropping {
  forward(x: Tensor): Tensor {
    return F.featureDropout(x, this.p, this.training, this.generator, this.inplace);
  }
}

/** Stochastic depth (timm's name): zeroes whole samples of a residual branch. */
export class DropPath extends Module {
  generator: Generator | null = null;
  readonly p: number;

  constructor(p?: number | { readonly p?: number }) {
    super();
    this.p = signature.dropPath.read(this.typeName, [p]).p;
  }

  forward(x: Tensor): Tensor {
    return F.dropPath(x, this.p, this.training, this.generator);
  }

  override extraRepr(): string {
    return `drop_prob=${pyFloat(Math.round(this.p * 1000) / 1000).replace(/\.0$/, '.000')}`;
  }
}
