/** The thread behind `Hdf5File`: it alone loads the HDF5 library. */
import { parentPort, workerData } from 'node:worker_threads';
import type { DType } from '../torch/dtype.js';
import { optionalPackage } from '../torch/optional.js';
import { reason } from './file.js';
import { allowMemory, memoryWasRefused, watchMemory } from './hdf5-memory.js';
import type { Hdf5Answer, Hdf5Info, Hdf5Request, Hdf5Start } from './hdf5-messages.js';
import { freeMemory, unpackedLimit } from './limits.js';
import { widenUint32 } from './raw.js';

/** The part of h5wasm's low level that is used: its high level does not check the status of a reading. */
interface Library {
  readonly HEAPU8: Uint8Array;
  readonly FS: {
    open(path: string, ...rest: unknown[]): unknown;
    write(
      stream: { readonly fd: number },
      buffer: Uint8Array,
      offset: number,
      length: number,
      position?: number,
    ): number;
    readonly ErrnoError: new (code: number) => Error;
  };
  readonly H5G_GROUP: number;
  readonly H5G_DATASET: number;
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  open(path: string, mode: number, trackOrder: boolean, low: number, high: number): bigint;
  get_names(file: bigint, path: string, recursive: boolean): string[];
  get_type(file: bigint, path: string): number;
  get_symbolic_link(file: bigint, path: string): string | null;
  get_external_link(file: bigint, path: string): { filename?: string };
  get_dataset_metadata(file: bigint, path: string): Metadata;
  get_dataset_data(
    file: bigint,
    path: string,
    count: bigint[] | null,
    offset: bigint[] | null,
    strides: bigint[] | null,
    pointer: bigint,
  ): number;
  reclaim_vlen_memory(file: bigint, path: string, attribute: string, pointer: bigint): number;
}

interface Metadata {
  readonly type: number;
  readonly size: number;
  readonly total_size: number;
  readonly signed: boolean;
  readonly vlen: boolean;
  readonly shape: readonly number[] | null;
  readonly chunks: readonly number[] | null;
  readonly virtual_sources?: readonly unknown[];
}

const start = workerData as Hdf5Start;
const port = parentPort as NonNullable<typeof parentPort>;
/** HDF5's numbers for its type classes. */
const typeClass = { integer: 0, float: 1, text: 3 };

/** What the library printed since the last request. */
let printed = '';
const printedLimit = 1 << 16;
const standardError = 2;
/** Emscripten's ENOENT. */
const absent = 44;

const library = await load();
const file = library.open(start.path, 0, false, -1, -1);
const unopened = cause();

/**
 * The library reaches the disk through `FS.open` only, which is narrowed to the one file: links, plugins and outside storage lead nowhere.
 * What it prints on the standard error is kept for our messages.
 */
async function load(): Promise<Library> {
  watchMemory();
  const { ready } = await optionalPackage<typeof import('h5wasm/node')>('h5wasm/node', 'Reading HDF5 files');
  const loaded = (await ready) as unknown as Library;
  const { FS } = loaded;
  const [open, write] = [FS.open.bind(FS), FS.write.bind(FS)];
  FS.open = (path, ...rest) => {
    if (path !== start.path) throw new FS.ErrnoError(absent);
    return open(path, ...rest);
  };
  FS.write = (stream, buffer, offset, length, position) => {
    if (stream.fd !== standardError) return write(stream, buffer, offset, length, position);
    if (printed.length < printedLimit) printed += Buffer.from(buffer.slice(offset, offset + length)).toString();
    return length;
  };
  return loaded;
}

port.on('message', (request: Hdf5Request) => {
  printed = '';
  try {
    if (file < 0n) throw new Error(`not an HDF5 file, or damaged at its beginning: ${unopened}`);
    const answer = handle(request);
    const moved =
      answer.kind === 'values' && answer.values instanceof Uint8Array ? [answer.values.buffer as ArrayBuffer] : [];
    port.postMessage(answer, moved);
  } catch (error) {
    // After a fault inside WebAssembly the library's state is unknown.
    const fatal = error instanceof Error && error.name === 'RuntimeError';
    const message = fatal ? `the file is damaged: the HDF5 library failed (${reason(error)})` : reason(error);
    port.postMessage({ id: request.id, kind: 'error', message, fatal } satisfies Hdf5Answer);
  }
});

function handle(request: Hdf5Request): Hdf5Answer {
  const { id, path } = request;
  allowMemory(start.limits.maxMemory ?? freeMemory); // names and descriptions
  if (request.kind === 'keys') {
    check(path, library.H5G_GROUP, 'group');
    return { id, kind: 'keys', keys: library.get_names(file, path === '' ? '/' : path, false) };
  }
  check(path, library.H5G_DATASET, 'data set');
  const metadata = metadataOf(path);
  const info = describe(metadata, path);
  if (request.kind === 'info') return { id, kind: 'info', info };
  return read(id, path, metadata, info, request.rows);
}

function metadataOf(path: string): Metadata {
  try {
    return library.get_dataset_metadata(file, path);
  } catch (error) {
    throw error instanceof Error && error.name === 'RuntimeError'
      ? error
      : new Error(`the data set '${path}' cannot be opened: ${cause()}`);
  }
}

/** Walks the path name by name, so that no link is followed. */
function check(path: string, wanted: number, kind: string): void {
  const names = path === '' ? [] : path.split('/');
  if (names.some((name) => name === '' || name === '.')) throw new Error(`expected names joined by '/', got '${path}'`);
  if (names.length === 0 && wanted !== library.H5G_GROUP) throw new Error('the root is no data set');
  for (let i = 1; i <= names.length; i++) {
    const part = names.slice(0, i).join('/');
    if (
      library.get_symbolic_link(file, part) !== null ||
      library.get_external_link(file, part).filename !== undefined
    ) {
      throw new Error(`'${part}' is a link, which is not followed`);
    }
    const type = library.get_type(file, part);
    if (type !== (i < names.length ? library.H5G_GROUP : wanted)) {
      throw new Error(`there is no ${i < names.length ? 'group' : kind} '${part}'`);
    }
  }
}

function describe({ type, size, signed, vlen, shape, virtual_sources }: Metadata, path: string): Hdf5Info {
  if ((virtual_sources ?? []).length > 0)
    throw new Error(`the values of '${path}' lie in other files, which are not read`);
  if (shape === null) throw new Error(`the data set '${path}' is empty`);
  if (type === typeClass.text) return { type: 'text', shape };
  const name = `${type === typeClass.float ? 'f' : signed ? 'i' : 'u'}${size}`;
  const dtype = type === typeClass.integer || type === typeClass.float ? stored[name] : undefined;
  if (dtype === undefined || vlen)
    throw new Error(`the data set '${path}' has a type that is not read (class ${type}, ${size} bytes)`);
  return { type: dtype, shape };
}

/** Numbers by sign and width. Unsigned ones wider than a byte widen. */
const stored: Readonly<Record<string, DType>> = {
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
  i1: 'int8',
  i2: 'int16',
  i4: 'int32',
  i8: 'int64',
  u1: 'uint8',
  u2: 'int32',
  u4: 'int64',
};

function read(
  id: number,
  path: string,
  metadata: Metadata,
  info: Hdf5Info,
  rows: readonly [number, number] | null,
): Hdf5Answer {
  const shape = rows === null ? info.shape : [rows[1] - rows[0], ...info.shape.slice(1)];
  if (
    rows !== null &&
    !(info.type !== 'text' && rows[0] >= 0 && rows[1] >= rows[0] && rows[1] <= (info.shape[0] ?? 0))
  ) {
    throw new Error(`expected rows within '${path}' [${info.shape.join(', ')}], got ${rows[0]} to ${rows[1]}`);
  }
  const count = elements(shape);
  const bytes = count * metadata.size;
  // A chunk is unpacked whole, however little of it is wanted.
  const chunk = metadata.chunks === null ? 0 : elements(metadata.chunks) * metadata.size;
  const most = unpackedLimit(start.fileSize, start.limits);
  if (Math.max(bytes, chunk) > most) {
    const what = bytes > most ? `[${shape.join(', ')}] takes ${bytes}` : `lies in chunks of ${chunk}`;
    throw new Error(
      `the data set '${path}' ${what} bytes; at most ${most} are read at once: allow more with maxMemory`,
    );
  }
  // The library doubles its room until a chunk fits, and holds the old one meanwhile. Text of any length lies elsewhere in the file.
  allowMemory(
    4 * (bytes + chunk) + freeMemory / 4 + (metadata.vlen ? 4 * Math.max(freeMemory / 4, start.fileSize) : 0),
  );
  const described = { type: info.type, shape };
  const values =
    count === 0
      ? new Uint8Array(0)
      : withMemory(bytes, (pointer) => fetch(pointer, path, metadata, shape, rows, bytes));
  if (info.type === 'text')
    return { id, kind: 'values', info: described, values: count === 0 ? [] : (values as string[]) };
  return { id, kind: 'values', info: described, values: widen(values as Uint8Array<ArrayBuffer>, metadata) };
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function withMemory<T>(bytes: number, use: (pointer: number) => T): T {
  const pointer = library._malloc(bytes);
  if (pointer === 0) throw new Error(`the HDF5 library has no room for ${bytes} bytes`);
  library.HEAPU8.fill(0, pointer, pointer + bytes);
  try {
    return use(pointer);
  } finally {
    library._free(pointer);
  }
}

function fetch(
  pointer: number,
  path: string,
  metadata: Metadata,
  shape: readonly number[],
  rows: readonly [number, number] | null,
  bytes: number,
): Uint8Array<ArrayBuffer> | string[] {
  const part = rows === null ? null : shape.map(BigInt);
  const offset = rows === null ? null : shape.map((_, d) => (d === 0 ? BigInt(rows[0]) : 0n));
  const strides = rows === null ? null : shape.map(() => 1n);
  const status = library.get_dataset_data(file, path, part, offset, strides, BigInt(pointer));
  if (status < 0) throw new Error(`the data set '${path}' cannot be read: ${cause()}`);
  const data = library.HEAPU8.slice(pointer, pointer + bytes) as Uint8Array<ArrayBuffer>;
  if (metadata.type !== typeClass.text) return data;
  if (!metadata.vlen) return split(data, metadata.size);
  const texts = Array.from(new Uint32Array(data.buffer), textAt);
  library.reclaim_vlen_memory(file, path, '', BigInt(pointer));
  return texts;
}

/** The library's innermost message. */
function cause(): string {
  const lines = [...printed.matchAll(/^ *#\d+: .*?\(\): (.*)$/gm)];
  const most = memoryWasRefused() ? 'it unpacks to more than its size and chunks announce, ' : '';
  return `${most}${lines.at(-1)?.[1] ?? 'damaged'}`;
}

/** Text of fixed width, padded with zeros or blanks. */
function split(data: Uint8Array, width: number): string[] {
  const texts: string[] = [];
  for (let at = 0; at < data.length; at += width) {
    const text = Buffer.from(data.buffer, data.byteOffset + at, width).toString('utf8');
    texts.push(text.replace(/\0[\s\S]*$/, '').trimEnd());
  }
  return texts;
}

/** A text in the library's memory, up to its zero. */
function textAt(pointer: number): string {
  if (pointer === 0) return '';
  const end = library.HEAPU8.indexOf(0, pointer);
  return Buffer.from(library.HEAPU8.slice(pointer, end < 0 ? pointer : end)).toString('utf8');
}

function widen(data: Uint8Array<ArrayBuffer>, { signed, type, size }: Metadata): Uint8Array<ArrayBuffer> {
  if (type !== typeClass.integer || signed) return data;
  if (size === 2) return new Uint8Array(new Int32Array(new Uint16Array(data.buffer)).buffer);
  if (size === 4) return widenUint32(new Uint32Array(data.buffer));
  return data;
}
