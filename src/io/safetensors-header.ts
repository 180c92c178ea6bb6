/**
 * The safetensors header: `u64 length | JSON | tensor bytes`, little endian. Pure TypeScript.
 * Format: https://github.com/huggingface/safetensors#format
 */
import { DTYPES, type DType } from '../torch/dtype.js';
import { DataError } from '../torch/errors.js';
import { parseJson } from './json.js';
import { checkStructure, type ReadLimits } from './limits.js';
import { countElements } from './raw.js';

/** Where a tensor lies in a safetensors file. */
export interface TensorEntry {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Byte offset in the file. */
  readonly offset: number;
  readonly bytes: number;
}

export interface SafetensorsHeader {
  /** In the order of the file's header. */
  readonly entries: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

const dtypeOf: Readonly<Record<string, DType>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U8: 'uint8',
  BOOL: 'bool',
};
const nameOf = new Map(Object.entries(dtypeOf).map(([name, dtype]) => [dtype, name]));

/** libtorch's own limit. */
const maxRank = 64;
/** The reference implementation refuses longer headers too. */
const maxHeader = 100_000_000;

/**
 * The length of the JSON part, from the file's first 8 bytes.
 * @throws DataError when it does not fit the file
 */
export function headerLength(first8: Uint8Array, fileSize: number, path: string, limits: ReadLimits = {}): number {
  const length = Number(new DataView(first8.buffer, first8.byteOffset, 8).getBigUint64(0, true));
  if (Buffer.from(first8.subarray(0, 4)).toString('latin1') === 'PK\x03\x04') {
    throw new DataError(`${path} is a zip archive, not a safetensors file: loadTorch reads those of torch.save`);
  }
  if (length < 2 || length > Math.min(fileSize - 8, maxHeader)) {
    throw new DataError(
      `${path} is not a whole safetensors file: its header length is ${length}, but the file has ${fileSize} bytes ` +
        `(2 to ${Math.max(2, Math.min(fileSize - 8, maxHeader))} expected)`,
    );
  }
  checkStructure(`${path}, its safetensors header`, length, limits);
  return length;
}

/**
 * Parses and checks the JSON part: known dtypes, sizes that match shapes, offsets that tile the data exactly.
 * @param json the bytes after the first 8
 * @param fileSize bytes of the whole file
 * @throws DataError naming the file, the key and the numbers
 */
export function parseHeader(
  json: Uint8Array,
  fileSize: number,
  path: string,
  limits: ReadLimits = {},
): SafetensorsHeader {
  const [root, text] = parseJson(json, path, 'safetensors header', limits);
  if (text[0] !== '{' || !isObject(root))
    throw new DataError(`${path}: expected the safetensors header to be a JSON object`);
  const dataStart = 8 + json.length;
  const entries = new Map<string, TensorEntry>();
  for (const key of uniqueKeys(text, path)) {
    if (key !== '__metadata__') entries.set(key, parseEntry(root[key], key, dataStart, path));
  }
  checkTiling(entries, dataStart, fileSize, path);
  return { entries, metadata: parseMetadata(root.__metadata__, path) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Keys of the outer object in order; any object of the (valid) JSON that repeats a key is refused. */
function uniqueKeys(text: string, path: string): string[] {
  const seen: Set<string>[] = []; // one per depth of objects
  const keys: string[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '{') seen.push(new Set());
    else if (char === '}') seen.pop();
    if (char !== '"') continue;
    const end = stringEnd(text, at);
    let next = end;
    while (' \t\r\n'.includes(text[next] ?? ':')) next++;
    if (text[next] === ':') {
      const key = JSON.parse(text.slice(at, end)) as string;
      const here = seen[seen.length - 1] as Set<string>;
      if (here.has(key)) throw new DataError(`${path}: the safetensors header names the key '${key}' twice`);
      here.add(key);
      if (seen.length === 1) keys.push(key);
    }
    at = end - 1;
  }
  return keys;
}

/** The index after the closing quote of the JSON string that starts at `start`. */
function stringEnd(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function parseEntry(value: unknown, key: string, dataStart: number, path: string): TensorEntry {
  const where = `${path}, tensor '${key.slice(0, 200)}'`;
  if (!isObject(value)) throw new DataError(`${where}: expected an object with dtype, shape and data_offsets`);
  const { dtype: name, shape, data_offsets: offsets } = value;
  const dtype = typeof name === 'string' && Object.hasOwn(dtypeOf, name) ? dtypeOf[name] : undefined;
  if (dtype === undefined) {
    throw new DataError(`${where}: unknown dtype ${shown(name)}; expected one of ${Object.keys(dtypeOf).join(', ')}`);
  }
  if (!isIntegers(shape)) throw new DataError(`${where}: expected a shape of integers, got ${shown(shape)}`);
  if (!isIntegers(offsets) || offsets.length !== 2) {
    throw new DataError(`${where}: expected data_offsets [begin, end], got ${shown(offsets)}`);
  }
  if (shape.length > maxRank)
    throw new DataError(`${where}: expected at most ${maxRank} dimensions, got ${shape.length}`);
  const [begin, end] = offsets as [number, number];
  const bytes = countElements(shape, where) * DTYPES[dtype].bytes;
  if (end - begin !== bytes) {
    throw new DataError(
      `${where}: ${name} [${shape.join(', ')}] takes ${bytes} bytes, but data_offsets [${begin}, ${end}] span ${end - begin}`,
    );
  }
  return { dtype, shape, offset: dataStart + begin, bytes };
}

/** A part of the file for a message. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 100 ? `${text.slice(0, 100)}...` : text;
}

function isIntegers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function parseMetadata(value: unknown, path: string): Record<string, string> {
  if (value === undefined) return {};
  if (!isObject(value) || !Object.values(value).every((item) => typeof item === 'string')) {
    throw new DataError(`${path}: expected the safetensors __metadata__ to map strings to strings`);
  }
  return value as Record<string, string>;
}

/** Every byte of the data belongs to exactly one tensor. */
function checkTiling(
  entries: ReadonlyMap<string, TensorEntry>,
  dataStart: number,
  fileSize: number,
  path: string,
): void {
  const sorted = [...entries].sort(([, a], [, b]) => a.offset - b.offset || a.bytes - b.bytes);
  let at = dataStart;
  for (const [key, entry] of sorted) {
    if (entry.offset !== at) {
      const fault = entry.offset < at ? 'overlaps the tensor before it' : 'leaves a hole before it';
      throw new DataError(
        `${path}, tensor '${key}': its data ${fault}: expected offset ${at - dataStart}, got ${entry.offset - dataStart}`,
      );
    }
    at += entry.bytes;
  }
  if (at !== fileSize) {
    const fault = at > fileSize ? 'is cut short' : 'has bytes after its last tensor';
    throw new DataError(`${path} ${fault}: its header describes ${at} bytes, the file has ${fileSize}`);
  }
}

/** What a header is made from. */
export interface TensorShape {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/**
 * The first bytes of a file (length and JSON) and the order in which the tensors' bytes follow. Wide dtypes come first, so that
 * every tensor is aligned to its element size; the JSON keeps the order given.
 */
export function encodeHeader(
  tensors: ReadonlyMap<string, TensorShape>,
  metadata: Readonly<Record<string, string>>,
): { head: Uint8Array; order: string[] } {
  const order = [...tensors.keys()].sort((a, b) => width(tensors, b) - width(tensors, a)); // stable
  const offsets = new Map<string, readonly [number, number]>();
  let at = 0;
  for (const key of order) {
    const { dtype, shape } = tensors.get(key) as TensorShape;
    const end = at + countElements(shape, `tensor '${key}'`) * DTYPES[dtype].bytes;
    offsets.set(key, [at, end]);
    at = end;
  }
  // Built piece by piece: an object would reorder keys that look like integers.
  const parts = Object.keys(metadata).length > 0 ? [`"__metadata__":${JSON.stringify(metadata)}`] : [];
  for (const [key, { dtype, shape }] of tensors) {
    if (key === '__metadata__')
      throw new DataError("A tensor cannot be named '__metadata__': safetensors reserves the name");
    const name = nameOf.get(dtype);
    if (name === undefined)
      throw new DataError(`tensor '${key}': safetensors has no ${dtype}; it has ${[...nameOf.keys()].join(', ')}`);
    parts.push(`${JSON.stringify(key)}:${JSON.stringify({ dtype: name, shape, data_offsets: offsets.get(key) })}`);
  }
  const json = Buffer.from(`{${parts.join(',')}}`);
  const head = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' '); // the data starts at a multiple of 8
  head.writeBigUInt64LE(BigInt(head.length - 8));
  json.copy(head, 8);
  return { head, order };
}

function width(tensors: ReadonlyMap<string, TensorShape>, key: string): number {
  return DTYPES[(tensors.get(key) as TensorShape).dtype].bytes;
}
