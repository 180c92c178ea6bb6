import type { Tensor } from '../torch/index.js';
import type { Size } from './conv.js';
import * as F from './functional/pooling.js';
import { Module } from './module.js';
import { pyBool, pySize, pyTuple } from './repr.js';
import { expectNoMore } from './signature.js';
import * as signature from './signatures.js';

abstract class MaxPool<Indices extends boolean> extends Module {
  readonly stride: Size;
  readonly padding: Size;
  readonly dilation: Size;
  readonly ceilMode: boolean;
  readonly returnIndices: boolean;

  constructor(
    readonly kernelSize: Size,
    options?: F.MaxPoolArguments<Indices>,
  ) {
    super();
    const values = signature.maxPool.read(this.typeName, [kernelSize], options);
    this.stride = values.stride ?? kernelSize;
    this.padding = values.padding;
    this.dilation = values.dilation;
    this.ceilMode = values.ceilMode;
    this.returnIndices = values.returnIndices;
  }

  abstract override forward(x: Tensor): F.Pooled<Indices>;

  protected get options(): F.MaxPoolArguments<Indices> {
    const { stride, padding, dilation, ceilMode, returnIndices } = this;
    return { stride, padding, dilation, ceilMode, returnIndices: returnIndices as Indices };
  }

  override extraRepr(): string {
    return (
      `kernel_size=${pySize(this.kernelSize)}, stride=${pySize(this.stride)}, padding=${pySize(this.padding)}, ` +
      `dilation=${pySize(this.dilation)}, ceil_mode=${pyBool(this.ceilMode)}`
    );
  }
}

/** [B, C, L]. With `returnIndices` the forward gives the output and the positions of the maxima. */
export class MaxPool1d<Indices extends boolean = false> extends MaxPool<Indices> {
  forward(x: Tensor): F.Pooled<Indices> {
    return F.maxPool1d(x, this.kernelSize, this.options);
  }
}

/** [B, C, H, W]. With `returnIndices` the forward gives the output and the positions of the maxima. */
export class MaxPool2d<Indices extends boolean = false> extends MaxPool<Indices> {
  forward(x: Tensor): F.Pooled<Indices> {
    return F.maxPool2d(x, this.kernelSize, this.options);
  }
}

/** [B, C, D, H, W]. With `returnIndices` the forward gives the output and the positions of the maxima. */
export class MaxPool3d<Indices extends boolean = false> extends MaxPool<Indices> {
  forward(x: Tensor): F.Pooled<Indices> {
    return F.maxPool3d(x, this.kernelSize, this.options);
  }
}

/** The positions of the maxima go with their values: a partial inverse of {@link MaxPool2d} and its like. */
abstract class MaxUnpool extends Module {
  readonly stride: Size;
  readonly padding: Size;

  constructor(
    readonly kernelSize: Size,
    options?: Omit<F.MaxUnpoolArguments, 'outputSize'>,
  ) {
    super();
    const values = signature.maxUnpool.read(this.typeName, [kernelSize], options);
    this.stride = values.stride ?? kernelSize;
    this.padding = values.padding;
  }

  /** @param outputSize - of the spatial dimensions, where the pooling may have had several */
  abstract override forward(x: Tensor, indices: Tensor, outputSize?: readonly number[] | null): Tensor;

  override extraRepr(): string {
    const n = Number(this.typeName.at(-2));
    const each = (size: Size) => pyTuple(typeof size === 'number' ? new Array<number>(n).fill(size) : size);
    return `kernel_size=${each(this.kernelSize)}, stride=${each(this.stride)}, padding=${each(this.padding)}`;
  }
}

/** [B, C, L], and the indices of {@link MaxPool1d}. */
export class MaxUnpool1d extends MaxUnpool {
  forward(x: Tensor, indices: Tensor, outputSize: readonly number[] | null = null): Tensor {
    const { kernelSize, stride, padding } = this;
    return F.maxUnpool1d(x, indices, kernelSize, { stride, padding, outputSize });
  }
}

/** [B, C, H, W], and the indices of {@link MaxPool2d}. */
export class MaxUnpool2d extends MaxUnpool {
  forward(x: Tensor, indices: Tensor, outputSize: readonly number[] | null = null): Tensor {
    const { kernelSize, stride, padding } = this;
    return F.maxUnpool2d(x, indices, kernelSize, { stride, padding, outputSize });
  }
}

/** [B, C, D, H, W], and the indices of {@link MaxPool3d}. */
export class MaxUnpool3d extends MaxUnpool {
  forward(x: Tensor, indices: Tensor, outputSize: readonly number[] | null = null): Tensor {
    const { kernelSize, stride, padding } = this;
    return F.maxUnpool3d(x, indices, kernelSize, { stride, padding, outputSize });
  }
}

/** [B, C, L]. */
export class AvgPool1d extends Module {
  readonly stride: Size;
  readonly padding: Size;
  readonly ceilMode: boolean;
  readonly countIncludePad: boolean;

  constructor(
    readonly kernelSize: Size,
    options?: F.AvgPool1dArguments,
  ) {
    super();
    const values = signature.avgPool1d.read(this.typeName, [kernelSize], options);
    this.stride = values.stride ?? kernelSize;
    this.padding = values.padding;
    this.ceilMode = values.ceilMode;
    this.countIncludePad = values.countIncludePad;
  }

  forward(x: Tensor): Tensor {
    const { kernelSize, stride, padding, ceilMode, countIncludePad } = this;
    return F.avgPool1d(x, kernelSize, { stride, padding, ceilMode, countIncludePad });
  }

  override extraRepr(): string {
    const one = (size: Size) => (typeof size === 'number' ? `(${size},)` : pySize(size));
    return `kernel_size=${one(this.kernelSize)}, stride=${one(this.stride)}, padding=${one(this.padding)}`;
  }
}

abstract class AvgPool extends Module {
  readonly stride: Size;
  readonly padding: Size;
  readonly ceilMode: boolean;
  readonly countIncludePad: boolean;
  readonly divisorOverride: number | null;

  constructor(
    readonly kernelSize: Size,
    options?: F.AvgPoolArguments,
  ) {
    super();
    const values = signature.avgPool.read(this.typeName, [kernelSize], options);
    this.stride = values.stride ?? kernelSize;
    this.padding = values.padding;
    this.ceilMode = values.ceilMode;
    this.countIncludePad = values.countIncludePad;
    this.divisorOverride = values.divisorOverride;
  }

  abstract override forward(x: Tensor): Tensor;

  protected get options(): F.AvgPoolArguments {
    const { stride, padding, ceilMode, countIncludePad, divisorOverride } = this;
    return { stride, padding, ceilMode, countIncludePad, divisorOverride };
  }

  override extraRepr(): string {
    return `kernel_size=${pySize(this.kernelSize)}, stride=${pySize(this.stride)}, padding=${pySize(this.padding)}`;
  }
}

/** [B, C, H, W]. */
export class AvgPool2d extends AvgPool {
  forward(x: Tensor): Tensor {
    return F.avgPool2d(x, this.kernelSize, this.options);
  }
}

/** [B, C, D, H, W]. */
export class AvgPool3d extends AvgPool {
  forward(x: Tensor): Tensor {
    return F.avgPool3d(x, this.kernelSize, this.options);
  }
}

function printed(size: F.OutputSize): string {
  const one = (value: number | null) => (value === null ? 'None' : String(value));
  return `output_size=${size === null || typeof size === 'number' ? one(size) : `(${size.map(one).join(', ')})`}`;
}

abstract class AdaptiveAvgPool extends Module {
  constructor(
    readonly outputSize: F.OutputSize,
    ...surplus: never[]
  ) {
    super();
    expectNoMore(this.typeName, surplus);
    signature.adaptiveAvgPool.read(this.typeName, [outputSize]);
  }

  abstract override forward(x: Tensor): Tensor;

  override extraRepr(): string {
    return printed(this.outputSize);
  }
}

abstract class AdaptiveMaxPool<Indices extends boolean> extends Module {
  readonly returnIndices: boolean;

  constructor(
    readonly outputSize: F.OutputSize,
    options?: F.IndicesOption<Indices>,
  ) {
    super();
    this.returnIndices = signature.adaptiveMaxPool.read(this.typeName, [outputSize], options).returnIndices;
  }

  abstract override forward(x: Tensor): F.Pooled<Indices>;

  protected get options(): F.IndicesOption<Indices> {
    return { returnIndices: this.returnIndices as Indices };
  }

  override extraRepr(): string {
    return printed(this.outputSize);
  }
}

/** [B, C, L] to [B, C, ...outputSize]. */
export class AdaptiveAvgPool1d extends AdaptiveAvgPool {
  forward(x: Tensor): Tensor {
    return F.adaptiveAvgPool1d(x, this.outputSize);
  }
}

/** [B, C, L] to [B, C, ...outputSize]. */
export class AdaptiveMaxPool1d<Indices extends boolean = false> extends AdaptiveMaxPool<Indices> {
  forward(x: Tensor): F.Pooled<Indices> {
    return F.adaptiveMaxPool1d(x, this.outputSize, this.options);
  }
}

/** [B, C, H, W] to [B, C, ...outputSize]. */
export class AdaptiveAvgPool2d extends AdaptiveAvgPool {
  forward(x: Tensor): Tensor {
    return F.adaptiveAvgPool2d(x, this.outputSize);
  }
}

/** [B, C, H, W] to [B, C, ...outputSize]. */
export class AdaptiveMaxPool2d<Indices extends boolean = false> extends AdaptiveMaxPool<Indices> {
  forward(x: Tensor): F.Pooled<Indices> {
    return F.adaptiveMaxPool2d(x, this.outputSize, this.options);
  }
}

/** [B, C, D, H, W] to [B, C, ...outputSize]. */
export class AdaptiveAvgPool3d extends AdaptiveAvgPool {
  forward(x: Tensor): Tensor {
    return F.adaptiveAvgPool3d(x, this.outputSize);
  }
}

/** [B, C, D, H, W] to [B, C, ...outputSize]. */
export class AdaptiveMaxPool3d<Indices extends boolean = false> extends AdaptiveMaxPool<Indices> {
  forward(x: Tensor): F.Pooled<Indices> {
    return F.adaptiveMaxPool3d(x, this.outputSize, this.options);
  }
}
