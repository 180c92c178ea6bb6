/** Small linear systems. */

/** Cholesky's lower triangle `[n * n]` of a symmetric positive definite matrix, of which the lower half is read. */
export function lowerTriangle(matrix: Float64Array, n: number): Float64Array {
  const lower = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= lower[i * n + k]! * lower[j * n + k]!;
      lower[i * n + j] = i === j ? Math.sqrt(Math.max(sum, 1e-300)) : sum / lower[j * n + j]!;
    }
  }
  return lower;
}

/** `x` of `matrix x = right`, for a symmetric positive definite `matrix` `[n * n]`. Both stay as they are. */
export function solve(matrix: Float64Array, right: Float64Array): Float64Array<ArrayBuffer> {
  const n = right.length;
  const lower = lowerTriangle(matrix, n);
  const x = Float64Array.from(right);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i]! -= lower[i * n + k]! * x[k]!;
    x[i]! /= lower[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i]! -= lower[k * n + i]! * x[k]!;
    x[i]! /= lower[i * n + i]!;
  }
  return x;
}
