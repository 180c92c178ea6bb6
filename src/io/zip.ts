/**
 * Zip archives: members stored or deflated, zip64 included, read one by one at any place; nothing is ever unpacked to disk.
 * Node's zlib does the deflating. We read the directory ourselves: npm's readers either hold the whole archive in memory (fflate, jszip)
 * or are asynchronous streams without random access (yauzl), and readers here are synchronous and lazy.
 * Format: PKWARE's APPNOTE.TXT 6.3.10.
 */
import { DataError } from '../torch/errors.js';
import { ByteRange } from './bytes.js';
import { crc32 } from './crc32.js';
import { FileReader } from './file.js';
import { inflateExactly, inflateHead, maxRatio } from './inflate.js';
import { checkLimits, checkStructure, checkUnpacked, type ReadLimits } from './limits.js';

/** A file in an archive. */
export interface ZipEntry {
  readonly name: string;
  readonly deflated: boolean;
  /** Bytes in the archive, and when unpacked. */
  readonly packed: number;
  readonly size: number;
  readonly crc: number;
  /** Where its local header begins. */
  readonly header: number;
}

/** The marks of an archive's records. */
export const signature = {
  local: 0x04034b50,
  central: 0x02014b50,
  end: 0x06054b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
};
/** A 32-bit field that says: see the 64-bit one. */
export const full32 = 0xffffffff;
/** The end record: 22 bytes and a comment of at most 65,535. */
const endSearch = 22 + 0xffff;
/** What an entry takes in memory, its name apart. */
const entryMemory = 512;

/** A directory's entries, and where the member after each begins. */
interface Members {
  readonly entries: ReadonlyMap<string, ZipEntry>;
  readonly ends: ReadonlyMap<ZipEntry, number>;
}

/** An open archive. Its directory is read and checked, the members only when asked for. */
export class ZipFile {
  private constructor(
    private readonly file: FileReader,
    private readonly members: Members,
    private readonly limits: ReadLimits,
  ) {}

  /** @throws DataError for damaged archives, encrypted or overlapping members, hostile names and impossible sizes */
  static open(path: string, limits: ReadLimits = {}): ZipFile {
    checkLimits('ZipFile.open', limits);
    const file = FileReader.open(path);
    try {
      return new ZipFile(file, readDirectory(file, limits), limits);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  get path(): string {
    return this.file.path;
  }

  /** Bytes of the archive. */
  get size(): number {
    return this.file.size;
  }

  get entries(): ReadonlyMap<string, ZipEntry> {
    return this.members.entries;
  }

  /** Where a stored member's bytes lie in the archive, or null when it is deflated. */
  stored(entry: ZipEntry): ByteRange | null {
    return entry.deflated ? null : new ByteRange(this.file, this.dataStart(entry), entry.size);
  }

  /**
   * A member's bytes, checked against its checksum.
   * @throws DataError when it is damaged, announces more than may be unpacked, or unpacks to another size than it announces
   */
  read(entry: ZipEntry): Uint8Array {
    const where = this.describe(entry);
    if (entry.deflated) checkUnpacked(where, entry.size, entry.packed, this.limits);
    const packed = this.file.read(this.dataStart(entry), entry.packed);
    const bytes = entry.deflated ? inflateExactly('raw', packed, entry.size, where) : packed;
    if (crc32(bytes) !== entry.crc) throw new DataError(`${where} is damaged (its checksum does not fit)`);
    return bytes;
  }

  /** The first bytes of a member, `length` of them or more, without the rest; for headers. */
  head(entry: ZipEntry, length: number): Uint8Array {
    const packed = this.file.read(this.dataStart(entry), Math.min(entry.packed, length + 1024));
    return entry.deflated ? inflateHead('raw', packed, length, this.describe(entry)) : packed;
  }

  private describe(entry: ZipEntry): string {
    return `${this.path}: the member '${entry.name}'`;
  }

  /** The local header repeats the name and may carry other extra fields, so only it knows where the data begins. */
  private dataStart(entry: ZipEntry): number {
    const head = view(this.file.read(entry.header, 30));
    const start = entry.header + 30 + head.getUint16(26, true) + head.getUint16(28, true);
    if (head.getUint32(0, true) !== signature.local || start + entry.packed > (this.members.ends.get(entry) ?? 0)) {
      throw new DataError(`${this.describe(entry)} is not where the directory says`);
    }
    return start;
  }

  /** Safe to call twice. */
  close(): void {
    this.file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

interface Directory {
  readonly start: number;
  readonly size: number;
  readonly count: number;
}

function readDirectory(file: FileReader, limits: ReadLimits): Members {
  const { start, size, count } = findDirectory(file);
  if (count * 46 > size || start + size > file.size) {
    throw new DataError(`${file.path} is damaged: its directory of ${count} members does not fit in ${size} bytes`);
  }
  checkStructure(file.path, count * entryMemory + size, limits);
  const bytes = file.read(start, size);
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    const { entry, next } = readEntry(bytes, at, file);
    at = next;
    if (entries.has(entry.name)) throw new DataError(`${file.path} holds two members called '${entry.name}'`);
    if (!entry.name.endsWith('/')) entries.set(entry.name, entry);
  }
  return { entries, ends: refuseOverlaps([...entries.values()], start, file.path) };
}

function findDirectory(file: FileReader): Directory {
  const length = Math.min(file.size, endSearch);
  const tail = view(file.read(file.size - length, length));
  for (let at = length - 22; at >= 0; at--) {
    if (tail.getUint32(at, true) !== signature.end || at + 22 + tail.getUint16(at + 20, true) !== length) continue;
    const [disk, count] = [tail.getUint16(at + 4, true), tail.getUint16(at + 10, true)];
    const [size, start] = [tail.getUint32(at + 12, true), tail.getUint32(at + 16, true)];
    if (count === 0xffff || size === full32 || start === full32) return findDirectory64(file, file.size - length + at);
    if (disk !== 0) throw new DataError(`${file.path} is one part of a split archive; join the parts first`);
    return { start, size, count };
  }
  throw new DataError(`${file.path} is not a zip archive, or is cut short: it has no directory at its end`);
}

function findDirectory64(file: FileReader, end: number): Directory {
  if (end < 20) throw new DataError(`${file.path} is damaged: its 64-bit directory is missing`);
  const locator = view(file.read(end - 20, 20));
  const at = locator.getUint32(0, true) === signature.locator64 ? safe(locator.getBigUint64(8, true), file) : file.size;
  if (at + 56 > file.size) throw new DataError(`${file.path} is damaged: its 64-bit directory is missing`);
  const record = view(file.read(at, 56));
  if (record.getUint32(0, true) !== signature.end64) {
    throw new DataError(`${file.path} is damaged: its 64-bit directory is not where it should be`);
  }
  const [count, size, start] = [32, 40, 48].map((offset) => safe(record.getBigUint64(offset, true), file));
  return { count: count as number, size: size as number, start: start as number };
}

function safe(value: bigint, file: FileReader): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new DataError(`${file.path} is damaged: a size of ${value} bytes`);
  return Number(value);
}

function readEntry(bytes: Uint8Array, at: number, file: FileReader): { entry: ZipEntry; next: number } {
  const cut = (): DataError => new DataError(`${file.path} is damaged: its directory is cut short`);
  if (at + 46 > bytes.length) throw cut();
  const head = view(bytes.subarray(at, at + 46));
  if (head.getUint32(0, true) !== signature.central)
    throw new DataError(`${file.path} is damaged: a bad directory entry`);
  const [flags, method, crc] = [head.getUint16(8, true), head.getUint16(10, true), head.getUint32(16, true)];
  const [nameLength, extraLength, commentLength] = [28, 30, 32].map((o) => head.getUint16(o, true)) as [
    number,
    number,
    number,
  ];
  const next = at + 46 + nameLength + extraLength + commentLength;
  if (next > bytes.length) throw cut();
  const name = memberName(bytes.subarray(at + 46, at + 46 + nameLength), file.path);
  if ((flags & 1) !== 0) throw new DataError(`${file.path}: the member '${name}' is encrypted`);
  if (method !== 0 && method !== 8) {
    throw new DataError(
      `${file.path}: the member '${name}' is packed by method ${method}; only stored and deflated ones are read`,
    );
  }
  const extra = bytes.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength);
  const [size, packed, header] = wideSizes(head, extra, file);
  const possible = method === 0 ? packed === size : size <= packed * maxRatio + maxRatio;
  if (!possible || packed > file.size || header + 30 > file.size) {
    throw new DataError(
      `${file.path}: the member '${name}' claims ${packed} bytes that unpack to ${size}, which cannot be`,
    );
  }
  return { entry: { name, deflated: method === 8, packed, size, crc, header }, next };
}

/** Sizes and place, from the zip64 extra field where the 32-bit fields are full. */
function wideSizes(
  head: DataView,
  extra: Uint8Array,
  file: FileReader,
): [size: number, packed: number, header: number] {
  const narrow = [24, 20, 42].map((offset) => head.getUint32(offset, true));
  const fields = view(extra);
  for (let at = 0; at + 4 <= extra.length; at += 4 + fields.getUint16(at + 2, true)) {
    if (fields.getUint16(at, true) !== 1) continue;
    let from = at + 4;
    const end = Math.min(extra.length, from + fields.getUint16(at + 2, true));
    for (let i = 0; i < 3; i++) {
      if (narrow[i] !== full32) continue;
      if (from + 8 > end) throw new DataError(`${file.path} is damaged: a 64-bit size is missing`);
      narrow[i] = safe(fields.getBigUint64(from, true), file);
      from += 8;
    }
    break;
  }
  return narrow as [number, number, number];
}

/** What leads out of a folder, or hides: control characters, damaged UTF-8, backslashes, roots and drives, `..`. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const hostileName = /[\u0000-\u001f\ufffd\\]|^\/|^[a-z]:|(^|\/)\.\.(\/|$)/i;

/** Names are only keys here, yet a name that could lead a program out of its folder is a sign of a hostile archive. */
function memberName(bytes: Uint8Array, path: string): string {
  const name = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  if (name === '' || hostileName.test(name)) {
    throw new DataError(`${path}: the member name ${JSON.stringify(name.slice(0, 100))} is not a plain relative path`);
  }
  return name;
}

/** Members that share bytes are how small archives claim to hold huge ones. Returns where each one's room ends. */
function refuseOverlaps(entries: ZipEntry[], directory: number, path: string): Map<ZipEntry, number> {
  entries.sort((a, b) => a.header - b.header);
  const ends = new Map<ZipEntry, number>();
  entries.forEach((entry, i) => {
    const next = entries[i + 1]?.header ?? directory;
    if (entry.header + 30 + Buffer.byteLength(entry.name) + entry.packed > next) {
      throw new DataError(`${path}: the member '${entry.name}' overlaps the one after it`);
    }
    ends.set(entry, next);
  });
  return ends;
}
