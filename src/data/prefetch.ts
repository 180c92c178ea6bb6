/** Batches made ahead on worker threads, each of which makes every n-th. The tensors come back by handle, without a copy. */
import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { ConfigError, HeadraceError } from '../torch/errors.js';
import { Queue, type Tensor } from '../torch/index.js';
import { letGo } from '../torch/lifetime.js';
import { startThread } from '../torch/threads.js';
import { callerPlaces, locateModule, prepareLoader } from '../torch/user-modules.js';
import type { SharedDataset, ThreadShareable } from './dataset.js';
import type { DataLoader } from './loader.js';
import { type Packing, unpack } from './pack.js';
import type { TransformSpec } from './specs.js';

/** What the worker thread is started with. */
export interface PrefetchJob {
  /** Carries the data set's tensors in, once. */
  readonly source: number;
  /** Carries the batches out; `meta` is their structure. */
  readonly batches: number;
  readonly dataset: Omit<SharedDataset, 'tensors'>;
  readonly order: BigInt64Array;
  readonly batchSize: number;
  readonly batchesPerEpoch: number;
  readonly seed: number;
  readonly transform: readonly TransformSpec[];
  readonly epoch: number;
  /** This worker's first batch, and how far it is to its next. */
  readonly from: number;
  readonly stride: number;
}

/** What the worker posts: after each batch it has put, or when it failed. */
export type PrefetchNotice =
  | { readonly kind: 'batch' }
  | { readonly kind: 'error'; readonly message: string; readonly stack: string };

/** A thread, with the queue of its batches. */
interface Maker {
  readonly queues: readonly Queue<never>[];
  readonly notices: AsyncGenerator<PrefetchNotice>;
  readonly batches: Queue<Packing>;
  readonly exited: Promise<unknown>;
}

/** See `DataLoader.prefetch`. */
export async function* prefetched<Batch>(
  loader: DataLoader<Batch>,
  epoch: number,
  from: number,
  ahead: number,
): AsyncGenerator<Batch, void, undefined> {
  const stride = Math.max(1, loader.options.numWorkers ?? 0);
  const job = jobOf(loader, epoch);
  await prepareLoader(job.dataset.module);
  const makers: Maker[] = [];
  try {
    for (let i = 0; i < Math.min(stride, loader.batchesPerEpoch - from); i++) {
      makers.push(startMaker({ ...job, from: from + i, stride }, Math.ceil(ahead / stride)));
    }
    for (let batch = from; batch < loader.batchesPerEpoch; batch++) {
      const { tensors, packing } = await receive(makers[(batch - from) % stride] as Maker);
      yield unpack(packing, tensors) as Batch;
      tensors.forEach(letGo);
    }
  } finally {
    for (const { batches } of makers) batches.abort('the loop over the batches ended'); // wakes one that waits for room
    for (const { exited, queues } of makers) {
      await exited;
      for (const queue of queues) queue.destroy();
    }
  }
}

type Job = Omit<PrefetchJob, 'source' | 'batches' | 'from' | 'stride' | 'dataset'> & {
  readonly dataset: SharedDataset;
};

function jobOf<Batch>(loader: DataLoader<Batch>, epoch: number): Job {
  const shared = shareable(loader.dataset).share();
  const dataset = { ...shared, module: locateModule(shared.module, callerPlaces()) };
  const { transform = [], collate } = loader.options;
  if (typeof transform === 'function') {
    throw new ConfigError('a transform that is a function cannot go to another thread: give specs, or use batches()');
  }
  if (collate !== undefined) {
    throw new ConfigError('a collate function cannot go to another thread: put the batches together in the data set');
  }
  const { batchSize, batchesPerEpoch, seed } = loader;
  return { dataset, order: loader.sampler.order(epoch), batchSize, batchesPerEpoch, seed, transform, epoch };
}

function startMaker(job: Job & Pick<PrefetchJob, 'from' | 'stride'>, capacity: number): Maker {
  const { tensors, ...dataset } = job.dataset;
  const source = Queue.create<null>(1);
  const batches = Queue.create<Packing>(capacity);
  source.put({ meta: null, tensors: [...tensors] });
  const workerData: PrefetchJob = { ...job, dataset, source: source.id, batches: batches.id };
  const worker = startThread(new URL('./prefetch-worker.js', import.meta.url), { workerData });
  return {
    queues: [source, batches] as Queue<never>[],
    notices: notices(worker),
    batches,
    exited: once(worker, 'exit'),
  };
}

async function receive({ notices, batches }: Maker): Promise<{ packing: Packing; tensors: Tensor[] }> {
  const notice = (await notices.next()).value as PrefetchNotice;
  if (notice.kind === 'error') throw new HeadraceError(notice.message, { code: 'PREFETCH', cause: notice.stack });
  const { meta, tensors } = batches.get();
  return { packing: meta, tensors: tensors as Tensor[] };
}

/** The worker's messages as they come. @throws when it dies without having said so */
function notices(worker: Worker): AsyncGenerator<PrefetchNotice> {
  const waiting: PrefetchNotice[] = [];
  let wake = (): void => {};
  let failure: Error | null = null;
  const fail = (error: Error): void => {
    failure ??= error;
    wake();
  };
  worker.on('message', (notice: PrefetchNotice) => {
    waiting.push(notice);
    wake();
  });
  worker.on('error', fail);
  worker.on('exit', (code) =>
    fail(new HeadraceError(`the prefetching thread ended with code ${code}`, { code: 'PREFETCH' })),
  );
  const take = async function* (): AsyncGenerator<PrefetchNotice> {
    for (;;) {
      const notice = waiting.shift();
      if (notice !== undefined) yield notice;
      else if (failure !== null) throw failure;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return take();
}

function shareable(dataset: object): ThreadShareable {
  if ('share' in dataset && typeof dataset.share === 'function') return dataset as ThreadShareable;
  throw new ConfigError(
    'prefetch() needs a data set that other threads can share (a share() method): use batches() instead',
  );
}
