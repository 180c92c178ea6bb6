/** NumPy's element types as files spell them ('<f8', '|u1', '<U12', 'O'), and the conversion of their bytes to arrays here. */
import type { DType } from '../torch/dtype.js';
import { DataError } from '../torch/errors.js';
import { columnToRowMajor, type RawArray, swapBytes, widenUint32 } from './raw.js';

/** Type code without byte order -> dtype here. Unsigned types wider than a byte are not torch dtypes: they widen. */
const dtypeOf: Readonly<Record<string, DType>> = {
  f8: 'float64',
  f4: 'float32',
  f2: 'float16',
  i8: 'int64',
  i4: 'int32',
  i2: 'int16',
  i1: 'int8',
  u1: 'uint8',
  b1: 'bool',
  u2: 'int32',
  u4: 'int64',
};

/** The element type of an array in a file. */
export class NumpyType {
  private constructor(
    /** `f8`, `U12`, `S3`, `O`: the type without its byte order. */
    readonly code: string,
    readonly bigEndian: boolean,
    /** Bytes of one element in the file; 0 for objects. */
    readonly width: number,
    /** What a number is read as; null for text, bytes and objects. */
    readonly dtype: DType | null,
  ) {}

  /**
   * @param descr a type string such as `<f8`; without a byte order it is little endian
   * @returns null for types that are not read: structured, complex, dates, uint64, long double
   */
  static parse(descr: string): NumpyType | null {
    const match = /^([<>|=]?)([a-zA-Z])(\d*)$/.exec(descr);
    if (match === null) return null;
    const [, order, kind, size] = match as unknown as [string, string, string, string];
    const code = kind + size;
    if (code === 'O' || code === 'O8' || code === 'O4') return new NumpyType('O', false, 0, null);
    if (size === '' || size.length > 9) return null;
    if (kind === 'U') return new NumpyType(code, order === '>', 4 * Number(size), null);
    if (kind === 'S') return new NumpyType(code, false, Number(size), null);
    const dtype = Object.hasOwn(dtypeOf, code) ? (dtypeOf[code] as DType) : undefined;
    return dtype === undefined ? null : new NumpyType(code, order === '>', Number(size), dtype);
  }

  /** The codes of the numbers that are read, for messages. */
  static readonly numbers: readonly string[] = Object.keys(dtypeOf);

  get kind(): 'number' | 'text' | 'bytes' | 'object' {
    if (this.dtype !== null) return 'number';
    return this.code === 'O' ? 'object' : this.code.startsWith('U') ? 'text' : 'bytes';
  }

  /** The same type with the other byte order. */
  withOrder(bigEndian: boolean): NumpyType {
    return new NumpyType(this.code, bigEndian, this.width, this.dtype);
  }

  toString(): string {
    return this.width <= 1 && this.kind !== 'text' ? `|${this.code}` : `${this.bigEndian ? '>' : '<'}${this.code}`;
  }
}

/**
 * Numbers as they lie in a file, as a row-major little-endian array.
 * @param data the elements, owned and aligned: it may be changed and kept
 */
export function decodeNumbers(data: Uint8Array, type: NumpyType, shape: readonly number[], fortran: boolean): RawArray {
  if (type.dtype === null) throw new DataError(`expected an array of numbers, got type ${type}`);
  if (type.bigEndian) swapBytes(data, type.width);
  const rowMajor = fortran ? columnToRowMajor(data, shape, type.width) : data;
  return { dtype: type.dtype, shape, bytes: widen(rowMajor, type.code) };
}

function widen(data: Uint8Array, code: string): Uint8Array {
  if (code === 'u2') return new Uint8Array(new Int32Array(new Uint16Array(data.buffer)).buffer);
  if (code === 'u4') return widenUint32(new Uint32Array(data.buffer));
  return data;
}

/**
 * NumPy's fixed-width text: UTF-32, padded with zeros.
 * @param where named in errors
 * @throws DataError for numbers that are no characters
 */
export function decodeText(data: Uint8Array, type: NumpyType, where: string): string[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const units = Buffer.alloc(Math.min(type.width, data.length)); // as UTF-16, which is never longer
  const texts: string[] = [];
  for (let at = 0; at + type.width <= data.length && type.width > 0; at += type.width) {
    let end = at + type.width;
    while (end > at && view.getUint32(end - 4) === 0) end -= 4;
    let length = 0;
    for (let from = at; from < end; from += 4) {
      const point = view.getUint32(from, !type.bigEndian);
      if (point > 0x10ffff) throw new DataError(`${where}: expected text, got the character number ${point}`);
      if (point > 0xffff) length = units.writeUInt16LE(0xd7c0 + (point >> 10), length);
      length = units.writeUInt16LE(point > 0xffff ? 0xdc00 + (point & 0x3ff) : point, length);
    }
    texts.push(units.toString('utf16le', 0, length));
  }
  return texts;
}

/** Text as NumPy's `<Un`: every string padded to the longest. */
export function encodeText(texts: readonly string[]): { descr: string; bytes: Uint8Array } {
  const rows = texts.map((text) => Array.from(text, (character) => character.codePointAt(0) as number));
  const width = rows.reduce((longest, row) => Math.max(longest, row.length), 1);
  const points = new Uint32Array(width * rows.length);
  rows.forEach((row, i) => {
    points.set(row, i * width);
  });
  return { descr: `<U${width}`, bytes: new Uint8Array(points.buffer) };
}
