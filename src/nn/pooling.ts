import type { Tensor } from '../torch/index.js';
import type { Size } from './conv.js';
import * as F from './functional/pooling.js';
import { Module } from './module.js';
import { pyBool, pySize } from './repr.js';

abstract class MaxPool extends Module {
  readonly stride: Size;
  readonly padding: Size;
  readonly dilation: Size;
  readonly ceilMode: boolean;

  constructor(
    readonly kernelSize: Size,
    options: F.MaxPoolArguments = {},
  ) {
    super();
    this.stride = options.stride ?? kernelSize;
    this.padding = options.padding ?? 0;
    this.dilation = options.dilation ?? 1;
    this.ceilMode = options.ceilMode ?? false;
  }

  abstract override forward(x: Tensor): Tensor;

  override extraRepr(): string {
    return (
      `kernel_size=${pySize(this.kernelSize)}, stride=${pySize(this.stride)}, padding=${pySize(this.padding)}, ` +
      `dilation=${pySize(this.dilation)}, ceil_mode=${pyBool(this.ceilMode)}`
    );
  }
}

/** [B, C, L]. */
export class MaxPool1d extends MaxPool {
  forward(x: Tensor): Tensor {
    return F.maxPool1d(x, this.kernelSize, this);
  }
}

/** [B, C, H, W]. */
export class MaxPool2d extends MaxPool {
  forward(x: Tensor): Tensor {
    return F.maxPool2d(x, this.kernelSize, this);
  }
}

/** [B, C, D, H, W]. */
export class MaxPool3d extends MaxPool {
  forward(x: Tensor): Tensor {
    return F.maxPool3d(x, this.kernelSize, this);
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
    options: F.AvgPoolArguments = {},
  ) {
    super();
    this.stride = options.stride ?? kernelSize;
    this.padding = options.padding ?? 0;
    this.ceilMode = options.ceilMode ?? false;
    this.countIncludePad = options.countIncludePad ?? true;
  }

  forward(x: Tensor): Tensor {
    return F.avgPool1d(x, this.kernelSize, this);
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
    options: F.AvgPoolArguments = {},
  ) {
    super();
    this.stride = options.stride ?? kernelSize;
    this.padding = options.padding ?? 0;
    this.ceilMode = options.ceilMode ?? false;
    this.countIncludePad = options.countIncludePad ?? true;
    this.divisorOverride = options.divisorOverride ?? null;
  }

  abstract override forward(x: Tensor): Tensor;

  override extraRepr(): string {
    return `kernel_size=${pySize(this.kernelSize)}, stride=${pySize(this.stride)}, padding=${pySize(this.padding)}`;
  }
}

/** [B, C, H, W]. */
export class AvgPool2d extends AvgPool {
  forward(x: Tensor): Tensor {
    return F.avgPool2d(x, this.kernelSize, this);
  }
}

/** [B, C, D, H, W]. */
export class AvgPool3d extends AvgPool {
  forward(x: Tensor): Tensor {
    return F.avgPool3d(x, this.kernelSize, this);
  }
}

abstract class AdaptivePool<S extends F.OutputSize> extends Module {
  constructor(readonly outputSize: S) {
    super();
  }

  abstract override forward(x: Tensor): Tensor;

  override extraRepr(): string {
    const size: F.OutputSize = this.outputSize;
    const one = (value: number | null) => (value === null ? 'None' : String(value));
    return `output_size=${size === null || typeof size === 'number' ? one(size) : `(${size.map(one).join(', ')})`}`;
  }
}

/** [B, C, L] to [B, C, outputSize]. */
export class AdaptiveAvgPool1d extends AdaptivePool<number> {
  forward(x: Tensor): Tensor {
    return F.adaptiveAvgPool1d(x, this.outputSize);
  }
}

/** [B, C, L] to [B, C, outputSize]. */
export class AdaptiveMaxPool1d extends AdaptivePool<number> {
  forward(x: Tensor): Tensor {
    return F.adaptiveMaxPool1d(x, this.outputSize);
  }
}

/** [B, C, H, W] to [B, C, ...outputSize]. */
export class AdaptiveAvgPool2d extends AdaptivePool<F.OutputSize> {
  forward(x: Tensor): Tensor {
    return F.adaptiveAvgPool2d(x, this.outputSize);
  }
}

/** [B, C, H, W] to [B, C, ...outputSize]. */
export class AdaptiveMaxPool2d extends AdaptivePool<F.OutputSize> {
  forward(x: Tensor): Tensor {
    return F.adaptiveMaxPool2d(x, this.outputSize);
  }
}

/** [B, C, D, H, W] to [B, C, ...outputSize]. */
export class AdaptiveAvgPool3d extends AdaptivePool<F.OutputSize> {
  forward(x: Tensor): Tensor {
    return F.adaptiveAvgPool3d(x, this.outputSize);
  }
}
