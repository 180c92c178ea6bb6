/** Smoothing over time that looks both ways, so that nothing comes late. */

/**
 * Each column's weighted mean over the frames around, with the weights of a Gaussian; at the ends over what there is.
 * @param values - `[frames * width]`
 * @param sigma - frames; 0 changes nothing
 */
export function smoothed(values: Float32Array, width: number, sigma: number): Float32Array {
  const reach = Math.ceil(3 * sigma);
  if (reach === 0) return values.slice();
  const frames = values.length / width;
  const kernel = Array.from({ length: reach + 1 }, (_, k) => Math.exp(-((k / sigma) ** 2) / 2));
  const result = new Float32Array(values.length);
  const sums = new Float64Array(width);
  for (let frame = 0; frame < frames; frame++) {
    sums.fill(0);
    let total = 0;
    for (let other = Math.max(0, frame - reach); other <= Math.min(frames - 1, frame + reach); other++) {
      const weight = kernel[Math.abs(other - frame)]!;
      total += weight;
      for (let i = 0; i < width; i++) sums[i]! += weight * values[other * width + i]!;
    }
    for (let i = 0; i < width; i++) result[frame * width + i] = sums[i]! / total;
  }
  return result;
}
