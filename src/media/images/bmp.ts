/** Windows bitmaps, uncompressed 24 and 32 bit, which the image library does not decode. */
import { DataError } from '../../torch/errors.js';

/** @returns RGB, row-major from the top @throws DataError for other kinds and for files cut short */
export function decodeBmp(bytes: Uint8Array, where: string): { pixels: Uint8Array; width: number; height: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 54 || bytes[0] !== 0x42 || bytes[1] !== 0x4d) throw new DataError(`${where} is not a BMP image`);
  const [start, width, rawHeight] = [view.getUint32(10, true), view.getInt32(18, true), view.getInt32(22, true)];
  const [bits, compression] = [view.getUint16(28, true), view.getUint32(30, true)];
  if ((bits !== 24 && bits !== 32) || compression !== 0) {
    throw new DataError(
      `${where}: expected an uncompressed BMP of 24 or 32 bits, got ${bits} bits, compression ${compression}`,
    );
  }
  const height = Math.abs(rawHeight); // negative: stored from the top
  const stride = Math.ceil((width * bits) / 32) * 4;
  if (width <= 0 || height === 0 || start + stride * height > bytes.length) {
    throw new DataError(
      `${where} is cut short: a BMP of ${width}x${height} takes ${start + stride * height} bytes, got ${bytes.length}`,
    );
  }
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    let from = start + stride * (rawHeight > 0 ? height - 1 - y : y);
    for (let to = y * width * 3; to < (y + 1) * width * 3; to += 3, from += bits / 8) {
      pixels[to] = bytes[from + 2] as number;
      pixels[to + 1] = bytes[from + 1] as number;
      pixels[to + 2] = bytes[from] as number;
    }
  }
  return { pixels, width, height };
}
