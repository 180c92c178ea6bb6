/**
 * Replicas of a training: threads that each have networks of their own and a part of every step's samples, and make the same step
 * by the sum of all gradients (src/pipeline/replicas.ts). The thread that began is the first of them.
 */
import { QueueChannel } from '../../pipeline/messages.js';
import { Replicas } from '../../pipeline/replicas.js';
import { Threads } from '../../pipeline/threads.js';
import { HeadraceError, Queue, QueueError, type Tensor } from '../../torch/index.js';
import type { StepLearner } from './steps.js';

/** How long a replica waits for another: a step takes seconds, reading a set minutes at most. */
export const patienceMs = 600_000;

/** One way between two replicas. @param queue - its number */
export function channelOf(queue: number): QueueChannel {
  return new QueueChannel(queue, 'between replicas', patienceMs);
}

/** What a replica's thread is started with. */
export interface ReplicaJob<Data = unknown> {
  /** Its number among so many. */
  readonly index: number;
  readonly of: number;
  /** Queues: of orders, and to and from the first. */
  readonly orders: number;
  readonly toFirst: number;
  readonly fromFirst: number;
  readonly data: Data;
}

/** Who makes a replica, and what it is told. */
export interface ReplicaMaker {
  /** The URL of a module that calls `runReplica`. */
  readonly module: string;
  /** Plain data, and tensors, which are shared and stay as they are. */
  readonly data: unknown;
  readonly tensors: readonly Tensor[];
}

/** What the first tells the others. */
export type Order =
  | { readonly kind: 'data' }
  | { readonly kind: 'state'; readonly names: readonly string[] }
  | { readonly kind: 'step'; readonly step: number }
  | { readonly kind: 'end' };

interface Mate {
  readonly orders: Queue<Order>;
  readonly to: Queue;
  readonly from: Queue;
}

export class Crew {
  /** The first's side. */
  readonly replicas: Replicas;
  readonly #mates: readonly Mate[];
  readonly #threads = new Threads<{ readonly kind: string }>({
    onNotice: () => {},
    errorOf: (message) => new HeadraceError(message),
  });

  private constructor(
    private readonly maker: ReplicaMaker,
    count: number,
  ) {
    this.#mates = Array.from({ length: count - 1 }, () => ({
      orders: Queue.create<Order>(4),
      to: Queue.create(2),
      from: Queue.create(2),
    }));
    this.#threads.own(...this.#mates.flatMap(({ orders, to, from }) => [orders, to, from]));
    const siblings = {
      index: 0,
      of: count,
      first: true,
      from: this.#mates.map(({ to }) => channelOf(to.id)),
      to: this.#mates.map(({ from }) => channelOf(from.id)),
    };
    this.replicas = new Replicas(siblings, null, null, patienceMs);
  }

  /** For a training by so many replicas; null for one alone. */
  static of(count: number, maker: ReplicaMaker): Crew | null {
    return count === 1 ? null : new Crew(maker, count);
  }

  /**
   * Starts the others, which take on the first's state; then each of its steps is theirs as well. Its networks are made by now:
   * all threads draw from one generator.
   */
  begin(first: StepLearner): StepLearner {
    const { module, data, tensors } = this.maker;
    const state = [...first.tensors()];
    for (const [i, { orders, to, from }] of this.#mates.entries()) {
      const index = i + 1;
      const of = this.#mates.length + 1;
      const job: ReplicaJob = { index, of, orders: orders.id, toFirst: to.id, fromFirst: from.id, data };
      void this.#threads.start(module, job, { name: `replica ${index}`, stage: -1, finished: false });
      orders.put({ meta: { kind: 'data' }, tensors: [...tensors] });
      // Copies: the first goes on to change its own.
      const values = state.map(([, value]) => value.clone());
      orders.put({ meta: { kind: 'state', names: state.map(([name]) => name) }, tensors: values });
    }
    const step = (number: number): Readonly<Record<string, number>> => {
      this.#order({ kind: 'step', step: number });
      return this.#hearing(() => first.step(number));
    };
    return { step, tensors: () => first.tensors() };
  }

  #order(order: Order): void {
    this.#hearing(() => {
      for (const { orders } of this.#mates) orders.put({ meta: order, tensors: [] });
    });
  }

  /** What broke a queue off is what a replica failed of. */
  #hearing<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      if (error instanceof QueueError && error.code === 'QUEUE_CLOSED')
        throw new HeadraceError(error.message, { code: 'REPLICA', cause: error });
      throw error;
    }
  }

  /** Ends the others. @param failed - whether the training has failed, so that they wait for nothing more */
  async end(failed: boolean): Promise<void> {
    if (failed) this.#threads.fail('the first replica has failed', { stage: -1, action: null, step: null });
    else {
      this.#order({ kind: 'end' });
      await this.#threads.ended();
    }
    await this.#threads.close();
  }
}
