/** Ways to make tensors, with PyTorch's names. Floats are float32 unless a dtype is given. */
import { checkDtype, DTYPES, type DType, type MemoryFormat, type TypedArray } from './dtype.js';
import { DataError, ShapeError, translating } from './errors.js';
import { writeIntegers } from './frame.js';
import { defaultGenerator, type Generator } from './generator.js';
import { native } from './native.js';
import { elementsOfArray, elementsOfNested, type NestedArray } from './nested.js';
import { ops } from './ops.js';
import { checkFlag, checkOptions } from './options.js';
import { Tensor } from './tensor.js';

export type { NestedArray } from './nested.js';

export interface TensorOptions {
  dtype?: DType;
  device?: string;
  requiresGrad?: boolean;
}

export interface RandomOptions extends TensorOptions {
  generator?: Generator;
}

const TENSOR = ['dtype', 'device', 'requiresGrad'] as const;
const RANDOM = [...TENSOR, 'generator'] as const;

function checked<Options extends TensorOptions>(where: string, options: Options, known: readonly string[]): Options {
  checkOptions(where, options, known);
  if (options.dtype !== undefined) checkDtype(where, options.dtype);
  checkFlag(where, 'requiresGrad', options.requiresGrad);
  return options;
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
  if (!(bytes instanceof Uint8Array)) throw new DataError('tensorFromBytes: expected the bytes in a Uint8Array');
  checkShape('tensorFromBytes', shape);
  writeIntegers(shape);
  return new Tensor(translating(() => native.fromBytes(bytes, dtype, shape.length)));
}

function checkShape(where: string, shape: readonly number[]): void {
  if (!Array.isArray(shape) || !shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw new ShapeError(`${where}: expected a shape of whole numbers >= 0 in an array, got ${JSON.stringify(shape)}`);
  }
}

function checkCount(count: number, shape: readonly number[]): void {
  checkShape('tensor', shape);
  const wanted = shape.reduce((product, size) => product * size, 1);
  if (wanted !== count) throw new ShapeError(`expected ${wanted} elements for shape [${shape}], got ${count}`);
}

/**
 * A tensor with the given values (`torch.tensor`). Numbers become float32, bigints int64, booleans bool, a typed
 * array keeps its type; `dtype` converts. Integers of a fraction lose it, as in PyTorch.
 *
 * @param options.shape - the shape of a flat list or typed array, one dimension by default
 * @example
 * tensor([[1, 2], [3, 4]]);  tensor(new Uint8Array(12), { shape: [3, 4] });  tensor([1, 2], { dtype: 'int64' });
 * @throws ShapeError where rows differ in length, or `shape` does not fit
 * @throws TorchError for values that are no numbers, or that an integer dtype does not hold: NaN, or 300 in uint8
 */
export function tensor(
  data: NestedArray | TypedArray,
  options: TensorOptions & { shape?: readonly number[] } = {},
): Tensor {
  const { dtype } = checked('tensor', options, [...TENSOR, 'shape']);
  const listed = !isTypedArray(data);
  const elements = listed ? elementsOfNested(data, dtype) : elementsOfArray(data, dtype);
  const { array } = elements;
  const shape = options.shape ?? elements.shape;
  checkCount(array.length, shape);
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  const made = tensorFromBytes(bytes, elements.dtype, shape);
  return finish(made, { ...options, dtype: dtype ?? (listed && made.dtype === 'float64' ? 'float32' : made.dtype) });
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
  checked('empty', options, [...TENSOR, 'memoryFormat']);
  return withGrad(ops.empty(size, { ...base(options), memoryFormat: options.memoryFormat }), options);
}

export function zeros(size: readonly number[], options: TensorOptions = {}): Tensor {
  checked('zeros', options, TENSOR);
  return withGrad(ops.zeros(size, base(options)), options);
}

export function ones(size: readonly number[], options: TensorOptions = {}): Tensor {
  checked('ones', options, TENSOR);
  return withGrad(ops.ones(size, base(options)), options);
}

/** All elements `value`; float32 by default, as everywhere here, or bool for a boolean. */
export function full(size: readonly number[], value: number | boolean, options: TensorOptions = {}): Tensor {
  checked('full', options, TENSOR);
  const dtype = options.dtype ?? (typeof value === 'boolean' ? 'bool' : 'float32');
  return withGrad(ops.full(size, value, { ...base(options), dtype }), options);
}

/** `start`, `start + step`, … below `end`; int64 where all are integers (as in PyTorch), else float32. */
export function arange(start: number, end?: number, step = 1, options: TensorOptions = {}): Tensor {
  checked('arange', options, TENSOR);
  const [from, to] = end === undefined ? [0, start] : [start, end];
  return withGrad(ops.arange(from, to, step, base(options)), options);
}

/** `steps` values from `start` to `end`, both included. */
export function linspace(start: number, end: number, steps: number, options: TensorOptions = {}): Tensor {
  checked('linspace', options, TENSOR);
  return withGrad(ops.linspace(start, end, steps, base(options)), options);
}

/** The identity matrix, or its n x m form. */
export function eye(n: number, m = n, options: TensorOptions = {}): Tensor {
  checked('eye', options, TENSOR);
  return withGrad(ops.eye(n, m, base(options)), options);
}

/** Normal(0, 1). */
export function randn(size: readonly number[], options: RandomOptions = {}): Tensor {
  checked('randn', options, RANDOM);
  return withGrad(ops.randn(size, { ...base(options), generator: options.generator ?? defaultGenerator }), options);
}

/** Uniform on [0, 1). */
export function rand(size: readonly number[], options: RandomOptions = {}): Tensor {
  checked('rand', options, RANDOM);
  return withGrad(ops.rand(size, { ...base(options), generator: options.generator ?? defaultGenerator }), options);
}

/** Integers from `low` up to, not including, `high`; int64 by default. */
export function randint(low: number, high: number, size: readonly number[], options: RandomOptions = {}): Tensor {
  checked('randint', options, RANDOM);
  const generator = options.generator ?? defaultGenerator;
  const made = ops.randint(low, high, size, { generator, dtype: options.dtype ?? 'int64', device: options.device });
  return withGrad(made, options);
}

/** A random order of 0 … n-1; int64. */
export function randperm(n: number, options: RandomOptions = {}): Tensor {
  checked('randperm', options, RANDOM);
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
  return DTYPES[checkDtype('elementSize', dtype)].bytes;
}
