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

export function avgPool1d(x: Tensor, kernelSize: Size, o: AvgPoolArguments = {}): Tensor {
  const [padding, ceil, count] = [list(o.padding ?? 0), o.ceilMode ?? false, o.countIncludePad ?? true];
  return ops.avgPool1d(x, list(kernelSize), stride(o.stride), padding, ceil, count);
}

export function avgPool2d(x: Tensor, kernelSize: Size, o: AvgPoolArguments = {}): Tensor {
  const [padding, ceil, count] = [list(o.padding ?? 0), o.ceilMode ?? false, o.countIncludePad ?? true];
  return ops.avgPool2d(x, list(kernelSize), stride(o.stride), padding, ceil, count, o.divisorOverride ?? null);
}

/** Output size per dimension; null keeps the input's. */
export type OutputSize = number | null | readonly (number | null)[];

export function adaptiveAvgPool1d(x: Tensor, outputSize: number): Tensor {
  return ops.adaptiveAvgPool1d(x, [outputSize]);
}

export function adaptiveAvgPool2d(x: Tensor, outputSize: OutputSize): Tensor {
  return ops.adaptiveAvgPool2d(x, resolve(x, outputSize));
}

export function adaptiveMaxPool2d(x: Tensor, outputSize: OutputSize): Tensor {
  return ops.adaptiveMaxPool2d(x, resolve(x, outputSize))[0];
}

function resolve(x: Tensor, outputSize: OutputSize): number[] {
  const [height, width] =
    outputSize === null || typeof outputSize === 'number' ? [outputSize, outputSize] : [outputSize[0], outputSize[1]];
  if (height != null && width != null) return [height, width];
  const shape = x.shape;
  return [height ?? (shape.at(-2) as number), width ?? (shape.at(-1) as number)];
}
