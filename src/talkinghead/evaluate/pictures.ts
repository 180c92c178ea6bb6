/** How alike two pictures are, pixel by pixel: PSNR and SSIM, in floating point. */
import type { RgbImage } from '../../media/index.js';
import { ShapeError } from '../../torch/index.js';

/** The largest value of a byte, which both measures refer to. */
const peak = 255;

/** Of SSIM: the Gaussian window's reach to either side and standard deviation in pixels, and the constants of its authors. */
const reach = 5;
const sigma = 1.5;
const c1 = (0.01 * peak) ** 2;
const c2 = (0.03 * peak) ** 2;

const kernel: readonly number[] = (() => {
  const weights = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-((i - reach) ** 2) / (2 * sigma ** 2)));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
})();

/** The mean of squared differences over all pixels and channels. @throws ShapeError for pictures of different sizes */
export function meanSquaredError(a: RgbImage, b: RgbImage): number {
  checkAlike('meanSquaredError', a, b);
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += (a.data[i]! - b.data[i]!) ** 2;
  return sum / a.data.length;
}

/** The peak signal-to-noise ratio of a mean squared error, in decibels; infinite where nothing differs. */
export function decibels(error: number): number {
  return 10 * Math.log10(peak ** 2 / error);
}

/** The peak signal-to-noise ratio, in decibels. See {@link meanSquaredError}. */
export function psnr(a: RgbImage, b: RgbImage): number {
  return decibels(meanSquaredError(a, b));
}

/**
 * The structural similarity (Wang, Bovik, Sheikh and Simoncelli 2004): 1 for equal pictures. A Gaussian window of 11 x 11 pixels with a
 * standard deviation of 1.5, only where it lies within the picture; the mean over the red, green and blue channels. As scikit-image's
 * `structural_similarity` with `gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2`.
 * @throws ShapeError for pictures of different sizes, or smaller than the window
 */
export function ssim(a: RgbImage, b: RgbImage): number {
  checkAlike('ssim', a, b);
  const { width, height } = a;
  if (Math.min(width, height) < kernel.length)
    throw new ShapeError(
      `ssim: expected pictures of at least ${kernel.length} pixels a side, got ${width} x ${height}`,
    );
  let sum = 0;
  for (let channel = 0; channel < 3; channel++) {
    const [x, y] = [plane(a, channel), plane(b, channel)];
    const blurred = (values: Float64Array): Float64Array => blur(values, width, height);
    const product = (p: Float64Array, q: Float64Array): Float64Array => p.map((value, i) => value * q[i]!);
    const [mx, my] = [blurred(x), blurred(y)];
    const [xx, yy, xy] = [blurred(product(x, x)), blurred(product(y, y)), blurred(product(x, y))];
    let total = 0;
    for (let i = 0; i < mx.length; i++) {
      const [p, q] = [mx[i]!, my[i]!];
      const spread = xx[i]! - p * p + (yy[i]! - q * q) + c2;
      total += ((2 * p * q + c1) * (2 * (xy[i]! - p * q) + c2)) / ((p * p + q * q + c1) * spread);
    }
    sum += total / mx.length;
  }
  return sum / 3;
}

function plane({ data }: RgbImage, channel: number): Float64Array {
  return Float64Array.from({ length: data.length / 3 }, (_, i) => data[3 * i + channel]!);
}

/** Weighted means over the window where it lies within the picture: smaller by `reach` on every side. */
function blur(values: Float64Array, width: number, height: number): Float64Array {
  const across = width - 2 * reach;
  const rows = new Float64Array(across * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < across; x++) {
      let sum = 0;
      for (let k = 0; k < kernel.length; k++) sum += kernel[k]! * values[y * width + x + k]!;
      rows[y * across + x] = sum;
    }
  }
  const means = new Float64Array(across * (height - 2 * reach));
  for (let i = 0; i < means.length; i++) {
    let sum = 0;
    for (let k = 0; k < kernel.length; k++) sum += kernel[k]! * rows[i + k * across]!;
    means[i] = sum;
  }
  return means;
}

function checkAlike(where: string, a: RgbImage, b: RgbImage): void {
  if (a.width === b.width && a.height === b.height && a.data.length === b.data.length) return;
  throw new ShapeError(
    `${where}: expected pictures of one size, got ${a.width} x ${a.height} and ${b.width} x ${b.height}`,
  );
}
