import { empty, type Tensor } from '../torch/index.js';
import * as F from './functional/activation.js';
import { constant_ } from './init.js';
import { factory } from './linear.js';
import { type FactoryOptions, Module } from './module.js';
import { Parameter } from './parameter.js';
import { pyFloat } from './repr.js';

/** An activation without options: any shape in, the same shape out. */
abstract class Plain extends Module {
  abstract override forward(x: Tensor): Tensor;
}

/** An activation that may overwrite its input. */
abstract class Overwriting extends Module {
  readonly inplace: boolean;

  constructor(options: F.InplaceOption = {}) {
    super();
    this.inplace = options.inplace ?? false;
  }

  abstract override forward(x: Tensor): Tensor;

  override extraRepr(): string {
    return this.inplace ? 'inplace=True' : '';
  }
}

export class ReLU extends Overwriting {
  forward(x: Tensor): Tensor {
    return this.inplace ? x.relu_() : x.relu();
  }
}

export class ReLU6 extends Overwriting {
  forward(x: Tensor): Tensor {
    return F.relu6(x, this);
  }
}

export class SiLU extends Overwriting {
  forward(x: Tensor): Tensor {
    return F.silu(x, this);
  }
}

export class Hardswish extends Overwriting {
  forward(x: Tensor): Tensor {
    return F.hardswish(x, this);
  }

  // PyTorch does not print it for this one.
  override extraRepr(): string {
    return '';
  }
}

export class LeakyReLU extends Overwriting {
  constructor(
    readonly negativeSlope = 0.01,
    options: F.InplaceOption = {},
  ) {
    super(options);
  }

  forward(x: Tensor): Tensor {
    return F.leakyRelu(x, this.negativeSlope, this);
  }

  override extraRepr(): string {
    return `negative_slope=${pyFloat(this.negativeSlope)}${this.inplace ? ', inplace=True' : ''}`;
  }
}

export class ELU extends Overwriting {
  constructor(
    readonly alpha = 1,
    options: F.InplaceOption = {},
  ) {
    super(options);
  }

  forward(x: Tensor): Tensor {
    return F.elu(x, this.alpha, this);
  }

  override extraRepr(): string {
    return `alpha=${pyFloat(this.alpha)}${this.inplace ? ', inplace=True' : ''}`;
  }
}

export class SELU extends Plain {
  forward(x: Tensor): Tensor {
    return F.selu(x);
  }
}

export class CELU extends Module {
  constructor(readonly alpha = 1) {
    super();
  }

  forward(x: Tensor): Tensor {
    return F.celu(x, this.alpha);
  }

  override extraRepr(): string {
    return `alpha=${pyFloat(this.alpha)}`;
  }
}

export class GELU extends Module {
  readonly approximate: 'none' | 'tanh';

  constructor(options: { readonly approximate?: 'none' | 'tanh' } = {}) {
    super();
    this.approximate = options.approximate ?? 'none';
  }

  forward(x: Tensor): Tensor {
    return F.gelu(x, this);
  }

  override extraRepr(): string {
    return `approximate='${this.approximate}'`;
  }
}

export class Mish extends Plain {
  forward(x: Tensor): Tensor {
    return F.mish(x);
  }
}

export class Tanh extends Plain {
  forward(x: Tensor): Tensor {
    return x.tanh();
  }
}

export class Sigmoid extends Plain {
  forward(x: Tensor): Tensor {
    return x.sigmoid();
  }
}

export class LogSigmoid extends Plain {
  forward(x: Tensor): Tensor {
    return F.logsigmoid(x);
  }
}

export class Hardsigmoid extends Plain {
  forward(x: Tensor): Tensor {
    return F.hardsigmoid(x);
  }
}

export class Hardtanh extends Module {
  constructor(
    readonly minVal = -1,
    readonly maxVal = 1,
  ) {
    super();
  }

  forward(x: Tensor): Tensor {
    return F.hardtanh(x, this.minVal, this.maxVal);
  }

  override extraRepr(): string {
    return `min_val=${pyFloat(this.minVal)}, max_val=${pyFloat(this.maxVal)}`;
  }
}

export class Softplus extends Module {
  constructor(
    readonly beta = 1,
    readonly threshold = 20,
  ) {
    super();
  }

  forward(x: Tensor): Tensor {
    return F.softplus(x, this.beta, this.threshold);
  }

  override extraRepr(): string {
    return `beta=${this.beta}, threshold=${this.threshold}`;
  }
}

abstract class Shrink extends Module {
  constructor(readonly lambd = 0.5) {
    super();
  }

  abstract override forward(x: Tensor): Tensor;

  override extraRepr(): string {
    return String(this.lambd);
  }
}

/** Zero within ±lambd. */
export class Hardshrink extends Shrink {
  forward(x: Tensor): Tensor {
    return F.hardshrink(x, this.lambd);
  }
}

/** Zero within ±lambd, moved towards zero by lambd outside. */
export class Softshrink extends Shrink {
  forward(x: Tensor): Tensor {
    return F.softshrink(x, this.lambd);
  }
}

export class Softsign extends Plain {
  forward(x: Tensor): Tensor {
    return F.softsign(x);
  }
}

export class Tanhshrink extends Plain {
  forward(x: Tensor): Tensor {
    return F.tanhshrink(x);
  }
}

export class Threshold extends Module {
  constructor(
    readonly threshold: number,
    readonly value: number,
  ) {
    super();
  }

  forward(x: Tensor): Tensor {
    return F.threshold(x, this.threshold, this.value);
  }

  override extraRepr(): string {
    return `threshold=${pyFloat(this.threshold)}, value=${pyFloat(this.value)}`;
  }
}

/** Halves `dim`: the first half times the sigmoid of the second. */
export class GLU extends Module {
  constructor(readonly dim = -1) {
    super();
  }

  forward(x: Tensor): Tensor {
    return F.glu(x, this.dim);
  }

  override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}

/** Unlike PyTorch's, the dimension must be given. */
export class Softmax extends Module {
  constructor(readonly dim: number) {
    super();
  }

  forward(x: Tensor): Tensor {
    return x.softmax(this.dim);
  }

  override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}

export class Softmin extends Module {
  constructor(readonly dim: number) {
    super();
  }

  forward(x: Tensor): Tensor {
    return F.softmin(x, this.dim);
  }

  override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}

export class LogSoftmax extends Module {
  constructor(readonly dim: number) {
    super();
  }

  forward(x: Tensor): Tensor {
    return x.logSoftmax(this.dim);
  }

  override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}

export interface PReLUOptions extends FactoryOptions {
  /** Initial slope. Default 0.25. */
  readonly init?: number;
}

/** Slope learned: one, or one per channel (dimension 1). Key: `weight`. */
export class PReLU extends Module {
  weight: Parameter;
  readonly init: number;

  constructor(
    readonly numParameters = 1,
    options: PReLUOptions = {},
  ) {
    super();
    this.init = options.init ?? 0.25;
    this.weight = new Parameter(empty([numParameters], factory(options)));
    this.initSelf(options);
  }

  override resetParameters(): void {
    constant_(this.weight, this.init);
  }

  forward(x: Tensor): Tensor {
    return F.prelu(x, this.weight);
  }

  override extraRepr(): string {
    return `num_parameters=${this.numParameters}`;
  }
}
