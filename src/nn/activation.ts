import { expectTensor } from '../torch/expect.js';
import { ConfigError, checkOptions, empty, ops, type Tensor } from '../torch/index.js';
import * as F from './functional/activation.js';
import { constant_ } from './init.js';
import { type FactoryOptions, Module } from './module.js';
import { Parameter } from './parameter.js';
import { pyFloat } from './repr.js';
import { expectNoMore } from './signature.js';
import * as signature from './signatures.js';

/** An activation without options: any shape in, the same shape out. */
abstract class Plain extends Module {
  constructor(...surplus: never[]) {
    super();
    expectNoMore(this.typeName, surplus);
  }

  abstract override forward(x: Tensor): Tensor;
}

/** An activation that may overwrite its input. */
abstract class Overwriting extends Module {
  readonly inplace: boolean;

  constructor(options?: F.InplaceOption) {
    super();
    this.inplace = signature.overwriting.read(this.typeName, [], options).inplace;
  }

  abstract override forward(x: Tensor): Tensor;

  override extraRepr(): string {
    return this.inplace ? 'inplace=True' : '';
  }
}

export class ReLU extends Overwriting {
  forward(x: Tensor): Tensor {
    expectTensor(this.typeName, x);
    return this.inplace ? x.relu_() : x.relu();
  }
}

export class ReLU6 extends Overwriting {
  forward(x: Tensor): Tensor {
    expectTensor(this.typeName, x);
    return this.inplace ? x.clamp_(0, 6) : x.clamp(0, 6);
  }
}

export class SiLU extends Overwriting {
  forward(x: Tensor): Tensor {
    return this.inplace ? ops.silu_(x) : ops.silu(x);
  }
}

export class Hardswish extends Overwriting {
  forward(x: Tensor): Tensor {
    return this.inplace ? ops.hardswish_(x) : ops.hardswish(x);
  }

  // PyTorch does not print it for this one.
  override extraRepr(): string {
    return '';
  }
}

export class SELU extends Overwriting {
  forward(x: Tensor): Tensor {
    return this.inplace ? ops.selu_(x) : ops.selu(x);
  }
}

export class Mish extends Overwriting {
  forward(x: Tensor): Tensor {
    return this.inplace ? ops.mish_(x) : ops.mish(x);
  }
}

export class Hardsigmoid extends Overwriting {
  forward(x: Tensor): Tensor {
    return this.inplace ? ops.hardsigmoid_(x) : ops.hardsigmoid(x);
  }

  // PyTorch does not print it for this one.
  override extraRepr(): string {
    return '';
  }
}

/** `new LeakyReLU(0.2, { inplace: true })`, or all in the object: `new LeakyReLU({ negativeSlope: 0.2 })`. */
export class LeakyReLU extends Module {
  readonly negativeSlope: number;
  readonly inplace: boolean;

  constructor(negativeSlope?: number | F.LeakyReLUOptions, options?: F.InplaceOption) {
    super();
    const values = signature.leakyRelu.read(this.typeName, [negativeSlope], options);
    this.negativeSlope = values.negativeSlope;
    this.inplace = values.inplace;
  }

  forward(x: Tensor): Tensor {
    return this.inplace ? ops.leakyRelu_(x, this.negativeSlope) : ops.leakyRelu(x, this.negativeSlope);
  }

  override extraRepr(): string {
    return `negative_slope=${pyFloat(this.negativeSlope)}${this.inplace ? ', inplace=True' : ''}`;
  }
}

abstract class Exponential extends Module {
  readonly alpha: number;
  readonly inplace: boolean;

  /** `new ELU(2)` or `new ELU({ alpha: 2 })`. */
  constructor(alpha?: number | F.ELUOptions, options?: F.InplaceOption) {
    super();
    const values = signature.elu.read(this.typeName, [alpha], options);
    this.alpha = values.alpha;
    this.inplace = values.inplace;
  }

  abstract override forward(x: Tensor): Tensor;

  override extraRepr(): string {
    return `alpha=${pyFloat(this.alpha)}${this.inplace ? ', inplace=True' : ''}`;
  }
}

export class ELU extends Exponential {
  forward(x: Tensor): Tensor {
    return this.inplace ? ops.elu_(x, this.alpha) : ops.elu(x, this.alpha);
  }
}

export class CELU extends Exponential {
  forward(x: Tensor): Tensor {
    return this.inplace ? ops.celu_(x, this.alpha) : ops.celu(x, this.alpha);
  }
}

export class GELU extends Module {
  readonly approximate: 'none' | 'tanh';

  constructor(options?: F.GELUOptions) {
    super();
    this.approximate = signature.gelu.read(this.typeName, [], options).approximate;
  }

  forward(x: Tensor): Tensor {
    return this.approximate === 'none' ? F.gelu(x) : F.gelu(x, { approximate: this.approximate });
  }

  override extraRepr(): string {
    return `approximate='${this.approximate}'`;
  }
}

export class Tanh extends Plain {
  forward(x: Tensor): Tensor {
    expectTensor(this.typeName, x);
    return x.tanh();
  }
}

export class Sigmoid extends Plain {
  forward(x: Tensor): Tensor {
    expectTensor(this.typeName, x);
    return x.sigmoid();
  }
}

export class LogSigmoid extends Plain {
  forward(x: Tensor): Tensor {
    return F.logsigmoid(x);
  }
}

export class Hardtanh extends Module {
  readonly minVal: number;
  readonly maxVal: number;
  readonly inplace: boolean;

  constructor(minVal?: number | F.HardtanhOptions, maxVal?: number, options?: F.InplaceOption) {
    super();
    const values = signature.hardtanh.read(this.typeName, [minVal, maxVal], options);
    if (values.maxVal <= values.minVal) {
      throw new ConfigError(`Expected maxVal above minVal of Hardtanh, got ${values.minVal} and ${values.maxVal}.`);
    }
    this.minVal = values.minVal;
    this.maxVal = values.maxVal;
    this.inplace = values.inplace;
  }

  forward(x: Tensor): Tensor {
    return this.inplace ? ops.hardtanh_(x, this.minVal, this.maxVal) : ops.hardtanh(x, this.minVal, this.maxVal);
  }

  override extraRepr(): string {
    const bounds = `min_val=${pyFloat(this.minVal)}, max_val=${pyFloat(this.maxVal)}`;
    return `${bounds}${this.inplace ? ', inplace=True' : ''}`;
  }
}

export class Softplus extends Module {
  readonly beta: number;
  readonly threshold: number;

  constructor(beta?: number | F.SoftplusOptions, threshold?: number) {
    super();
    const values = signature.softplus.read(this.typeName, [beta, threshold]);
    this.beta = values.beta;
    this.threshold = values.threshold;
  }

  forward(x: Tensor): Tensor {
    return ops.softplus(x, this.beta, this.threshold);
  }

  override extraRepr(): string {
    return `beta=${this.beta}, threshold=${this.threshold}`;
  }
}

abstract class Shrink extends Module {
  readonly lambd: number;

  constructor(lambd?: number | F.ShrinkOptions) {
    super();
    const { hardshrink, softshrink } = signature;
    this.lambd = (this instanceof Softshrink ? softshrink : hardshrink).read(this.typeName, [lambd]).lambd;
  }

  abstract override forward(x: Tensor): Tensor;

  override extraRepr(): string {
    return String(this.lambd);
  }
}

/** Zero within ±lambd. */
export class Hardshrink extends Shrink {
  forward(x: Tensor): Tensor {
    return ops.hardshrink(x, this.lambd);
  }
}

/** Zero within ±lambd, moved towards zero by lambd outside. */
export class Softshrink extends Shrink {
  forward(x: Tensor): Tensor {
    return ops.softshrink(x, this.lambd);
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
  readonly inplace: boolean;

  constructor(
    readonly threshold: number,
    readonly value: number,
    options?: F.InplaceOption,
  ) {
    super();
    this.inplace = signature.threshold.read(this.typeName, [threshold, value], options).inplace;
  }

  forward(x: Tensor): Tensor {
    return this.inplace ? ops.threshold_(x, this.threshold, this.value) : ops.threshold(x, this.threshold, this.value);
  }

  override extraRepr(): string {
    const values = `threshold=${pyFloat(this.threshold)}, value=${pyFloat(this.value)}`;
    return `${values}${this.inplace ? ', inplace=True' : ''}`;
  }
}

/** Halves `dim`: the first half times the sigmoid of the second. */
export class GLU extends Module {
  readonly dim: number;

  constructor(dim?: number | { readonly dim?: number }) {
    super();
    this.dim = signature.glu.read(this.typeName, [dim]).dim;
  }

  forward(x: Tensor): Tensor {
    return ops.glu(x, this.dim);
  }

  override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}

/** A layer along one dimension, which must be given. */
abstract class Along extends Module {
  readonly dim: number;

  /** @param dim - unlike PyTorch's, it must be given; `{ dim: 1 }` is as good as `1` */
  constructor(dim: number | { readonly dim: number }, ...surplus: never[]) {
    super();
    expectNoMore(this.typeName, surplus);
    const given = typeof dim === 'object' && dim !== null ? checkedDim(this.typeName, dim) : dim;
    this.dim = signature.softmax.read(this.typeName, [given]).dim;
  }

  abstract override forward(x: Tensor): Tensor;

  override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}

function checkedDim(where: string, options: { readonly dim: number }): number {
  checkOptions(where, options, ['dim']);
  return options.dim;
}

export class Softmax extends Along {
  forward(x: Tensor): Tensor {
    expectTensor(this.typeName, x);
    return x.softmax(this.dim);
  }
}

export class Softmin extends Along {
  forward(x: Tensor): Tensor {
    expectTensor(this.typeName, x);
    return x.neg().softmax(this.dim);
  }
}

export class LogSoftmax extends Along {
  forward(x: Tensor): Tensor {
    expectTensor(this.typeName, x);
    return x.logSoftmax(this.dim);
  }
}

export interface PReLUOptions extends FactoryOptions {
  /** Initial slope. Default 0.25. */
  readonly init?: number;
}

/** Slope learned: one, or one per channel (dimension 1). Key: `weight`. */
export class PReLU extends Module {
  weight: Parameter;
  readonly numParameters: number;
  readonly init: number;

  constructor(numParameters?: number | (PReLUOptions & { readonly numParameters?: number }), options?: PReLUOptions) {
    super();
    const { numParameters: n, init, ...made } = signature.prelu.read(this.typeName, [numParameters], options);
    this.numParameters = n;
    this.init = init;
    this.weight = new Parameter(empty([n], made));
    this.initSelf(made);
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
