/** Layers whose weights are drawn with variance 1 and scaled when they are used, so that all learn alike (Karras et al. 2018). */
import { empty, type Generator, ops, type Tensor, tensor } from '../torch/index.js';
import { downsampleFir, upfirdn2d } from './functional/resample.js';
import { constant_, normal_ } from './init.js';
import { type FactoryOptions, Module } from './module.js';
import { Parameter } from './parameter.js';
import { pyBool } from './repr.js';
import * as signature from './style-signatures.js';

export interface EqualizedOptions extends FactoryOptions {
  /** Default true. */
  readonly bias?: boolean;
  /** What the bias is at first. Default 0. */
  readonly biasInit?: number;
  /** How much faster than others the layer learns: 0.01 in mapping networks. Default 1. */
  readonly lrMultiplier?: number;
}

export interface EqualizedConvOptions extends FactoryOptions {
  /** Default true. */
  readonly bias?: boolean;
  /** Double the size before the convolution, or halve it, through the filter. Default null. */
  readonly resample?: 'up' | 'down' | null;
  /** The filter's taps, along both axes. Default [1, 3, 3, 1]. */
  readonly fir?: readonly number[];
}

/**
 * y = m (x Wᵀ / √in + b), with m the `lrMultiplier` and W drawn from N(0, 1 / m²). Input [..., inFeatures], output
 * [..., outFeatures]. Keys: `weight` [out, in], `bias` [out].
 */
export class EqualizedLinear extends Module {
  weight: Parameter;
  bias: Parameter | null;
  readonly lrMultiplier: number;
  readonly biasInit: number;

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    options?: EqualizedOptions,
  ) {
    super();
    const given = [inFeatures, outFeatures];
    const { device, dtype, ...values } = signature.equalizedLinear.read(this.typeName, given, options);
    const { bias, biasInit, lrMultiplier } = values;
    const made = { device, dtype };
    this.lrMultiplier = lrMultiplier;
    this.biasInit = biasInit;
    this.weight = new Parameter(empty([outFeatures, inFeatures], made));
    this.bias = bias ? new Parameter(empty([outFeatures], made)) : null;
    this.initSelf(made);
  }

  override resetParameters(g: Generator): void {
    normal_(this.weight, 0, 1 / this.lrMultiplier, { generator: g });
    if (this.bias) constant_(this.bias, this.biasInit / this.lrMultiplier);
  }

  forward(x: Tensor): Tensor {
    const { lrMultiplier } = this;
    try {
      const weight = this.weight.mul(lrMultiplier / Math.sqrt(this.inFeatures));
      return ops.linear(x, weight, lrMultiplier === 1 || this.bias === null ? this.bias : this.bias.mul(lrMultiplier));
    } catch (error) {
      throw this.shapeError(error, x, `[..., ${this.inFeatures}]`, (shape) => shape.at(-1) === this.inFeatures);
    }
  }

  override extraRepr(): string {
    const faster = this.lrMultiplier === 1 ? '' : `, lr_multiplier=${this.lrMultiplier}`;
    return `in_features=${this.inFeatures}, out_features=${this.outFeatures}, bias=${pyBool(this.bias !== null)}${faster}`;
  }
}

/**
 * A convolution that keeps the map's size, or after or before which a filter doubles or halves it. Input
 * [B, inChannels, H, W]. Keys: `weight` [out, in, k, k], `bias` [out].
 */
export class EqualizedConv2d extends Module {
  weight: Parameter;
  bias: Parameter | null;
  readonly resample: 'up' | 'down' | null;
  /** Buffer, not of the state: the filter. */
  fir!: Tensor;

  constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    readonly kernelSize: number,
    options?: EqualizedConvOptions,
  ) {
    super();
    const given = [inChannels, outChannels, kernelSize];
    const { device, dtype, ...values } = signature.equalizedConv.read(this.typeName, given, options);
    const { bias, resample, fir } = values;
    const made = { device, dtype };
    this.resample = resample;
    this.weight = new Parameter(empty([outChannels, inChannels, kernelSize, kernelSize], made));
    this.bias = bias ? new Parameter(empty([outChannels], made)) : null;
    this.registerBuffer('fir', tensor(fir, made), false);
    this.initSelf(made);
  }

  override resetParameters(g: Generator): void {
    normal_(this.weight, 0, 1, { generator: g });
    if (this.bias) constant_(this.bias, 0);
  }

  forward(x: Tensor): Tensor {
    try {
      const weight = this.weight.mul(1 / Math.sqrt(this.inChannels * this.kernelSize ** 2));
      return filteredConv(x, weight, this.bias, this.resample, this.fir);
    } catch (error) {
      const fits = (shape: number[]): boolean => shape.length === 4 && shape[1] === this.inChannels;
      throw this.shapeError(error, x, `[batch, ${this.inChannels}, height, width]`, fits);
    }
  }

  override extraRepr(): string {
    const { inChannels, outChannels, kernelSize, resample } = this;
    const how = resample === null ? '' : `, resample='${resample}'`;
    return `${inChannels}, ${outChannels}, kernel_size=${kernelSize}, bias=${pyBool(this.bias !== null)}${how}`;
  }
}

/**
 * A convolution of odd size together with a filter, so that the map is passed over as seldom as can be. Going up, it is the
 * transposed convolution, whose result the filter smooths; going down, the filter comes first.
 * @param weight - [out, in, k, k]
 */
export function filteredConv(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  resample: 'up' | 'down' | null,
  fir: Tensor,
): Tensor {
  const kernel = weight.shape[2]!;
  const half = (kernel - 1) / 2;
  if (resample === null) return ops.conv2d(x, weight, bias, [1, 1], [half, half]);
  if (kernel === 1 && resample === 'down') return ops.conv2d(downsampleFir(x, fir), weight, bias);
  const taps = fir.shape[0]!;
  const gain = fir.sum().item() ** -2;
  if (resample === 'down') {
    const padding = sidesOf(taps - 2 + kernel - 1);
    return ops.conv2d(upfirdn2d(x, fir, { padding, gain }), weight, bias, [2, 2]);
  }
  // What comes after the filter is as wide as twice the map, whatever the kernel.
  const wide = ops.convTranspose2d(x, weight.transpose(0, 1), null, [2, 2]);
  const smooth = upfirdn2d(wide, fir, { padding: sidesOf(taps - kernel + 1), gain: 4 * gain });
  return bias === null ? smooth : smooth.add(bias.reshape([-1, 1, 1]));
}

/** Padding in all, on both sides of both axes, the odd one before. */
function sidesOf(padding: number): number[] {
  const before = Math.ceil(padding / 2);
  return [before, padding - before, before, padding - before];
}
