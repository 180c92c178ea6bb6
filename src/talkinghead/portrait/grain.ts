/** Film grain that is as a photograph's own: what it is made of, so that it measures the same. */
import type { RgbImage } from '../../media/index.js';
import { grainBlurSigma, grainKept, grainOf } from './still/grain.js';
import type { Rgb } from './still/types.js';

/** As `native/grain.cpp` makes it: white numbers, evened out with their neighbours. */
export interface FilmGrain {
  /** By how much each channel's numbers are multiplied. */
  readonly strength: Rgb;
  /** How much of the numbers left and right, and above and below, a pixel has of its own one's. */
  readonly beside: number;
  /** 0 (each channel for itself) to 1: the share of the variance that the channels have together. */
  readonly together: number;
}

/** The grain that `grainOf` would measure as it does that of a picture. */
export function filmGrainOf(picture: RgbImage): FilmGrain {
  const { strength, likeness, together } = grainOf(picture);
  const beside = likeness > 0 ? besideFor(likeness) : 0;
  const scale = grainKept / Math.sqrt(measured(beside, 0));
  return { strength: strength.map((value) => value * scale) as unknown as Rgb, beside, together };
}

/** Bisection: the more of its neighbours a pixel has, the more alike they are. */
function besideFor(likeness: number): number {
  let [low, high] = [0, 1];
  for (let round = 0; round < 30; round++) {
    const middle = (low + high) / 2;
    if (measured(middle, 1) / measured(middle, 0) < likeness) low = middle;
    else high = middle;
  }
  return low;
}

/** The covariance of pixels `apart` columns from one another that is left of such grain of strength 1 when its blur is taken away. */
function measured(beside: number, apart: number): number {
  const own = [beside, 1, beside];
  const blurred = convolved(own, gaussian());
  const both = (a: readonly number[], b: readonly number[]): number => covariance(a, b, apart) * covariance(a, b, 0);
  return both(own, own) - 2 * both(own, blurred) + both(blurred, blurred);
}

function gaussian(): number[] {
  const radius = Math.ceil(3 * grainBlurSigma);
  const values = Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * grainBlurSigma ** 2)),
  );
  const sum = values.reduce((total, value) => total + value, 0);
  return values.map((value) => value / sum);
}

function convolved(a: readonly number[], b: readonly number[]): number[] {
  const out = new Array<number>(a.length + b.length - 1).fill(0);
  for (const [i, x] of a.entries()) for (const [j, y] of b.entries()) out[i + j]! += x * y;
  return out;
}

/** Of white noise through two kernels that are the same from either side, `apart` from one another. */
function covariance(a: readonly number[], b: readonly number[], apart: number): number {
  const shift = (b.length - a.length) / 2 + apart;
  return a.reduce((sum, value, i) => sum + value * (b[i + shift] ?? 0), 0);
}
