/** Small dense problems: the lowest point of a bowl within bounds. */
import { ShapeError } from '../../torch/index.js';

/**
 * The `x` that makes `x' A x / 2 + g' x` least with `low <= x <= high`, by an active set: what would leave its bounds is held
 * at them, and let go when it would move inwards again (Stark and Parker's BVLS, 1995, for normal equations). The result is
 * exact and does not depend on the start.
 *
 * @param matrix - `[n * n]`, symmetric and positive definite; the lower triangle is read
 * @param low - at most 0, which is where the search begins; minus infinity where there is no bound
 * @param high - at least 0
 * @throws ShapeError for a matrix that is not positive definite
 */
export function solveBounded(
  matrix: Float64Array,
  gradient: Float64Array,
  low: Float64Array,
  high: Float64Array,
): Float64Array {
  const n = gradient.length;
  const x = new Float64Array(n);
  const held = new Uint8Array(n);
  for (let i = 0; i < n; i++)
    if ((low[i] === 0 && gradient[i]! >= 0) || (high[i] === 0 && gradient[i]! <= 0)) held[i] = 1;
  for (let round = 0; round < 20 * n; round++) {
    if (!moveFree(matrix, gradient, low, high, x, held)) continue;
    const freed = mostWilling(matrix, gradient, low, high, x, held);
    if (freed < 0) return x;
    held[freed] = 0;
  }
  return x;
}

/** Moves those that are free towards their best place; what meets a bound is held there. True if all arrived. */
function moveFree(
  matrix: Float64Array,
  gradient: Float64Array,
  low: Float64Array,
  high: Float64Array,
  x: Float64Array,
  held: Uint8Array,
): boolean {
  const n = x.length;
  const free: number[] = [];
  for (let i = 0; i < n; i++) if (held[i] === 0) free.push(i);
  const target = solveFree(matrix, gradient, x, held, free);
  let share = 1;
  for (const [k, i] of free.entries()) {
    const bound = target[k]! < low[i]! ? low[i]! : high[i]!;
    if (target[k]! < low[i]! || target[k]! > high[i]!) share = Math.min(share, (bound - x[i]!) / (target[k]! - x[i]!));
  }
  for (const [k, i] of free.entries()) {
    x[i]! += share * (target[k]! - x[i]!);
    const past = target[k]! < low[i]! ? low[i]! : target[k]! > high[i]! ? high[i]! : null;
    if (past === null || Math.abs(x[i]! - past) > 1e-12) continue;
    x[i] = past;
    held[i] = 1;
  }
  return share === 1;
}

/** The best place of those that are free while the others stay. */
function solveFree(
  matrix: Float64Array,
  gradient: Float64Array,
  x: Float64Array,
  held: Uint8Array,
  free: readonly number[],
): Float64Array {
  const [n, m] = [x.length, free.length];
  const part = new Float64Array(m * m);
  const right = new Float64Array(m);
  for (let a = 0; a < m; a++) {
    const i = free[a]!;
    let sum = -gradient[i]!;
    for (let j = 0; j < n; j++) if (held[j] === 1 && x[j] !== 0) sum -= at(matrix, n, i, j) * x[j]!;
    right[a] = sum;
    for (let b = 0; b <= a; b++) part[a * m + b] = matrix[i * n + free[b]!]!;
  }
  return solvePositive(part, right);
}

/** Which of those that are held would gain most by moving inwards; -1 where none would. */
function mostWilling(
  matrix: Float64Array,
  gradient: Float64Array,
  low: Float64Array,
  high: Float64Array,
  x: Float64Array,
  held: Uint8Array,
): number {
  const n = x.length;
  let [best, most] = [-1, 1e-9];
  for (let i = 0; i < n; i++) {
    if (held[i] === 0 || low[i] === high[i]) continue;
    let slope = gradient[i]!;
    for (let j = 0; j < n; j++) slope += at(matrix, n, i, j) * x[j]!;
    const gain = (x[i] === low[i] ? -slope : slope) / Math.sqrt(matrix[i * n + i]!);
    if (gain > most) [best, most] = [i, gain];
  }
  return best;
}

function at(matrix: Float64Array, n: number, i: number, j: number): number {
  return i >= j ? matrix[i * n + j]! : matrix[j * n + i]!;
}

/**
 * Solves `A x = b` by Cholesky's factors, in place.
 * @param matrix - the lower triangle, which becomes the factor
 * @throws ShapeError for a matrix that is not positive definite
 */
function solvePositive(matrix: Float64Array, x: Float64Array): Float64Array {
  const n = x.length;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= matrix[i * n + k]! * matrix[j * n + k]!;
      if (i !== j) matrix[i * n + j] = sum / matrix[j * n + j]!;
      else if (sum > 0) matrix[i * n + i] = Math.sqrt(sum);
      else throw new ShapeError(`solveBounded: expected a positive definite matrix, got ${sum} at its row ${i}`);
    }
    for (let k = 0; k < i; k++) x[i]! -= matrix[i * n + k]! * x[k]!;
    x[i]! /= matrix[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i]! -= matrix[k * n + i]! * x[k]!;
    x[i]! /= matrix[i * n + i]!;
  }
  return x;
}
