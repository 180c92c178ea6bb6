/** What can be measured of a mouth, of ours and of real ones alike. */
import { mouthMoves } from './visemes.js';

/**
 * Centimetres by which each move at weight 1 parts the lips (landmarks 61-67, 62-66, 63-65) and widens the mouth (48-54) of the
 * mean face, whose eyes are {@link eyeDistance} apart. Moves of both sides are made with both.
 */
const openingOf: Readonly<Record<(typeof mouthMoves)[number], readonly [opening: number, width: number]>> = {
  jawOpen: [2.892, -0.57],
  mouthLowerDown: [0.583, -0.006],
  mouthUpperUp: [0.699, 0.035],
  mouthFunnel: [1.083, -0.683],
  mouthPucker: [-0.129, -0.928],
  mouthStretch: [-0.036, 1.318],
  mouthSmile: [-0.019, 1.413],
  mouthPress: [-0.218, -0.024],
  mouthRollLower: [-0.246, 0.067],
  mouthRollUpper: [0.158, 0.318],
};

/** cm between the middles of the eyes' landmarks of the mean face. */
export const eyeDistance = 6.513;
/** In the order of `mouthMoves`. */
export const openingWeights: readonly number[] = mouthMoves.map((name) => openingOf[name][0]);
export const widthWeights: readonly number[] = mouthMoves.map((name) => openingOf[name][1]);

/** cm: how far a row of moves parts the lips; below 0 they are pressed together. */
export function opening(moves: ArrayLike<number>, at = 0): number {
  return openingWeights.reduce((sum, weight, i) => sum + weight * moves[at + i]!, 0);
}

/** Pearson's correlation; NaN where one does not vary. */
export function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const n = a.length;
  let [meanA, meanB] = [0, 0];
  for (let i = 0; i < n; i++) {
    meanA += a[i]! / n;
    meanB += b[i]! / n;
  }
  let [both, squareA, squareB] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [x, y] = [a[i]! - meanA, b[i]! - meanB];
    both += x * y;
    squareA += x * x;
    squareB += y * y;
  }
  return both / Math.sqrt(squareA * squareB);
}

/** What is left of values when the best parabola of another quantity is taken away. */
export function beyond(values: ArrayLike<number>, given: ArrayLike<number>): Float64Array {
  const n = values.length;
  const rows = [0, 1, 2].map((power) => Float64Array.from({ length: n }, (_, i) => given[i]! ** power));
  const basis: Float64Array[] = [];
  const rest = Float64Array.from(values);
  for (const row of rows) {
    const own = Float64Array.from(row);
    for (const other of basis) subtract(own, other);
    const size = Math.sqrt(own.reduce((sum, value) => sum + value * value, 0));
    if (size < 1e-9 * Math.sqrt(n)) continue;
    basis.push(own.map((value) => value / size));
  }
  for (const other of basis) subtract(rest, other);
  return rest;
}

/** Takes away what lies along a vector of length 1. */
function subtract(values: Float64Array, unit: Float64Array): void {
  let along = 0;
  for (let i = 0; i < values.length; i++) along += values[i]! * unit[i]!;
  for (let i = 0; i < values.length; i++) values[i]! -= along * unit[i]!;
}

/** How alike two curves are beyond what a third says of both. */
export function partialCorrelation(a: ArrayLike<number>, b: ArrayLike<number>, given: ArrayLike<number>): number {
  return correlation(beyond(a, given), beyond(b, given));
}

/** Which of values are among the two thirds that are loudest: speech, where nobody tells which words there are. */
export function loudest(loud: ArrayLike<number>): boolean[] {
  const values = Array.from(loud);
  const border = values.toSorted((a, b) => a - b)[Math.floor(0.35 * values.length)] ?? 0;
  return values.map((value) => value > border);
}
