/** Batches made ahead on a worker thread. The tensors come back by handle, without a copy. */
import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { ConfigError, HeadraceError } from '../torch/errors.js';
import { Queue, type Tensor } from '../torch/index.js';
import { startThread } from '../torch/threads.js';
import { callerPlaces, locateModule, prepareLoader } from '../torch/user-modules.js';
import { letGo } from '../torch/lifetime.js';
import type { SharedDataset, TensorBatch, ThreadShareable } from './dataset.js';
import type { DataLoader } from './loader.js';
import type { TransformSpec } from './transforms.js';

/** What the worker thread is started with. */
export interface PrefetchJob {
  /** Carries the data set's tensors in, once. */
  readonly source: number;
  /** Carries the batches out; `meta` names their tensors. */
  readonly batches: number;
  readonly dataset: Omit<SharedDataset, 'tensors'>;
  readonly order: BigInt64Array;
  readonly batchSize: number;
  readonly batchesPerEpoch: number;
  readonly seed: number;
  readonly transform: readonly TransformSpec[];
  readonly epoch: number;
  readonly from: number;
}

/** What the worker posts: after each batch it has put, at the end, or when it failed. */
export type PrefetchNotice =
  | { readonly kind: 'batch' }
  | { readonly kind: 'end' }
  | { readonly kind: 'error'; readonly message: string; readonly stack: string };

/** See `DataLoader.prefetch`. */
export async function* prefetched<Batch extends TensorBatch>(
  loader: DataLoader<Batch>,
  epoch: number,
  from: number,
  ahead: number,
): AsyncGenerator<Batch, void, undefined> {
  const { tensors, ...shared } = shareable(loader.dataset).share();
  const dataset = { ...shared, module: locateModule(shared.module, callerPlaces()) };
  await prepareLoader(dataset.module);
  const { transform = [] } = loader.options;
  if (typeof transform === 'function') {
    throw new ConfigError('a transform that is a function cannot go to another thread: give specs, or use batches()');
  }
  const source = Queue.create<null>(1);
  const batches = Queue.create<string[]>(ahead);
  source.put({ meta: null, tensors: [...tensors] });
  const { batchSize, batchesPerEpoch, seed } = loader;
  const order = loader.sampler.order(epoch);
  const ids = { source: source.id, batches: batches.id };
  const job: PrefetchJob = { ...ids, dataset, order, batchSize, batchesPerEpoch, seed, transform, epoch, from };
  const worker = startThread(new URL('./prefetch-worker.js', import.meta.url), { workerData: job });
  const exited = once(worker, 'exit');
  try {
    yield* receive<Batch>(worker, batches);
  } finally {
    batches.abort('the loop over the batches ended'); // wakes a worker that waits for room
    await exited;
    source.destroy();
    batches.destroy();
  }
}

async function* receive<Batch extends TensorBatch>(worker: Worker, batches: Queue<string[]>): AsyncGenerator<Batch> {
  for await (const notice of notices(worker)) {
    if (notice.kind === 'end') return;
    if (notice.kind === 'error') throw new HeadraceError(notice.message, { code: 'PREFETCH', cause: notice.stack });
    const { meta, tensors } = batches.get();
    yield Object.fromEntries(meta.map((name, i) => [name, tensors[i] as Tensor])) as Batch;
    for (const tensor of tensors) if (tensor !== null) letGo(tensor);
  }
}

/** The worker's messages as they come. @throws when it dies without having said so */
async function* notices(worker: Worker): AsyncGenerator<PrefetchNotice> {
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
  for (;;) {
    const notice = waiting.shift();
    if (notice !== undefined) yield notice;
    else if (failure !== null) throw failure;
    else await new Promise<void>((resolve) => (wake = resolve));
  }
}

function shareable(dataset: object): ThreadShareable {
  if ('share' in dataset && typeof dataset.share === 'function') return dataset as ThreadShareable;
  throw new ConfigError(
    'prefetch() needs a data set that other threads can share (a share() method): use batches() instead',
  );
}
