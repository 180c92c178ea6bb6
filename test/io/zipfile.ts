/** Zip archives put together from the format's public description, sound or with chosen faults. */
import { crc32 } from './crc.js';

export interface Member {
  readonly name: string;
  /** As it lies in the archive. */
  readonly data: Buffer;
  readonly method?: number;
  /** Unpacked size: that of `data` without it. */
  readonly size?: number;
  /** The unpacked content, for the checksum. */
  readonly of?: Buffer;
  readonly crc?: number;
  readonly flags?: number;
  readonly header?: number;
  /** Sizes in 64 bits. */
  readonly wide?: boolean;
}

export function zip(members: readonly Member[], options: { wide?: boolean; count?: number } = {}): Buffer {
  const parts: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const member of members) {
    const name = Buffer.from(member.name);
    const fields = common(member, name.length);
    const local = Buffer.concat([number(0x04034b50, 4), fields, number(0, 2), name, member.data]);
    const extra = member.wide
      ? Buffer.concat([number(1, 2), number(16, 2), long(member.size ?? member.data.length), long(member.data.length)])
      : Buffer.alloc(0);
    const tail = [
      number(extra.length, 2),
      number(0, 2),
      number(0, 2),
      number(0, 2),
      number(0, 4),
      number(member.header ?? offset, 4),
    ];
    central.push(Buffer.concat([number(0x02014b50, 4), number(20, 2), fields, ...tail, name, extra]));
    parts.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(central);
  const count = options.count ?? members.length;
  const wide = options.wide === true;
  const end64 = Buffer.concat([
    number(0x06064b50, 4),
    long(44),
    number(45, 2),
    number(45, 2),
    number(0, 4),
    number(0, 4),
    long(count),
    long(count),
    long(directory.length),
    long(offset),
  ]);
  const locator = Buffer.concat([number(0x07064b50, 4), number(0, 4), long(offset + directory.length), number(1, 4)]);
  const end = Buffer.concat([
    number(0x06054b50, 4),
    number(0, 4),
    number(wide ? 0xffff : count, 2),
    number(wide ? 0xffff : count, 2),
    number(wide ? 0xffffffff : directory.length, 4),
    number(wide ? 0xffffffff : offset, 4),
    number(0, 2),
  ]);
  return Buffer.concat([...parts, directory, ...(wide ? [end64, locator] : []), end]);
}

/** The fields that the local header and the directory share, up to the name's length. */
function common(
  { data, method = 0, size = data.length, of = data, crc, flags = 0, wide }: Member,
  name: number,
): Buffer {
  const sizes = wide ? [0xffffffff, 0xffffffff] : [data.length, size];
  return Buffer.concat([
    number(20, 2),
    number(flags, 2),
    number(method, 2),
    number(0, 4),
    number(crc ?? crc32(of), 4),
    ...sizes.map((value) => number(value, 4)),
    number(name, 2),
  ]);
}

function number(value: number, width: number): Buffer {
  const bytes = Buffer.alloc(width);
  bytes.writeUIntLE(value, 0, width);
  return bytes;
}

function long(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
