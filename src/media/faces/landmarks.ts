/** The 68 landmarks: where they are on a face, their mirror images, the square around them. */
import type { Crop } from './crop.js';
import { landmarkCount } from './types.js';

/** Of the iBUG 300-W markup: the first and last point of each part. */
export const faceParts = {
  jaw: [0, 16],
  leftBrow: [17, 21],
  rightBrow: [22, 26],
  nose: [27, 35],
  leftEye: [36, 41],
  rightEye: [42, 47],
  outerLips: [48, 59],
  innerLips: [60, 67],
} as const satisfies Record<string, readonly [number, number]>;

/** Runs of points that a mirror exchanges with one another: point `first + i` becomes `last - i`. */
const mirrorRuns: readonly (readonly [first: number, last: number])[] = [
  [0, 16],
  [17, 26],
  [31, 35],
  [48, 54],
  [55, 59],
  [60, 64],
  [65, 67],
];

/** The same for the eyes, whose points run around each. */
const mirrorEyes: readonly (readonly [number, number])[] = [
  [36, 45],
  [37, 44],
  [38, 43],
  [39, 42],
  [40, 47],
  [41, 46],
];

/** The point that takes a point's place in a mirror; the nose's ridge keeps its own. */
export const mirrored: readonly number[] = (() => {
  const other = Array.from({ length: landmarkCount }, (_, i) => i);
  for (const [first, last] of mirrorRuns) for (let i = first; i <= last; i++) other[i] = first + last - i;
  for (const [a, b] of mirrorEyes) [other[a], other[b]] = [b, a];
  return other;
})();

/** The mean of points read from a picture and from its mirror image, x and y in fractions of the picture. */
export function mirrorMean(plain: ArrayLike<number>, mirror: ArrayLike<number>): Float32Array {
  const mean = new Float32Array(landmarkCount * 2);
  for (let i = 0; i < landmarkCount; i++) {
    const other = mirrored[i]! * 2;
    mean[2 * i] = (plain[2 * i]! + 1 - mirror[other]!) / 2;
    mean[2 * i + 1] = (plain[2 * i + 1]! + mirror[other + 1]!) / 2;
  }
  return mean;
}

/** The mean of a part's points. */
export function centreOf(landmarks: ArrayLike<number>, part: keyof typeof faceParts): [x: number, y: number] {
  const [first, last] = faceParts[part];
  let [x, y] = [0, 0];
  for (let i = first; i <= last; i++) {
    x += landmarks[2 * i]!;
    y += landmarks[2 * i + 1]!;
  }
  const count = last - first + 1;
  return [x / count, y / count];
}

/** How far the line through the eyes is turned clockwise, in radians. */
export function tilt(landmarks: ArrayLike<number>): number {
  const [left, right] = [centreOf(landmarks, 'leftEye'), centreOf(landmarks, 'rightEye')];
  return Math.atan2(right[1] - left[1], right[0] - left[0]);
}

/** The square around all landmarks in which the eyes are level; `share` is its side over the landmarks' longer extent. */
export function squareAround(landmarks: ArrayLike<number>, share: number): Crop {
  const angle = tilt(landmarks);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < landmarkCount; i++) {
    const [x, y] = [landmarks[2 * i]!, landmarks[2 * i + 1]!];
    const [u, v] = [x * cos + y * sin, y * cos - x * sin];
    [left, right] = [Math.min(left, u), Math.max(right, u)];
    [top, bottom] = [Math.min(top, v), Math.max(bottom, v)];
  }
  const [u, v] = [(left + right) / 2, (top + bottom) / 2];
  const side = Math.max(right - left, bottom - top) * share;
  return { x: u * cos - v * sin, y: u * sin + v * cos, side, angle };
}
