/**
 * Bounded blocking queues between the threads of a process. Tensors pass by handle: nothing is copied.
 */
import { isMainThread } from 'node:worker_threads';
import { ConfigError, translating } from './errors.js';
import { readTensors, writeTensors } from './frame.js';
import { native, type QueueStats } from './native.js';
import type { Tensor } from './tensor.js';

/**
 * What this thread does on a CUDA device goes to a stream of its own from now on, beside what other threads do there; tensors that
 * pass queues are waited for. On other devices nothing changes.
 */
export function ownStream(device: string): void {
  translating(() => native.ownStream(device));
}

/** What passes a queue: any JSON value, and tensors (null for none). */
export interface QueueItem<M = unknown> {
  meta: M;
  tensors: (Tensor | null)[];
}

const DEFAULT_TIMEOUT_MS = 600_000;
// The clock counts nanoseconds in 64 bits.
const LONGEST_TIMEOUT_MS = 1e12;

// A thread that waits for a queue cannot be ended before its wait is over, and the process waits for its threads.
if (isMainThread) process.once('exit', () => native.queueAbortAll('the process ends'));

function checkTimeout(timeoutMs: number): void {
  if (!(timeoutMs >= 0 && timeoutMs <= LONGEST_TIMEOUT_MS)) {
    throw new ConfigError(`expected a time-out from 0 to ${LONGEST_TIMEOUT_MS} ms, got ${timeoutMs}`);
  }
}

/**
 * A first-in-first-out queue of bounded capacity. `put` blocks its thread while the queue is full, `get` while it is
 * empty, without polling; so use them on worker threads. Both sides address the same queue by its {@link Queue.id}.
 */
export class Queue<M = unknown> {
  /** The process-wide number of the queue, to be sent to another thread. */
  readonly id: number;

  private constructor(id: number) {
    this.id = id;
  }

  /** A new queue that holds at most `capacity` items. */
  static create<M = unknown>(capacity: number): Queue<M> {
    if (!Number.isSafeInteger(capacity) || capacity < 1) {
      throw new ConfigError(`expected a queue's capacity >= 1, got ${capacity}`);
    }
    return new Queue<M>(native.queueCreate(capacity));
  }

  /** The queue that another thread of this process made. */
  static attach<M = unknown>(id: number): Queue<M> {
    return new Queue<M>(id);
  }

  /**
   * Appends an item. The tensors' memory is shared with the receiver: do not write to them afterwards.
   * @throws QueueError if the queue is closed, stays full for `timeoutMs`, or a tensor requires grad
   */
  put(item: QueueItem<M>, timeoutMs = DEFAULT_TIMEOUT_MS): void {
    checkTimeout(timeoutMs);
    const text = JSON.stringify(item.meta);
    if (text === undefined) throw new ConfigError(`expected a JSON value as meta, got ${typeof item.meta}`);
    writeTensors(item.tensors);
    translating(() => native.queuePut(this.id, text, timeoutMs));
  }

  /**
   * Takes the oldest item.
   * @throws QueueError if the queue is closed and drained, aborted, or stays empty for `timeoutMs`
   */
  get(timeoutMs = DEFAULT_TIMEOUT_MS): QueueItem<M> {
    checkTimeout(timeoutMs);
    const text = translating(() => native.queueGet(this.id, timeoutMs));
    return { tensors: readTensors(), meta: JSON.parse(text) as M };
  }

  /** No more puts; what is in the queue can still be taken. */
  close(reason = 'the queue was closed'): void {
    translating(() => native.queueClose(this.id, reason, false));
  }

  /** Fails all waiting and future puts and gets, with `reason`, and drops what is in the queue. */
  abort(reason: string): void {
    translating(() => native.queueClose(this.id, reason, true));
  }

  stats(): QueueStats {
    return translating(() => native.queueStats(this.id));
  }

  /** Frees the queue. */
  destroy(): void {
    native.queueDestroy(this.id);
  }
}
