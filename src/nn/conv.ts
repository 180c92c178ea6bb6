import { ConfigError, empty, type Generator, ops, type Tensor } from '../torch/index.js';
import { fans, uniform_ } from './init.js';
import { type FactoryOptions, Module } from './module.js';
import { Parameter } from './parameter.js';
import { pyTuple } from './repr.js';
import * as signature from './signatures.js';

/** One number for all dimensions, or one for each. */
export type Size = number | readonly number[];
export type PaddingMode = 'zeros' | 'reflect' | 'replicate' | 'circular';

export interface ConvOptions extends FactoryOptions {
  readonly stride?: Size;
  /** Zeros (or as `paddingMode` says) on both sides; `'same'` keeps the size (stride 1 only), `'valid'` is 0. */
  readonly padding?: Size | 'same' | 'valid';
  readonly dilation?: Size;
  readonly groups?: number;
  readonly bias?: boolean;
  readonly paddingMode?: PaddingMode;
}

export interface ConvTransposeOptions extends FactoryOptions {
  readonly stride?: Size;
  readonly padding?: Size;
  /** Extra size on one side of the output, to choose among the sizes that the stride allows. */
  readonly outputPadding?: Size;
  readonly dilation?: Size;
  readonly groups?: number;
  readonly bias?: boolean;
  /** As in PyTorch, there is no other. */
  readonly paddingMode?: 'zeros';
}

/** `size` as a list of `n`. */
export function expand(size: Size, n: number, what: string): number[] {
  if (typeof size === 'number') return new Array<number>(n).fill(size);
  if (size.length !== n) throw new ConfigError(`Expected ${what} as a number or ${n} numbers, got [${size}]`);
  return [...size];
}

function checkGroups(inChannels: number, outChannels: number, groups: number): void {
  if (inChannels % groups !== 0 || outChannels % groups !== 0) {
    throw new ConfigError(
      `Expected groups that divide the channels, got ${inChannels} in, ${outChannels} out and ${groups} groups`,
    );
  }
}

/** PyTorch's default for convolutions: U(-1/√fanIn, 1/√fanIn) for the weight (Kaiming uniform, a = √5) and the bias. */
function resetConv(weight: Parameter, bias: Parameter | null, generator: Generator): void {
  const { fanIn } = fans(weight.shape);
  const bound = fanIn > 0 ? 1 / Math.sqrt(fanIn) : 0;
  uniform_(weight, -bound, bound, { generator });
  if (bias) uniform_(bias, -bound, bound, { generator });
}

abstract class ConvNd extends Module {
  weight: Parameter;
  bias: Parameter | null;
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[] | 'same' | 'valid';
  readonly dilation: readonly number[];
  readonly groups: number;
  readonly paddingMode: PaddingMode;
  /** What the operator itself pads. */
  protected readonly ownPadding: readonly number[];
  /** What `pad` adds before the operator, last dimension first; null where the operator does it all. */
  private readonly before: readonly number[] | null;

  protected constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    kernelSize: Size,
    options: ConvOptions | undefined,
    n: number,
  ) {
    super();
    const given = [inChannels, outChannels, kernelSize];
    const { device, dtype, padding, ...values } = signature.conv.read(this.typeName, given, options);
    this.kernelSize = expand(kernelSize, n, 'kernelSize');
    this.stride = expand(values.stride, n, 'stride');
    this.dilation = expand(values.dilation, n, 'dilation');
    this.groups = values.groups;
    this.paddingMode = values.paddingMode;
    this.padding = typeof padding === 'string' ? padding : expand(padding, n, 'padding');
    checkGroups(inChannels, outChannels, this.groups);
    if (padding === 'same' && this.stride.some((s) => s !== 1)) {
      throw new ConfigError(`Expected stride 1 with padding 'same', got [${this.stride}]`);
    }
    const sides = this.sides();
    const symmetric = sides.every(([left, right]) => left === right);
    const native = this.paddingMode === 'zeros' && symmetric;
    this.ownPadding = sides.map(([left]) => (native ? left : 0));
    this.before = native ? null : [...sides].reverse().flat();
    const made = { device, dtype };
    this.weight = new Parameter(empty([outChannels, inChannels / this.groups, ...this.kernelSize], made));
    this.bias = values.bias ? new Parameter(empty([outChannels], made)) : null;
    this.initSelf(made);
  }

  /** Padding before and after, for each dimension. PyTorch puts the odd one of `'same'` after. */
  private sides(): [number, number][] {
    return this.kernelSize.map((kernel, i) => {
      if (this.padding === 'valid') return [0, 0];
      if (this.padding !== 'same') return [this.padding[i] as number, this.padding[i] as number];
      const total = (this.dilation[i] as number) * (kernel - 1);
      return [Math.floor(total / 2), total - Math.floor(total / 2)];
    });
  }

  override resetParameters(g: Generator): void {
    resetConv(this.weight, this.bias, g);
  }

  protected abstract convolve(x: Tensor): Tensor;

  forward(x: Tensor): Tensor {
    try {
      return this.convolve(this.before ? this.pad(x, this.before) : x);
    } catch (error) {
      const n = this.kernelSize.length;
      const expected = `[batch, ${this.inChannels}, ${'length|height, width|depth, height, width'.split('|')[n - 1]}]`;
      throw this.shapeError(
        error,
        x,
        expected,
        (s) => (s.length === n + 2 || s.length === n + 1) && s.at(-n - 1) === this.inChannels,
      );
    }
  }

  private pad(x: Tensor, sides: readonly number[]): Tensor {
    return ops.pad(x, [...sides], this.paddingMode === 'zeros' ? 'constant' : this.paddingMode);
  }

  override extraRepr(): string {
    const parts = [
      `${this.inChannels}, ${this.outChannels}`,
      `kernel_size=${pyTuple(this.kernelSize)}`,
      `stride=${pyTuple(this.stride)}`,
    ];
    if (typeof this.padding === 'string') parts.push(`padding=${this.padding}`);
    else if (this.padding.some((p) => p !== 0)) parts.push(`padding=${pyTuple(this.padding)}`);
    if (this.dilation.some((d) => d !== 1)) parts.push(`dilation=${pyTuple(this.dilation)}`);
    if (this.groups !== 1) parts.push(`groups=${this.groups}`);
    if (this.bias === null) parts.push('bias=False');
    if (this.paddingMode !== 'zeros') parts.push(`padding_mode=${this.paddingMode}`);
    return parts.join(', ');
  }
}

/** Input [B, inChannels, L]. Keys: `weight` [out, in / groups, kernel], `bias` [out]. */
export class Conv1d extends ConvNd {
  constructor(inChannels: number, outChannels: number, kernelSize: Size, options?: ConvOptions) {
    super(inChannels, outChannels, kernelSize, options, 1);
  }

  protected override convolve(x: Tensor): Tensor {
    return ops.conv1d(x, this.weight, this.bias, this.stride, this.ownPadding, this.dilation, this.groups);
  }
}

/** Input [B, inChannels, H, W]. Keys: `weight` [out, in / groups, kh, kw], `bias` [out]. */
export class Conv2d extends ConvNd {
  constructor(inChannels: number, outChannels: number, kernelSize: Size, options?: ConvOptions) {
    super(inChannels, outChannels, kernelSize, options, 2);
  }

  protected override convolve(x: Tensor): Tensor {
    return ops.conv2d(x, this.weight, this.bias, this.stride, this.ownPadding, this.dilation, this.groups);
  }
}

/** Input [B, inChannels, D, H, W]. Keys: `weight` [out, in / groups, kd, kh, kw], `bias` [out]. */
export class Conv3d extends ConvNd {
  constructor(inChannels: number, outChannels: number, kernelSize: Size, options?: ConvOptions) {
    super(inChannels, outChannels, kernelSize, options, 3);
  }

  protected override convolve(x: Tensor): Tensor {
    return ops.conv3d(x, this.weight, this.bias, this.stride, this.ownPadding, this.dilation, this.groups);
  }
}

abstract class ConvTransposeNd extends Module {
  weight: Parameter;
  bias: Parameter | null;
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly outputPadding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;

  protected constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    kernelSize: Size,
    options: ConvTransposeOptions | undefined,
    n: number,
  ) {
    super();
    const given = [inChannels, outChannels, kernelSize];
    const { device, dtype, ...values } = signature.convTranspose.read(this.typeName, given, options);
    this.kernelSize = expand(kernelSize, n, 'kernelSize');
    this.stride = expand(values.stride, n, 'stride');
    this.padding = expand(values.padding, n, 'padding');
    this.outputPadding = expand(values.outputPadding, n, 'outputPadding');
    this.dilation = expand(values.dilation, n, 'dilation');
    this.groups = values.groups;
    checkGroups(inChannels, outChannels, this.groups);
    const made = { device, dtype };
    this.weight = new Parameter(empty([inChannels, outChannels / this.groups, ...this.kernelSize], made));
    this.bias = values.bias ? new Parameter(empty([outChannels], made)) : null;
    this.initSelf(made);
  }

  override resetParameters(g: Generator): void {
    resetConv(this.weight, this.bias, g);
  }

  protected abstract convolve(x: Tensor): Tensor;

  forward(x: Tensor): Tensor {
    try {
      return this.convolve(x);
    } catch (error) {
      const n = this.kernelSize.length;
      const expected = `[batch, ${this.inChannels}, and ${n} sizes]`;
      throw this.shapeError(error, x, expected, (s) => s.length >= n + 1 && s.at(-n - 1) === this.inChannels);
    }
  }

  override extraRepr(): string {
    const parts = [
      `${this.inChannels}, ${this.outChannels}`,
      `kernel_size=${pyTuple(this.kernelSize)}`,
      `stride=${pyTuple(this.stride)}`,
    ];
    if (this.padding.some((p) => p !== 0)) parts.push(`padding=${pyTuple(this.padding)}`);
    if (this.dilation.some((d) => d !== 1)) parts.push(`dilation=${pyTuple(this.dilation)}`);
    if (this.outputPadding.some((p) => p !== 0)) parts.push(`output_padding=${pyTuple(this.outputPadding)}`);
    if (this.groups !== 1) parts.push(`groups=${this.groups}`);
    if (this.bias === null) parts.push('bias=False');
    return parts.join(', ');
  }
}

/** Input [B, inChannels, L]. Keys: `weight` [in, out / groups, kernel], `bias` [out]. */
export class ConvTranspose1d extends ConvTransposeNd {
  constructor(inChannels: number, outChannels: number, kernelSize: Size, options?: ConvTransposeOptions) {
    super(inChannels, outChannels, kernelSize, options, 1);
  }

  protected override convolve(x: Tensor): Tensor {
    const { weight, bias, stride, padding, outputPadding, groups, dilation } = this;
    return ops.convTranspose1d(x, weight, bias, stride, padding, outputPadding, groups, dilation);
  }
}

/** Input [B, inChannels, H, W]. Keys: `weight` [in, out / groups, kh, kw], `bias` [out]. */
export class ConvTranspose2d extends ConvTransposeNd {
  constructor(inChannels: number, outChannels: number, kernelSize: Size, options?: ConvTransposeOptions) {
    super(inChannels, outChannels, kernelSize, options, 2);
  }

  protected override convolve(x: Tensor): Tensor {
    const { weight, bias, stride, padding, outputPadding, groups, dilation } = this;
    return ops.convTranspose2d(x, weight, bias, stride, padding, outputPadding, groups, dilation);
  }
}

/** Input [B, inChannels, D, H, W]. Keys: `weight` [in, out / groups, kd, kh, kw], `bias` [out]. */
export class ConvTranspose3d extends ConvTransposeNd {
  constructor(inChannels: number, outChannels: number, kernelSize: Size, options?: ConvTransposeOptions) {
    super(inChannels, outChannels, kernelSize, options, 3);
  }

  protected override convolve(x: Tensor): Tensor {
    const { weight, bias, stride, padding, outputPadding, groups, dilation } = this;
    return ops.convTranspose3d(x, weight, bias, stride, padding, outputPadding, groups, dilation);
  }
}
