/** Cuts: where a video goes on with another camera or another scene. */
import type { RgbImage } from '../frames.js';

/** A mean change of the picture's brightness above this share is a cut. */
const cutChange = 0.12;

/** Points across and down at which pictures are compared. */
const grid = 24;

/** Looks at the frames of a video one after another. */
export class CutDetector {
  #last: Float32Array | null = null;

  /** Whether this frame is of another scene than the last one. */
  next(frame: RgbImage): boolean {
    const picture = brightness(frame);
    const last = this.#last;
    this.#last = picture;
    return last !== null && change(last, picture) > cutChange;
  }

  /** Forgets the last frame. */
  reset(): void {
    this.#last = null;
  }
}

/** Greys of a frame at a grid of points, 0 to 1. */
function brightness({ data, width, height }: RgbImage): Float32Array {
  const greys = new Float32Array(grid * grid);
  for (let i = 0; i < greys.length; i++) {
    const x = Math.floor((((i % grid) + 0.5) * width) / grid);
    const y = Math.floor(((Math.floor(i / grid) + 0.5) * height) / grid);
    const at = (y * width + x) * 3;
    greys[i] = (data[at]! + data[at + 1]! + data[at + 2]!) / 765;
  }
  return greys;
}

function change(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!);
  return sum / a.length;
}
