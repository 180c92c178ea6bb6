import { ops, type Tensor } from '../../torch/index.js';

type Size = number | readonly number[];

export interface MaxPoolArguments {
  /** Default: the kernel's size. */
  readonly stride?: Size | null;
  readonly padding?: Size;
  readonly dilation?: Size;
  readonly ceilMode?: boolean;
}

export interface AvgPoolArguments {
  /** Default: the kernel's size. */
  readonly stride?: Size | null;
  readonly padding?: Size;
  readonly ceilMode?: boolean;
  /** Whether the zeros of the padding count in the mean. Default true. */
  readonly countIncludePad?: boolean;
  /** Divide by this instead of the window's size. */
  readonly divisorOverride?: number | null;
}

const list = (size: Size): number[] => (typeof size === 'number' ? [size] : [...size]);
const stride = (given: Size | null | undefined): number[] => (given == null ? [] : list(given));

export function maxPool1d(x: Tensor, kernelSize: Size, o: MaxPoolArguments = {}): Tensor {
  const [padding, dilation] = [list(o.padding ?? 0), list(o.dilation ?? 1)];
  return ops.maxPool1d(x, list(kernelSize), stride(o.stride), padding, dilation, o.ceilMode ?? false);
}

export function maxPool2d(x: Tensor, kernelSize: Size, o: MaxPoolArguments = {}): Tensor {
  const [padding, dilation] = [list(o.padding ?? 0), list(o.dilation ?? 1)];
  return ops.maxPool2d(x, list(kernelSize), stride(o.stride), padding, dilation, o.ceilMode ?? false);
}

export function maxPool3d(x: Tensor, kernelSize: Size, o: MaxPoolArguments = {}): Tensor {
  const [padding, dilation] = [list(o.padding ?? 0), list(o.dilation ?? 1)];
  return ops.maxPool3d(x, list(kernelSize), stride(o.stride), padding, dilation, o.ceilMode ?? false);
}

export function avgPool1d(x: Tensor, kernelSize: Size, o: AvgPoolArguments = {}): Tensor {
  const [padding, ceil, count] = [list(o.padding ?? 0), o.ceilMode ?? false, o.countIncludePad ?? true];
  return ops.avgPool1d(x, list(kernelSize), stride(o.stride), padding, ceil, count);
}

export function avgPool2d(x: Tensor, kernelSize: Size, o: AvgPoolArguments = {}): Tensor {
  const [padding, ceil, count] = [list(o.padding ?? 0), o.ceilMode ?? false, o.countIncludePad ?? true];
  return ops.avgPool2d(x, list(kernelSize), stride(o.stride), padding, ceil, count, o.divisorOverride ?? null);
}

export function avgPool3d(x: Tensor, kernelSize: Size, o: AvgPoolArguments = {}): Tensor {
  const [padding, ceil, count] = [list(o.padding ?? 0), o.ceilMode ?? false, o.countIncludePad ?? true];
  return ops.avgPool3d(x, list(kernelSize), stride(o.stride), padding, ceil, count, o.divisorOverride ?? null);
}

/** Output size per dimension; null keeps the input's. */
export type OutputSize = number | null | readonly (number | null)[];

export function adaptiveAvgPool1d(x: Tensor, outputSize: number): Tensor {
  return ops.adaptiveAvgPool1d(x, [outputSize]);
}

export function adaptiveAvgPool2d(x: Tensor, outputSize: OutputSize): Tensor {
  return ops.adaptiveAvgPool2d(x, resolve(x, outputSize, 2));
}

export function adaptiveAvgPool3d(x: Tensor, outputSize: OutputSize): Tensor {
  return ops.adaptiveAvgPool3d(x, resolve(x, outputSize, 3));
}

export function adaptiveMaxPool1d(x: Tensor, outputSize: number): Tensor {
  return ops.adaptiveMaxPool1d(x, [outputSize])[0];
}

export function adaptiveMaxPool2d(x: Tensor, outputSize: OutputSize): Tensor {
  return ops.adaptiveMaxPool2d(x, resolve(x, outputSize, 2))[0];
}

function resolve(x: Tensor, outputSize: OutputSize, n: number): number[] {
  const sizes: readonly (number | null | undefined)[] =
    outputSize === null || typeof outputSize === 'number' ? new Array(n).fill(outputSize) : outputSize;
  if (sizes.every((size) => size != null)) return sizes as number[];
  const shape = x.shape.slice(-n);
  return shape.map((own, i) => sizes[i] ?? own);
}
