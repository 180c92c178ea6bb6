/** Batches of a data set: seeded order, seeded augmentation, resumable at any (epoch, batch). */
import { ConfigError } from '../torch/errors.js';
import { deriveSeed, Generator, type Tensor, tensor } from '../torch/index.js';
import { letGo } from '../torch/lifetime.js';
import { scopeMaking } from '../torch/scope.js';
import { type BatchDataset, checkInteger, type ImageBatch, type TensorBatch } from './dataset.js';
import { prefetched } from './prefetch.js';
import { RandomSampler, type Sampler, SequentialSampler } from './samplers.js';
import { type TransformSpec, transformFrom } from './transforms.js';

/** What happens to each batch; the generator is seeded for this batch. */
export type BatchTransform<Batch extends TensorBatch> = (batch: Batch, generator: Generator) => Batch;

export interface LoaderOptions<Batch extends TensorBatch> {
  /** Items in a batch; the last of an epoch may have fewer. */
  readonly batchSize: number;
  /** A fresh order each epoch; false by default: the data set's own order. */
  readonly shuffle?: boolean;
  /** Order and augmentation follow from it; 0 by default. */
  readonly seed?: number;
  /** Leave out the last, partial batch; false by default. */
  readonly dropLast?: boolean;
  /** Image transforms as data, applied to `images`; or a function of the whole batch. */
  readonly transform?: readonly TransformSpec[] | BatchTransform<Batch>;
  /** An order of your own; excludes `shuffle`. */
  readonly sampler?: Sampler;
}

/**
 * Draws batches from a data set.
 *
 * Batch b of epoch e depends on the seed, e and b only: not on which batches were drawn before, nor on the thread.
 *
 * @example
 * const loader = new DataLoader(train, { batchSize: 128, shuffle: true, seed: 0, transform: data.trainTransforms });
 * for (const { images, labels } of loader.batches(epoch)) scope(() => step(images, labels)); // each batch is freed by the next
 * for await (const { images, labels } of loader.prefetch(epoch)) ...   // made ahead, on another thread
 */
export class DataLoader<Batch extends TensorBatch = ImageBatch> {
  readonly batchSize: number;
  readonly seed: number;
  readonly sampler: Sampler;
  /** Batches in an epoch, the partial one included. */
  readonly batchesPerEpoch: number;
  private readonly transform: BatchTransform<Batch> | null;
  private order: { readonly epoch: number; readonly indices: BigInt64Array } | null = null;

  /** @throws ConfigError for options that make no sense */
  constructor(
    readonly dataset: BatchDataset<Batch>,
    readonly options: LoaderOptions<Batch>,
  ) {
    const { batchSize, shuffle = false, seed = 0, dropLast = false, sampler, transform } = options;
    checkInteger(batchSize, 1, 'batchSize');
    if (sampler !== undefined && shuffle) throw new ConfigError('give either a sampler or shuffle, not both');
    this.batchSize = batchSize;
    this.seed = seed;
    const { length } = dataset;
    this.sampler = sampler ?? (shuffle ? new RandomSampler(length, seed) : new SequentialSampler(length));
    const batches = this.sampler.length / batchSize;
    this.batchesPerEpoch = dropLast ? Math.floor(batches) : Math.ceil(batches);
    this.transform = typeof transform === 'function' ? transform : fromSpecs(transform ?? []);
  }

  /** The indices of one batch, in order. */
  indices(epoch: number, batch: number): BigInt64Array {
    checkInteger(epoch, 0, 'epoch');
    checkInteger(batch, 0, 'batch');
    if (batch >= this.batchesPerEpoch) {
      throw new ConfigError(`expected a batch below ${this.batchesPerEpoch}, the number in an epoch, got ${batch}`);
    }
    if (this.order?.epoch !== epoch) this.order = { epoch, indices: this.sampler.order(epoch) };
    return this.order.indices.slice(batch * this.batchSize, (batch + 1) * this.batchSize);
  }

  /** One batch. Its tensors belong to the caller's scope. */
  batch(epoch: number, batch: number): Batch {
    return this.make(epoch, batch).result;
  }

  private make(epoch: number, batch: number): { result: Batch; made: Tensor[] } {
    const indices = this.indices(epoch, batch);
    return scopeMaking(() => {
      const plain = this.dataset.batch(tensor(indices));
      if (this.transform === null) return plain;
      // The thread may run all epochs without a pause in which the collector could free the generator.
      const generator = new Generator(deriveSeed(this.seed, 'augment', epoch, batch));
      try {
        return this.transform(plain, generator);
      } finally {
        generator.dispose();
      }
    });
  }

  /**
   * The batches of an epoch from number `from` on, made on this thread as they are asked for.
   *
   * Asking for the next one frees the tensors of the last, unless a scope owns them (the loop runs inside one) or `keep`
   * was called: to collect batches in a list, do either. The batch at which a loop is left stays.
   */
  *batches(epoch: number, from = 0): IterableIterator<Batch> {
    for (let batch = from; batch < this.batchesPerEpoch; batch++) {
      const { result, made } = this.make(epoch, batch);
      yield result;
      made.forEach(letGo);
    }
  }

  /**
   * The same batches, made ahead of their use on a thread of their own; ending the loop early ends the thread. The data set must be
   * `ThreadShareable` (as `TensorImageDataset` is) and the transform a list of specs. Batches are freed as those of
   * {@link batches}.
   * @param ahead how many batches may wait
   * @throws ConfigError where the data set or the transform cannot go to another thread; whatever the thread throws
   */
  prefetch(epoch: number, from = 0, ahead = 4): AsyncGenerator<Batch, void, undefined> {
    checkInteger(ahead, 1, 'prefetch: ahead');
    return prefetched(this, epoch, from, ahead);
  }
}

function fromSpecs<Batch extends TensorBatch>(specs: readonly TransformSpec[]): BatchTransform<Batch> | null {
  if (specs.length === 0) return null;
  const transform = transformFrom(specs);
  return (batch, generator) => {
    if (batch.images === undefined) {
      throw new ConfigError(`image transforms need a batch with images, got ${Object.keys(batch).join(', ')}`);
    }
    return { ...batch, images: transform(batch.images, generator) };
  };
}
