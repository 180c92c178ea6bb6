/** What a data set's loader is asked and what it gives. */
import type { TensorImageDataset, TransformSpec } from '../../data/index.js';

/** What to load, as plain JSON: another thread can load the same from it. */
export interface DataOptions {
  /** `mnist`, `mnist:DIR`, `cifar10:DIR`, `svhn:DIR`, `stl10:DIR` or `folder:DIR`. */
  readonly spec: string;
  /** Keep at most this many training images, chosen by `seed`; all by default. */
  readonly limit?: number;
  /** Keep at most this many test images; `limit` by default. */
  readonly testLimit?: number;
  /** Of the split of a folder without a test part, and of `limit`'s choice; 0 by default. */
  readonly seed?: number;
  /** `folder:` only: resize each image to this height and width (one number for both). Without it all must be of one size. */
  readonly size?: number | readonly [height: number, width: number];
  /** Replaces the data set's usual augmentation: pad of the random crop in pixels (0 for none) and mirroring. */
  readonly augment?: { readonly pad: number; readonly flip: boolean };
}

/** What cannot be JSON. */
export interface LoadHooks {
  /** Called while the images of a folder are decoded. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** A data set in memory, with what a run needs to know of it. */
export interface ImageData {
  /** `mnist`, `cifar10`, `svhn`, `stl10` or `folder`. */
  readonly name: string;
  readonly train: TensorImageDataset;
  readonly test: TensorImageDataset;
  readonly classes: readonly string[];
  /** Channels, height, width. */
  readonly inputShape: readonly [number, number, number];
  /** Of each channel, for pixels scaled to [0, 1]. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** Augmentation, scaling and normalisation; for `DataLoader`'s `transform`. */
  readonly trainTransforms: readonly TransformSpec[];
  /** Scaling and normalisation alone. */
  readonly testTransforms: readonly TransformSpec[];
}

/** The parts before they are tensors of their own: what each format's loader returns. */
export interface LoadedParts {
  readonly name: string;
  readonly train: TensorImageDataset;
  readonly test: TensorImageDataset;
  /** The usual augmentation for these pictures. */
  readonly augment: { readonly pad: number; readonly flip: boolean };
}
