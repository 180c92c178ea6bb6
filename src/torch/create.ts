/** Ways to make tensors, with PyTorch's names. Floats are float32 unless a dtype is given. */
import { DTYPES, type DType, dtypeOfArray, type MemoryFormat, type TypedArray } from './dtype.js';
import { ShapeError, TorchError, translating } from './errors.js';
import { writeIntegers } from './frame.js';
import { defaultGenerator, type Generator } from './generator.js';
import { native } from './native.js';
import { ops } from './ops.js';
import { Tensor } from './tensor.js';

/** Nested lists of values, as deep as the tensor has dimensions. */
export type NestedArray = number | bigint | boolean | readonly NestedArray[];

export interface TensorOptions {
  dtype?: DType;
  device?: string;
  requiresGrad?: boolean;
}

export interface RandomOptions extends TensorOptions {
  generator?: Generator;
}

function isTypedArray(value: unknown): value is TypedArray {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

function finish(made: Tensor, options: TensorOptions): Tensor {
  const { dtype, device } = options;
  let result = made;
  if ((dtype && dtype !== made.dtype) || (device && device !== made.device)) {
    result = made.to({ dtype, device });
    if (result !== made) made.dispose();
  }
  return withGrad(result, options);
}

/**
 * A tensor from raw bytes, row by row, of any dtype. The bytes are copied.
 * @throws DataError if their number does not fit shape and dtype
 */
export function tensorFromBytes(bytes: Uint8Array, dtype: DType, shape: readonly number[]): Tensor {
  writeIntegers(shape);
  return new Tensor(translating(() => native.fromBytes(bytes, dtype, shape.length)));
}

function shapeOf(data: NestedArray): number[] {
  const shape: number[] = [];
  let level: NestedArray | undefined = data;
  while (Array.isArray(level)) {
    shape.push(level.length);
    level = (level as readonly NestedArray[])[0];
  }
  return shape;
}

function flatten(data: NestedArray, shape: readonly number[], dim: number, out: (number | bigint | boolean)[]): void {
  if (!Array.isArray(data)) {
    if (dim !== shape.length)
      throw new ShapeError(`expected a list of ${shape[dim]} at depth ${dim}, got ${String(data)}`);
    out.push(data as number | bigint | boolean);
    return;
  }
  if (dim >= shape.length || data.length !== shape[dim]) {
    throw new ShapeError(
      `expected every list at depth ${dim} to have ${shape[dim] ?? 'no'} elements, got one of ${data.length}: rows of a tensor are equally long`,
    );
  }
  for (const element of data as readonly NestedArray[]) flatten(element, shape, dim + 1, out);
}

function int64Of(value: number | bigint | boolean): bigint {
  const whole = BigInt(value);
  if (BigInt.asIntN(64, whole) !== whole) throw new TorchError(`expected an integer that int64 holds, got ${whole}`);
  return whole;
}

function fromNested(data: NestedArray, options: { shape?: readonly number[] }): Tensor {
  const nested = shapeOf(data);
  const flat: (number | bigint | boolean)[] = [];
  flatten(data, nested, 0, flat);
  const shape = options.shape ?? nested;
  checkCount(flat.length, shape);
  // Mixed lists take the widest type, as in PyTorch: bool, then int64, then float.
  const types = new Set(flat.map((value) => typeof value));
  if (types.has('number') || types.size === 0) {
    // Float64 keeps integers and float64 requests exact; the common float32 case rounds once, on conversion.
    return fromTyped(Float64Array.from(flat, Number), shape);
  }
  if (types.has('bigint')) return fromTyped(BigInt64Array.from(flat, int64Of), shape);
  return tensorFromBytes(Uint8Array.from(flat, Number), 'bool', shape);
}

function checkCount(count: number, shape: readonly number[]): void {
  const wanted = shape.reduce((product, size) => product * size, 1);
  if (wanted !== count) throw new ShapeError(`expected ${wanted} elements for shape [${shape}], got ${count}`);
}

function fromTyped(array: TypedArray, shape: readonly number[]): Tensor {
  return tensorFromBytes(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), dtypeOfArray(array), shape);
}

/**
 * A tensor with the given values (`torch.tensor`). Numbers become float32, bigints int64, booleans bool, a typed
 * array keeps its type; `dtype` converts.
 *
 * @param options.shape - the shape of a flat list or typed array, one dimension by default
 * @example
 * tensor([[1, 2], [3, 4]]);  tensor(new Uint8Array(12), { shape: [3, 4] });  tensor([1, 2], { dtype: 'int64' });
 * @throws ShapeError where rows differ in length, or `shape` does not fit
 */
export function tensor(
  data: NestedArray | TypedArray,
  options: TensorOptions & { shape?: readonly number[] } = {},
): Tensor {
  if (isTypedArray(data)) {
    const shape = options.shape ?? [data.length];
    checkCount(data.length, shape);
    return finish(fromTyped(data, shape), options);
  }
  const made = fromNested(data, options);
  return finish(made, { ...options, dtype: options.dtype ?? (made.dtype === 'float64' ? 'float32' : made.dtype) });
}

function base(options: TensorOptions): { dtype?: DType; device?: string } {
  return { dtype: options.dtype, device: options.device };
}

function withGrad(made: Tensor, options: TensorOptions): Tensor {
  if (options.requiresGrad) made.requiresGrad = true;
  return made;
}

/** Uninitialised memory. */
export function empty(size: readonly number[], options: TensorOptions & { memoryFormat?: MemoryFormat } = {}): Tensor {
  return withGrad(ops.empty(size, { ...base(options), memoryFormat: options.memoryFormat }), options);
}

export function zeros(size: readonly number[], options: TensorOptions = {}): Tensor {
  return withGrad(ops.zeros(size, base(options)), options);
}

export function ones(size: readonly number[], options: TensorOptions = {}): Tensor {
  return withGrad(ops.ones(size, base(options)), options);
}

/** All elements `value`; float32 by default, as everywhere here, or bool for a boolean. */
export function full(size: readonly number[], value: number | boolean, options: TensorOptions = {}): Tensor {
  const dtype = options.dtype ?? (typeof value === 'boolean' ? 'bool' : 'float32');
  return withGrad(ops.full(size, value, { ...base(options), dtype }), options);
}

/** `start`, `start + step`, … below `end`; int64 where all are integers (as in PyTorch), else float32. */
export function arange(start: number, end?: number, step = 1, options: TensorOptions = {}): Tensor {
  const [from, to] = end === undefined ? [0, start] : [start, end];
  return withGrad(ops.arange(from, to, step, base(options)), options);
}

/** `steps` values from `start` to `end`, both included. */
export function linspace(start: number, end: number, steps: number, options: TensorOptions = {}): Tensor {
  return withGrad(ops.linspace(start, end, steps, base(options)), options);
}

/** The identity matrix, or its n x m form. */
export function eye(n: number, m = n, options: TensorOptions = {}): Tensor {
  return withGrad(ops.eye(n, m, base(options)), options);
}

/** Normal(0, 1). */
export function randn(size: readonly number[], options: RandomOptions = {}): Tensor {
  return withGrad(ops.randn(size, { ...base(options), generator: options.generator ?? defaultGenerator }), options);
}

/** Uniform on [0, 1). */
export function rand(size: readonly number[], options: RandomOptions = {}): Tensor {
  return withGrad(ops.rand(size, { ...base(options), generator: options.generator ?? defaultGenerator }), options);
}

/** Integers from `low` up to, not including, `high`; int64 by default. */
export function randint(low: number, high: number, size: readonly number[], options: RandomOptions = {}): Tensor {
  const generator = options.generator ?? defaultGenerator;
  const made = ops.randint(low, high, size, { generator, dtype: options.dtype ?? 'int64', device: options.device });
  return withGrad(made, options);
}

/** A random order of 0 … n-1; int64. */
export function randperm(n: number, options: RandomOptions = {}): Tensor {
  const generator = options.generator ?? defaultGenerator;
  const made = ops.randperm(n, { generator, dtype: options.dtype ?? 'int64', device: options.device });
  return withGrad(made, options);
}

/** Joins along an existing dimension. */
export function cat(tensors: readonly Tensor[], dim = 0): Tensor {
  return ops.cat(tensors, dim);
}

/** Joins along a new dimension. */
export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  return ops.stack(tensors, dim);
}

/** Elements of `a` where `condition` holds, of `b` elsewhere. */
export function where(condition: Tensor, a: Tensor | number, b: Tensor | number): Tensor {
  return (ops.where as (...args: unknown[]) => Tensor)(condition, a, b);
}

/** Bytes of one element of a dtype. */
export function elementSize(dtype: DType): number {
  return DTYPES[dtype].bytes;
}
