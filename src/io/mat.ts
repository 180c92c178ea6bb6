/**
 * Numeric arrays of MATLAB's level-5 .mat files (what `save -v6` and `-v7` write), compressed or not.
 * Format: "MAT-File Format", The MathWorks, chapter 1.
 */
import { DTYPES, type DType } from '../torch/dtype.js';
import { DataError } from '../torch/errors.js';
import type { Tensor } from '../torch/index.js';
import { rawToTensor } from './convert.js';
import { FileReader } from './file.js';
import { inflateExactly, inflateHead } from './inflate.js';
import { checkLimits, checkUnpacked, type ReadLimits } from './limits.js';
import { columnToRowMajor, countElements, type RawArray, swapBytes, widenUint32 } from './raw.js';

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

/** Enough for a variable's flags, sizes and name. */
const headBytes = 4096;
/** libtorch's own limit. */
const maxRank = 64;

/**
 * Reads numeric variables of a .mat file, by name. Of the others only the beginning is read.
 * @param names the variables wanted; without it every numeric one
 * @throws DataError when a wanted variable is absent or not a real numeric array, the file is damaged, or the variables take more than
 * `maxMemory` together
 */
export function readMat(path: string, names?: readonly string[], limits: ReadLimits = {}): Map<string, MatArray> {
  checkLimits('readMat', limits);
  return FileReader.with(path, (file) => {
    const arrays = new Map<string, MatArray>();
    let taken = 0;
    for (const variable of variables(file, readPreamble(file))) {
      if (names !== undefined && !names.includes(variable.name)) continue;
      const dtype = numericType(variable, names !== undefined);
      if (dtype === null) continue;
      const { name, shape, where } = variable;
      if (arrays.has(name)) throw new DataError(`${where}: variable '${name}' is in the file twice`);
      taken += Math.max(variable.length, countElements(shape, where) * DTYPES[dtype].bytes);
      checkUnpacked(`${where}, variable '${name}'`, taken, file.size, limits);
      arrays.set(name, { name, dtype, shape, bytes: numbers(variable, dtype) });
    }
    for (const name of names ?? []) {
      if (!arrays.has(name))
        throw new DataError(`${path} holds no variable '${name}' (found: ${[...arrays.keys()].join(', ')})`);
    }
    return arrays;
  });
}

/** `readMat` as tensors in row-major order: MATLAB's A(i,j,k) is t[i-1][j-1][k-1]. */
export function loadMat(path: string, names?: readonly string[], limits: ReadLimits = {}): Map<string, Tensor> {
  checkLimits('loadMat', limits);
  const tensors = new Map<string, Tensor>();
  for (const [name, array] of readMat(path, names, limits)) {
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

/** A variable, of which only the beginning has been read. */
interface Variable {
  readonly name: string;
  readonly classId: number;
  readonly complex: boolean;
  readonly shape: number[];
  /** Bytes of all its elements, unpacked, as it says itself. */
  readonly length: number;
  readonly where: string;
  /** Its elements from the numbers on. */
  readonly data: () => Elements;
}

/** The variables one after the other, compressed or not. */
function* variables(file: FileReader, little: boolean): Generator<Variable> {
  for (let at = 128; at < file.size; ) {
    const where = `${file.path}, at byte ${at}`;
    if (file.size - at < 8) throw new DataError(`${where}: the file is cut short inside a variable's header`);
    const [type, length] = readTag(file.read(at, 8), little);
    if (length > file.size - at - 8) {
      throw new DataError(
        `${where}: the file is cut short: a variable of ${length} bytes, ${file.size - at - 8} are left`,
      );
    }
    const start = at + 8;
    if (type === miMatrix) {
      const head = file.read(start, Math.min(length, headBytes));
      yield parseMatrix(head, length, little, where, () => file.read(start, length));
    } else if (type === miCompressed) {
      const packed = file.read(start, length);
      const head = inflateHead('zlib', packed, headBytes, where);
      if (head.length < 8) throw new DataError(`${where}: damaged compressed data: ${head.length} bytes`);
      const [kind, size] = readTag(head, little);
      // The tag of a compressed variable counts what follows it, so that the whole is known before it is unpacked.
      const all = () => inflateExactly('zlib', packed, 8 + size, where).subarray(8);
      if (kind === miMatrix) yield parseMatrix(head.subarray(8), size, little, where, all);
    }
    at = start + length; // compressed variables are not padded; matrices are multiples of 8
  }
}

function readTag(bytes: Uint8Array, little: boolean): [type: number, length: number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  return [view.getUint32(0, little), view.getUint32(4, little)];
}

function parseMatrix(
  head: Uint8Array,
  length: number,
  little: boolean,
  where: string,
  all: () => Uint8Array,
): Variable {
  const parts = new Elements(head.subarray(0, length), little, where);
  const [, flags] = parts.next();
  if (flags.length < 8) throw new DataError(`${where}: expected 8 bytes of array flags, got ${flags.length}`);
  const [word] = parts.integers(flags.subarray(0, 4)) as [number];
  const shape = parts.integers(parts.next()[1]);
  if (shape.length > maxRank)
    throw new DataError(`${where}: expected at most ${maxRank} dimensions, got ${shape.length}`);
  const name = Buffer.from(parts.next()[1]).toString('latin1');
  const data = () => new Elements(all(), little, where, parts.position);
  return { name, classId: word & 0xff, complex: (word & 0x800) !== 0, shape, length, where, data };
}

/** What its numbers are read as. @throws DataError when it was asked for and is not numeric */
function numericType({ name, classId, complex, where }: Variable, wanted: boolean): DType | null {
  const dtype = classOf[classId];
  if (dtype !== undefined && !complex) return dtype;
  if (!wanted) return null;
  const kind = complex ? 'complex' : (otherClass[classId] ?? `class ${classId}`);
  throw new DataError(`${where}: variable '${name}' is ${kind}; only real numeric arrays are read`);
}

/** A cursor over data elements: `type u32 | length u32 | data | padding to 8`, or packed in 8 bytes when the data fits in 4. */
class Elements {
  constructor(
    private readonly bytes: Uint8Array,
    readonly little: boolean,
    private readonly where: string,
    private at = 0,
  ) {}

  get position(): number {
    return this.at;
  }

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
function numbers({ name, shape, data: open, where }: Variable, dtype: DType): Uint8Array {
  const label = `${where}, variable '${name}'`;
  const count = countElements(shape, label);
  const data = open();
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
    if (source instanceof Uint32Array) return widenUint32(source);
    if (!source.every(Number.isSafeInteger)) throw new DataError(`${label}: expected whole numbers for ${dtype}`);
    const wide = new BigInt64Array(source.length);
    for (let i = 0; i < source.length; i++) wide[i] = BigInt(source[i] as number);
    return new Uint8Array(wide.buffer);
  }
  return new Uint8Array(new views[target as keyof typeof views](source).buffer);
}
