/** The thread of a replica: it does the steps that the first replica orders. */
import { parentPort } from 'node:worker_threads';
import { jobOf } from '../../pipeline/kept-threads.js';
import { Replicas } from '../../pipeline/replicas.js';
import type { EndNotice } from '../../pipeline/threads.js';
import { Queue, QueueError, scope, type Tensor } from '../../torch/index.js';
import { markEngineThread } from '../../torch/threads.js';
import { channelOf, type Order, patienceMs, type ReplicaJob } from './crew.js';
import type { NetworkTrainer, TrainerConfig } from './network-trainer.js';

/** @param make - a trainer, by what the maker tells */
export async function runReplica<Data>(
  make: (
    data: Data,
    tensors: readonly Tensor[],
    replicas: Replicas,
  ) => NetworkTrainer<TrainerConfig> | Promise<NetworkTrainer<TrainerConfig>>,
): Promise<void> {
  markEngineThread();
  const { index, of, orders: ordersId, toFirst, fromFirst, data } = jobOf<ReplicaJob<Data>>();
  const orders = Queue.attach<Order>(ordersId);
  const tell = (notice: EndNotice): void => parentPort!.postMessage(notice);
  try {
    const siblings = { index, of, first: false, from: [channelOf(fromFirst)], to: [channelOf(toFirst)] };
    const given = orders.get(patienceMs).tensors as Tensor[];
    const trainer = await make(data, given, new Replicas(siblings, null, null, patienceMs));
    for (;;) {
      const { meta, tensors } = orders.get(patienceMs);
      if (meta.kind === 'end') break;
      if (meta.kind === 'state') trainer.join(new Map(meta.names.map((name, i) => [name, tensors[i]!])));
      if (meta.kind === 'step') scope(() => void trainer.step(meta.step));
    }
    tell({ kind: 'finished' });
  } catch (error) {
    // A queue that was closed under it means that another has failed first, and has said so.
    if (error instanceof QueueError && error.code === 'QUEUE_CLOSED') return;
    const message = `replica ${index}: ${error instanceof Error ? error.message : String(error)}`;
    for (const id of [ordersId, toFirst, fromFirst]) Queue.attach(id).abort(message);
    tell({ kind: 'failed', message, stage: -1, action: null, step: null });
  }
}
