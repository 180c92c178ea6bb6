/** What a loader can draw batches from: single items, or whole batches; at once, or as promises. */

import { ConfigError, ShapeError } from '../torch/errors.js';
import { expectObject, expectTensors, expectText, misfit } from '../torch/expect.js';
import { Tensor, tensor } from '../torch/index.js';
import { callFunction } from '../torch/user-modules.js';

/** Items by number, as PyTorch's `Dataset` with `__len__` and `__getitem__`. */
export interface Dataset<Sample> {
  readonly length: number;
  /** @param index in [0, length) */
  getItem(index: number): Sample | Promise<Sample>;
}

/** The tensors of a batch, by name; the first dimension of each is the batch's. */
export type TensorBatch = Readonly<Record<string, Tensor>>;

/**
 * A source of whole batches, which is what a loader draws from. One that reads as it goes gives promises: the loader's `stream()`
 * awaits them, and asks for the next ones meanwhile. The tensors of a batch belong to the loader.
 */
export interface BatchDataset<Batch = TensorBatch> {
  readonly length: number;
  /** @param indices int64 [B], each in [0, length) */
  batch(indices: Tensor): Batch | Promise<Batch>;
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
  /** A function `(options, tensors) => BatchDataset`, or a `Dataset` of items, or a promise of one. */
  readonly export: string;
  /** Plain JSON. */
  readonly options: unknown;
  readonly tensors: readonly Tensor[];
}

/** A data set that can be used on another thread. */
export interface ThreadShareable {
  share(): SharedDataset;
}

/** @throws ConfigError unless it has a length, as data sets and lists have */
export function expectSource(where: string, source: unknown): void {
  if (typeof source === 'object' && source !== null && 'length' in source && typeof source.length === 'number') return;
  const advice = source instanceof Tensor ? 'new TensorDataset(tensor) makes one of it.' : '';
  throw misfit(where, 'a data set, with length and getItem or batch', source, advice);
}

/** The other end of `share()`, on the thread that a data set came to. @throws ConfigError where its module has no such function */
export async function openShared(
  shared: Omit<SharedDataset, 'tensors'>,
  tensors: readonly Tensor[],
): Promise<BatchDataset<TensorBatch>> {
  expectObject('openShared', shared, 'what share() of a data set gives');
  const { module, export: name, options } = shared;
  expectText('openShared', module, 'the URL of a module');
  return (await callFunction(module, name, options, tensors)) as BatchDataset<TensorBatch>;
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
    expectTensors('TensorImageDataset', images, labels);
    expectObject('TensorImageDataset', info, 'the information on the images in an object');
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

  /** One image [C, H, W] and its label, so that it serves as a `Dataset` too, for `randomSplit` and the like. */
  getItem(index: number): ImageBatch {
    return { images: this.images.select(0, index), labels: this.labels.select(0, index) };
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

/** @throws ConfigError unless `value` is an integer of at least `least` */
export function checkInteger(value: number, least: number, what: string): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new ConfigError(`${what}: expected an integer >= ${least}, got ${value}`);
  }
}
