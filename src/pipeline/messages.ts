/**
 * What travels between stages, and the channels it travels through. dtype and shape go with each tensor, so any batch
 * size passes, the last partial batch included.
 */
import { HeadraceError, Queue, QueueError, type Tensor } from '../torch/index.js';

export type Split = 'train' | 'test' | 'predict';

/** Features and the targets carried along with them: `tensors` is [x, ...targets], or as many features as it says. */
export interface BatchMessage {
  readonly kind: 'batch';
  readonly split: Split;
  /** Counted from 1 over the run; for test and prediction batches, within the split. */
  readonly step: number;
  readonly epoch: number;
  /** In the whole batch. */
  readonly samples: number;
  readonly microbatch: number;
  /** Into how many the batch was cut. */
  readonly microbatches: number;
  /** How many of the batch's samples come with this message: a microbatch, or a replica's share of it. Default all. */
  readonly rows?: number;
  /** How many of the tensors are features. Default 1. */
  readonly features?: number;
}

export type ControlMessage =
  /** All test batches of this evaluation have passed. */
  | { readonly kind: 'evaluated'; readonly step: number; readonly epoch: number }
  /** Each stage saves its part when it meets this: a consistent checkpoint without stopping the pipeline. */
  | { readonly kind: 'checkpoint'; readonly step: number; readonly epoch: number }
  /** Each stage keeps its weights as they are when it meets this, apart from checkpoints: they are, or may be, the best. */
  | { readonly kind: 'keep'; readonly step: number; readonly epoch: number }
  | { readonly kind: 'stop'; readonly step: number; readonly reason: 'done' | 'stopped' };

/** The gradient of a microbatch, on its way back across a border. */
export interface GradientMessage {
  readonly kind: 'gradient';
  readonly step: number;
  readonly samples: number;
  readonly microbatch: number;
  readonly microbatches: number;
}

/** What replicas of a stage add up. */
export interface SumMessage {
  readonly kind: 'sum';
}

export type Message = BatchMessage | ControlMessage | GradientMessage | SumMessage;

export interface Envelope<M extends Message = Message> {
  readonly meta: M;
  readonly tensors: readonly Tensor[];
}

/** One direction of one border. `get` and `put` block their thread. */
export interface Channel {
  put(envelope: Envelope): void;
  get(): Envelope;
  /** What waits in it. */
  depth(): number;
}

/** Between threads: a native queue. */
export class QueueChannel implements Channel {
  readonly #queue: Queue<Message>;

  /** @param name - for error messages, such as `stage 0 -> stage 1` */
  constructor(
    id: number,
    private readonly name: string,
    private readonly timeoutMs: number,
  ) {
    this.#queue = Queue.attach(id);
  }

  put(envelope: Envelope): void {
    this.#named('be taken', () =>
      this.#queue.put({ meta: envelope.meta, tensors: [...envelope.tensors] }, this.timeoutMs),
    );
  }

  get(): Envelope {
    return this.#named('come', () => this.#queue.get(this.timeoutMs) as Envelope);
  }

  depth(): number {
    return this.#queue.stats().depth;
  }

  #named<T>(what: string, action: () => T): T {
    try {
      return action();
    } catch (error) {
      if (!(error instanceof QueueError) || error.code !== 'QUEUE_TIMEOUT') throw error;
      throw new HeadraceError(
        `waited ${this.timeoutMs / 1000} s for a message to ${what} (${this.name}); ` +
          'a neighbour is stuck or very slow: look at its events, or raise timeoutSeconds',
        { code: 'TIMEOUT', cause: error },
      );
    }
  }
}

/** Between stages of one thread: they run in turns, so a list will do. */
export class LocalChannel implements Channel {
  readonly #waiting: Envelope[] = [];

  put(envelope: Envelope): void {
    this.#waiting.push(envelope);
  }

  get(): Envelope {
    const envelope = this.#waiting.shift();
    if (!envelope)
      throw new HeadraceError('the schedule takes a message from a stage of its own thread that sent none');
    return envelope;
  }

  depth(): number {
    return this.#waiting.length;
  }
}
