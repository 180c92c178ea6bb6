import { TorchError } from './errors.js';

/** Element types, by the names that PyTorch gives them. */
export type DType =
  | 'float32'
  | 'float64'
  | 'bfloat16'
  | 'float16'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint8'
  | 'bool'
  | 'complex64'
  | 'complex128';

/** `'channelsLast'` is NHWC in memory with NCHW in the shape, as in PyTorch. */
export type MemoryFormat = 'contiguous' | 'channelsLast' | 'channelsLast3d' | 'preserve';

export type TypedArray = Float32Array | Float64Array | BigInt64Array | Int32Array | Int16Array | Int8Array | Uint8Array;

type TypedArrayConstructor = {
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArray;
  readonly BYTES_PER_ELEMENT: number;
};

interface DTypeInfo {
  /** Bytes of one element. */
  bytes: number;
  /** The typed array that holds its elements; none for the 16-bit floats and complex numbers. */
  array: TypedArrayConstructor | null;
}

export const DTYPES: Readonly<Record<DType, DTypeInfo>> = {
  float32: { bytes: 4, array: Float32Array },
  float64: { bytes: 8, array: Float64Array },
  bfloat16: { bytes: 2, array: null },
  float16: { bytes: 2, array: null },
  int64: { bytes: 8, array: BigInt64Array },
  int32: { bytes: 4, array: Int32Array },
  int16: { bytes: 2, array: Int16Array },
  int8: { bytes: 1, array: Int8Array },
  uint8: { bytes: 1, array: Uint8Array },
  bool: { bytes: 1, array: Uint8Array },
  complex64: { bytes: 8, array: null },
  complex128: { bytes: 16, array: null },
};

/** The dtype whose elements a typed array holds. */
export function dtypeOfArray(array: TypedArray): DType {
  if (array instanceof Float32Array) return 'float32';
  if (array instanceof Float64Array) return 'float64';
  if (array instanceof BigInt64Array) return 'int64';
  if (array instanceof Int32Array) return 'int32';
  if (array instanceof Int16Array) return 'int16';
  if (array instanceof Int8Array) return 'int8';
  if (array instanceof Uint8Array || (array as unknown) instanceof Uint8ClampedArray) return 'uint8';
  throw new TorchError(`no dtype holds the elements of a ${(array as object).constructor.name}: convert it first`);
}

/** What PyTorch and others call them besides. */
const OTHER_NAMES: Readonly<Record<string, DType>> = {
  float: 'float32',
  f32: 'float32',
  single: 'float32',
  double: 'float64',
  f64: 'float64',
  half: 'float16',
  f16: 'float16',
  bf16: 'bfloat16',
  long: 'int64',
  i64: 'int64',
  bigint: 'int64',
  int: 'int32',
  i32: 'int32',
  short: 'int16',
  char: 'int8',
  byte: 'uint8',
  boolean: 'bool',
  cfloat: 'complex64',
  cdouble: 'complex128',
};

/** @throws TorchError that names all dtypes, and the one that was meant, unless `dtype` is one */
export function checkDtype(where: string, dtype: unknown): DType {
  if (typeof dtype === 'string' && Object.hasOwn(DTYPES, dtype)) return dtype as DType;
  const plain = String(dtype)
    .replace(/^torch\./, '')
    .toLowerCase();
  const meant = Object.hasOwn(OTHER_NAMES, plain) ? OTHER_NAMES[plain] : Object.hasOwn(DTYPES, plain) ? plain : null;
  throw new TorchError(
    `${where}: expected a dtype, one of ${Object.keys(DTYPES).join(', ')}; got ${typeof dtype === 'string' ? `'${dtype}'` : String(dtype)}` +
      (meant ? `, which is '${meant}' here` : ''),
    { code: 'DTYPE' },
  );
}
