/** Pictures as PNG bytes. Source: PNG specification, third edition (W3C, 2025), filter 4 (Paeth) on every row. */
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import { crc32 } from '../io/crc32.js';
import { ConfigError } from '../torch/errors.js';
import type { RgbImage } from './frames.js';

const deflated = promisify(deflate);

/**
 * A picture as the bytes of a PNG file, without loss. The same picture gives the same bytes.
 * @param texts - what the file says about itself: a keyword of 1 to 79 Latin letters, such as `Comment`, and a text
 */
export async function encodePng(picture: RgbImage, texts: Readonly<Record<string, string>> = {}): Promise<Uint8Array> {
  const { width, height, data } = picture;
  if (data.length !== width * height * 3 || width < 1 || height < 1)
    throw new ConfigError(`encodePng: expected width x height x 3 bytes, got ${width} x ${height} and ${data.length}`);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8); // 8 bits, RGB
  const rows = filtered(picture);
  const chunks = [chunk('IHDR', header), ...Object.entries(texts).map(([keyword, text]) => textChunk(keyword, text))];
  chunks.push(chunk('IDAT', await deflated(rows, { level: 4 })), chunk('IEND', Buffer.alloc(0)));
  return Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), ...chunks]);
}

/** International text, without compression. */
function textChunk(keyword: string, text: string): Buffer {
  if (!/^[\x20-\x7e]{1,79}$/.test(keyword))
    throw new ConfigError(`encodePng: expected a keyword of 1 to 79 Latin letters, got '${keyword}'`);
  return chunk('iTXt', Buffer.concat([Buffer.from(`${keyword}\0\0\0\0\0`, 'latin1'), Buffer.from(text, 'utf8')]));
}

function chunk(type: string, content: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(content.length, 0);
  out.set(body, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

/** Each byte less what its neighbours to the left, above, and above to the left let expect. */
function filtered({ width, height, data }: RgbImage): Uint8Array {
  const stride = 3 * width;
  const out = new Uint8Array((stride + 1) * height);
  for (let y = 0, to = 0, from = 0; y < height; y++) {
    out[to++] = 4;
    for (let x = 0; x < stride; x++, from++) {
      const left = x < 3 ? 0 : (data[from - 3] as number);
      const above = y === 0 ? 0 : (data[from - stride] as number);
      const corner = x < 3 || y === 0 ? 0 : (data[from - stride - 3] as number);
      const [toLeft, toAbove] = [above - corner, left - corner];
      const [a, b, c] = [Math.abs(toLeft), Math.abs(toAbove), Math.abs(toLeft + toAbove)];
      const expected = a <= b && a <= c ? left : b <= c ? above : corner;
      out[to++] = (data[from] as number) - expected;
    }
  }
  return out;
}
