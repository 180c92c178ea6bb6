/** NumPy's .npz archives (`numpy.savez`, `savez_compressed`): .npy files in a zip. Pickled members are refused. */

import { DataError } from '../torch/errors.js';
import { misfit } from '../torch/expect.js';
import { Tensor } from '../torch/index.js';
import { checkOptions } from '../torch/options.js';
import { ByteRange, MemoryBytes } from './bytes.js';
import { tensorToRaw } from './convert.js';
import { LazyArray, ObjectArray } from './lazy-array.js';
import { checkLimits, checkStructure, checkUnpacked, paidFor, type ReadLimits } from './limits.js';
import {
  checkLength,
  encodeNpy,
  encodeNpyHeader,
  maxHeader,
  type NpyHeader,
  parseNpyHeader,
  unsupported,
} from './npy.js';
import { decodeText, encodeText, NumpyType } from './numpy-types.js';
import { countElements } from './raw.js';
import { type ZipEntry, ZipFile } from './zip.js';
import { writeZip, type ZipMember } from './zip-write.js';

/** How to read an archive. */
export type NpzOptions = ReadLimits;

/**
 * An open .npz archive. An array of an uncompressed archive is read by rows, straight from the file; a compressed one is unpacked whole
 * when it is asked for. What all of them unpack to is held against `maxMemory` when the archive is opened.
 */
export class NpzFile {
  private constructor(
    private readonly zip: ZipFile,
    private readonly entries: ReadonlyMap<string, ZipEntry>,
    private readonly limits: NpzOptions,
  ) {}

  /** @throws DataError when the file is absent, not a sound zip archive of .npy files, or unpacks to too much */
  static open(path: string, options: NpzOptions = {}): NpzFile {
    checkLimits('NpzFile.open', options);
    const zip = ZipFile.open(path, options);
    const entries = new Map<string, ZipEntry>();
    for (const [name, entry] of zip.entries) if (name.endsWith('.npy')) entries.set(name.slice(0, -4), entry);
    try {
      const deflated = [...entries.values()].filter((entry) => entry.deflated);
      const [size, packed] = [sum(deflated, 'size'), sum(deflated, 'packed')];
      checkUnpacked(`${path}: what is compressed in it`, size, packed, options);
      return new NpzFile(zip, entries, options);
    } catch (error) {
      zip.close();
      throw error;
    }
  }

  get path(): string {
    return this.zip.path;
  }

  /** The arrays' names, without `.npy`. */
  get names(): string[] {
    return [...this.entries.keys()];
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }

  /**
   * An array of numbers, or of text (`ObjectArray` of strings).
   * @throws DataError for absent names, damaged members and types that are not read
   */
  get(name: string): LazyArray | ObjectArray<string> {
    const entry = this.entries.get(name);
    if (entry === undefined) {
      throw new DataError(`${this.path} holds no array '${name}'; it holds: ${this.names.slice(0, 20).join(', ')}`);
    }
    const where = `${this.path}, array '${name}'`;
    const header = parseNpyHeader(this.zip.head(entry, maxHeader), where);
    const type = NumpyType.parse(header.descr);
    if (type === null || (type.kind !== 'number' && type.kind !== 'text')) {
      throw new DataError(unsupported(header.descr, where));
    }
    checkLength(header, type, entry.size, where); // before anything is unpacked
    const bytes = this.data(entry, header.dataStart, where);
    if (type.kind === 'number') return new LazyArray(bytes, type, header.shape, header.fortran);
    return textArray(bytes, type, header, where, this.limits);
  }

  private data(entry: ZipEntry, start: number, where: string): ByteRange {
    const stored = this.zip.stored(entry);
    if (stored !== null) return new ByteRange(stored.source, stored.offset + start, stored.length - start);
    return new ByteRange(new MemoryBytes(this.zip.read(entry), where), start, entry.size - start);
  }

  /** Safe to call twice. */
  close(): void {
    this.zip.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function sum(entries: readonly ZipEntry[], of: 'size' | 'packed'): number {
  return entries.reduce((total, entry) => total + entry[of], 0);
}

/** What a JavaScript string takes, its characters apart. */
const textMemory = 40;

function textArray(
  bytes: ByteRange,
  type: NumpyType,
  header: NpyHeader,
  where: string,
  limits: NpzOptions,
): ObjectArray<string> {
  const count = countElements(header.shape, where);
  checkStructure(where, textMemory * count + bytes.length, limits, paidFor(bytes.length));
  if (header.fortran && header.shape.length > 1) throw new DataError(`${where}: text in Fortran order is not read`);
  const texts = type.width === 0 ? new Array<string>(count).fill('') : decodeText(bytes.read(), type, where);
  return new ObjectArray(texts, header.shape);
}

/**
 * Reads every array of numbers, as tensors; text is left out.
 * @throws DataError for damaged archives and types that are not read
 */
export function loadNpz(path: string, options: NpzOptions = {}): Map<string, Tensor> {
  checkLimits('loadNpz', options);
  const file = NpzFile.open(path, options);
  try {
    const tensors = new Map<string, Tensor>();
    for (const name of file.names) {
      const array = file.get(name);
      if (array instanceof LazyArray) tensors.set(name, array.tensor());
    }
    return tensors;
  } finally {
    file.close();
  }
}

/** What `saveNpz` writes: tensors, or lists of text (as arrays `<Un`). */
export type NpzArrays =
  | Iterable<readonly [string, Tensor | readonly string[]]>
  | Readonly<Record<string, Tensor | readonly string[]>>;

/**
 * Writes arrays as `numpy.savez` does (`compress`: as `savez_compressed`), atomically; `numpy.load` reads them.
 * @throws DataError for bfloat16, which NumPy lacks, and when the file cannot be written
 */
export function saveNpz(path: string, arrays: NpzArrays, options: { readonly compress?: boolean } = {}): void {
  checkOptions('saveNpz', options, ['compress']);
  if (typeof arrays !== 'object' || arrays === null || arrays instanceof Tensor) {
    throw misfit('saveNpz', 'arrays by name, in a Map or an object', arrays);
  }
  const pairs =
    Symbol.iterator in arrays
      ? (arrays as Iterable<readonly [string, Tensor | readonly string[]]>)
      : Object.entries(arrays as Readonly<Record<string, Tensor | readonly string[]>>);
  writeZip(path, members(pairs), options.compress ?? false);
}

function* members(pairs: Iterable<readonly [string, Tensor | readonly string[]]>): Generator<ZipMember> {
  for (const [name, array] of pairs) {
    const pieces = array instanceof Tensor ? encodeNpy(tensorToRaw(array)) : encodeTexts(array);
    yield { name: `${name}.npy`, pieces };
  }
}

function encodeTexts(texts: readonly string[]): Uint8Array[] {
  const { descr, bytes } = encodeText(texts);
  return [encodeNpyHeader(descr, [texts.length]), bytes];
}
