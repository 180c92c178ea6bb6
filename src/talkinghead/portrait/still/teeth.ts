/** Teeth that a photograph shows between the lips. */

import type { RgbImage } from '../../../media/frames.js';
import { headFrame } from './head-frame.js';
import { quantile } from './light.js';
import { lipLine } from './lip-line.js';
import { fillPolygon } from './planes.js';
import { checkHead, checkPicture, type PicturedHead, type Rgb } from './types.js';

export interface OwnTeeth {
  /** Whether teeth are seen. */
  readonly seen: boolean;
  /** 0 to 1: how much of the strip between the lips is tooth. */
  readonly share: number;
  /** The colour of the well-lit ones; null where none are seen. */
  readonly colour: Rgb | null;
}

/** The pixels of the outer lips' outline that are not within the inner one: the lips themselves. */
export function lipPixels({ width, height }: RgbImage, { landmarks }: PicturedHead): Uint8Array {
  const set = new Uint8Array(width * height);
  fillPolygon(set, width, height, landmarks.subarray(96, 120), 1);
  fillPolygon(set, width, height, landmarks.subarray(120, 136), 0);
  return set;
}

/**
 * Whether the photograph shows teeth: pixels along the lip line, on its upper side, that are paler than the lips by more than
 * two fifths and hardly darker than them.
 * @throws ConfigError, ShapeError
 */
export function ownTeeth(picture: RgbImage, head: PicturedHead): OwnTeeth {
  const where = 'ownTeeth';
  checkPicture(where, picture);
  checkHead(where, head);
  const { width, height } = picture;
  const { size, down } = headFrame(head);
  const lips = lipPixels(picture, head);
  const inLips = Array.from(lips.keys()).filter((i) => lips[i]);
  if (inLips.length === 0) return { seen: false, share: 0, colour: null };
  const lipRed = quantile(
    inLips.map((i) => redness(picture, i)),
    0.5,
  );
  const lipBright = quantile(
    inLips.map((i) => brightness(picture, i)),
    0.5,
  );
  const { points } = lipLine(picture, head);
  const teeth: number[] = [];
  let looked = 0;
  for (let k = 6; k < 15; k++) {
    for (let up = 0; up < 6; up++) {
      const away = (0.008 + (0.032 * up) / 5) * size;
      const [x, y] = [Math.floor(points[2 * k]! - away * down[0]), Math.floor(points[2 * k + 1]! - away * down[1])];
      if (x < 0 || y < 0 || x >= width || y >= height) continue;
      const at = y * width + x;
      looked++;
      if (redness(picture, at) < 0.6 * lipRed && brightness(picture, at) > 0.75 * lipBright) teeth.push(at);
    }
  }
  const share = looked === 0 ? 0 : teeth.length / looked;
  const seen = share > 0.3;
  return { seen, share, colour: seen ? brightColour(picture, teeth) : null };
}

/** How much red is above green, as a share of all: blood shows, whatever the light. */
function redness({ data }: RgbImage, i: number): number {
  const [red, green, blue] = [data[3 * i]!, data[3 * i + 1]!, data[3 * i + 2]!];
  return (red - green) / Math.max(red + green + blue, 30);
}

const brightness = ({ data }: RgbImage, i: number): number => (data[3 * i]! + data[3 * i + 1]! + data[3 * i + 2]!) / 3;

/** The mean of the brightest quarter. */
function brightColour(picture: RgbImage, pixels: readonly number[]): Rgb {
  const level = quantile(
    pixels.map((i) => brightness(picture, i)),
    0.75,
  );
  const bright = pixels.filter((i) => brightness(picture, i) >= level);
  const mean = (c: number): number => bright.reduce((sum, i) => sum + picture.data[3 * i + c]!, 0) / bright.length;
  return [mean(0), mean(1), mean(2)];
}
