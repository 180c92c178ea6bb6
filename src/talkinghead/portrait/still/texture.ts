/** The fine texture of a smooth place: grain of film, skin or canvas, laid over what was filled. */

import { mapInto } from '../../../media/map-into.js';
import { blur } from './planes.js';
import type { Planes } from './types.js';

const blurSigma = 1.2;

/** A square of what a picture is finer than its blur; laid out mirrored, so that it has no seams. */
export interface Texture {
  readonly side: number;
  readonly planes: Planes;
}

/**
 * The texture of the calmest square of a set of pixels, or of the largest one that fits, at most `side` wide; null where
 * nothing of 6 pixels fits.
 * @param set - `[H * W]`: not 0 where it may come from
 */
export function calmTexture(
  planes: Planes,
  set: Uint8Array,
  width: number,
  height: number,
  side: number,
): Texture | null {
  const fine = planes.map((plane) => {
    const smooth = blur(plane, width, height, blurSigma);
    return plane.map((value, i) => value - smooth[i]!);
  });
  // Blur carries what is beyond the set into it: squares keep away from its border.
  const apart = new Sums(
    set.map((value) => (value ? 0 : 1)),
    width,
    height,
  );
  const energy = new Sums(
    mapInto(new Float64Array(set.length), set, (_, i) => fine.reduce((sum, plane) => sum + plane[i]! ** 2, 0)),
    width,
    height,
  );
  for (let size = Math.floor(side); size >= 6; size = Math.floor(size * 0.7)) {
    let [best, least] = [-1, Infinity];
    const step = Math.max(1, Math.floor(size / 3));
    for (let y = 0; y + size <= height; y += step) {
      for (let x = 0; x + size <= width; x += step) {
        if (apart.of(x - 3, y - 3, size + 6) > 0) continue;
        const value = energy.of(x, y, size);
        if (value < least) [best, least] = [y * width + x, value];
      }
    }
    if (best >= 0) return { side: size, planes: square(fine, best, width, size) };
  }
  return null;
}

function square(fine: readonly Float32Array[], from: number, width: number, size: number): Planes {
  const cut = fine.map((plane) =>
    Float32Array.from({ length: size * size }, (_, i) => plane[from + Math.floor(i / size) * width + (i % size)]!),
  );
  return cut as unknown as Planes;
}

/** What a texture adds to a channel at a pixel. */
export function textureAt({ side, planes }: Texture, channel: number, x: number, y: number): number {
  const mirrored = (at: number): number => {
    const k = at % (2 * side);
    return k < side ? k : 2 * side - 1 - k;
  };
  return planes[channel]![mirrored(y) * side + mirrored(x)]!;
}

/** Sums over squares of a plane. */
class Sums {
  private readonly sums: Float64Array;

  constructor(
    plane: ArrayLike<number>,
    private readonly width: number,
    private readonly height: number,
  ) {
    this.sums = new Float64Array((width + 1) * (height + 1));
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        this.sums[(y + 1) * (width + 1) + x + 1] =
          plane[y * width + x]! + this.at(x, y + 1) + this.at(x + 1, y) - this.at(x, y);
  }

  /** Of the part of a square that is inside of the picture. */
  of(x: number, y: number, side: number): number {
    const [left, top] = [Math.max(0, x), Math.max(0, y)];
    const [right, bottom] = [Math.min(this.width, x + side), Math.min(this.height, y + side)];
    return this.at(right, bottom) - this.at(left, bottom) - this.at(right, top) + this.at(left, top);
  }

  private at(x: number, y: number): number {
    return this.sums[y * (this.width + 1) + x]!;
  }
}
