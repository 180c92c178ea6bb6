/** Where the parts of a file of `torch.save` lie: a zip archive since PyTorch 1.6, pickles and numbers one after the other before. */
import { DTYPES } from '../torch/dtype.js';
import { DataError } from '../torch/errors.js';
import { ByteRange, type ByteSource, MemoryBytes } from './bytes.js';
import type { FileReader } from './file.js';
import { checkUnpacked, type ReadLimits } from './limits.js';
import { PickleMachine } from './pickle-machine.js';
import { settle } from './pickle-settle.js';
import type { PickleHost, PickleValue } from './pickle-values.js';
import { TorchPolicy } from './torch-policy.js';
import type { TorchStorage } from './torch-tensor.js';
import type { ZipEntry, ZipFile } from './zip.js';

const bigEndian = 'was written on a big-endian machine, whose numbers are not read: load and save it on another';

/** The value of an archive: `NAME/data.pkl`, `NAME/data/0`, `NAME/data/1`, ... */
export function readArchive(zip: ZipFile, limits: ReadLimits): PickleValue {
  const names = [...zip.entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (names.length !== 1) {
    throw new DataError(
      `${zip.path}: expected an archive of torch.save, which holds NAME/data.pkl; found ${names.length}`,
    );
  }
  const folder = (names[0] as string).slice(0, -'data.pkl'.length);
  if (zip.entries.has(`${folder}constants.pkl`)) {
    throw new DataError(
      `${zip.path} is a TorchScript program, which is not read: save the state_dict() of torch.jit.load(..) in Python`,
    );
  }
  const packed = [...zip.entries.values()].filter((entry) => entry.deflated); // by somebody else: PyTorch packs nothing
  const total = (of: 'size' | 'packed') => packed.reduce((sum, entry) => sum + entry[of], 0);
  checkUnpacked(`${zip.path}: what is compressed in it`, total('size'), total('packed'), limits);
  const order = zip.entries.get(`${folder}byteorder`);
  if (order !== undefined && Buffer.from(zip.read(order)).toString('latin1').trim() !== 'little') {
    throw new DataError(`${zip.path} ${bigEndian}`);
  }
  const policy = new TorchPolicy((host, storage) => {
    const entry = zip.entries.get(`${folder}data/${storage.key}`);
    if (entry === undefined) return host.fail(`the archive has no member '${folder}data/${storage.key}'`);
    checkSize(host, storage, entry.size);
    storage.lieAt(placeOf(zip, entry));
  });
  const pickle = rangeOf(zip, zip.entries.get(names[0] as string) as ZipEntry);
  const source = new PartOf(pickle, `${zip.path}, ${names[0]}`);
  const machine = new PickleMachine(source, policy, limits);
  return settle(machine.run(), machine, source.size, 'utf8');
}

/** A member's bytes in the archive, or unpacked in memory where somebody has packed them. */
function rangeOf(zip: ZipFile, entry: ZipEntry): ByteRange {
  return zip.stored(entry) ?? new ByteRange(new MemoryBytes(zip.read(entry), zip.path), 0, entry.size);
}

function placeOf(zip: ZipFile, entry: ZipEntry): () => ByteRange {
  let range: ByteRange | null = null;
  return () => {
    range ??= rangeOf(zip, entry);
    return range;
  };
}

function checkSize(host: PickleHost, storage: TorchStorage, bytes: number): void {
  if (bytes === storage.byteLength) return;
  host.fail(
    `storage '${storage.key}' of ${storage.length} ${storage.dtype} takes ${storage.byteLength} bytes, ${bytes} are there`,
  );
}

/** A part of a file as a source of its own, so that its pickle begins at 0 and ends where it ends. */
class PartOf implements ByteSource {
  constructor(
    private readonly range: ByteRange,
    readonly path: string,
  ) {}

  get size(): number {
    return this.range.length;
  }

  read(offset: number, length: number): Uint8Array {
    if (offset < 0 || length < 0 || offset + length > this.size)
      throw new DataError(`${this.path}: expected ${length} bytes at ${offset} of ${this.size}`);
    return this.range.read(offset, offset + length);
  }
}

/** PROTO 2, LONG1 of ten bytes: torch.serialization's MAGIC_NUMBER. */
const legacyStart = '80028a0a6cfc9c46f9206aa850192e';
const legacyProtocol = 1001;

export function isLegacy(file: FileReader): boolean {
  const start = file.read(0, Math.min(file.size, legacyStart.length / 2));
  return Buffer.from(start).toString('hex') === legacyStart;
}

/** The value of an older file: pickles of a magic number, a version, the machine, the value, the storages' keys; then each one's numbers. */
export function readLegacy(file: FileReader, limits: ReadLimits): PickleValue {
  const policy = new TorchPolicy(() => {});
  let position = 0;
  const next = (): PickleValue => {
    const machine = new PickleMachine(file, policy, limits, position);
    const value = settle(machine.run(false), machine, file.size, 'utf8');
    position = machine.cursor.position;
    return value;
  };
  next();
  const version = next();
  if (version !== legacyProtocol) {
    throw new DataError(
      `${file.path}: expected version ${legacyProtocol} of torch.save's older files, got ${String(version)}`,
    );
  }
  const machine = next();
  if (!(machine instanceof Map) || machine.get('little_endian') !== true)
    throw new DataError(`${file.path} ${bigEndian}`);
  const value = next();
  const keys = next();
  if (!Array.isArray(keys)) throw new DataError(`${file.path}: expected a list of storages after the value`);
  for (const key of keys as readonly PickleValue[]) position = placeLegacy(file, policy, key, position);
  const listed = new Set<PickleValue>(keys as readonly PickleValue[]);
  for (const [key, storage] of policy.storages) if (!listed.has(key)) throw cut(file, storage);
  if (position !== file.size)
    throw new DataError(`${file.path}: ${file.size - position} bytes follow its last storage`);
  return value;
}

/** A storage's length in 8 bytes, and its numbers. Returns where they end. */
function placeLegacy(file: FileReader, policy: TorchPolicy, key: PickleValue, position: number): number {
  const storage = typeof key === 'string' ? policy.storages.get(key) : undefined;
  if (storage === undefined) throw new DataError(`${file.path}: no tensor uses the storage ${String(key)}`);
  if (position + 8 + storage.byteLength > file.size) throw cut(file, storage);
  const length = new DataView(file.read(position, 8).buffer).getBigUint64(0, true);
  if (length !== BigInt(storage.length)) {
    throw new DataError(
      `${file.path}: storage '${storage.key}' has ${length} elements, its tensors expect ${storage.length}`,
    );
  }
  const range = new ByteRange(file, position + 8, storage.length * DTYPES[storage.dtype].bytes);
  storage.lieAt(() => range);
  return position + 8 + storage.byteLength;
}

function cut(file: FileReader, { key, byteLength }: TorchStorage): DataError {
  return new DataError(`${file.path} is cut short: the ${byteLength} bytes of storage '${key}' are not there`);
}
