/** The thread that makes batches ahead; see `prefetch.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import { QueueError } from '../torch/errors.js';
import { Queue, setNumThreads, type Tensor } from '../torch/index.js';
import { letGo } from '../torch/lifetime.js';
import { openShared, type TensorBatch } from './dataset.js';
import { DataLoader, inOrder } from './loader.js';
import { type Packing, pack } from './pack.js';
import type { PrefetchJob, PrefetchNotice } from './prefetch.js';

const post = (notice: PrefetchNotice): void => parentPort?.postMessage(notice);

async function open(job: PrefetchJob): Promise<DataLoader<TensorBatch>> {
  const { tensors } = Queue.attach(job.source).get();
  const dataset = await openShared(job.dataset, tensors as Tensor[]);
  const sampler = { length: job.order.length, order: () => job.order };
  const { batchSize, seed, transform } = job;
  return new DataLoader(dataset, { batchSize, seed, transform, sampler });
}

async function main(job: PrefetchJob): Promise<void> {
  setNumThreads(1);
  const loader = await open(job);
  const batches = Queue.attach<Packing>(job.batches);
  const count = Math.ceil((job.batchesPerEpoch - job.from) / job.stride);
  const made = inOrder((i) => loader.make(job.epoch, job.from + i * job.stride), count, 2);
  for await (const { result, made: own } of made) {
    const { packing, tensors } = pack(result);
    batches.put({ meta: packing, tensors });
    own.forEach(letGo);
    post({ kind: 'batch' });
  }
}

main(workerData as PrefetchJob).catch((error: unknown) => {
  if (error instanceof QueueError) return; // the loop over the batches ended early
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  post({ kind: 'error', message, stack: stack ?? message });
});
