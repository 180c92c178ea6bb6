/** Edges of one plane made to follow those of a picture. */

import { boxMean } from './planes.js';
import type { Planes } from './types.js';

/**
 * The guided filter (He, Sun and Tang, "Guided image filtering", 2013, section 3.5, colour guide) with weights: in each window
 * the plane is the linear function of the picture's colours that fits it best, where it is to be trusted.
 * @param weight - `[H * W]`, 0 to 1
 * @param smoothness - variance of colours that counts as smooth, in 255² of levels
 */
export function guidedFilter(
  guide: Planes,
  plane: Float32Array,
  weight: Float32Array,
  width: number,
  height: number,
  radius: number,
  smoothness: number,
): Float32Array<ArrayBuffer> {
  const mean = (value: (i: number) => number): Float32Array => {
    const of = new Float32Array(plane.length);
    for (let i = 0; i < of.length; i++) of[i] = weight[i]! * value(i);
    return boxMean(of, width, height, radius);
  };
  const [r, g, b] = guide;
  const total = mean(() => 1);
  const m = [mean((i) => r[i]!), mean((i) => g[i]!), mean((i) => b[i]!), mean((i) => plane[i]!)] as const;
  const cross = [
    mean((i) => r[i]! * plane[i]!),
    mean((i) => g[i]! * plane[i]!),
    mean((i) => b[i]! * plane[i]!),
  ] as const;
  const pairs = [
    mean((i) => r[i]! * r[i]!),
    mean((i) => r[i]! * g[i]!),
    mean((i) => r[i]! * b[i]!),
    mean((i) => g[i]! * g[i]!),
    mean((i) => g[i]! * b[i]!),
    mean((i) => b[i]! * b[i]!),
  ] as const;
  const slopes = [0, 1, 2, 3].map(() => new Float32Array(plane.length)) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  for (let i = 0; i < plane.length; i++) {
    const w = 1 / Math.max(total[i]!, 1e-6);
    const [mr, mg, mb, mp] = [m[0][i]! * w, m[1][i]! * w, m[2][i]! * w, m[3][i]! * w];
    const rr = pairs[0][i]! * w - mr * mr + smoothness;
    const rg = pairs[1][i]! * w - mr * mg;
    const rb = pairs[2][i]! * w - mr * mb;
    const gg = pairs[3][i]! * w - mg * mg + smoothness;
    const gb = pairs[4][i]! * w - mg * mb;
    const bb = pairs[5][i]! * w - mb * mb + smoothness;
    const [cr, cg, cb] = [cross[0][i]! * w - mr * mp, cross[1][i]! * w - mg * mp, cross[2][i]! * w - mb * mp];
    const [a, d, e] = [gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb];
    const inverse = 1 / Math.max(rr * a + rg * d + rb * e, 1e-6);
    const sr = inverse * (a * cr + d * cg + e * cb);
    const sg = inverse * (d * cr + (rr * bb - rb * rb) * cg + (rg * rb - rr * gb) * cb);
    const sb = inverse * (e * cr + (rg * rb - rr * gb) * cg + (rr * gg - rg * rg) * cb);
    slopes[0][i] = sr;
    slopes[1][i] = sg;
    slopes[2][i] = sb;
    slopes[3][i] = mp - sr * mr - sg * mg - sb * mb;
  }
  const [sr, sg, sb, offset] = slopes.map((slope) => boxMean(slope, width, height, radius)) as typeof slopes;
  const out = new Float32Array(plane.length);
  for (let i = 0; i < out.length; i++)
    out[i] = Math.min(1, Math.max(0, sr[i]! * r[i]! + sg[i]! * g[i]! + sb[i]! * b[i]! + offset[i]!));
  return out;
}
