/** Landmarks of faces whose every number is known, as the networks of `headrace/media` would read them. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Camera, FaceModel, type HeadTurn } from 'headrace/talkinghead';

type MeanPerson = typeof import('../../dist/talkinghead/fit/mean-person.js');
const folder = fileURLToPath(new URL('../../../dist/talkinghead/fit/', import.meta.url));
const { meanPerson } = (await import(join(folder, 'mean-person.js'))) as MeanPerson;

export const face = FaceModel.load();
export const size = { width: 600, height: 500 };
export const camera = new Camera({ ...size, pixelsPerCm: 20, centre: [310, 240], pivot: [0, -2, 4] });

export interface Truth {
  readonly identity: ArrayLike<number>;
  readonly weights: Float32Array;
  readonly pose: Required<HeadTurn>;
}

/** Somebody: from the mean of real people as far as people are; always the same for a seed. */
export function person(seed: number, spread = 0.5): Float32Array {
  return Float32Array.from(
    meanPerson,
    (value, k) => value + spread * Math.SQRT2 * Math.sin(12.9898 * (k + 1) + 78.233 * seed),
  );
}

/**
 * x and y of the 68 landmarks. Lips that touch are read 3.5 % of the eyes' distance apart, and brows
 * are read elsewhere. The jaw line slides to the border of
 * what is seen: of the vertices within 1.5 cm of the model's landmark to that which is outermost, seen from the nose.
 */
export function landmarksOf({ identity, weights, pose }: Truth): Float32Array {
  const vertices = face.shape({ identity, weights });
  const seen = camera.project(vertices, { pose });
  const points = Float32Array.from({ length: 136 }, (_, i) => seen[3 * face.landmarks[i >> 1]! + (i & 1)]!);
  for (let k = 0; k < 17; k++) points.set(outermost(seen, face.landmarks[k]!), 2 * k);
  const [dx, dy] = eyeLine(points);
  const move = (i: number, right: number, down: number): void => {
    points[2 * i]! += (right * dx - down * dy) / 100;
    points[2 * i + 1]! += (right * dy + down * dx) / 100;
  };
  for (const i of [61, 62, 63]) move(i, 0, -1.75);
  for (const i of [65, 66, 67]) move(i, 0, 1.75);
  for (const [i, [right, down]] of browsRead.entries()) {
    move(17 + i, right, down);
    move(26 - i, -right, down);
  }
  return points;
}

/** Where the networks read a brow, from where the model has it: % of the eyes' distance to the right and down, over 24 people. */
const browsRead = [
  [2.8, -4.2],
  [1, -2.6],
  [0.8, -1.4],
  [-4.9, -0.4],
  [-10.5, -1.4],
] as const;

/** From the middle of the eye at the viewer's left to that of the other. */
function eyeLine(points: ArrayLike<number>): [number, number] {
  const middle = (first: number, axis: number): number => {
    let sum = 0;
    for (let i = first; i < first + 6; i++) sum += points[2 * i + axis]! / 6;
    return sum;
  };
  return [middle(42, 0) - middle(36, 0), middle(42, 1) - middle(36, 1)];
}

export function eyeDistance(points: ArrayLike<number>): number {
  return Math.hypot(...eyeLine(points));
}

function outermost(seen: Float32Array, landmark: number): [number, number] {
  const nose = 3 * face.landmarks[30]!;
  const away = (v: number): [number, number] => [seen[3 * v]! - seen[nose]!, seen[3 * v + 1]! - seen[nose + 1]!];
  const [dx, dy] = away(landmark);
  let [best, most] = [landmark, -Infinity];
  for (let v = 0; v < face.parts.outerFace.vertices[1]; v++) {
    const near = [0, 1, 2].map((axis) => face.vertices[3 * v + axis]! - face.vertices[3 * landmark + axis]!);
    if (Math.hypot(...near) > 1.5) continue;
    const [x, y] = away(v);
    if (x * dx + y * dy > most) [best, most] = [v, x * dx + y * dy];
  }
  return [seen[3 * best]!, seen[3 * best + 1]!];
}
