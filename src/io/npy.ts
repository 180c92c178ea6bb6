/**
 * NumPy's .npy files, versions 1 to 3. Object arrays (pickles) are refused.
 * Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */

import { DTYPES, type DType } from '../torch/dtype.js';
import { DataError } from '../torch/errors.js';
import { expectBytes, expectObject } from '../torch/expect.js';
import type { Tensor } from '../torch/index.js';
import { writeFileAtomic } from './atomic.js';
import { rawToTensor, tensorToRaw } from './convert.js';
import { FileReader } from './file.js';
import { decodeNumbers, NumpyType } from './numpy-types.js';
import { countElements, type RawArray } from './raw.js';

const descrOf: Readonly<Partial<Record<DType, string>>> = {
  float64: '<f8',
  float32: '<f4',
  float16: '<f2',
  int64: '<i8',
  int32: '<i4',
  int16: '<i2',
  int8: '|i1',
  uint8: '|u1',
  bool: '|b1',
};

const magic = '\x93NUMPY';
/** Bytes up to the values. NumPy reads no longer header either (`max_header_size`). */
export const maxHeader = 12 + 10_000;

/** What stands before the values. */
export interface NpyHeader {
  readonly descr: string;
  readonly fortran: boolean;
  readonly shape: number[];
  readonly dataStart: number;
}

/**
 * Reads an array file as a tensor. `uint16` becomes int32 and `uint32` int64 (values kept); Fortran order and big endian are converted.
 * @throws DataError for object, structured, complex, text and uint64 arrays, and for damaged or cut files
 */
export function loadNpy(path: string): Tensor {
  return rawToTensor(
    FileReader.with(path, (file) => {
      const { header, type } = readType(file.read(0, Math.min(file.size, maxHeader)), file.size, path);
      const data = file.read(header.dataStart, file.size - header.dataStart);
      return decodeNumbers(data, type, header.shape, header.fortran);
    }),
  );
}

/** Writes a tensor (any device, any layout) as .npy version 1, C order, atomically. @throws DataError for bfloat16 */
export function saveNpy(path: string, tensor: Tensor): void {
  writeFileAtomic(path, encodeNpy(tensorToRaw(tensor)));
}

/**
 * Parses the bytes of a .npy file into a row-major array.
 * @param where named in errors
 */
export function parseNpy(bytes: Uint8Array, where: string): RawArray {
  expectBytes('parseNpy', bytes);
  const { header, type } = readType(bytes, bytes.length, where);
  const data = new Uint8Array(bytes.subarray(header.dataStart)); // a copy, aligned
  return decodeNumbers(data, type, header.shape, header.fortran);
}

/** The header at the beginning of a file of `size` bytes, and the type of its numbers. */
function readType(bytes: Uint8Array, size: number, where: string): { header: NpyHeader; type: NumpyType } {
  const header = parseNpyHeader(bytes, where);
  const type = NumpyType.parse(header.descr);
  if (type === null || type.kind !== 'number') throw new DataError(unsupported(header.descr, where));
  checkLength(header, type, size, where);
  return { header, type };
}

/** @throws DataError unless a file of `size` bytes holds the array that its header announces, and nothing else */
export function checkLength(header: NpyHeader, type: NumpyType, size: number, where: string): void {
  const expected = countElements(header.shape, where) * type.width;
  const actual = size - header.dataStart;
  if (actual !== expected) {
    throw new DataError(
      `${where} ${actual < expected ? 'is cut short' : 'has bytes after its array'}: ${header.descr} ` +
        `[${header.shape.join(', ')}] takes ${expected} bytes, the file has ${actual} after its header`,
    );
  }
}

/** Why an array of this type is not read. */
export function unsupported(descr: string, where: string): string {
  if (descr.includes('O')) return `${where} holds Python objects (descr ${descr}); these are pickles and are not read`;
  return `${where}: unsupported array type ${descr}; expected one of ${NumpyType.numbers.join(', ')}`;
}

/** Reads the header; `bytes` may end anywhere after it. */
export function parseNpyHeader(bytes: Uint8Array, where: string): NpyHeader {
  if (bytes.length < 10 || Buffer.from(bytes.subarray(0, 6)).toString('latin1') !== magic) {
    throw new DataError(`${where} is not a .npy file: it does not start with \\x93NUMPY and a header`);
  }
  const [major, minor] = [bytes[6] as number, bytes[7] as number];
  if (major < 1 || major > 3 || minor !== 0) {
    throw new DataError(`${where}: expected .npy version 1.0, 2.0 or 3.0, got ${major}.${minor}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = major === 1 ? 10 : 12;
  const length = major === 1 ? view.getUint16(8, true) : bytes.length < 12 ? 0 : view.getUint32(8, true);
  if (length > maxHeader - 12) {
    throw new DataError(
      `${where}: a header of ${length} bytes; arrays of numbers or text take ${maxHeader - 12} at most`,
    );
  }
  if (start + length > bytes.length) {
    throw new DataError(
      `${where} is cut short: its header takes ${start + length} bytes, the file has ${bytes.length}`,
    );
  }
  const text = Buffer.from(bytes.subarray(start, start + length)).toString(major === 3 ? 'utf8' : 'latin1');
  return { ...parseDictionary(text, where), dataStart: start + length };
}

/** The header is a Python literal with exactly the keys descr, fortran_order and shape. It is matched, never evaluated. */
function parseDictionary(text: string, where: string): Omit<NpyHeader, 'dataStart'> {
  const pair = /\s*(['"])(\w+)\1\s*:\s*('[^']*'|"[^"]*"|True|False|\([\d\s,L]*\)|\[[^\]]*\])\s*(,|(?=\}))/y;
  const found = new Map<string, string>();
  let at = text.indexOf('{') + 1;
  if (!/^\s*\{/.test(text.slice(0, 256))) throw damaged(text, where);
  for (;;) {
    pair.lastIndex = at;
    const match = pair.exec(text);
    if (match === null) break;
    if (found.has(match[2] as string)) throw damaged(text, where);
    found.set(match[2] as string, match[3] as string);
    at = pair.lastIndex;
  }
  const [descr, order, shape] = [found.get('descr'), found.get('fortran_order'), found.get('shape')];
  if (found.size !== 3 || text.slice(at).trim() !== '}' || !descr || !shape?.startsWith('('))
    throw damaged(text, where);
  if (order !== 'True' && order !== 'False') throw damaged(text, where);
  const sizes = shape
    .slice(1, -1)
    .split(',')
    .map((size) => size.trim().replace(/L$/, ''));
  if (sizes[sizes.length - 1] === '') sizes.pop(); // (3,) and ()
  if (!sizes.every((size) => /^\d+$/.test(size))) throw damaged(text, where);
  return {
    descr: /^['"]/.test(descr) ? descr.slice(1, -1) : descr,
    fortran: order === 'True',
    shape: sizes.map(Number),
  };
}

function damaged(text: string, where: string): DataError {
  return new DataError(
    `${where}: expected a .npy header {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }, ` +
      `got ${JSON.stringify(text.slice(0, 200).trim())}`,
  );
}

/** The pieces of a .npy file. */
export function encodeNpy(array: RawArray): Uint8Array[] {
  expectObject('encodeNpy', array, 'an array { dtype, shape, bytes }', 'saveNpy takes a tensor.');
  const descr = descrOf[array.dtype];
  if (descr === undefined)
    throw new DataError(`NumPy has no ${array.dtype}: convert to float32 first, tensor.to({ dtype: 'float32' })`);
  const head = encodeNpyHeader(descr, array.shape);
  return [head, array.bytes.subarray(0, countElements(array.shape, 'array') * DTYPES[array.dtype].bytes)];
}

/** The header of a C-ordered array, version 1. */
export function encodeNpyHeader(descr: string, shape: readonly number[]): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const head = Buffer.alloc(Math.ceil((10 + text.length + 1) / 64) * 64, ' '); // numpy aligns its data to 64 bytes
  head.write(magic, 0, 'latin1');
  head.writeUInt16LE(1, 6); // major 1, minor 0
  head.writeUInt16LE(head.length - 10, 8);
  head.write(text, 10, 'latin1');
  head.write('\n', head.length - 1);
  return head;
}
