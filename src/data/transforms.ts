/**
 * Image transforms over a whole batch at once. Each takes and returns [B, C, H, W] and leaves its input unchanged; the random ones
 * draw from the generator given, the same numbers whatever the pixels, so that a batch's augmentation depends on its seed alone.
 * Crops and flips take any dtype: do them before `toFloat`, on a quarter of the bytes.
 */
import { ConfigError, ShapeError } from '../torch/errors.js';
import { expectList } from '../torch/expect.js';
import { arange, ops, rand, randint, type Tensor, tensor, where } from '../torch/index.js';
import { checkInteger } from './dataset.js';
import { type ImageTransform, sizes } from './image-tools.js';

/** uint8 0..255 to float32 0..1 (torchvision's ToTensor). */
export function toFloat(): ImageTransform {
  return (images) => images.to({ dtype: 'float32' }).div(255);
}

/**
 * (x - mean) / std of each channel (torchvision's Normalize).
 * @param mean one number a channel, for pixels in [0, 1]
 * @param std likewise, above 0
 */
export function normalise(mean: readonly number[], std: readonly number[]): ImageTransform {
  expectList('normalise', mean, 'the means in a list');
  expectList('normalise', std, 'the deviations in a list');
  if (mean.length === 0 || mean.length !== std.length || !mean.every(Number.isFinite) || !std.every((s) => s > 0)) {
    throw new ConfigError(`normalise: expected a mean and a std > 0 for each channel, got [${mean}] and [${std}]`);
  }
  return (images) => {
    const [, channels] = sizes(images, 'normalise');
    if (channels !== mean.length) {
      throw new ShapeError(`normalise: expected ${mean.length} channels, got images [${images.shape.join(', ')}]`);
    }
    const column = (values: readonly number[]): Tensor =>
      tensor(Float32Array.from(values), { shape: [1, values.length, 1, 1] });
    return images.sub(column(mean)).div(column(std));
  };
}

/**
 * Pads each side by reflection (the edge not repeated) and cuts a random window of the original size from each image: one gather.
 * @param pad pixels, below the image's height and width
 */
export function randomCropReflect(pad: number): ImageTransform {
  checkInteger(pad, 0, 'randomCropReflect: pad');
  return (images, generator) => {
    const [batch, channels, height, width] = sizes(images, 'randomCropReflect');
    if (pad >= Math.min(height, width)) {
      throw new ConfigError(`randomCropReflect: expected a pad below the image's ${height}x${width}, got ${pad}`);
    }
    const offsets = randint(0, 2 * pad + 1, [2, batch, 1], { generator, dtype: 'int64' });
    const rows = reflected(offsets.select(0, 0), height, pad);
    const columns = reflected(offsets.select(0, 1), width, pad);
    const pixels = rows.unsqueeze(2).mul(width).add(columns.unsqueeze(1)); // [B, H, W]: where each pixel comes from
    const index = pixels.view([batch, 1, height * width]).expand([batch, channels, height * width]);
    return images
      .reshape([batch, channels, height * width])
      .gather(2, index)
      .view([batch, channels, height, width]);
  };
}

/** Source coordinates [B, size] of a window that starts `offsets - pad` from the edge; those outside are mirrored in. */
function reflected(offsets: Tensor, size: number, pad: number): Tensor {
  const raw = offsets.add(arange(-pad, size - pad, 1, { dtype: 'int64' }));
  return ops.rsub(ops.rsub(raw.abs(), size - 1).abs(), size - 1); // (n-1) - |(n-1) - |x||
}

/** Mirrors each image left to right with this probability. */
export function randomHorizontalFlip(probability = 0.5): ImageTransform {
  if (!(probability >= 0 && probability <= 1)) {
    throw new ConfigError(`randomHorizontalFlip: expected a probability in [0, 1], got ${probability}`);
  }
  return (images, generator) => {
    const [batch] = sizes(images, 'randomHorizontalFlip');
    const flip = rand([batch, 1, 1, 1], { generator }).lt(probability);
    return where(flip, images.flip([3]), images);
  };
}

/** One transform after another. */
export function compose(...transforms: readonly ImageTransform[]): ImageTransform {
  return (images, generator) => transforms.reduce((x, transform) => transform(x, generator), images);
}
