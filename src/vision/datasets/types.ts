/** What a data set's loader is asked and what it gives. */
import type { TensorImageDataset, TransformSpec } from '../../data/index.js';
import type { BadImage } from './decode.js';
import type { LazyImageDataset } from './lazy.js';

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
  /** `folder:` only: leave out images that cannot be decoded, which are refused otherwise. */
  readonly skipBad?: boolean;
  /**
   * `folder:` only: leave the images in their files and decode those of each batch as it is needed; `'auto'` does so where they would
   * take more than 1 GiB. False by default. The batches are the same bit for bit.
   */
  readonly lazy?: boolean | 'auto';
  /** Mean and deviation of each channel to normalise by, for pixels in [0, 1]; those of the training images by default. */
  readonly statistics?: { readonly mean: readonly number[]; readonly std: readonly number[] };
  /**
   * Replaces the data set's usual augmentation: pad of the random crop in pixels (0 for none) and mirroring; or transforms of your
   * own. `randomErasing`, `mixup` and `cutmix` come after scaling, all others before; `classes` of the latter two are filled in.
   */
  readonly augment?: { readonly pad: number; readonly flip: boolean } | readonly AugmentSpec[];
}

/** A transform; the number of classes of `mixup` and `cutmix` may be left out. */
export type AugmentSpec =
  | TransformSpec
  | { readonly kind: 'mixup'; readonly alpha?: number; readonly classes?: number }
  | { readonly kind: 'cutmix'; readonly alpha?: number; readonly classes?: number };

/** What lies in a folder of images, told before it is read. */
export interface Found {
  readonly parts: readonly {
    readonly name: 'train' | 'test';
    /** The folder, with a remark where a part of it was held out. */
    readonly from: string;
    readonly images: number;
    readonly classes: number;
  }[];
  readonly classes: readonly string[];
  /** Whether images stay in their files until a batch needs them. */
  readonly lazy: boolean;
  /** Images that were left out, with `skipBad`. */
  readonly skipped: readonly BadImage[];
  /** What was passed over, a sentence each. */
  readonly notes: readonly string[];
}

/** What cannot be JSON. */
export interface LoadHooks {
  /** Called while the images of a folder are decoded. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Called before the images of a folder are decoded. */
  readonly onFound?: (found: Found) => void;
  /** Ends the decoding of a folder; its reason is thrown. */
  readonly signal?: AbortSignal;
}

/** Images in memory, or in their files. */
export type ImageSet = TensorImageDataset | LazyImageDataset;

/** A data set, with what a run needs to know of it. */
export interface ImageData<Set extends ImageSet = TensorImageDataset> {
  /** `mnist`, `cifar10`, `svhn`, `stl10` or `folder`. */
  readonly name: string;
  readonly train: Set;
  readonly test: Set;
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
  /** What a folder was found to hold, before any limit; null for other kinds. */
  readonly found: Found | null;
}

/** The parts before they are tensors of their own: what each format's loader returns. */
export interface LoadedParts<Set extends ImageSet = ImageSet> {
  readonly name: string;
  readonly train: Set;
  readonly test: Set;
  /** The usual augmentation for these pictures. */
  readonly augment: { readonly pad: number; readonly flip: boolean };
  readonly found?: Found;
}
