/** Lips that touch: the landmarks of their inner borders lie apart even then. */

import { eyeDistanceOf } from './view.js';

/** Upper and lower landmarks of the inner borders that face each other. */
const pairs = [
  [61, 67],
  [62, 66],
  [63, 65],
] as const;

/** How far apart they lie when the lips touch, in distances of the eyes: the median of silent GRID speakers is 0.035. */
const touching = 0.035;

/** How far the inner borders of the lips are apart, on average, in distances of the eyes. */
export function lipGap(landmarks: Float32Array): number {
  let sum = 0;
  for (const [upper, lower] of pairs) {
    const [dx, dy] = [0, 1].map((axis) => landmarks[2 * lower + axis]! - landmarks[2 * upper + axis]!) as [
      number,
      number,
    ];
    sum += Math.hypot(dx, dy);
  }
  return sum / pairs.length / eyeDistanceOf(landmarks);
}

/** The landmarks with the inner borders of the lips nearer to each other by as much as they are apart in closed mouths. */
export function lipsTogether(landmarks: Float32Array, eyes: number): Float32Array {
  const moved = landmarks.slice();
  for (const [upper, lower] of pairs) {
    const [dx, dy] = [0, 1].map((axis) => landmarks[2 * lower + axis]! - landmarks[2 * upper + axis]!) as [
      number,
      number,
    ];
    const share = Math.min(1, (touching * eyes) / (Math.hypot(dx, dy) || 1)) / 2;
    for (const [axis, d] of [dx, dy].entries()) {
      moved[2 * upper + axis]! += share * d;
      moved[2 * lower + axis]! -= share * d;
    }
  }
  return moved;
}
