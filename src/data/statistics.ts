/** Statistics of pixels. */

/**
 * Mean and standard deviation of each channel, of pixels scaled to [0, 1], over all images; exact, from histograms.
 * @param pixels uint8 [N, C, H, W], row-major
 * @param area H * W
 */
export function channelStatistics(
  pixels: Uint8Array,
  channels: number,
  area: number,
): { mean: number[]; std: number[] } {
  const mean: number[] = [];
  const std: number[] = [];
  for (let channel = 0; channel < channels; channel++) {
    const counts = new Float64Array(256);
    for (let start = channel * area; start < pixels.length; start += channels * area) {
      for (let i = start; i < start + area; i++)
        counts[pixels[i] as number] = (counts[pixels[i] as number] as number) + 1;
    }
    let [total, sum, squares] = [0, 0, 0];
    counts.forEach((count, value) => {
      total += count;
      sum += count * value;
      squares += count * value * value;
    });
    const average = sum / Math.max(1, total);
    mean.push(average / 255);
    std.push(Math.sqrt(Math.max(0, squares / Math.max(1, total) - average * average)) / 255);
  }
  return { mean, std };
}
