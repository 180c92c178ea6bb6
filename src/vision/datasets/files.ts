/** Image files without labels, as a data set to predict on. */
import { TensorImageDataset } from '../../data/index.js';
import { ConfigError } from '../../torch/errors.js';
import { noGrad, scope, type Tensor, tensor, zeros } from '../../torch/index.js';
import { decodeImages } from './decode.js';
import type { LoadHooks } from './types.js';

/**
 * Reads image files, resized to what a model takes (scaled to cover, then cut at the centre).
 * @param inputShape channels (3, or 1 for greys), height, width
 * @throws DataError for a file that cannot be read or decoded
 */
export async function imageFiles(
  paths: readonly string[],
  inputShape: readonly [number, number, number],
  hooks: LoadHooks = {},
): Promise<TensorImageDataset> {
  const [channels, height, width] = inputShape;
  if (channels !== 1 && channels !== 3) throw new ConfigError(`Expected a model of 1 or 3 channels, got ${channels}`);
  const { pixels } = await decodeImages(paths, [height, width], hooks.onProgress);
  return scope(() => {
    const colours = tensor(pixels, { shape: [paths.length, 3, height, width] });
    // The weights of ITU-R 601, as image libraries turn colours into greys.
    const images = channels === 3 ? colours : noGrad(() => greys(colours));
    const nothing = { classes: [''], mean: Array(channels).fill(0), std: Array(channels).fill(1) };
    return new TensorImageDataset(images, zeros([paths.length], { dtype: 'int64' }), nothing);
  });
}

function greys(colours: Tensor): Tensor {
  const weights = tensor([0.299, 0.587, 0.114]).view([1, 3, 1, 1]);
  return colours.to({ dtype: 'float32' }).mul(weights).sum([1], true).round().to({ dtype: 'uint8' });
}
