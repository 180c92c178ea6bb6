import { expectTensor } from '../torch/expect.js';
import type { Tensor } from '../torch/index.js';
import * as F from './functional/vision.js';
import { Module } from './module.js';
import { pyFloat, pySize, pyTuple } from './repr.js';
import { expectNoMore } from './signature.js';
import * as signature from './signatures.js';

/** Merges dimensions `startDim`..`endDim`. */
export class Flatten extends Module {
  readonly startDim: number;
  readonly endDim: number;

  constructor(startDim?: number | { readonly startDim?: number; readonly endDim?: number }, endDim?: number) {
    super();
    const values = signature.flatten.read(this.typeName, [startDim, endDim]);
    this.startDim = values.startDim;
    this.endDim = values.endDim;
  }

  forward(x: Tensor): Tensor {
    expectTensor(this.typeName, x);
    return x.flatten(this.startDim, this.endDim);
  }

  override extraRepr(): string {
    return `start_dim=${this.startDim}, end_dim=${this.endDim}`;
  }
}

/** Splits dimension `dim` into `size`, of which one may be -1. */
export class Unflatten extends Module {
  constructor(
    readonly dim: number,
    readonly size: readonly number[],
    ...surplus: never[]
  ) {
    super();
    expectNoMore(this.typeName, surplus);
    signature.unflatten.read(this.typeName, [dim, size]);
  }

  forward(x: Tensor): Tensor {
    expectTensor(this.typeName, x);
    const shape = x.shape;
    const at = this.dim < 0 ? this.dim + shape.length : this.dim;
    return x.reshape([...shape.slice(0, at), ...this.size, ...shape.slice(at + 1)]);
  }

  override extraRepr(): string {
    return `dim=${this.dim}, unflattened_size=${pyTuple(this.size)}`;
  }
}

export interface UpsampleOptions {
  /** This or `scaleFactor`. */
  readonly size?: number | readonly number[] | null;
  readonly scaleFactor?: number | readonly number[] | null;
  /** Default `'nearest'`. */
  readonly mode?: F.InterpolateMode;
  readonly alignCorners?: boolean | null;
}

/** Resizes the spatial dimensions: see {@link F.interpolate}. */
export class Upsample extends Module {
  readonly size: number | readonly number[] | null;
  readonly scaleFactor: number | readonly number[] | null;
  readonly mode: F.InterpolateMode;
  readonly alignCorners: boolean | null;

  constructor(options: UpsampleOptions) {
    super();
    const values = signature.upsample.read(this.typeName, [], options);
    this.size = values.size;
    this.scaleFactor = values.scaleFactor;
    this.mode = values.mode;
    this.alignCorners = values.alignCorners;
  }

  forward(x: Tensor): Tensor {
    const { size, scaleFactor, mode, alignCorners } = this;
    return F.interpolate(x, { size, scaleFactor, mode, alignCorners });
  }

  override extraRepr(): string {
    const float = (value: number | readonly number[]) =>
      typeof value === 'number' ? pyFloat(value) : `(${value.map(pyFloat).join(', ')})`;
    const size =
      this.scaleFactor === null ? `size=${pySize(this.size ?? 0)}` : `scale_factor=${float(this.scaleFactor)}`;
    return `${size}, mode=${this.mode}`;
  }
}

/** [B, C·r², H, W] to [B, C, H·r, W·r]. */
export class PixelShuffle extends Module {
  constructor(
    readonly upscaleFactor: number,
    ...surplus: never[]
  ) {
    super();
    expectNoMore(this.typeName, surplus);
    signature.shuffle.read(this.typeName, [upscaleFactor]);
  }

  forward(x: Tensor): Tensor {
    return F.pixelShuffle(x, this.upscaleFactor);
  }

  override extraRepr(): string {
    return `upscale_factor=${this.upscaleFactor}`;
  }
}

/** [B, C, H·r, W·r] to [B, C·r², H, W]. */
export class PixelUnshuffle extends Module {
  constructor(
    readonly downscaleFactor: number,
    ...surplus: never[]
  ) {
    super();
    expectNoMore(this.typeName, surplus);
    signature.unshuffle.read(this.typeName, [downscaleFactor]);
  }

  forward(x: Tensor): Tensor {
    return F.pixelUnshuffle(x, this.downscaleFactor);
  }

  override extraRepr(): string {
    return `downscale_factor=${this.downscaleFactor}`;
  }
}

/** Sliding windows as columns: [B, C, H, W] to [B, C·kh·kw, windows]. */
export class Unfold extends Module {
  readonly options: Required<F.UnfoldOptions>;

  constructor(
    readonly kernelSize: number | readonly number[],
    options?: F.UnfoldOptions,
  ) {
    super();
    const { dilation, padding, stride } = signature.unfold.read(this.typeName, [kernelSize], options);
    this.options = { dilation, padding, stride };
  }

  forward(x: Tensor): Tensor {
    return F.unfold(x, this.kernelSize, this.options);
  }

  override extraRepr(): string {
    const { dilation, padding, stride } = this.options;
    return (
      `kernel_size=${pySize(this.kernelSize)}, dilation=${pySize(dilation)}, ` +
      `padding=${pySize(padding)}, stride=${pySize(stride)}`
    );
  }
}

/** Sums columns back to [B, C, ...outputSize]: the adjoint of {@link Unfold}. */
export class Fold extends Module {
  readonly options: Required<F.UnfoldOptions>;

  constructor(
    readonly outputSize: number | readonly number[],
    readonly kernelSize: number | readonly number[],
    options?: F.UnfoldOptions,
  ) {
    super();
    const { dilation, padding, stride } = signature.fold.read(this.typeName, [outputSize, kernelSize], options);
    this.options = { dilation, padding, stride };
  }

  forward(x: Tensor): Tensor {
    return F.fold(x, this.outputSize, this.kernelSize, this.options);
  }

  override extraRepr(): string {
    const { dilation, padding, stride } = this.options;
    return (
      `output_size=${pySize(this.outputSize)}, kernel_size=${pySize(this.kernelSize)}, ` +
      `dilation=${pySize(dilation)}, padding=${pySize(padding)}, stride=${pySize(stride)}`
    );
  }
}
