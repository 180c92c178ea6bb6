/** What the networks read, and where the model has it: the inner borders of lips that touch lie apart, brows elsewhere. */

import { tilt } from '../../media/index.js';
import { eyeDistanceOf } from './view.js';

/** Upper and lower landmarks of the inner borders that face each other. */
const pairs = [
  [61, 67],
  [62, 66],
  [63, 65],
] as const;

/** How far apart they lie when the lips touch, in distances of the eyes: the median of silent GRID speakers is 0.035. */
const touching = 0.035;

function between(landmarks: Float32Array, from: number, to: number): [dx: number, dy: number] {
  return [landmarks[2 * to]! - landmarks[2 * from]!, landmarks[2 * to + 1]! - landmarks[2 * from + 1]!];
}

/** How far the inner borders of the lips are apart, on average, in distances of the eyes. */
export function lipGap(landmarks: Float32Array): number {
  let sum = 0;
  for (const [upper, lower] of pairs) {
    sum += Math.hypot(...between(landmarks, upper, lower));
  }
  return sum / pairs.length / eyeDistanceOf(landmarks);
}

/**
 * How far the brows' landmarks 17 to 21 are read from where the model has them, to the right and down in the face, in % of the
 * distance of the eyes; those of the other brow are mirrored. Means over the 24 people of `meanPerson`.
 */
const brows: readonly (readonly [right: number, down: number])[] = [
  [2.8, -4.2],
  [1, -2.6],
  [0.8, -1.4],
  [-4.9, -0.4],
  [-10.5, -1.4],
];

/**
 * The landmarks as the model means them: the inner borders of the lips nearer to each other by as much as they are apart in closed
 * mouths, the brows' moved along them.
 */
export function asModelled(landmarks: Float32Array, eyes: number): Float32Array {
  const moved = landmarks.slice();
  const move = (landmark: number, dx: number, dy: number): void => {
    moved[2 * landmark]! += dx;
    moved[2 * landmark + 1]! += dy;
  };
  for (const [upper, lower] of pairs) {
    const [dx, dy] = between(landmarks, upper, lower);
    const share = Math.min(1, (touching * eyes) / (Math.hypot(dx, dy) || 1)) / 2;
    move(upper, share * dx, share * dy);
    move(lower, -share * dx, -share * dy);
  }
  const angle = tilt(landmarks);
  const [cos, sin] = [(Math.cos(angle) * eyes) / 100, (Math.sin(angle) * eyes) / 100];
  for (const [i, [right, down]] of brows.entries()) {
    move(17 + i, -(right * cos - down * sin), -(right * sin + down * cos));
    move(26 - i, right * cos + down * sin, right * sin - down * cos);
  }
  return moved;
}
