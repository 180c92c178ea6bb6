/** How much of each pixel at the border is the person: hair, blur, edges. */

import type { RgbImage } from '../../../media/frames.js';
import { mapInto } from '../../../media/map-into.js';
import { guidedFilter } from './guided-filter.js';
import { blur, distanceTo, quickBlur, smoothstep } from './planes.js';
import { type Planes, planesOf } from './types.js';

/**
 * The matte of a set of pixels. In a band along its border each pixel's colour is placed on the line from the background's
 * colour to the person's, both as means nearby; places count by how far the two colours are apart, compared with how much they
 * vary, and are made to follow the picture's own detail by a guided filter.
 * @param person - `[H * W]`, above 0.5 inside
 * @param unit - pixels of an eye distance
 */
export function matte(picture: RgbImage, person: Float32Array, unit: number): Float32Array {
  const { width, height } = picture;
  const inside = mapInto(new Uint8Array(person.length), person, (value) => (value > 0.5 ? 1 : 0));
  const outside = inside.map((value) => 1 - value);
  const toOutside = distanceTo(outside, width, height);
  const toInside = distanceTo(inside, width, height);
  const [within, beyond] = [Math.max(1.5, 0.09 * unit), Math.max(2.5, 0.16 * unit)];
  const planes = planesOf(picture);
  const reach = 0.16 * unit + 1;
  const own = nearby(
    planes,
    toOutside.map((away) => (away > within ? 1 : 0)),
    width,
    height,
    reach,
  );
  const behind = nearby(
    planes,
    toInside.map((away) => (away > beyond ? 1 : 0)),
    width,
    height,
    reach,
  );
  const soft = blur(person, width, height, Math.max(0.7, 0.02 * unit));
  const guess = new Float32Array(person.length);
  const trust = new Float32Array(person.length);
  for (let i = 0; i < guess.length; i++) {
    const signed = inside[i] ? toOutside[i]! : -toInside[i]!;
    if (signed > within || signed < -beyond) {
      guess[i] = inside[i]!;
      trust[i] = 1;
      continue;
    }
    const { share, weight } = onLine(planes, own, behind, i);
    // Colours further out are less likely hair, and those further in less likely holes.
    const edge = smoothstep(-beyond, within, signed);
    const weak = 0.04 + 0.5 * Math.abs(edge - 0.5) ** 2;
    guess[i] = (weight * share + weak * soft[i]!) / (weight + weak);
    trust[i] = Math.min(1, weight + weak);
  }
  const smooth = guidedFilter(planes, guess, trust, width, height, Math.max(1, Math.round(0.03 * unit)), 30);
  return smooth.map((value, i) => {
    const signed = inside[i] ? toOutside[i]! : -toInside[i]!;
    if (signed > within) return 1;
    if (signed < -beyond) return 0;
    return smoothstep(0.03, 0.97, value);
  });
}

interface Nearby {
  readonly mean: Planes;
  /** Of all channels together. */
  readonly variance: Float32Array;
  readonly weight: Float32Array;
}

/** Means and variances of the colours of a set, by distance. */
function nearby(planes: Planes, set: Float32Array, width: number, height: number, reach: number): Nearby {
  const weight = quickBlur(set, width, height, reach);
  const variance = new Float32Array(set.length);
  const mean = planes.map((plane) => {
    const sum = quickBlur(
      plane.map((value, i) => value * set[i]!),
      width,
      height,
      reach,
    );
    const squares = quickBlur(
      plane.map((value, i) => value * value * set[i]!),
      width,
      height,
      reach,
    );
    for (let i = 0; i < sum.length; i++) {
      sum[i]! /= Math.max(weight[i]!, 1e-6);
      variance[i]! += Math.max(0, squares[i]! / Math.max(weight[i]!, 1e-6) - sum[i]! ** 2);
    }
    return sum;
  });
  return { mean: mean as unknown as Planes, variance, weight };
}

/** Where a pixel lies from the background's colour (0) to the person's (1), and how much that says. */
function onLine(planes: Planes, own: Nearby, behind: Nearby, i: number): { share: number; weight: number } {
  let [along, square] = [0, 0];
  for (let c = 0; c < 3; c++) {
    const span = own.mean[c]![i]! - behind.mean[c]![i]!;
    along += span * (planes[c]![i]! - behind.mean[c]![i]!);
    square += span * span;
  }
  const known = Math.min(1, 200 * Math.min(own.weight[i]!, behind.weight[i]!));
  const share = Math.min(1, Math.max(0, along / Math.max(square, 1e-6)));
  let off = 0;
  for (let c = 0; c < 3; c++)
    off += (planes[c]![i]! - behind.mean[c]![i]! - share * (own.mean[c]![i]! - behind.mean[c]![i]!)) ** 2;
  const vary = 100 + own.variance[i]! + behind.variance[i]!;
  return { share, weight: known * (square / (square + 3 * vary)) * Math.exp(-off / (4 * vary)) };
}
