/** The grain of a photograph: film, sensor noise, a painting's canvas. */

import type { RgbImage } from '../../../media/frames.js';
import { quantile } from './light.js';
import { blur } from './planes.js';
import { checkPicture, checkPlane, planesOf, type Rgb } from './types.js';

export interface Grain {
  /** Standard deviation of each channel, 0 to 255, where the picture is smooth. */
  readonly strength: Rgb;
  /** How alike neighbouring pixels' grain is, 0 (each for itself) to 1. */
  readonly likeness: number;
  /** How alike the channels' grain is, 0 (coloured) to 1 (grey). */
  readonly together: number;
}

/**
 * How grainy a picture is where it is smooth: what remains when a blur is taken away, of the calmest third of small blocks, so
 * that edges and hair do not count.
 * @param mask - `[H * W]`: not 0 where to look; by default everywhere
 * @throws ConfigError, ShapeError
 */
export function grainOf(picture: RgbImage, mask?: Uint8Array): Grain {
  const where = 'grainOf';
  checkPicture(where, picture);
  if (mask) checkPlane(where, 'mask', picture, mask);
  const { width, height } = picture;
  const rest = planesOf(picture).map((plane) => {
    const smooth = blur(plane, width, height, grainBlurSigma);
    return plane.map((value, i) => value - smooth[i]!);
  });
  const blocks = calmBlocks(rest, width, height, mask);
  const strength = rest.map((plane) => Math.sqrt(mean(blocks, (x, y) => plane[y * width + x]! ** 2)) / grainKept);
  const green = rest[1]!;
  const variance = mean(blocks, (x, y) => green[y * width + x]! ** 2);
  const beside = mean(blocks, (x, y) => green[y * width + x]! * green[y * width + Math.min(width - 1, x + 1)]!);
  const likeness = variance > 0 ? Math.min(1, Math.max(0, beside / variance)) : 0;
  return { strength: strength as unknown as Rgb, likeness, together: together(rest, blocks, width) };
}

/** Pixels of the blur that is taken away. */
export const grainBlurSigma = 1.5;
/** The share of the deviation of independent noise that is left when its blur is taken away: 1 - 2 g(0) + sum g². */
export const grainKept = Math.sqrt(
  1 - 2 / (2 * Math.PI * grainBlurSigma ** 2) + 1 / (4 * Math.PI * grainBlurSigma ** 2),
);
const blockSize = 8;

/** The mean correlation of red and blue with green. */
function together([red, green, blue]: readonly Float32Array[], blocks: readonly Block[], width: number): number {
  const product = (a: Float32Array, b: Float32Array): number =>
    mean(blocks, (x, y) => a[y * width + x]! * b[y * width + x]!);
  const likeness = (a: Float32Array, b: Float32Array): number => {
    const scale = Math.sqrt(product(a, a) * product(b, b));
    return scale > 0 ? product(a, b) / scale : 0;
  };
  return Math.min(1, Math.max(0, (likeness(red!, green!) + likeness(blue!, green!)) / 2));
}

type Block = readonly [left: number, top: number];

function calmBlocks(
  rest: readonly Float32Array[],
  width: number,
  height: number,
  mask: Uint8Array | undefined,
): Block[] {
  const found: { block: Block; energy: number }[] = [];
  for (let top = 0; top + blockSize <= height; top += blockSize) {
    for (let left = 0; left + blockSize <= width; left += blockSize) {
      const block: Block = [left, top];
      if (mask && mean([block], (x, y) => (mask[y * width + x] ? 1 : 0)) < 1) continue;
      found.push({ block, energy: mean([block], (x, y) => rest[1]![y * width + x]! ** 2) });
    }
  }
  const limit = quantile(
    found.map(({ energy }) => energy),
    1 / 3,
  );
  return found.filter(({ energy }) => energy <= limit).map(({ block }) => block);
}

function mean(blocks: readonly Block[], value: (x: number, y: number) => number): number {
  let sum = 0;
  for (const [left, top] of blocks)
    for (let y = top; y < top + blockSize; y++) for (let x = left; x < left + blockSize; x++) sum += value(x, y);
  return blocks.length === 0 ? 0 : sum / (blocks.length * blockSize * blockSize);
}
