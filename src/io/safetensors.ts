/** safetensors files: one file, or Hugging Face's `model.safetensors.index.json` with shards. */
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DataError } from '../torch/errors.js';
import { expectItems, namedTensorsOf } from '../torch/expect.js';
import type { Tensor } from '../torch/index.js';
import { AtomicFile, writeFileAtomic } from './atomic.js';
import { readTensor } from './convert.js';
import { FileReader } from './file.js';
import { parseJson } from './json.js';
import { checkLimits, checkStructure, type ReadLimits } from './limits.js';
import type { RawArray } from './raw.js';
import {
  encodeHeader,
  headerLength,
  parseHeader,
  type SafetensorsHeader,
  type TensorEntry,
} from './safetensors-header.js';

/** Named tensors, in either of JavaScript's forms. */
export type NamedTensors =
  | ReadonlyMap<string, Tensor>
  | Iterable<readonly [string, Tensor]>
  | Readonly<Record<string, Tensor>>;

/** An open safetensors file: its list of tensors is read and checked, their bytes only when asked for. */
export class SafetensorsFile {
  private constructor(
    private readonly file: FileReader,
    private readonly header: SafetensorsHeader,
  ) {}

  /** @throws DataError when the file is absent or anything in its header is wrong */
  static open(path: string, limits: ReadLimits = {}): SafetensorsFile {
    checkLimits('SafetensorsFile.open', limits);
    const file = FileReader.open(path);
    try {
      const length = headerLength(file.read(0, 8), file.size, path, limits);
      return new SafetensorsFile(file, parseHeader(file.read(8, length), file.size, path, limits));
    } catch (error) {
      file.close();
      throw error;
    }
  }

  get path(): string {
    return this.file.path;
  }

  get metadata(): Readonly<Record<string, string>> {
    return this.header.metadata;
  }

  /** Every tensor's dtype, shape and place, without its values. */
  get entries(): ReadonlyMap<string, TensorEntry> {
    return this.header.entries;
  }

  /** Reads one tensor (CPU). @throws DataError when the file holds no such key */
  get(key: string): Tensor {
    const entry = this.entry(key);
    return readTensor(this.file, entry.offset, entry.dtype, entry.shape);
  }

  /** Reads one tensor as bytes, without libtorch. @throws DataError when the file holds no such key */
  raw(key: string): RawArray {
    const { dtype, shape, offset, bytes } = this.entry(key);
    return { dtype, shape, bytes: this.file.read(offset, bytes) };
  }

  private entry(key: string): TensorEntry {
    const entry = this.header.entries.get(key);
    if (entry !== undefined) return entry;
    const some = [...this.header.entries.keys()].slice(0, 5).join(', ');
    throw new DataError(`${this.path} holds no tensor '${key}'; it holds ${this.header.entries.size}: ${some}, ...`);
  }

  /** Reads every tensor, in the order of the header. */
  readAll(): Map<string, Tensor> {
    return new Map([...this.header.entries.keys()].map((key) => [key, this.get(key)]));
  }

  close(): void {
    this.file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Writes tensors (any device, any layout) as one safetensors file, one tensor at a time, atomically.
 * @param metadata strings by name, kept in the header
 * @throws DataError when the file cannot be written; the previous file, if any, stays whole
 */
export function saveSafetensors(
  path: string,
  tensors: NamedTensors,
  metadata: Readonly<Record<string, string>> = {},
): void {
  const named = namedTensors('saveSafetensors', tensors);
  const { head, order } = encodeHeader(named, metadata);
  const file = new AtomicFile(path);
  try {
    file.write(head);
    for (const key of order) file.write((named.get(key) as Tensor).bytes());
    file.commit();
  } finally {
    file.abort();
  }
}

/** @throws DataError for two tensors of one name */
export function namedTensors(where: string, tensors: NamedTensors): Map<string, Tensor> {
  const pairs = namedTensorsOf(where, tensors);
  const map = new Map(pairs);
  if (map.size !== pairs.length)
    throw new DataError(`Cannot write two tensors under one key: ${repeated(pairs.map(([k]) => k))}`);
  return map;
}

function repeated(keys: readonly string[]): string {
  const seen = new Set<string>();
  return [...new Set(keys.filter((key) => seen.size === seen.add(key).size))].join(', ');
}

/** Reads a whole file: see `SafetensorsFile` to read parts of it. */
export function loadSafetensors(
  path: string,
  limits: ReadLimits = {},
): {
  tensors: Map<string, Tensor>;
  metadata: Readonly<Record<string, string>>;
} {
  checkLimits('loadSafetensors', limits);
  const file = SafetensorsFile.open(path, limits);
  try {
    return { tensors: file.readAll(), metadata: file.metadata };
  } finally {
    file.close();
  }
}

/** The content of `*.safetensors.index.json`. */
export interface SafetensorsIndex {
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Tensor key -> shard's file name, in the same folder. */
  readonly weightMap: ReadonlyMap<string, string>;
}

/** @throws DataError for damaged JSON and for shard names that are not plain file names */
export function readSafetensorsIndex(path: string, limits: ReadLimits = {}): SafetensorsIndex {
  checkLimits('readSafetensorsIndex', limits);
  const bytes = FileReader.with(path, (file) => {
    checkStructure(`${path}, its safetensors index`, file.size, limits);
    return file.read(0, file.size);
  });
  const root = parseJson(bytes, path, 'safetensors index', limits)[0] as {
    metadata?: Record<string, unknown>;
    weight_map?: unknown;
  } | null;
  const map = root?.weight_map;
  if (typeof map !== 'object' || map === null || Array.isArray(map)) {
    throw new DataError(`${path}: expected a weight_map object (tensor key to file name)`);
  }
  const weightMap = new Map<string, string>();
  for (const [key, shard] of Object.entries(map)) {
    if (typeof shard !== 'string' || shard === '' || shard.startsWith('.') || /[/\\\0]/.test(shard)) {
      throw new DataError(
        `${path}: tensor '${key}' lies in ${JSON.stringify(shard)}; expected a file name in the same folder`,
      );
    }
    weightMap.set(key, shard);
  }
  return { metadata: root?.metadata ?? {}, weightMap };
}

/**
 * Writes the index of shards that are already in its folder; write it last, as the shards count only once it names them.
 * @param shards shard file name -> its tensors' keys
 * @param metadata kept beside `total_size` (bytes of all tensors), which is computed from the shards
 * @throws DataError when a shard is absent or does not hold exactly its keys, or when two shards hold one key
 */
export function writeSafetensorsIndex(
  path: string,
  shards: ReadonlyMap<string, Iterable<string>>,
  metadata: Readonly<Record<string, unknown>> = {},
): void {
  expectItems('writeSafetensorsIndex', shards, 'the keys of each shard in a Map');
  const weightMap = new Map<string, string>();
  let total = 0;
  for (const [shard, listed] of shards) {
    expectItems('writeSafetensorsIndex', listed, `the keys of ${shard} in a list`);
    const keys = [...listed];
    const file = SafetensorsFile.open(join(dirname(path), shard));
    file.close();
    sameKeys(file, keys, path);
    for (const key of keys) {
      if (weightMap.has(key)) {
        throw new DataError(`${path}: tensor '${key}' is in two shards, ${weightMap.get(key)} and ${shard}`);
      }
      weightMap.set(key, shard);
    }
    for (const entry of file.entries.values()) total += entry.bytes;
  }
  const index = { metadata: { ...metadata, total_size: total }, weight_map: Object.fromEntries(weightMap) };
  writeFileAtomic(path, `${JSON.stringify(index, null, 2)}\n`);
}

function sameKeys(file: SafetensorsFile, keys: readonly string[], index: string): void {
  const listed = new Set(keys);
  const missing = keys.filter((key) => !file.entries.has(key));
  const extra = [...file.entries.keys()].filter((key) => !listed.has(key));
  if (missing.length + extra.length > 0) {
    throw new DataError(
      `${index} and its shard ${file.path} disagree. Missing in the shard: [${missing.join(', ')}]; not in the index: [${extra.join(', ')}]`,
    );
  }
}

/**
 * The files of a model: `path` is a safetensors file, an index file, or a folder that holds `model.safetensors.index.json` or
 * `model.safetensors`. Keys and shapes can be listed before any value is read.
 */
export class SafetensorsModel {
  /** Tensor key -> the open file that holds it. */
  private readonly owner = new Map<string, SafetensorsFile>();
  private readonly files: SafetensorsFile[] = [];
  /** The index's metadata, or the single file's. */
  readonly metadata: Readonly<Record<string, unknown>>;

  /** @throws DataError when a file is absent or damaged, or the index and its shards disagree */
  constructor(path: string, limits: ReadLimits = {}) {
    checkLimits('SafetensorsModel', limits);
    const found = locate(path);
    try {
      this.metadata = found.endsWith('.json') ? this.openShards(found, limits) : this.openSingle(found, limits);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  private openSingle(path: string, limits: ReadLimits): Readonly<Record<string, unknown>> {
    const file = SafetensorsFile.open(path, limits);
    this.files.push(file);
    for (const key of file.entries.keys()) this.owner.set(key, file);
    return file.metadata;
  }

  private openShards(path: string, limits: ReadLimits): Readonly<Record<string, unknown>> {
    const index = readSafetensorsIndex(path, limits);
    const shards = new Map<string, string[]>();
    for (const [key, shard] of index.weightMap) {
      const keys = shards.get(shard);
      if (keys === undefined) shards.set(shard, [key]);
      else keys.push(key);
    }
    for (const [shard, keys] of shards) {
      const file = SafetensorsFile.open(join(dirname(path), shard), limits);
      this.files.push(file);
      sameKeys(file, keys, path);
      for (const key of keys) this.owner.set(key, file);
    }
    return index.metadata;
  }

  keys(): string[] {
    return [...this.owner.keys()];
  }

  has(key: string): boolean {
    return this.owner.has(key);
  }

  /** dtype, shape and place of one tensor. */
  entry(key: string): TensorEntry {
    return this.file(key).entries.get(key) as TensorEntry;
  }

  /** Reads one tensor (CPU). */
  get(key: string): Tensor {
    return this.file(key).get(key);
  }

  readAll(): Map<string, Tensor> {
    return new Map(this.keys().map((key) => [key, this.get(key)]));
  }

  private file(key: string): SafetensorsFile {
    const file = this.owner.get(key);
    if (file !== undefined) return file;
    const names = this.files.map((f) => basename(f.path)).join(', ');
    throw new DataError(`No tensor '${key}' in ${names} (${this.owner.size} tensors)`);
  }

  close(): void {
    for (const file of this.files) file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function locate(path: string): string {
  if (!existsSync(path))
    throw new DataError(`No model at ${path}: expected a safetensors file, its index, or a folder with one`);
  if (!statSync(path).isDirectory()) return path;
  const names = ['model.safetensors.index.json', 'model.safetensors'];
  for (const name of names) if (existsSync(join(path, name))) return join(path, name);
  throw new DataError(`No model in the folder ${path}: expected ${names.join(' or ')}`);
}
