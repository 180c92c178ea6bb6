/** Batches of a data set: seeded order, seeded augmentation, resumable at any (epoch, batch). */
import { ConfigError } from '../torch/errors.js';
import { checkOptions, deriveSeed, Generator, scope, type Tensor, tensor } from '../torch/index.js';
import { letGo } from '../torch/lifetime.js';
import { scopeMaking, tensorsOf } from '../torch/scope.js';
import { type Collated, collated, type ItemSource } from './collate.js';
import { type BatchDataset, checkInteger, type ImageBatch } from './dataset.js';
import { prefetched } from './prefetch.js';
import { RandomSampler, type Sampler, SequentialSampler } from './samplers.js';
import { type BatchTransform, batchTransformFrom, type TransformSpec } from './specs.js';

export interface LoaderOptions<Batch> {
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
  /** Threads on which `stream()` makes the batches; 0 by default: none but its own. The batches are the same whatever it is. */
  readonly numWorkers?: number;
}

const optionNames = ['batchSize', 'shuffle', 'seed', 'dropLast', 'transform', 'sampler', 'numWorkers', 'collate'];

/** How a loader is made: of whole batches, or of single items, which `collate` (`defaultCollate` if absent) puts together. */
interface DataLoaderConstructor {
  new <Batch>(dataset: BatchDataset<Batch>, options: LoaderOptions<Batch>): DataLoader<Batch>;
  new <Sample, Batch>(
    dataset: ItemSource<Sample>,
    options: LoaderOptions<Batch> & { readonly collate: (samples: Sample[]) => Batch },
  ): DataLoader<Batch>;
  new <Sample>(dataset: ItemSource<Sample>, options: LoaderOptions<Collated<Sample>>): DataLoader<Collated<Sample>>;
}

/** A batch, and those of its tensors that nobody else owns. */
interface Made<Batch> {
  readonly result: Batch;
  readonly made: readonly Tensor[];
}

/** The class behind `DataLoader`, whose constructor has one signature for each kind of data set. */
class BatchLoader<Batch> {
  readonly batchSize: number;
  readonly seed: number;
  readonly sampler: Sampler;
  /** Batches in an epoch, the partial one included. */
  readonly batchesPerEpoch: number;
  /** Whole batches, whatever the data set gives. */
  private readonly batched: BatchDataset<Batch>;
  private readonly transform: BatchTransform<Batch> | null;
  private order: { readonly epoch: number; readonly indices: BigInt64Array } | null = null;
  private passes = 0;
  /** Whether the data set has given a promise; null before the first batch. */
  private givesPromises: boolean | null = null;

  /** @throws ConfigError for options that make no sense */
  constructor(
    readonly dataset: BatchDataset<Batch> | ItemSource<unknown>,
    readonly options: LoaderOptions<Batch> & { readonly collate?: (samples: unknown[]) => Batch },
  ) {
    checkOptions('DataLoader', options ?? null, optionNames);
    const { batchSize, shuffle = false, seed = 0, dropLast = false, sampler, transform, numWorkers = 0 } = options;
    checkInteger(batchSize, 1, 'batchSize');
    checkInteger(numWorkers, 0, 'numWorkers');
    if (sampler !== undefined && shuffle) throw new ConfigError('give either a sampler or shuffle, not both');
    this.batched = batchesOf(dataset, options.collate);
    this.batchSize = batchSize;
    this.seed = seed;
    const { length } = dataset;
    this.sampler = sampler ?? (shuffle ? new RandomSampler(length, seed) : new SequentialSampler(length));
    const batches = this.sampler.length / batchSize;
    this.batchesPerEpoch = dropLast ? Math.floor(batches) : Math.ceil(batches);
    if (this.batchesPerEpoch === 0 && batches > 0) {
      throw new ConfigError(`dropLast leaves no batch: ${this.sampler.length} items do not fill one of ${batchSize}`);
    }
    this.transform = typeof transform === 'function' ? transform : batchTransformFrom<Batch>(transform ?? []);
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

  /** One batch. Its tensors belong to the caller's scope. @throws ConfigError where the data set gives promises */
  batch(epoch: number, batch: number): Batch {
    return this.now(epoch, batch).result;
  }

  private now(epoch: number, batch: number): Made<Batch> {
    const made = this.attempt(epoch, batch);
    if (made !== null) return made;
    throw new ConfigError(
      'this data set gives promises: await them, by `for await (const batch of loader.stream(epoch))`',
    );
  }

  /** Null where the data set gives a promise. */
  private attempt(epoch: number, batch: number): Made<Batch> | null {
    const indices = this.indices(epoch, batch);
    const { result, made } = scopeMaking(() => {
      const plain = this.batched.batch(tensor(indices));
      if (!(plain instanceof Promise)) return { whole: this.transformed(plain, epoch, batch) };
      plain.catch(() => {}); // nobody will await it
      return null;
    });
    return result === null ? null : { result: result.whole, made };
  }

  /** One batch of any data set, and those of its tensors that are the loader's to free; for this folder's use. */
  make(epoch: number, batch: number): Made<Batch> | Promise<Made<Batch>> {
    const made = this.givesPromises === false ? this.attempt(epoch, batch) : null;
    if (made !== null) return made;
    const indices = this.indices(epoch, batch);
    return scope(async () => {
      const given = this.batched.batch(tensor(indices));
      this.givesPromises ||= given instanceof Promise;
      const plain = await given;
      const result = scope(() => ({ whole: this.transformed(plain, epoch, batch) })).whole;
      return { result, made: tensorsOf(result) };
    });
  }

  private transformed(plain: Batch, epoch: number, batch: number): Batch {
    if (this.transform === null) return plain;
    // The thread may run all epochs without a pause in which the collector could free the generator.
    const generator = new Generator(deriveSeed(this.seed, 'augment', epoch, batch));
    try {
      return this.transform(plain, generator);
    } finally {
      generator.dispose();
    }
  }

  /**
   * The batches of an epoch from number `from` on, made on this thread as they are asked for.
   *
   * Asking for the next one frees the tensors of the last, unless a scope owns them (the loop runs inside one) or `keep`
   * was called: to collect batches in a list, do either. The batch at which a loop is left stays.
   */
  *batches(epoch: number, from = 0): IterableIterator<Batch> {
    for (let batch = from; batch < this.batchesPerEpoch; batch++) {
      const { result, made } = this.now(epoch, batch);
      yield result;
      made.forEach(letGo);
    }
  }

  /**
   * The same batches, of any data set. Without workers they are made on this thread, and where the data set gives promises up to
   * `ahead` are under way while the loop works on another; with `numWorkers`, on so many threads, as by `prefetch()`. Batches are
   * freed as those of {@link batches}.
   */
  async *stream(epoch: number, from = 0, ahead = 2): AsyncGenerator<Batch, void, undefined> {
    checkInteger(ahead, 1, 'stream: ahead');
    if ((this.options.numWorkers ?? 0) > 0) yield* this.prefetch(epoch, from, Math.max(ahead, 4));
    else {
      const count = this.batchesPerEpoch - from;
      for await (const { result, made } of inOrder((i) => this.make(epoch, from + i), count, ahead)) {
        yield result;
        made.forEach(letGo);
      }
    }
  }

  /** The epochs one after another, as `for (const batch of loader)` in PyTorch: the first loop is epoch 0, the next epoch 1. */
  [Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
    return this.stream(this.passes++);
  }

  /** As the asynchronous loop, for data sets that need no promises. */
  [Symbol.iterator](): IterableIterator<Batch> {
    return this.batches(this.passes++);
  }

  /**
   * The same batches, made ahead of their use on `numWorkers` threads (one at least); ending the loop early ends the threads. The data
   * set must be `ThreadShareable` (as `TensorImageDataset` is) and the transform a list of specs. Batches are freed as those of
   * {@link batches}.
   * @param ahead how many batches may wait
   * @throws ConfigError where the data set or the transform cannot go to another thread; whatever a thread throws
   */
  prefetch(epoch: number, from = 0, ahead = 4): AsyncGenerator<Batch, void, undefined> {
    checkInteger(ahead, 1, 'prefetch: ahead');
    return prefetched(this, epoch, from, ahead);
  }
}

/**
 * Draws batches from a data set: one of whole batches, or of single items (`length` and `getItem`, or an array), which
 * `collate` puts together. Either may give promises.
 *
 * Batch b of epoch e depends on the seed, e and b only: not on which batches were drawn before, nor on the thread.
 *
 * @example
 * const loader = new DataLoader(train, { batchSize: 128, shuffle: true, seed: 0, transform: data.trainTransforms });
 * for (const { images, labels } of loader.batches(epoch)) scope(() => step(images, labels)); // each batch is freed by the next
 * for await (const { images, labels } of loader.stream(epoch)) ...     // data sets that read as they go, too
 * for await (const { images, labels } of loader.prefetch(epoch)) ...   // made ahead, on another thread
 */
export const DataLoader = BatchLoader as DataLoaderConstructor;
export type DataLoader<Batch = ImageBatch> = BatchLoader<Batch>;

function batchesOf<Batch>(
  dataset: BatchDataset<Batch> | ItemSource<unknown>,
  collate?: (samples: unknown[]) => Batch,
): BatchDataset<Batch> {
  const whole = typeof dataset === 'object' && dataset !== null && Number.isSafeInteger(dataset.length);
  if (whole && 'batch' in dataset && collate === undefined) return dataset;
  if (whole && (Array.isArray(dataset) || 'getItem' in dataset || 'get' in dataset)) {
    const items = dataset as ItemSource<unknown>;
    return collate === undefined ? (collated(items) as BatchDataset<Batch>) : collated(items, collate);
  }
  const got = whole ? 'neither of them' : `length ${(dataset as { length?: unknown } | null)?.length}`;
  throw new ConfigError(
    `expected a data set with a whole number as length, and getItem(index) or batch(indices), got ${got}` +
      (collate === undefined ? '' : ' (collate puts the items of getItem together)'),
  );
}

/** What `make` gives for 0 to `count`, in order. Promises are asked for ahead; what is there at once is made when its turn comes. */
export async function* inOrder<T>(
  make: (i: number) => T | Promise<T>,
  count: number,
  ahead: number,
): AsyncGenerator<T, void, undefined> {
  const waiting: (T | Promise<T>)[] = [];
  let next = 0;
  const ask = (): void => {
    do {
      const made = make(next++);
      if (made instanceof Promise) made.catch(() => {}); // told when its turn comes
      waiting.push(made);
    } while (next < count && waiting.length < ahead && waiting.at(-1) instanceof Promise);
  };
  while (next < count || waiting.length > 0) {
    if (waiting.length === 0) ask();
    const made = await (waiting[0] as T | Promise<T>);
    const asked = waiting.shift() instanceof Promise;
    if (asked && next < count) ask();
    yield made;
  }
}
