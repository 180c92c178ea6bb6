import type { Tensor } from '../torch/index.js';
import * as F from './functional/vision.js';
import { Module } from './module.js';
import { pyFloat, pySize, pyTuple } from './repr.js';

/** Merges dimensions `startDim`..`endDim`. */
export class Flatten extends Module {
  constructor(
    readonly startDim = 1,
    readonly endDim = -1,
  ) {
    super();
  }

  forward(x: Tensor): Tensor {
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
  ) {
    super();
  }

  forward(x: Tensor): Tensor {
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
  readonly size?: number | readonly number[];
  readonly scaleFactor?: number | readonly number[];
  /** Default `'nearest'`. */
  readonly mode?: F.InterpolateMode;
  readonly alignCorners?: boolean;
}

/** Resizes the spatial dimensions: see {@link F.interpolate}. */
export class Upsample extends Module {
  readonly size: number | readonly number[] | null;
  readonly scaleFactor: number | readonly number[] | null;
  readonly mode: F.InterpolateMode;
  readonly alignCorners: boolean;

  constructor(options: UpsampleOptions) {
    super();
    this.size = options.size ?? null;
    this.scaleFactor = options.scaleFactor ?? null;
    this.mode = options.mode ?? 'nearest';
    this.alignCorners = options.alignCorners ?? false;
  }

  forward(x: Tensor): Tensor {
    return F.interpolate(x, this);
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
  constructor(readonly upscaleFactor: number) {
    super();
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
  constructor(readonly downscaleFactor: number) {
    super();
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
  constructor(
    readonly kernelSize: number | readonly number[],
    readonly options: F.UnfoldOptions = {},
  ) {
    super();
  }

  forward(x: Tensor): Tensor {
    return F.unfold(x, this.kernelSize, this.options);
  }

  override extraRepr(): string {
    const { dilation = 1, padding = 0, stride = 1 } = this.options;
    return (
      `kernel_size=${pySize(this.kernelSize)}, dilation=${pySize(dilation)}, ` +
      `padding=${pySize(padding)}, stride=${pySize(stride)}`
    );
  }
}

/** Sums columns back to [B, C, ...outputSize]: the adjoint of {@link Unfold}. */
export class Fold extends Module {
  constructor(
    readonly outputSize: number | readonly number[],
    readonly kernelSize: number | readonly number[],
    readonly options: F.UnfoldOptions = {},
  ) {
    super();
  }

  forward(x: Tensor): Tensor {
    return F.fold(x, this.outputSize, this.kernelSize, this.options);
  }

  override extraRepr(): string {
    const { dilation = 1, padding = 0, stride = 1 } = this.options;
    return (
      `output_size=${pySize(this.outputSize)}, kernel_size=${pySize(this.kernelSize)}, ` +
      `dilation=${pySize(dilation)}, padding=${pySize(padding)}, stride=${pySize(stride)}`
    );
  }
}
