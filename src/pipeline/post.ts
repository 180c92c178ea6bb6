/** How a thread tells the one that started it: plain notices as messages; tensors wait in a queue, and are not copied. */
import { parentPort } from 'node:worker_threads';
import { Queue, type Tensor } from '../torch/index.js';

export type Post<Notice> = (notice: Notice, tensors?: readonly Tensor[]) => void;

/** Posted in place of a notice that waits in the queue with its tensors. */
export const TOLD = { kind: 'told' } as const;

/** @param told - the queue's id */
export function postTo<Notice extends object>(told: number, timeoutMs: number): Post<Notice> {
  const queue = Queue.attach<Notice>(told);
  return (notice, tensors = []) => {
    if (tensors.length === 0) return parentPort!.postMessage(notice);
    queue.put({ meta: notice, tensors: tensors.map((x) => x.to({ device: 'cpu' })) }, timeoutMs);
    parentPort!.postMessage(TOLD);
  };
}
