/** Arrays as they come from files, before they are tensors. Pure TypeScript: nothing here needs libtorch. */
import { DTYPES, type DType, type TypedArray } from '../torch/dtype.js';
import { DataError } from '../torch/errors.js';

/** A dense array: row-major little-endian `bytes` of `shape` elements of `dtype` (bool: one byte, 0 or 1). */
export interface RawArray {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/**
 * The number of elements of a shape read from a file.
 * @throws DataError, prefixed by `where`, for a size that is not an integer >= 0 or a product beyond 2^53
 */
export function countElements(shape: readonly number[], where: string): number {
  let count = 1;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new DataError(`${where}: expected a shape of integers >= 0, got [${shape.join(', ')}]`);
    }
  }
  if (shape.includes(0)) return 0;
  for (const size of shape) {
    count *= size;
    if (!Number.isSafeInteger(count))
      throw new DataError(`${where}: the shape [${shape.join(', ')}] is impossibly large`);
  }
  return count;
}

/** Reverses the bytes of every `width`-byte element, in place: big endian to little endian and back. */
export function swapBytes(bytes: Uint8Array, width: number): Uint8Array {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (width === 2) view.swap16();
  else if (width === 4) view.swap32();
  else if (width === 8) view.swap64();
  return bytes;
}

/**
 * Copies a column-major (Fortran, MATLAB) array into row-major order.
 * @param bytes elements of `width` bytes, first index fastest
 */
export function columnToRowMajor(bytes: Uint8Array, shape: readonly number[], width: number): Uint8Array {
  const rank = shape.length;
  if (rank < 2 || bytes.length === 0) return bytes;
  const out = new Uint8Array(bytes.length);
  const strides = new Array<number>(rank).fill(1); // of the source, in elements
  for (let d = 1; d < rank; d++) strides[d] = (strides[d - 1] as number) * (shape[d - 1] as number);
  const index = new Array<number>(rank).fill(0);
  let source = 0;
  for (let target = 0; target < out.length; target += width) {
    for (let b = 0; b < width; b++) out[target + b] = bytes[source * width + b] as number;
    for (let d = rank - 1; d >= 0; d--) {
      index[d] = (index[d] as number) + 1;
      source += strides[d] as number;
      if ((index[d] as number) < (shape[d] as number)) break;
      source -= (strides[d] as number) * (shape[d] as number);
      index[d] = 0;
    }
  }
  return out;
}

/** A typed array of plain numbers. */
export type NumberArray = Exclude<TypedArray, BigInt64Array>;

/** The values as numbers (int64 rounds beyond 2^53), in the array's own order. @throws DataError for 16-bit floats */
export function viewNumbers({ dtype, bytes }: RawArray): NumberArray {
  const { array: View, bytes: width } = DTYPES[dtype];
  if (View === null) throw new DataError(`Values of ${dtype} have no JavaScript type: make a tensor of them`);
  const aligned = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes);
  const values = new View(aligned.buffer, aligned.byteOffset, aligned.byteLength / width);
  return values instanceof BigInt64Array ? Float64Array.from(values, Number) : values;
}
