/** Image files without labels, as a data set to predict on. */
import { existsSync, statSync } from 'node:fs';
import { TensorImageDataset } from '../../data/index.js';
import { imageExtensions } from '../../media/images/names.js';
import { ConfigError, DataError } from '../../torch/errors.js';
import { noGrad, scope, type Tensor, tensor, zeros } from '../../torch/index.js';
import { type BadImage, decodeImages, describeBad } from './decode.js';
import { imagesBelow } from './listing.js';
import type { LoadHooks } from './types.js';

/** Image files as a model takes them, and those that could not be decoded. */
export interface PredictedImages {
  /** Null where none could be decoded. */
  readonly images: TensorImageDataset | null;
  /** The file of each of `images`. */
  readonly paths: readonly string[];
  readonly bad: readonly BadImage[];
}

/**
 * Reads image files, resized to what a model takes (scaled to cover, then cut at the centre).
 * @param inputShape channels (3, or 1 for greys), height, width
 * @throws DataError naming all files that cannot be read or decoded
 */
export async function imageFiles(
  paths: readonly string[],
  inputShape: readonly [number, number, number],
  hooks: LoadHooks = {},
): Promise<TensorImageDataset> {
  const { images, bad } = await readImageFiles(paths, inputShape, hooks);
  if (images === null || bad.length > 0) throw new DataError(describeBad(bad, paths.length));
  return images;
}

/** As `imageFiles`, but goes on past files that cannot be read: they are in `bad`, with the reason. */
export async function readImageFiles(
  paths: readonly string[],
  inputShape: readonly [number, number, number],
  hooks: LoadHooks = {},
): Promise<PredictedImages> {
  const [channels, height, width] = inputShape;
  if (channels !== 1 && channels !== 3) throw new ConfigError(`Expected a model of 1 or 3 channels, got ${channels}`);
  const { pixels, decoding } = await decodeImages(paths, [height, width], () => {}, hooks);
  const good = decoding.good.map((i) => paths[i] as string);
  return {
    images: good.length === 0 ? null : dataset(pixels, good.length, inputShape),
    paths: good,
    bad: decoding.bad,
  };
}

function dataset(pixels: Uint8Array, count: number, inputShape: readonly [number, number, number]): TensorImageDataset {
  const [channels, height, width] = inputShape;
  return scope(() => {
    const colours = tensor(pixels, { shape: [count, 3, height, width] });
    // The weights of ITU-R 601, as image libraries turn colours into greys.
    const images = channels === 3 ? colours : noGrad(() => greys(colours));
    const nothing = { classes: [''], mean: Array(channels).fill(0), std: Array(channels).fill(1) };
    return new TensorImageDataset(images, zeros([count], { dtype: 'int64' }), nothing);
  });
}

function greys(colours: Tensor): Tensor {
  const weights = tensor([0.299, 0.587, 0.114]).view([1, 3, 1, 1]);
  return colours.to({ dtype: 'float32' }).mul(weights).sum([1], true).round().to({ dtype: 'uint8' });
}

/** A file to be looked at, or a name that stands for none, with the reason. */
export interface NamedFile {
  readonly path: string;
  readonly reason: string | null;
}

/**
 * The image files that names stand for: a file for itself, a folder for all images in it and in its folders, in the order of their
 * names.
 */
export function listImageFiles(names: readonly string[]): NamedFile[] {
  return names.flatMap((name): NamedFile[] => {
    if (!existsSync(name)) {
      const pattern = /[*?[]/.test(name) ? '; the shell replaces patterns, and no file matches this one' : '';
      return [{ path: name, reason: `no such file or folder (${expected}${pattern})` }];
    }
    if (!statSync(name).isDirectory()) return [{ path: name, reason: null }];
    const { paths } = imagesBelow(name);
    if (paths.length === 0) return [{ path: name, reason: `no image in this folder (${expected})` }];
    return paths.map((path) => ({ path, reason: null }));
  });
}

const expected = `expected images, ${imageExtensions.join(' ')}, or folders of them`;
