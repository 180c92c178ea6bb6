/** What else StyleGAN2 is made of: convolutions whose weights a style scales, and what tells a discriminator of variety. */
import { expectTensor } from '../torch/expect.js';
import { empty, type Generator, ops, ShapeError, type Tensor, tensor } from '../torch/index.js';
import { EqualizedLinear, filteredConv } from './equalized.js';
import { normal_ } from './init.js';
import { type FactoryOptions, Module } from './module.js';
import { Parameter } from './parameter.js';
import { pyBool } from './repr.js';
import * as signature from './style-signatures.js';

export interface ModulatedConvOptions extends FactoryOptions {
  /** Divide by the expected size of the output, so that styles change directions, not sizes. Default true. */
  readonly demodulate?: boolean;
  /** Double the map's size, through the filter. Default false. */
  readonly up?: boolean;
  /** The filter's taps, along both axes. Default [1, 3, 3, 1]. */
  readonly fir?: readonly number[];
}

/**
 * A convolution whose weights each sample's style scales, input channel by input channel (Karras et al. 2020, section 2.2).
 * The map is scaled in place of the weights, and the result in place of their norm: the same numbers, and one convolution for
 * the whole batch. Without bias, since noise comes before it. Input [B, inChannels, H, W] and a style [B, styleFeatures].
 * Keys: `weight` [out, in, k, k], `affine.weight`, `affine.bias`.
 */
export class ModulatedConv2d extends Module {
  weight: Parameter;
  affine: EqualizedLinear;
  readonly demodulate: boolean;
  readonly up: boolean;
  /** Buffer, not of the state: the filter. */
  fir!: Tensor;

  constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    readonly kernelSize: number,
    readonly styleFeatures: number,
    options?: ModulatedConvOptions,
  ) {
    super();
    const given = [inChannels, outChannels, kernelSize, styleFeatures];
    const { device, dtype, ...values } = signature.modulatedConv.read(this.typeName, given, options);
    const { demodulate, up, fir } = values;
    const made = { device, dtype };
    this.demodulate = demodulate;
    this.up = up;
    this.weight = new Parameter(empty([outChannels, inChannels, kernelSize, kernelSize], made));
    this.affine = new EqualizedLinear(styleFeatures, inChannels, { biasInit: 1, ...made });
    this.registerBuffer('fir', tensor(fir, made), false);
    this.initSelf(made);
  }

  override resetParameters(g: Generator): void {
    normal_(this.weight, 0, 1, { generator: g });
  }

  forward(x: Tensor, style: Tensor): Tensor {
    const y = this.convolve(x, style);
    return y.size === null ? y.map : y.map.mul(y.size);
  }

  /** The map, and [B, out, 1, 1] by which it is yet to be multiplied; null for nothing. */
  convolve(x: Tensor, style: Tensor): { readonly map: Tensor; readonly size: Tensor | null } {
    try {
      const scale = this.affine.forward(style);
      const weight = this.weight.mul(1 / Math.sqrt(this.inChannels * this.kernelSize ** 2));
      const scaled = x.mul(scale.reshape([-1, this.inChannels, 1, 1]));
      const map = filteredConv(scaled, weight, null, this.up ? 'up' : null, this.fir);
      if (!this.demodulate) return { map, size: null };
      const square = ops.linear(scale.square(), weight.square().sum([2, 3]));
      return { map, size: square.add(1e-8).rsqrt().reshape([-1, this.outChannels, 1, 1]) };
    } catch (error) {
      const fits = (shape: number[]): boolean => shape.length === 4 && shape[1] === this.inChannels;
      throw this.shapeError(error, x, `[batch, ${this.inChannels}, height, width]`, fits);
    }
  }

  override extraRepr(): string {
    const { inChannels, outChannels, kernelSize, demodulate, up } = this;
    return `${inChannels}, ${outChannels}, kernel_size=${kernelSize}, demodulate=${pyBool(demodulate)}, up=${pyBool(up)}`;
  }
}

/**
 * Appends maps that hold how much the samples of a group differ (Karras et al. 2018): input [B, C, H, W], output
 * [B, C + features, H, W]. Where the batch is no multiple of `groupSize`, the greatest group that divides it is taken.
 */
export class MinibatchStdDev extends Module {
  readonly groupSize: number;
  readonly features: number;

  constructor(groupSize?: number, features?: number) {
    super();
    ({ groupSize: this.groupSize, features: this.features } = signature.minibatchStdDev.read(this.typeName, [
      groupSize,
      features,
    ]));
  }

  forward(x: Tensor): Tensor {
    expectTensor(this.typeName, x);
    const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
    if (x.ndim !== 4 || channels % this.features !== 0)
      throw new ShapeError(
        `Expected [batch, channels, height, width] of channels that ${this.features} features divide, got [${x.shape}] in MinibatchStdDev`,
      );
    let group = Math.min(this.groupSize, batch);
    while (batch % group !== 0) group--;
    const { features } = this;
    const grouped = x.reshape([group, batch / group, features, channels / features, height, width]);
    const deviation = grouped.sub(grouped.mean(0)).square().mean(0).add(1e-8).sqrt();
    // [batch / group, features]: one number of each, over all its channels and places.
    const told = deviation.mean([2, 3, 4]).reshape([1, batch / group, features, 1, 1]);
    return ops.cat(
      [x, told.expand([group, batch / group, features, height, width]).reshape([batch, features, height, width])],
      1,
    );
  }

  override extraRepr(): string {
    return `group_size=${this.groupSize}, features=${this.features}`;
  }
}

/** Divides each place by its root mean square over the channels. Input [B, C, ...]. */
export class PixelNorm extends Module {
  readonly eps: number;

  constructor(eps?: number) {
    super();
    this.eps = signature.pixelNorm.read(this.typeName, [eps]).eps;
  }

  forward(x: Tensor): Tensor {
    expectTensor(this.typeName, x);
    return x.mul(x.square().mean(1, true).add(this.eps).rsqrt());
  }

  override extraRepr(): string {
    return `eps=${this.eps}`;
  }
}
