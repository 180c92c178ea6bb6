/** What a loader can draw batches from. */

import { ConfigError, ShapeError } from '../torch/errors.js';
import { type Tensor, tensor } from '../torch/index.js';

/** Items by number. */
export interface Dataset<Sample> {
  readonly length: number;
  get(index: number): Sample;
}

/** The tensors of a batch, by name; the first dimension of each is the batch's. */
export type TensorBatch = Readonly<Record<string, Tensor>>;

/** A source of whole batches, which is what a loader draws from. */
export interface BatchDataset<Batch extends TensorBatch> {
  readonly length: number;
  /** @param indices int64 [B], each in [0, length) */
  batch(indices: Tensor): Batch;
}

/** Images and their classes: `images` [B, C, H, W] (uint8 from a data set, float32 after transforms), `labels` int64 [B]. */
export type ImageBatch = {
  readonly images: Tensor;
  readonly labels: Tensor;
};

/** A set of labelled images of one size. */
export interface ImageDataset extends BatchDataset<ImageBatch> {
  readonly classes: readonly string[];
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** int64 [N]. */
  readonly labels: Tensor;
  /** Of each channel, for pixels scaled to [0, 1]. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** How another thread of this process gets a data set: its tensors pass by handle, and `module`'s `export` puts it together. */
export interface SharedDataset {
  /** URL of an ES module: `import.meta.url` in the one that has the function. */
  readonly module: string;
  /** A function `(options, tensors) => BatchDataset`. */
  readonly export: string;
  /** Plain JSON. */
  readonly options: unknown;
  readonly tensors: readonly Tensor[];
}

/** A data set that can be used on another thread. */
export interface ThreadShareable {
  share(): SharedDataset;
}

/** What `TensorImageDataset` knows besides its tensors. */
export interface ImageInfo {
  readonly classes: readonly string[];
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Images held in memory as one uint8 tensor. It keeps its tensors: they outlive scopes. */
export class TensorImageDataset implements ImageDataset, ThreadShareable {
  readonly length: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;

  /**
   * @param images uint8 [N, C, H, W]
   * @param labels int64 [N], in [0, classes)
   * @throws ShapeError when they do not fit each other
   */
  constructor(
    readonly images: Tensor,
    readonly labels: Tensor,
    readonly info: ImageInfo,
  ) {
    const [shape, dtype] = [images.shape, images.dtype];
    if (shape.length !== 4 || dtype !== 'uint8') {
      throw new ShapeError(`images: expected uint8 [N, C, H, W], got ${dtype} [${shape.join(', ')}]`);
    }
    [this.length, this.channels, this.height, this.width] = shape as [number, number, number, number];
    if (labels.dtype !== 'int64' || labels.shape.length !== 1 || labels.shape[0] !== this.length) {
      throw new ShapeError(`labels: expected int64 [${this.length}], got ${labels.dtype} [${labels.shape.join(', ')}]`);
    }
    images.keep();
    labels.keep();
  }

  get classes(): readonly string[] {
    return this.info.classes;
  }

  get mean(): readonly number[] {
    return this.info.mean;
  }

  get std(): readonly number[] {
    return this.info.std;
  }

  batch(indices: Tensor): ImageBatch {
    return { images: this.images.indexSelect(0, indices), labels: this.labels.indexSelect(0, indices) };
  }

  /** A new data set (a copy) of the items at these indices, in this order. */
  subset(indices: readonly number[] | BigInt64Array): TensorImageDataset {
    const index = tensor(BigInt64Array.from(indices as readonly number[], BigInt));
    const { images, labels } = this.batch(index);
    index.dispose();
    return new TensorImageDataset(images, labels, this.info);
  }

  share(): SharedDataset {
    return {
      module: import.meta.url,
      export: 'imageDatasetFromShared',
      options: this.info,
      tensors: [this.images, this.labels],
    };
  }

  /** Frees the images and labels now; the data set cannot be used after. */
  dispose(): void {
    this.images.dispose();
    this.labels.dispose();
  }
}

/** The other end of `TensorImageDataset.share`. */
export function imageDatasetFromShared(options: unknown, tensors: readonly Tensor[]): TensorImageDataset {
  const [images, labels] = tensors as readonly [Tensor, Tensor];
  return new TensorImageDataset(images, labels, options as ImageInfo);
}

/**
 * Makes batches from a data set of single items.
 * @param collate puts samples together; `(samples) => ({ x: stack(samples.map((s) => s.x)) })` for instance
 */
export function collated<Sample, Batch extends TensorBatch>(
  dataset: Dataset<Sample>,
  collate: (samples: Sample[]) => Batch,
): BatchDataset<Batch> {
  return {
    length: dataset.length,
    batch: (indices) => collate(Array.from(indices.data() as BigInt64Array, (i) => dataset.get(Number(i)))),
  };
}

/** @throws ConfigError unless `value` is an integer of at least `least` */
export function checkInteger(value: number, least: number, what: string): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new ConfigError(`${what}: expected an integer >= ${least}, got ${value}`);
  }
}
