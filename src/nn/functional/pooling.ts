import { expectTensor } from '../../torch/expect.js';
import { ConfigError, ops, ShapeError, type Tensor } from '../../torch/index.js';
import * as signature from '../signatures.js';

type Size = number | readonly number[];

export interface MaxPoolArguments<Indices extends boolean = boolean> {
  /** Default: the kernel's size. */
  readonly stride?: Size | null;
  readonly padding?: Size;
  readonly dilation?: Size;
  readonly ceilMode?: boolean;
  /** Whether the positions of the maxima are returned too, int64: what `maxUnpool` takes. Default false. */
  readonly returnIndices?: Indices;
}

/** A result, with the positions of the maxima where they are asked for. */
export type Pooled<Indices extends boolean> = Indices extends true ? [output: Tensor, indices: Tensor] : Tensor;

export interface AvgPoolArguments {
  /** Default: the kernel's size. */
  readonly stride?: Size | null;
  readonly padding?: Size;
  readonly ceilMode?: boolean;
  /** Whether the zeros of the padding count in the mean. Default true. */
  readonly countIncludePad?: boolean;
  /** Divide by this instead of the window's size (two and three dimensions). */
  readonly divisorOverride?: number | null;
}

export type AvgPool1dArguments = Omit<AvgPoolArguments, 'divisorOverride'>;

const list = (size: Size): number[] => (typeof size === 'number' ? [size] : [...size]);
const stride = (given: Size | null): number[] => (given === null ? [] : list(given));

/** The arguments of a maximum pooling as the operators take them. */
function maxPooling(where: string, kernelSize: Size, o: MaxPoolArguments | undefined) {
  const values = signature.maxPool.read(where, [kernelSize], o);
  const args = [
    list(kernelSize),
    stride(values.stride),
    list(values.padding),
    list(values.dilation),
    values.ceilMode,
  ] as const;
  return { args, returnIndices: values.returnIndices };
}

/** [B, C, L]. */
export function maxPool1d<Indices extends boolean = false>(
  x: Tensor,
  kernelSize: Size,
  o?: MaxPoolArguments<Indices>,
): Pooled<Indices> {
  const { args, returnIndices } = maxPooling('maxPool1d', kernelSize, o);
  return (returnIndices ? ops.maxPool1dWithIndices(x, ...args) : ops.maxPool1d(x, ...args)) as Pooled<Indices>;
}

/** [B, C, H, W]. */
export function maxPool2d<Indices extends boolean = false>(
  x: Tensor,
  kernelSize: Size,
  o?: MaxPoolArguments<Indices>,
): Pooled<Indices> {
  const { args, returnIndices } = maxPooling('maxPool2d', kernelSize, o);
  return (returnIndices ? ops.maxPool2dWithIndices(x, ...args) : ops.maxPool2d(x, ...args)) as Pooled<Indices>;
}

/** [B, C, D, H, W]. */
export function maxPool3d<Indices extends boolean = false>(
  x: Tensor,
  kernelSize: Size,
  o?: MaxPoolArguments<Indices>,
): Pooled<Indices> {
  const { args, returnIndices } = maxPooling('maxPool3d', kernelSize, o);
  return (returnIndices ? ops.maxPool3dWithIndices(x, ...args) : ops.maxPool3d(x, ...args)) as Pooled<Indices>;
}

function avgPooling(where: string, kernelSize: Size, o: AvgPoolArguments | undefined) {
  const values = (where === 'avgPool1d' ? signature.avgPool1d : signature.avgPool).read(where, [kernelSize], o);
  return [
    list(kernelSize),
    stride(values.stride),
    list(values.padding),
    values.ceilMode,
    values.countIncludePad,
  ] as const;
}

export function avgPool1d(x: Tensor, kernelSize: Size, o?: AvgPool1dArguments): Tensor {
  return ops.avgPool1d(x, ...avgPooling('avgPool1d', kernelSize, o));
}

export function avgPool2d(x: Tensor, kernelSize: Size, o?: AvgPoolArguments): Tensor {
  return ops.avgPool2d(x, ...avgPooling('avgPool2d', kernelSize, o), o?.divisorOverride ?? null);
}

export function avgPool3d(x: Tensor, kernelSize: Size, o?: AvgPoolArguments): Tensor {
  return ops.avgPool3d(x, ...avgPooling('avgPool3d', kernelSize, o), o?.divisorOverride ?? null);
}

export interface MaxUnpoolArguments {
  /** Default: the kernel's size. */
  readonly stride?: Size | null;
  readonly padding?: Size;
  /** Of the spatial dimensions, to choose among the sizes that the pooling may have had. */
  readonly outputSize?: readonly number[] | null;
}

/** Puts each value back where the maximum was, zeros elsewhere: `indices` are those of {@link maxPool1d}. [B, C, L]. */
export function maxUnpool1d(x: Tensor, indices: Tensor, kernelSize: Size, o?: MaxUnpoolArguments): Tensor {
  const { output } = unpooling('maxUnpool1d', x, kernelSize, 1, o);
  return ops.maxUnpool2d(x.unsqueeze(-1), indices.unsqueeze(-1), [...output, 1]).squeeze(-1);
}

/** As {@link maxUnpool1d}, of [B, C, H, W]. */
export function maxUnpool2d(x: Tensor, indices: Tensor, kernelSize: Size, o?: MaxUnpoolArguments): Tensor {
  return ops.maxUnpool2d(x, indices, unpooling('maxUnpool2d', x, kernelSize, 2, o).output);
}

/** As {@link maxUnpool1d}, of [B, C, D, H, W]. */
export function maxUnpool3d(x: Tensor, indices: Tensor, kernelSize: Size, o?: MaxUnpoolArguments): Tensor {
  const { output, strides, padding } = unpooling('maxUnpool3d', x, kernelSize, 3, o);
  return ops.maxUnpool3d(x, indices, output, strides, padding);
}

function unpooling(where: string, x: Tensor, kernelSize: Size, n: number, o: MaxUnpoolArguments | undefined) {
  const values = signature.maxUnpoolOf.read(where, [kernelSize], o);
  const spread = (size: Size): number[] => (typeof size === 'number' ? new Array<number>(n).fill(size) : [...size]);
  const [kernel, strides, padding] = [kernelSize, values.stride ?? kernelSize, values.padding].map(spread);
  if (kernel?.length !== n || strides?.length !== n || padding?.length !== n) {
    throw new ConfigError(`Expected ${n} sizes of kernel, stride and padding of ${where}, or one for all.`);
  }
  expectTensor(where, x);
  const spatial = x.shape.slice(-n);
  const usual = spatial.map((size, i) => (size - 1) * strides[i]! + kernel[i]! - 2 * padding[i]!);
  const output = values.outputSize === null ? usual : values.outputSize.slice(-n);
  if (output.length !== n || output.some((size, i) => Math.abs(size - usual[i]!) >= strides[i]!)) {
    throw new ShapeError(
      `Expected an outputSize of ${where} within [${strides}] of [${usual}], whose pooling gives [${spatial}], got [${output}].`,
    );
  }
  return { output: [...output], strides, padding };
}

/** Output size per dimension; null keeps the input's. */
export type OutputSize = number | null | readonly (number | null)[];

export interface IndicesOption<Indices extends boolean = boolean> {
  /** Whether the positions of the maxima are returned too, int64. Default false. */
  readonly returnIndices?: Indices;
}

export function adaptiveAvgPool1d(x: Tensor, outputSize: OutputSize): Tensor {
  return ops.adaptiveAvgPool1d(x, resolve('adaptiveAvgPool1d', x, outputSize, 1));
}

export function adaptiveAvgPool2d(x: Tensor, outputSize: OutputSize): Tensor {
  return ops.adaptiveAvgPool2d(x, resolve('adaptiveAvgPool2d', x, outputSize, 2));
}

export function adaptiveAvgPool3d(x: Tensor, outputSize: OutputSize): Tensor {
  return ops.adaptiveAvgPool3d(x, resolve('adaptiveAvgPool3d', x, outputSize, 3));
}

export function adaptiveMaxPool1d<Indices extends boolean = false>(
  x: Tensor,
  outputSize: OutputSize,
  o?: IndicesOption<Indices>,
): Pooled<Indices> {
  const both = ops.adaptiveMaxPool1d(x, resolve('adaptiveMaxPool1d', x, outputSize, 1, o));
  return (o?.returnIndices ? both : both[0]) as Pooled<Indices>;
}

export function adaptiveMaxPool2d<Indices extends boolean = false>(
  x: Tensor,
  outputSize: OutputSize,
  o?: IndicesOption<Indices>,
): Pooled<Indices> {
  const both = ops.adaptiveMaxPool2d(x, resolve('adaptiveMaxPool2d', x, outputSize, 2, o));
  return (o?.returnIndices ? both : both[0]) as Pooled<Indices>;
}

export function adaptiveMaxPool3d<Indices extends boolean = false>(
  x: Tensor,
  outputSize: OutputSize,
  o?: IndicesOption<Indices>,
): Pooled<Indices> {
  const both = ops.adaptiveMaxPool3d(x, resolve('adaptiveMaxPool3d', x, outputSize, 3, o));
  return (o?.returnIndices ? both : both[0]) as Pooled<Indices>;
}

function resolve(where: string, x: Tensor, outputSize: OutputSize, n: number, o?: IndicesOption): number[] {
  const known = where.startsWith('adaptiveMax') ? signature.adaptiveMaxPool : signature.adaptiveAvgPool;
  known.read(where, [outputSize], o);
  expectTensor(where, x);
  const sizes: readonly (number | null | undefined)[] =
    outputSize === null || typeof outputSize === 'number' ? new Array(n).fill(outputSize) : outputSize;
  if (sizes.length !== n) throw new ConfigError(`Expected ${n} sizes of ${where}, or one for all, got [${sizes}].`);
  if (sizes.every((size) => size != null)) return sizes as number[];
  const shape = x.shape.slice(-n);
  return shape.map((own, i) => sizes[i] ?? own);
}
