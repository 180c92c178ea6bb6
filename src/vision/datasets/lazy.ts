/** Images that stay in their files until a batch needs them. */
import type { ImageBatch, ImageDataset, ImageInfo, SharedDataset, ThreadShareable } from '../../data/index.js';
import { type Tensor, tensor, tensorFromBytes } from '../../torch/index.js';
import { decodeBatch, type Size } from './decode.js';

/** What `LazyImageDataset` knows besides its labels, as plain JSON. */
export interface LazyImages extends ImageInfo {
  readonly paths: readonly string[];
  readonly size: Size;
  /** Whether the files are resized; else all are of this size. */
  readonly resize: boolean;
}

/**
 * Labelled image files, decoded as batches ask for them, on the image library's threads: they need not fit into memory. The pixels
 * are those that a data set in memory holds.
 */
export class LazyImageDataset implements ImageDataset, ThreadShareable {
  readonly length: number;
  readonly channels = 3;
  readonly height: number;
  readonly width: number;
  readonly classes: readonly string[];
  readonly mean: readonly number[];
  readonly std: readonly number[];

  /** @param labels int64 [N], one for each path */
  constructor(
    readonly files: LazyImages,
    readonly labels: Tensor,
  ) {
    this.length = files.paths.length;
    [this.height, this.width] = files.size;
    ({ classes: this.classes, mean: this.mean, std: this.std } = files);
    labels.keep();
  }

  async batch(indices: Tensor): Promise<ImageBatch> {
    const chosen = indices.data() as BigInt64Array;
    const labels = this.labels.indexSelect(0, indices);
    const paths = Array.from(chosen, (i) => this.files.paths[Number(i)] as string);
    const pixels = await decodeBatch(paths, this.files.size, this.files.resize);
    const images = tensorFromBytes(pixels, 'uint8', [paths.length, this.channels, this.height, this.width]);
    return { images, labels };
  }

  /** One image [C, H, W] and its label. */
  async getItem(index: number): Promise<ImageBatch> {
    const one = tensor(BigInt64Array.of(BigInt(index)));
    const { images, labels } = await this.batch(one);
    return { images: images.select(0, 0), labels: labels.select(0, 0) };
  }

  /** The items at these indices, in this order. */
  subset(indices: readonly number[]): LazyImageDataset {
    const paths = indices.map((i) => this.files.paths[i] as string);
    const chosen = tensor(BigInt64Array.from(indices, BigInt));
    const labels = this.labels.indexSelect(0, chosen);
    chosen.dispose();
    return new LazyImageDataset({ ...this.files, paths }, labels);
  }

  share(): SharedDataset {
    return { module: import.meta.url, export: 'lazyImagesFromShared', options: this.files, tensors: [this.labels] };
  }

  /** Frees the labels; the data set cannot be used after. */
  dispose(): void {
    this.labels.dispose();
  }
}

/** The other end of `LazyImageDataset.share`. */
export function lazyImagesFromShared(options: unknown, tensors: readonly Tensor[]): LazyImageDataset {
  return new LazyImageDataset(options as LazyImages, tensors[0] as Tensor);
}
