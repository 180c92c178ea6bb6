/** Netpbm images (PPM, PGM, PBM), which the image library does not decode. Format: https://netpbm.sourceforge.net/doc/ */
import { DataError } from '../../torch/errors.js';

export function isNetpbm(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && (bytes[1] as number) >= 0x31 && (bytes[1] as number) <= 0x36;
}

/** The most pixels of an image that are decoded: the image library's own limit. */
const mostPixels = 268_402_689;

/** @returns RGB, row-major @throws DataError for damaged files and for files cut short */
export function decodeNetpbm(bytes: Uint8Array, where: string): { pixels: Uint8Array; width: number; height: number } {
  const kind = (bytes[1] as number) - 0x30;
  const [plain, bitmap, channels] = [kind <= 3, kind % 3 === 1, kind % 3 === 0 ? 3 : 1];
  const header = numbersAt(bytes, 2, bitmap ? 2 : 3, where);
  const [width, height, most = 1] = header.numbers as [number, number, number?];
  const total = width * height * channels;
  if (width * height > mostPixels || width * height === 0 || most < 1 || most > 65535) {
    throw new DataError(`${where}: expected a Netpbm image of 1 to ${mostPixels} pixels of 16 bits at most`);
  }
  let samples: ArrayLike<number>;
  if (plain && bitmap) samples = plainBits(bytes, header.end, total, where);
  else if (plain) samples = numbersAt(bytes, header.end, total, where).numbers;
  else samples = rawSamples(bytes.subarray(header.end + 1), { bitmap, wide: most > 255, width, total }, where);
  const pixels = new Uint8Array(width * height * 3);
  for (let i = 0; i < pixels.length; i++) {
    const sample = samples[channels === 3 ? i : Math.floor(i / 3)] as number;
    pixels[i] = bitmap ? 255 * (1 - sample) : Math.round((255 * Math.min(sample, most)) / most); // a bit of 1 is black
  }
  return { pixels, width, height };
}

const isSpace = (byte: number | undefined): boolean => byte === 0x20 || (byte !== undefined && byte >= 9 && byte <= 13);

/** Whole numbers with spaces and comments between. */
function numbersAt(bytes: Uint8Array, from: number, count: number, where: string): { numbers: number[]; end: number } {
  const numbers: number[] = [];
  let at = from;
  while (numbers.length < count) {
    while (isSpace(bytes[at]) || bytes[at] === 0x23) {
      if (bytes[at] === 0x23) while (at < bytes.length && bytes[at] !== 10) at++;
      at++;
    }
    let value = -1;
    for (; (bytes[at] as number) >= 0x30 && (bytes[at] as number) <= 0x39; at++) {
      value = Math.max(0, value) * 10 + (bytes[at] as number) - 0x30;
    }
    if (value < 0) throw new DataError(`${where} is cut short or damaged: expected a number at byte ${at}`);
    numbers.push(value);
  }
  return { numbers, end: at };
}

function plainBits(bytes: Uint8Array, from: number, total: number, where: string): Uint8Array {
  const bits = bytes.subarray(from).filter((byte) => byte === 0x30 || byte === 0x31);
  if (bits.length < total) throw new DataError(`${where} is cut short: expected ${total} bits, got ${bits.length}`);
  return bits.map((byte) => byte - 0x30);
}

function rawSamples(
  bytes: Uint8Array,
  form: { bitmap: boolean; wide: boolean; width: number; total: number },
  where: string,
): ArrayLike<number> {
  const { bitmap, wide, width, total } = form;
  const stride = Math.ceil(width / 8);
  const expected = bitmap ? (stride * total) / width : total * (wide ? 2 : 1);
  if (bytes.length < expected) {
    throw new DataError(`${where} is cut short: expected ${expected} bytes of pixels, got ${bytes.length}`);
  }
  if (bitmap) {
    return Uint8Array.from({ length: total }, (_, i) => {
      const x = i % width;
      return ((bytes[Math.floor(i / width) * stride + (x >> 3)] as number) >> (7 - (x & 7))) & 1;
    });
  }
  if (!wide) return bytes;
  return Uint16Array.from({ length: total }, (_, i) => ((bytes[2 * i] as number) << 8) | (bytes[2 * i + 1] as number));
}
