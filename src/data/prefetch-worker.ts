/** The thread that makes batches ahead; see `prefetch.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import { QueueError } from '../torch/errors.js';
import { Queue, scope, setNumThreads, type Tensor } from '../torch/index.js';
import { importFunction } from '../torch/user-modules.js';
import type { BatchDataset, TensorBatch } from './dataset.js';
import { DataLoader } from './loader.js';
import type { PrefetchJob, PrefetchNotice } from './prefetch.js';

type Rebuild = (options: unknown, tensors: readonly Tensor[]) => BatchDataset<TensorBatch>;

const post = (notice: PrefetchNotice): void => parentPort?.postMessage(notice);

async function open(job: PrefetchJob): Promise<DataLoader<TensorBatch>> {
  const rebuild = await importFunction<Rebuild>(job.dataset.module, job.dataset.export);
  const { tensors } = Queue.attach(job.source).get();
  const dataset = rebuild(job.dataset.options, tensors as Tensor[]);
  const sampler = { length: job.order.length, order: () => job.order };
  const { batchSize, seed, transform } = job;
  return new DataLoader(dataset, { batchSize, seed, transform, sampler });
}

async function main(job: PrefetchJob): Promise<void> {
  setNumThreads(1);
  const loader = await open(job);
  const batches = Queue.attach<string[]>(job.batches);
  for (let batch = job.from; batch < job.batchesPerEpoch; batch++) {
    scope(() => {
      const made = loader.batch(job.epoch, batch);
      batches.put({ meta: Object.keys(made), tensors: Object.values(made) });
    });
    post({ kind: 'batch' });
  }
  post({ kind: 'end' });
}

main(workerData as PrefetchJob).catch((error: unknown) => {
  if (error instanceof QueueError) return; // the loop over the batches ended early
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  post({ kind: 'error', message, stack: stack ?? message });
});
