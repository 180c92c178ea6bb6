import { empty, type Generator, ops, type Tensor } from '../torch/index.js';
import { uniform_ } from './init.js';
import { type FactoryOptions, Module } from './module.js';
import { Parameter } from './parameter.js';
import { pyBool } from './repr.js';
import * as signature from './signatures.js';

export interface LinearOptions extends FactoryOptions {
  /** Default true. */
  readonly bias?: boolean;
}

/** y = x Wᵀ + b. Input [..., inFeatures], output [..., outFeatures]. Keys: `weight` [out, in], `bias` [out]. */
export class Linear extends Module {
  weight: Parameter;
  bias: Parameter | null;

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    options?: LinearOptions,
  ) {
    super();
    const { bias, ...made } = signature.linear.read(this.typeName, [inFeatures, outFeatures], options);
    this.weight = new Parameter(empty([outFeatures, inFeatures], factory(made)));
    this.bias = bias ? new Parameter(empty([outFeatures], factory(made))) : null;
    this.initSelf(made);
  }

  override resetParameters(g: Generator): void {
    const bound = this.inFeatures > 0 ? 1 / Math.sqrt(this.inFeatures) : 0;
    uniform_(this.weight, -bound, bound, { generator: g });
    if (this.bias) uniform_(this.bias, -bound, bound, { generator: g });
  }

  forward(x: Tensor): Tensor {
    try {
      return ops.linear(x, this.weight, this.bias);
    } catch (error) {
      throw this.shapeError(error, x, `[..., ${this.inFeatures}]`, (s) => s.at(-1) === this.inFeatures);
    }
  }

  override extraRepr(): string {
    return `in_features=${this.inFeatures}, out_features=${this.outFeatures}, bias=${pyBool(this.bias !== null)}`;
  }
}

export interface BilinearOptions extends LinearOptions {}

/** y = x₁ᵀ A x₂ + b. Keys: `weight` [out, in1, in2], `bias` [out]. */
export class Bilinear extends Module {
  weight: Parameter;
  bias: Parameter | null;

  constructor(
    readonly in1Features: number,
    readonly in2Features: number,
    readonly outFeatures: number,
    options?: BilinearOptions,
  ) {
    super();
    const sizes = [in1Features, in2Features, outFeatures];
    const { bias, ...made } = signature.bilinear.read(this.typeName, sizes, options);
    this.weight = new Parameter(empty([outFeatures, in1Features, in2Features], factory(made)));
    this.bias = bias ? new Parameter(empty([outFeatures], factory(made))) : null;
    this.initSelf(made);
  }

  override resetParameters(g: Generator): void {
    const bound = 1 / Math.sqrt(this.in1Features);
    uniform_(this.weight, -bound, bound, { generator: g });
    if (this.bias) uniform_(this.bias, -bound, bound, { generator: g });
  }

  forward(x1: Tensor, x2: Tensor): Tensor {
    return ops.bilinear(x1, x2, this.weight, this.bias);
  }

  override extraRepr(): string {
    return (
      `in1_features=${this.in1Features}, in2_features=${this.in2Features}, ` +
      `out_features=${this.outFeatures}, bias=${pyBool(this.bias !== null)}`
    );
  }
}

/** Returns its input. */
export class Identity extends Module {
  forward(x: Tensor): Tensor {
    return x;
  }
}

/** The part of a layer's options that makes tensors. */
export function factory(options: FactoryOptions): FactoryOptions {
  return { device: options.device ?? 'cpu', dtype: options.dtype ?? 'float32' };
}
