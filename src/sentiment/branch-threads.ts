/** The threads of branches, from the side that feeds them. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { type ControlMessage, type Message, trainingResources } from '../pipeline/index.js';
import { HeadraceError, Queue, QueueError, type Tensor } from '../torch/index.js';
import { startThread } from '../torch/threads.js';
import type { BranchJob, BranchNotice, BranchResult } from './branch-worker.js';

/** Milliseconds between looks at whether a thread has failed. */
const POLL_MS = 200;
/** Milliseconds that threads have to tell of a failure, or to end after one. */
const GRACE_MS = 3000;

type Envelope = { readonly meta: Message; readonly tensors: readonly Tensor[] };
type Outcome = { readonly meta: BranchResult; readonly tensors: readonly Tensor[] };

/** The threads of the branches with their queues: the first failure ends all. */
export class BranchThreads {
  readonly results: Queue<BranchResult>;
  readonly #weights: Queue<readonly string[]>[] = [];
  readonly #queues: Queue<Message>[];
  readonly #workers: Worker[] = [];
  readonly #exits: Promise<void>[] = [];
  #failure: HeadraceError | null = null;

  constructor(
    /** Of the branches, in their order. */
    readonly inputs: readonly Queue<Message>[],
    between: readonly Queue<Message>[],
    results: number,
    private readonly name: string,
    private readonly timeoutMs: number,
  ) {
    this.#queues = [...inputs, ...between];
    this.results = Queue.create(results);
  }

  /** Starts a thread. It begins to work when it has started: until then this thread's event loop must be free. */
  async start(
    job: Omit<BranchJob, 'weights' | 'results' | 'queues'>,
    weights: ReadonlyMap<string, Tensor>,
  ): Promise<void> {
    const queue = Queue.create<readonly string[]>(1);
    this.#weights.push(queue);
    queue.put({ meta: [...weights.keys()], tensors: [...weights.values()].map((tensor) => tensor.detach()) });
    const workerData: BranchJob = {
      ...job,
      weights: queue.id,
      results: this.results.id,
      queues: this.#queues.map(({ id }) => id),
    };
    const url = new URL('./branch-worker.js', import.meta.url);
    const worker = startThread(url, { workerData, resourceLimits: trainingResources });
    this.#workers.push(worker);
    const parts = job.stations.map(({ modality }) => modality ?? 'fusion').join(', ');
    let finished = false;
    this.#exits.push(new Promise((resolve) => worker.on('exit', () => resolve())));
    await new Promise<void>((resolve) => {
      worker.on('message', (notice: BranchNotice) => {
        if (notice.kind === 'finished') finished = true;
        if (notice.kind === 'failed') this.#fail(`${this.name}, ${parts}: ${notice.message}`, notice.code);
        resolve();
      });
      worker.on('error', (error) => this.#fail(`${this.name}, ${parts}: ${error.message}`, ''));
      worker.on('exit', (code) => {
        if (!finished)
          this.#fail(`${this.name}: the thread of ${parts} ended before its work was done (exit code ${code})`, '');
        resolve();
      });
    });
    if (this.#failure) throw this.#failure;
  }

  put(branch: number, envelope: Envelope): Promise<void> {
    const item = { meta: envelope.meta, tensors: [...envelope.tensors] };
    return this.#patiently((timeoutMs) => this.inputs[branch]!.put(item, timeoutMs));
  }

  get(): Promise<Outcome> {
    return this.#patiently((timeoutMs) => this.results.get(timeoutMs) as Outcome);
  }

  async putAll(meta: ControlMessage): Promise<void> {
    for (const branch of this.inputs.keys()) await this.put(branch, { meta, tensors: [] });
  }

  /** What every stage gives of this kind, by its keys. @param stages - how many there are */
  async gather(kind: 'weights' | 'state', stages: number): Promise<Map<string, Tensor>> {
    const found = new Map<string, Tensor>();
    for (let left = stages; left > 0; left--) {
      const { meta, tensors } = await this.get();
      if (meta.kind !== kind) throw new HeadraceError(`expected ${kind} of a branch, got ${meta.kind}`);
      for (const [i, key] of meta.keys.entries()) found.set(key, tensors[i]!);
    }
    return found;
  }

  /** Ends the threads, if they have not ended, and frees the queues. */
  async close(): Promise<void> {
    this.#abort('the run has ended');
    const grace = setTimeout(() => {
      for (const worker of this.#workers) void worker.terminate();
    }, GRACE_MS);
    await Promise.all(this.#exits);
    clearTimeout(grace);
    for (const queue of [...this.#queues, ...this.#weights, this.results]) queue.destroy();
  }

  /** Waits in short pieces: between them the event loop learns of threads that failed. */
  async #patiently<T>(action: (timeoutMs: number) => T): Promise<T> {
    const end = Date.now() + this.timeoutMs;
    for (;;) {
      if (this.#failure) throw this.#failure;
      try {
        return action(Math.min(POLL_MS, this.timeoutMs));
      } catch (error) {
        if (!(error instanceof QueueError)) throw error;
        if (error.code === 'QUEUE_CLOSED') throw await this.#told(error);
        if (error.code !== 'QUEUE_TIMEOUT') throw error;
        if (Date.now() >= end) {
          throw new HeadraceError(
            `${this.name}: waited ${this.timeoutMs / 1000} s for a branch; one of them is stuck`,
            {
              code: 'TIMEOUT',
              cause: error,
            },
          );
        }
        await turn();
      }
    }
  }

  /** What closed the queues, by the words of the thread that failed. */
  async #told(error: QueueError): Promise<Error> {
    for (const end = Date.now() + GRACE_MS; this.#failure === null && Date.now() < end; ) await turn();
    return this.#failure ?? error;
  }

  #fail(message: string, code: string): void {
    if (this.#failure) return;
    this.#failure = new HeadraceError(message, code === '' ? {} : { code });
    this.#abort(message);
  }

  #abort(reason: string): void {
    for (const queue of [...this.#queues, ...this.#weights, this.results]) queue.abort(reason);
  }
}
