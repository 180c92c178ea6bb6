/**
 * Numeric arrays of MATLAB's level-5 .mat files (what `save -v6` and `-v7` write), compressed or not.
 * Format: "MAT-File Format", The MathWorks, chapter 1.
 */
import { constants } from 'node:buffer';
import { inflateSync } from 'node:zlib';
import { DTYPES, type DType } from '../torch/dtype.js';
import { DataError } from '../torch/errors.js';
import type { Tensor } from '../torch/index.js';
import { rawToTensor } from './convert.js';
import { FileReader, reason } from './file.js';
import { columnToRowMajor, countElements, type RawArray, swapBytes } from './raw.js';

/** A numeric array in the file's own order: `bytes` is column-major, little endian. */
export interface MatArray extends RawArray {
  readonly name: string;
}

/** Element types of the data parts ("mi" types): how numbers are stored. */
type Storage = 'i8' | 'u8' | 'i16' | 'u16' | 'i32' | 'u32' | 'f32' | 'f64' | 'i64' | 'u64';
const storageOf: Readonly<Record<number, Storage>> = {
  1: 'i8',
  2: 'u8',
  3: 'i16',
  4: 'u16',
  5: 'i32',
  6: 'u32',
  7: 'f32',
  9: 'f64',
  12: 'i64',
  13: 'u64',
};
const miMatrix = 14;
const miCompressed = 15;

/** Array classes ("mx" classes): what the numbers mean. Unsigned ones without a torch dtype widen. */
const classOf: Readonly<Record<number, DType>> = {
  6: 'float64',
  7: 'float32',
  8: 'int8',
  9: 'uint8',
  10: 'int16',
  11: 'int32', // uint16
  12: 'int32',
  13: 'int64', // uint32
  14: 'int64',
};
const otherClass: Readonly<Record<number, string>> = {
  1: 'cell',
  2: 'struct',
  3: 'object',
  4: 'char',
  5: 'sparse',
  15: 'uint64',
  16: 'function',
  17: 'opaque',
};

/** What a variable may grow to when inflated, against its bytes in the file. Pixels stay far below. */
const maxInflation = 200;

/**
 * Reads numeric variables of a .mat file, by name.
 * @param names the variables wanted; without it every numeric one
 * @throws DataError when a wanted variable is absent or not a real numeric array, or the file is damaged
 */
export function readMat(path: string, names?: readonly string[]): Map<string, MatArray> {
  return FileReader.with(path, (file) => {
    const arrays = new Map<string, MatArray>();
    const little = readPreamble(file);
    for (let at = 128; at < file.size; ) {
      const where = `${path}, at byte ${at}`;
      if (file.size - at < 8) throw new DataError(`${where}: the file is cut short inside a variable's header`);
      const tag = new DataView(file.read(at, 8).buffer);
      const [type, length] = [tag.getUint32(0, little), tag.getUint32(4, little)];
      if (length > file.size - at - 8) {
        throw new DataError(
          `${where}: the file is cut short: a variable of ${length} bytes, ${file.size - at - 8} are left`,
        );
      }
      const variable = openVariable(file.read(at + 8, length), type, little, where);
      if (variable !== null && (names === undefined || names.includes(variable.name))) {
        addArray(arrays, variable, names !== undefined);
      }
      at += 8 + length; // compressed variables are not padded; matrices are multiples of 8
    }
    for (const name of names ?? []) {
      if (!arrays.has(name))
        throw new DataError(`${path} holds no variable '${name}' (found: ${[...arrays.keys()].join(', ')})`);
    }
    return arrays;
  });
}

/** `readMat` as tensors in row-major order: MATLAB's A(i,j,k) is t[i-1][j-1][k-1]. */
export function loadMat(path: string, names?: readonly string[]): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (const [name, array] of readMat(path, names)) {
    const bytes = columnToRowMajor(array.bytes, array.shape, DTYPES[array.dtype].bytes);
    tensors.set(name, rawToTensor({ ...array, bytes }));
  }
  return tensors;
}

/** Checks the 128-byte preamble; true for little endian. */
function readPreamble(file: FileReader): boolean {
  if (file.size < 128)
    throw new DataError(`${file.path} is not a level-5 .mat file: expected at least 128 bytes, got ${file.size}`);
  const head = Buffer.from(file.read(0, 128));
  const mark = head.toString('latin1', 126, 128);
  const little = mark === 'IM';
  const version = little ? head.readUInt16LE(124) : head.readUInt16BE(124);
  if ((mark !== 'IM' && mark !== 'MI') || version !== 0x0100) {
    const hint = version === 0x0200 ? ' (version 7.3 files are HDF5: save with -v7)' : '';
    throw new DataError(
      `${file.path}: expected a level-5 .mat file, got version 0x${version.toString(16)}, mark ${JSON.stringify(mark)}${hint}`,
    );
  }
  return little;
}

interface Variable {
  readonly name: string;
  readonly classId: number;
  readonly complex: boolean;
  readonly shape: number[];
  readonly data: Elements;
  readonly where: string;
}

function addArray(arrays: Map<string, MatArray>, variable: Variable, wanted: boolean): void {
  const { name, classId, complex, where } = variable;
  const dtype = classOf[classId];
  if (dtype === undefined || complex) {
    if (!wanted) return;
    const kind = complex ? 'complex' : (otherClass[classId] ?? `class ${classId}`);
    throw new DataError(`${where}: variable '${name}' is ${kind}; only real numeric arrays are read`);
  }
  if (arrays.has(name)) throw new DataError(`${where}: variable '${name}' is in the file twice`);
  arrays.set(name, { name, dtype, shape: variable.shape, bytes: numbers(variable, dtype) });
}

/** The head of a top-level element, inflated where compressed; null for elements that are not variables. */
function openVariable(bytes: Uint8Array, type: number, little: boolean, where: string): Variable | null {
  if (type === miMatrix) return parseMatrix(new Elements(bytes, little, where), where);
  if (type !== miCompressed) return null;
  let plain: Uint8Array;
  try {
    plain = inflateSync(bytes, {
      maxOutputLength: Math.min(constants.MAX_LENGTH, bytes.length * maxInflation + (1 << 20)),
    });
  } catch (error) {
    throw new DataError(`${where}: damaged compressed data (${reason(error)}): fetch the file again`, { cause: error });
  }
  const [kind, content] = new Elements(plain, little, where).next();
  return kind === miMatrix ? parseMatrix(new Elements(content, little, where), where) : null;
}

function parseMatrix(parts: Elements, where: string): Variable {
  const [, flags] = parts.next();
  if (flags.length < 8) throw new DataError(`${where}: expected 8 bytes of array flags, got ${flags.length}`);
  const [word] = parts.integers(flags.subarray(0, 4)) as [number];
  const shape = parts.integers(parts.next()[1]);
  const name = Buffer.from(parts.next()[1]).toString('latin1');
  return { name, classId: word & 0xff, complex: (word & 0x800) !== 0, shape, data: parts, where };
}

/** A cursor over data elements: `type u32 | length u32 | data | padding to 8`, or packed in 8 bytes when the data fits in 4. */
class Elements {
  private at = 0;

  constructor(
    private readonly bytes: Uint8Array,
    readonly little: boolean,
    private readonly where: string,
  ) {}

  next(): readonly [type: number, data: Uint8Array] {
    const left = this.bytes.length - this.at;
    if (left < 8)
      throw new DataError(`${this.where}: the variable is cut short: an element's tag takes 8 bytes, ${left} are left`);
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset + this.at, 8);
    const word = view.getUint32(0, this.little);
    const small = word >>> 16;
    const [type, length] = small > 0 ? [word & 0xffff, small] : [word, view.getUint32(4, this.little)];
    const start = this.at + (small > 0 ? 4 : 8);
    if (length > (small > 0 ? 4 : this.bytes.length - start)) {
      throw new DataError(
        `${this.where}: the variable is cut short: an element of ${length} bytes, ${this.bytes.length - start} are left`,
      );
    }
    this.at = small > 0 ? this.at + 8 : Math.min(this.bytes.length, start + Math.ceil(length / 8) * 8);
    return [type, this.bytes.subarray(start, start + length)];
  }

  /** int32 values of an element's data. */
  integers(data: Uint8Array): number[] {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    return Array.from({ length: data.length >> 2 }, (_, i) => view.getInt32(4 * i, this.little));
  }
}

/** The values in the class's dtype: MATLAB stores numbers in the smallest type that holds them. */
function numbers({ name, shape, data, where }: Variable, dtype: DType): Uint8Array {
  const label = `${where}, variable '${name}'`;
  const count = countElements(shape, label);
  const [type, stored] = data.next();
  const storage = storageOf[type];
  if (storage === undefined) throw new DataError(`${label}: unknown storage type ${type}`);
  const width = Number(storage.slice(1)) / 8;
  if (stored.length !== count * width) {
    throw new DataError(
      `${label}: expected [${shape.join(', ')}] = ${count} values of ${width} bytes (${storage}), got ${stored.length} bytes`,
    );
  }
  const bytes = new Uint8Array(stored); // a copy: aligned, and free of the file's buffer
  if (!data.little) swapBytes(bytes, width);
  return sameStorage[dtype] === storage ? bytes : convert(bytes.buffer, storage, dtype, label);
}

const sameStorage: Readonly<Partial<Record<DType, Storage>>> = {
  float64: 'f64',
  float32: 'f32',
  int64: 'i64',
  int32: 'i32',
  int16: 'i16',
  int8: 'i8',
  uint8: 'u8',
};

const views = {
  i8: Int8Array,
  u8: Uint8Array,
  i16: Int16Array,
  u16: Uint16Array,
  i32: Int32Array,
  u32: Uint32Array,
  f32: Float32Array,
  f64: Float64Array,
};

function convert(buffer: ArrayBuffer, storage: Storage, dtype: DType, label: string): Uint8Array {
  if (storage === 'i64' || storage === 'u64')
    throw new DataError(`${label}: ${storage} stored for ${dtype} is not read`);
  const source = new views[storage](buffer);
  const target = sameStorage[dtype] as Storage;
  if (target === 'i64') {
    if (!source.every(Number.isSafeInteger)) throw new DataError(`${label}: expected whole numbers for ${dtype}`);
    return new Uint8Array(BigInt64Array.from(source, BigInt).buffer);
  }
  return new Uint8Array(new views[target as keyof typeof views](source).buffer);
}
