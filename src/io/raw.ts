/** Arrays as they come from files, before they are tensors. Pure TypeScript: nothing here needs libtorch. */

import { DTYPES, type DType, type TypedArray } from '../torch/dtype.js';
import { DataError } from '../torch/errors.js';
import { expectBytes, expectObject } from '../torch/expect.js';

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
 * Reorders a column-major (Fortran, MATLAB) array into row-major order, in linear time: the first dimension is moved to the front
 * of the others, then the second to the front of the rest, and so on, each time as matrices of which small squares are turned.
 * @param bytes elements of `width` bytes (1, or a multiple of 2), first index fastest; may be overwritten
 */
export function columnToRowMajor(bytes: Uint8Array, shape: readonly number[], width: number): Uint8Array {
  const sizes = shape.filter((size) => size !== 1); // those of one element order nothing
  if (sizes.length < 2 || bytes.length === 0) return bytes;
  let from = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  let to: Uint8Array = new Uint8Array(bytes.length);
  let matrices = 1;
  let rest = bytes.length / width;
  for (const size of sizes.slice(0, -1)) {
    rest /= size;
    transposeAll(words(from, width), words(to, width), { matrices, rows: rest, columns: size, width });
    matrices *= size;
    [from, to] = [to, from];
  }
  return from;
}

type Words = Uint8Array | Uint16Array | Uint32Array;

/** The widest whole numbers that make up an element. */
function words(bytes: Uint8Array, width: number): Words {
  const Word = width % 4 === 0 ? Uint32Array : width % 2 === 0 ? Uint16Array : Uint8Array;
  return new Word(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length / Word.BYTES_PER_ELEMENT);
}

interface Matrices {
  readonly matrices: number;
  readonly rows: number;
  readonly columns: number;
  readonly width: number;
}

/** Side of the squares: their lines, read and written, stay in the cache. */
const square = 32;

/** Transposes each of the row-major matrices that follow one another in `from`. */
function transposeAll(from: Words, to: Words, { matrices, rows, columns, width }: Matrices): void {
  const step = width / from.BYTES_PER_ELEMENT; // words an element
  for (let matrix = 0; matrix < matrices; matrix++) {
    const base = matrix * rows * columns;
    for (let row = 0; row < rows; row += square) {
      const lastRow = Math.min(rows, row + square);
      for (let column = 0; column < columns; column += square) {
        const lastColumn = Math.min(columns, column + square);
        for (let c = column; c < lastColumn; c++) {
          let source = (base + row * columns + c) * step;
          const target = (base + c * rows) * step;
          for (let at = target + row * step; at < target + lastRow * step; at += step, source += columns * step) {
            to[at] = from[source] as number;
            for (let word = 1; word < step; word++) to[at + word] = from[source + word] as number;
          }
        }
      }
    }
  }
}

/** uint32 as int64: the low half and zeros. @internal */
export function widenUint32(values: Uint32Array): Uint8Array<ArrayBuffer> {
  const halves = new Uint32Array(2 * values.length);
  for (let i = 0; i < values.length; i++) halves[2 * i] = values[i] as number;
  return new Uint8Array(halves.buffer);
}

/** A typed array of plain numbers. */
export type NumberArray = Exclude<TypedArray, BigInt64Array>;

/** The values as numbers (int64 rounds beyond 2^53), in the array's own order. @throws DataError for 16-bit floats */
export function viewNumbers(raw: RawArray): NumberArray {
  expectObject('viewNumbers', raw, 'an array { dtype, shape, bytes }');
  expectBytes('viewNumbers', raw.bytes);
  const { dtype, bytes } = raw;
  const { array: View, bytes: width } = DTYPES[dtype];
  if (View === null) throw new DataError(`Values of ${dtype} have no JavaScript type: make a tensor of them`);
  const aligned = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes);
  const values = new View(aligned.buffer, aligned.byteOffset, aligned.byteLength / width);
  return values instanceof BigInt64Array ? Float64Array.from(values, Number) : values;
}
