/** Statistics of pixels. */
import { expectBytes } from '../torch/expect.js';

/** Counts of the byte values of each channel, from which mean and deviation follow exactly, in whatever order images come. */
export class ChannelHistogram {
  readonly counts: readonly Float64Array[];

  constructor(readonly channels: number) {
    this.counts = Array.from({ length: channels }, () => new Float64Array(256));
  }

  /**
   * Counts the pixels of some images.
   * @param pixels row-major, [N, C, H, W], or [N, H, W, C] where `interleaved`
   * @param area H * W
   */
  add(pixels: Uint8Array, area: number, interleaved = false): void {
    const [start, step] = interleaved ? [1, this.channels] : [area, 1];
    for (let image = 0; image < pixels.length; image += this.channels * area) {
      this.counts.forEach((counts, channel) => {
        const first = image + channel * start;
        for (let i = first; i < first + area * step; i += step) {
          counts[pixels[i] as number] = (counts[pixels[i] as number] as number) + 1;
        }
      });
    }
  }

  /** Of pixels scaled to [0, 1]. */
  statistics(): { mean: number[]; std: number[] } {
    const mean: number[] = [];
    const std: number[] = [];
    for (const counts of this.counts) {
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
}

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
  expectBytes('channelStatistics', pixels);
  const histogram = new ChannelHistogram(channels);
  histogram.add(pixels, area);
  return histogram.statistics();
}
