/** What rows of features are like on the whole. */

/** Mean and deviation of each column over all rows, in two passes; constant columns have a deviation of 1. */
export function moments(blocks: readonly Float32Array[], dims: number): { mean: Float32Array; std: Float32Array } {
  const [mean, square] = [new Float64Array(dims), new Float64Array(dims)];
  const count = blocks.reduce((sum, block) => sum + block.length / dims, 0);
  for (const block of blocks) for (const [i, x] of block.entries()) mean[i % dims]! += x / count;
  for (const block of blocks)
    for (const [i, x] of block.entries()) square[i % dims]! += (x - mean[i % dims]!) ** 2 / count;
  const std = Float32Array.from(square, (variance) => (variance > 1e-12 ? Math.sqrt(variance) : 1));
  return { mean: Float32Array.from(mean), std };
}
