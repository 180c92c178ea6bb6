/** FLAC files of silence, which shrinks to nearly nothing. Format: RFC 9639. */

const BLOCK = 65_535; // samples a frame, the most there can be

function remainder(bytes: Uint8Array, polynomial: number, bits: number): number {
  const top = 2 ** (bits - 1);
  let value = 0;
  for (const byte of bytes) {
    value ^= byte << (bits - 8);
    for (let i = 0; i < 8; i++) value = ((value << 1) ^ (value & top ? polynomial : 0)) & (2 * top - 1);
  }
  return value;
}

/** One channel of 16 bits, 48,000 samples a second. @param frames at most 2,047, of 65,535 samples each */
export function silentFlac(frames: number): Buffer {
  const head = Buffer.alloc(42);
  head.write('fLaC', 0);
  head.writeUInt32BE(0x80000022, 4); // the last block of metadata, of 34 bytes
  head.writeUInt16BE(BLOCK, 8);
  head.writeUInt16BE(BLOCK, 10);
  head.writeBigUInt64BE((48_000n << 44n) | (15n << 36n) | BigInt(BLOCK * frames), 18);
  return Buffer.concat([head, ...Array.from({ length: frames }, (_, i) => silentFrame(i))]);
}

function silentFrame(number: number): Buffer {
  const coded = number < 0x80 ? [number] : [0xc0 | (number >> 6), 0x80 | (number & 63)];
  // Sync, then: a size of 16 bits follows and 48 kHz; one channel of 16 bits.
  const head = Buffer.from([0xff, 0xf8, 0x7a, 0x08, ...coded, 0xff, 0xfe]);
  const frame = Buffer.concat([head, Buffer.of(remainder(head, 0x07, 8), 0, 0, 0)]); // a constant subframe of 0
  const end = Buffer.alloc(2);
  end.writeUInt16BE(remainder(frame, 0x8005, 16));
  return Buffer.concat([frame, end]);
}
