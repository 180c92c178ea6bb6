/** Where the lips meet. */

import type { RgbImage } from '../../../media/frames.js';
import { ConfigError, checkOptions } from '../../../torch/index.js';
import { checkWhole } from '../../render/checks.js';
import { headFrame } from './head-frame.js';
import { blur, valueAt } from './planes.js';
import { checkHead, checkPicture, luma, type PicturedHead } from './types.js';

export interface LipLineOptions {
  /** How many points, from 5; 21 by default. */
  readonly columns?: number;
}

export interface LipLine {
  /** `[columns * 2]`: from the viewer's left corner of the mouth to the right one, in pixels. */
  readonly points: Float32Array;
  /** How much darker the line is than what is above and below it, median over its inner columns, 0 to 255. */
  readonly depth: number;
}

const steps = 41;
/** In eye distances: how far from the landmarks' middle the line may be. */
const reach = 0.1;

/**
 * The line between closed lips, or along the dark of slightly open ones: the darkest valley that runs smoothly from corner to
 * corner, by dynamic programming around the middle of the inner lips' landmarks.
 * @throws ConfigError, ShapeError
 */
export function lipLine(picture: RgbImage, head: PicturedHead, options: LipLineOptions = {}): LipLine {
  const where = 'lipLine';
  checkPicture(where, picture);
  checkHead(where, head);
  checkOptions(where, options, ['columns']);
  const columns = checkWhole(where, 'columns', options.columns ?? 21, 5, 1000);
  const { size } = headFrame(head);
  const base = middleOfLips(head.landmarks, columns);
  const [dx, dy] = [base[2 * columns - 2]! - base[0]!, base[2 * columns - 1]! - base[1]!];
  const length = Math.hypot(dx, dy);
  if (!(length > 0)) throw new ConfigError(`${where}: expected the corners of the mouth apart, got one place for both`);
  const normal: readonly [number, number] = [-dy / length, dx / length];
  const { width, height } = picture;
  const brightness = blur(luma(picture), width, height, Math.max(0.5, size * 0.008));
  const offset = (k: number): number => ((2 * k) / (steps - 1) - 1) * reach * size;
  const seen = new Float32Array(columns * steps);
  for (let i = 0; i < columns; i++)
    for (let k = 0; k < steps; k++)
      seen[i * steps + k] = valueAt(
        brightness,
        width,
        height,
        base[2 * i]! + offset(k) * normal[0],
        base[2 * i + 1]! + offset(k) * normal[1],
      );
  const path = cheapestPath(costs(seen, columns), columns);
  const points = new Float32Array(2 * columns);
  for (let i = 0; i < columns; i++)
    for (let c = 0; c < 2; c++) points[2 * i + c] = base[2 * i + c]! + offset(path[i]!) * normal[c]!;
  return { points, depth: valleyDepth(seen, path, columns) };
}

/** Points at even steps along corner, middles of the inner lips, corner. */
function middleOfLips(landmarks: Float32Array, columns: number): Float32Array {
  const knots: [number, number][] = [[landmarks[120]!, landmarks[121]!]];
  for (const [up, low] of [
    [61, 67],
    [62, 66],
    [63, 65],
  ] as const)
    knots.push([
      (landmarks[2 * up]! + landmarks[2 * low]!) / 2,
      (landmarks[2 * up + 1]! + landmarks[2 * low + 1]!) / 2,
    ]);
  knots.push([landmarks[128]!, landmarks[129]!]);
  return evenly(knots, columns);
}

/** `count` points at even distances along a line of knots. */
function evenly(knots: readonly (readonly [number, number])[], count: number): Float32Array {
  const along = [0];
  for (let k = 1; k < knots.length; k++)
    along.push(along[k - 1]! + Math.hypot(knots[k]![0] - knots[k - 1]![0], knots[k]![1] - knots[k - 1]![1]));
  const out = new Float32Array(2 * count);
  for (let i = 0; i < count; i++) {
    const at = (along.at(-1)! * i) / (count - 1);
    let k = 1;
    while (k < knots.length - 1 && along[k]! < at) k++;
    const span = along[k]! - along[k - 1]!;
    const t = span > 0 ? Math.min(1, (at - along[k - 1]!) / span) : 0;
    for (let c = 0; c < 2; c++) out[2 * i + c] = knots[k - 1]![c]! * (1 - t) + knots[k]![c]! * t;
  }
  return out;
}

/** Dark is cheap, more so in the middle; away from the landmarks is dear, more so at the corners. */
function costs(seen: Float32Array, columns: number): Float32Array {
  const out = new Float32Array(seen.length);
  for (let i = 0; i < columns; i++) {
    const column = seen.subarray(i * steps, (i + 1) * steps);
    let [least, most] = [Infinity, -Infinity];
    for (const value of column) [least, most] = [Math.min(least, value), Math.max(most, value)];
    const span = Math.max(most - least, 8);
    const trust = 0.1 + 0.9 * Math.sin((Math.PI * i) / (columns - 1));
    for (let k = 0; k < steps; k++) {
      const away = (2 * k) / (steps - 1) - 1;
      out[i * steps + k] = (trust * (column[k]! - least)) / span + away * away * (0.25 + 0.6 * (1 - trust));
    }
  }
  return out;
}

/** One step a column; a move of the whole range in one column costs 40, by its square. */
function cheapestPath(cost: Float32Array, columns: number): Int32Array {
  const from = new Int32Array(columns * steps);
  let best = cost.slice(0, steps);
  for (let i = 1; i < columns; i++) {
    const next = new Float32Array(steps);
    for (let k = 0; k < steps; k++) {
      let least = Infinity;
      for (let j = 0; j < steps; j++) {
        const total = best[j]! + 40 * ((k - j) / steps) ** 2 * (20 / (columns - 1)) ** -1;
        if (total < least) [least, from[i * steps + k]] = [total, j];
      }
      next[k] = least + cost[i * steps + k]!;
    }
    best = next;
  }
  const path = new Int32Array(columns);
  path[columns - 1] = best.reduce((at, value, k) => (value < best[at]! ? k : at), 0);
  for (let i = columns - 1; i > 0; i--) path[i - 1] = from[i * steps + path[i]!]!;
  return path;
}

/** Against the brightest within a quarter of the range on the darker side. */
function valleyDepth(seen: Float32Array, path: Int32Array, columns: number): number {
  const depths: number[] = [];
  for (let i = Math.ceil(columns / 5); i < columns - Math.ceil(columns / 5); i++) {
    const at = path[i]!;
    const brightest = (first: number, end: number): number =>
      Math.max(...seen.subarray(i * steps + Math.max(0, first), i * steps + Math.min(steps, end)));
    const sides = Math.min(brightest(at - steps / 4, at + 1), brightest(at, at + 1 + steps / 4));
    depths.push(sides - seen[i * steps + at]!);
  }
  depths.sort((a, b) => a - b);
  return depths[Math.floor(depths.length / 2)] ?? 0;
}
