/** How a file wants its frames shown: telephones store what the sensor saw, and how they were held; discs and broadcasts, wide pixels. */
import type { Rational, Stream } from 'node-av/lib';
import type { FFmpeg } from './ffmpeg.js';

/**
 * A turn by a multiple of 90 degrees, mirrored or not: the shown pixel (x, y) is the stored one at
 * `(xx x + xy y, yx x + yy y)`, counted from the far side where a factor is -1.
 */
export interface View {
  readonly xx: number;
  readonly xy: number;
  readonly yx: number;
  readonly yy: number;
}

const AS_STORED: View = { xx: 1, xy: 0, yx: 0, yy: 1 };

/** What the stream's display matrix asks for. */
export function viewOf(ff: FFmpeg, stream: Stream): View {
  const data = stream.codecpar.getCodedSideData(ff.constants.AV_PKT_DATA_DISPLAYMATRIX);
  if (data === null || data.length < 36) return AS_STORED;
  return viewOfMatrix(Array.from({ length: 9 }, (_, i) => data.readInt32LE(4 * i)));
}

/**
 * FFmpeg's matrix (a b u, c d v, x y w, in 16.16 fixed point) sends the stored (p, q) to the shown (a p + c q, b p + d q).
 * Other angles than multiples of 90 degrees are rounded to them.
 */
export function viewOfMatrix(matrix: readonly number[]): View {
  const [a = 0, b = 0, , c = 0, d = 0] = matrix;
  if (Math.abs(a) + Math.abs(d) >= Math.abs(b) + Math.abs(c)) {
    return { xx: Math.sign(a) || 1, xy: 0, yx: 0, yy: Math.sign(d) || 1 };
  }
  return { xx: 0, xy: Math.sign(b) || 1, yx: Math.sign(c) || 1, yy: 0 };
}

/** Width and height of a stored picture as it is shown, or the other way round. */
export function turned(view: View, width: number, height: number): [number, number] {
  return view.xx === 0 ? [height, width] : [width, height];
}

/**
 * Width of a pixel over its height: the container's word counts before the picture's own, as players have it; 1 where neither says.
 * @param own - what the decoded picture, or the stream's description, says
 */
export function pixelAspect(stream: Stream, own: Rational): number {
  const said = [stream.sampleAspectRatio, own].find(({ num, den }) => num > 0 && den > 0);
  return said === undefined ? 1 : said.num / said.den;
}

/** Width and height of a stored picture as it is shown with square pixels: as high as it is stored, and an even number wide. */
export function shownSize(
  view: View,
  { width, height }: { readonly width: number; readonly height: number },
  aspect: number,
): [number, number] {
  return turned(view, aspect === 1 ? width : Math.max(2, 2 * Math.round((width * aspect) / 2)), height);
}

/**
 * Turns RGB pixels.
 * @param width - of the stored picture
 * @returns `pixels` itself where nothing is to be done
 */
export function turn(view: View, pixels: Uint8Array, width: number, height: number): Uint8Array {
  const { xx, xy, yx, yy } = view;
  if (xx === 1 && yy === 1) return pixels;
  const [shownWidth, shownHeight] = turned(view, width, height);
  const out = new Uint8Array(pixels.length);
  const fromX = xx + xy < 0 ? width - 1 : 0;
  const fromY = yx + yy < 0 ? height - 1 : 0;
  const step = 3 * (xx + yx * width);
  for (let y = 0, to = 0; y < shownHeight; y++) {
    let from = 3 * (fromX + xy * y + width * (fromY + yy * y));
    for (let x = 0; x < shownWidth; x++, to += 3, from += step) {
      out[to] = pixels[from] as number;
      out[to + 1] = pixels[from + 1] as number;
      out[to + 2] = pixels[from + 2] as number;
    }
  }
  return out;
}
