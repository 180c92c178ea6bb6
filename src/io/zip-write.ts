/** Writing zip archives; zip64 where sizes ask for it. Format: PKWARE's APPNOTE.TXT 6.3.10. */

import { deflateRawSync } from 'node:zlib';
import { expectItems } from '../torch/expect.js';
import { AtomicFile } from './atomic.js';
import { crc32 } from './crc32.js';
import { full32, signature, type ZipEntry } from './zip.js';

/** A file to put in an archive. */
export interface ZipMember {
  readonly name: string;
  /** Its bytes, in pieces. */
  readonly pieces: readonly Uint8Array[];
}

/**
 * Writes an archive atomically, one member in memory at a time. Times are fixed (1980), so that the same content gives the same bytes.
 * @throws DataError when the file cannot be written
 */
export function writeZip(path: string, members: Iterable<ZipMember>, compress = false): void {
  expectItems('writeZip', members, 'members, { name, pieces } each');
  const file = new AtomicFile(path);
  try {
    const central: Uint8Array[] = [];
    let offset = 0;
    for (const { name, pieces } of members) {
      const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
      const crc = pieces.reduce((sum, piece) => crc32(piece, sum), 0);
      const data = compress
        ? [deflateRawSync(pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces))]
        : pieces;
      const packed = data.reduce((sum, piece) => sum + piece.length, 0);
      const entry: ZipEntry = { name, deflated: compress, packed, size, crc, header: offset };
      const head = encodeEntry(entry, false);
      for (const piece of [head, ...data]) file.write(piece);
      central.push(encodeEntry(entry, true));
      offset += head.length + packed;
    }
    const directory = Buffer.concat(central);
    file.write(directory);
    file.write(encodeEnd(offset, directory.length, central.length));
    file.commit();
  } finally {
    file.abort();
  }
}

/** A local header, or the member's entry in the directory. */
function encodeEntry({ name, deflated, packed, size, crc, header }: ZipEntry, central: boolean): Buffer {
  const label = Buffer.from(name);
  const wide = [size, packed, header].some((value) => value >= full32);
  const extra = Buffer.alloc(wide ? (central ? 28 : 20) : 0);
  if (wide) {
    extra.writeUInt16LE(1, 0);
    extra.writeUInt16LE(extra.length - 4, 2);
    const values = central ? [size, packed, header] : [size, packed];
    for (const [i, value] of values.entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i);
  }
  const head = Buffer.alloc(central ? 46 : 30);
  const version = wide ? 45 : 20;
  head.writeUInt32LE(central ? signature.central : signature.local, 0);
  if (central) head.writeUInt16LE(version, 4); // made by
  const at = central ? 6 : 4;
  head.writeUInt16LE(version, at); // needed
  head.writeUInt16LE(0x0800, at + 2); // names are UTF-8
  head.writeUInt16LE(deflated ? 8 : 0, at + 4);
  head.writeUInt16LE(0, at + 6); // midnight
  head.writeUInt16LE(0x21, at + 8); // 1 January 1980
  head.writeUInt32LE(crc, at + 10);
  head.writeUInt32LE(wide ? full32 : packed, at + 14);
  head.writeUInt32LE(wide ? full32 : size, at + 18);
  head.writeUInt16LE(label.length, at + 22);
  head.writeUInt16LE(extra.length, at + 24);
  if (central) head.writeUInt32LE(wide ? full32 : header, 42);
  return Buffer.concat([head, label, extra]);
}

function encodeEnd(start: number, size: number, count: number): Buffer {
  const wide = start >= full32 || size >= full32 || count >= 0xffff;
  const end = Buffer.alloc(wide ? 98 : 22);
  const at = wide ? 76 : 0;
  if (wide) {
    end.writeUInt32LE(signature.end64, 0);
    end.writeBigUInt64LE(44n, 4);
    end.writeUInt16LE(45, 12);
    end.writeUInt16LE(45, 14);
    for (const [i, value] of [count, count, size, start].entries()) end.writeBigUInt64LE(BigInt(value), 24 + 8 * i);
    end.writeUInt32LE(signature.locator64, 56);
    end.writeBigUInt64LE(BigInt(start + size), 64);
    end.writeUInt32LE(1, 72);
  }
  end.writeUInt32LE(signature.end, at);
  end.writeUInt16LE(wide ? 0xffff : count, at + 8);
  end.writeUInt16LE(wide ? 0xffff : count, at + 10);
  end.writeUInt32LE(wide ? full32 : size, at + 12);
  end.writeUInt32LE(wide ? full32 : start, at + 16);
  return end;
}
