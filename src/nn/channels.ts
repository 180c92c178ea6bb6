/** Layers over channels and volumes that few models need. */
import { expectTensor } from '../torch/expect.js';
import { ConfigError, defaultGenerator, type Generator, ops, ShapeError, type Tensor } from '../torch/index.js';
import type { Size } from './conv.js';
import * as F from './functional/power.js';
import { Module } from './module.js';
import * as signature from './more-signatures.js';
import { pyBool, pyFloat, pySize, pyTuple } from './repr.js';
import { expectNoMore } from './signature.js';

/** [B, C, ...]: C in `groups` of neighbours becomes C in which the groups alternate. */
export class ChannelShuffle extends Module {
  constructor(
    readonly groups: number,
    ...surplus: never[]
  ) {
    super();
    expectNoMore('ChannelShuffle', surplus);
    signature.channelShuffle.read('ChannelShuffle', [groups]);
  }

  forward(x: Tensor): Tensor {
    expectTensor(this.typeName, x);
    const channels = x.shape[1] ?? 0;
    if (x.ndim < 3 || channels % this.groups !== 0) {
      throw new ShapeError(
        `Expected [batch, channels, ...] of channels that ${this.groups} groups divide, got [${x.shape}] in ChannelShuffle`,
      );
    }
    // libtorch's operator has no gradient in all its versions.
    return x
      .unflatten(1, [this.groups, channels / this.groups])
      .transpose(1, 2)
      .flatten(1, 2);
  }

  override extraRepr(): string {
    return `groups=${this.groups}`;
  }
}

abstract class LPPool extends Module {
  readonly stride: Size | null;
  readonly ceilMode: boolean;

  constructor(
    readonly normType: number,
    readonly kernelSize: Size,
    options?: F.LpPoolArguments,
  ) {
    super();
    const values = signature.lpPool.read(this.typeName, [normType, kernelSize], options);
    this.stride = values.stride;
    this.ceilMode = values.ceilMode;
  }

  abstract override forward(x: Tensor): Tensor;

  override extraRepr(): string {
    const stride = this.stride === null ? 'None' : pySize(this.stride);
    return (
      `norm_type=${this.normType}, kernel_size=${pySize(this.kernelSize)}, stride=${stride}, ` +
      `ceil_mode=${pyBool(this.ceilMode)}`
    );
  }
}

/** [B, C, L]. */
export class LPPool1d extends LPPool {
  forward(x: Tensor): Tensor {
    const { stride, ceilMode } = this;
    return F.lpPool1d(x, this.normType, this.kernelSize, { stride, ceilMode });
  }
}

/** [B, C, H, W]. */
export class LPPool2d extends LPPool {
  forward(x: Tensor): Tensor {
    const { stride, ceilMode } = this;
    return F.lpPool2d(x, this.normType, this.kernelSize, { stride, ceilMode });
  }
}

/** [B, C, ...], divided by a power of what `size` neighbouring channels hold. */
export class LocalResponseNorm extends Module {
  readonly alpha: number;
  readonly beta: number;
  readonly k: number;

  constructor(
    readonly size: number,
    options?: F.LocalResponseNormOptions,
  ) {
    super();
    const values = signature.responseNorm.read('LocalResponseNorm', [size], options);
    this.alpha = values.alpha;
    this.beta = values.beta;
    this.k = values.k;
  }

  forward(x: Tensor): Tensor {
    const { alpha, beta, k } = this;
    return F.localResponseNorm(x, this.size, { alpha, beta, k });
  }

  override extraRepr(): string {
    return `${this.size}, alpha=${pyFloat(this.alpha)}, beta=${pyFloat(this.beta)}, k=${pyFloat(this.k)}`;
  }
}

/** Softmax over the channels of [B, C, H, W] or [C, H, W]. */
export class Softmax2d extends Module {
  constructor(...surplus: never[]) {
    super();
    expectNoMore('Softmax2d', surplus);
  }

  forward(x: Tensor): Tensor {
    expectTensor(this.typeName, x);
    if (x.ndim === 3 || x.ndim === 4) return x.softmax(-3);
    throw new ShapeError(`Expected [batch, channels, height, width] or without batch, got [${x.shape}] in Softmax2d`);
  }
}

/** A leaky ReLU whose slope is drawn between `lower` and `upper` in training, and is their mean in evaluation. */
export class RReLU extends Module {
  /** Source of the slopes; null for the default generator. */
  generator: Generator | null = null;
  readonly lower: number;
  readonly upper: number;

  /** `new RReLU(0.1, 0.3)`, or `new RReLU({ lower: 0.1 })`. Default 1/8 to 1/3. */
  constructor(lower?: number | { readonly lower?: number; readonly upper?: number }, upper?: number) {
    super();
    const values = signature.rrelu.read('RReLU', [lower, upper]);
    this.lower = values.lower;
    this.upper = values.upper;
    if (!(this.lower <= this.upper)) {
      throw new ConfigError(`Expected lower at most upper of RReLU, got ${this.lower} and ${this.upper}`);
    }
  }

  forward(x: Tensor): Tensor {
    expectTensor(this.typeName, x);
    const generator = this.generator ?? (x.device === 'cpu' ? defaultGenerator : null);
    return ops.rrelu(x, this.lower, this.upper, this.training, generator);
  }

  override extraRepr(): string {
    return `lower=${pyFloat(this.lower)}, upper=${pyFloat(this.upper)}`;
  }
}

abstract class Pad3d extends Module {
  /** Before and after, of the last dimension first: left, right, top, bottom, front, back. */
  readonly padding: readonly number[];

  constructor(padding: number | readonly number[], ...surplus: never[]) {
    super();
    expectNoMore(this.typeName, surplus);
    signature.padding3d.read(this.typeName, [padding]);
    this.padding = typeof padding === 'number' ? new Array<number>(6).fill(padding) : [...padding];
  }

  abstract override forward(x: Tensor): Tensor;

  override extraRepr(): string {
    return pyTuple(this.padding);
  }
}

/** [B, C, D, H, W]. */
export class ReflectionPad3d extends Pad3d {
  forward(x: Tensor): Tensor {
    return ops.reflectionPad3d(x, this.padding);
  }
}

/** [B, C, D, H, W]. */
export class ReplicationPad3d extends Pad3d {
  forward(x: Tensor): Tensor {
    return ops.replicationPad3d(x, this.padding);
  }
}

/** [B, C, D, H, W]. */
export class ConstantPad3d extends Pad3d {
  constructor(
    padding: number | readonly number[],
    readonly value: number,
    ...surplus: never[]
  ) {
    super(padding, ...surplus);
    signature.constantPadding3d.read('ConstantPad3d', [padding, value]);
  }

  forward(x: Tensor): Tensor {
    return ops.constantPadNd(x, this.padding, this.value);
  }

  override extraRepr(): string {
    return `padding=${pyTuple(this.padding)}, value=${this.value}`;
  }
}
