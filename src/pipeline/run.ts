/**
 * Starts the threads of a run and watches over them: the first failure stops all, and nothing is left waiting.
 */
import type { Worker } from 'node:worker_threads';
import type { SharedDataset, ThreadShareable, TransformSpec } from '../data/index.js';
import { Queue, StageError } from '../torch/index.js';
import { startThread } from '../torch/threads.js';
import { callerPlaces, locateModule } from '../torch/user-modules.js';
import type { RunConfig } from './config.js';
import type { DataPort, SourceJob, SourceTask } from './source.js';
import type { LoadedRun, Wiring, WorkerJob, WorkerNotice } from './wiring.js';

/** Milliseconds that threads have to end by themselves after a failure. */
const GRACE_MS = 3000;
/** Milliseconds between looks at what a run depends on. */
const CHECK_MS = 1000;
const DEFAULT_TIMEOUT_SECONDS = 600;
/** Of threads that train: a step makes thousands of small objects, which a small young generation keeps in the cache. */
export const trainingResources = { maxYoungGenerationSizeMb: 4 } as const;

/** A data set and what is done to its batches. */
export interface DataFeed {
  readonly dataset: ThreadShareable;
  /** How many of a batch's tensors are inputs. Default 1. */
  readonly inputs?: number | undefined;
  readonly transform: readonly TransformSpec[];
}

export interface RunPlan {
  readonly config: RunConfig;
  readonly wiring: Wiring;
  readonly task: SourceTask;
  readonly train: DataFeed | null;
  readonly test: DataFeed;
  readonly stepsPerEpoch: number;
  readonly load: LoadedRun | null;
}

export type Notice = Exclude<WorkerNotice, { kind: 'failed' | 'finished' }>;

interface Thread {
  readonly worker: Worker;
  readonly name: string;
  readonly stage: number;
  finished: boolean;
}

export class Run {
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  readonly #threads: Thread[] = [];
  readonly #dataQueues: Queue[] = [];
  #failure: StageError | null = null;
  #running = 0;
  #end!: { resolve: () => void; reject: (error: Error) => void };

  constructor(
    private readonly plan: RunPlan,
    private readonly onNotice: (notice: Notice) => void,
  ) {}

  /** Whether threads were left behind that could not be ended: in a system call, or a long computation. */
  get threadsLeft(): boolean {
    return this.#running > 0;
  }

  /** Asks the data loader to checkpoint and end; what is under way is finished. */
  stop(): void {
    Atomics.store(this.#stop, 0, 1);
  }

  /**
   * Runs to the end.
   * @param check - called every second, in the starting thread: what it throws fails the run
   * @throws StageError of the first failure
   */
  async execute(check: () => void = () => {}): Promise<void> {
    const watch = setInterval(() => this.#attempt(check, { stage: -1, step: null }), CHECK_MS);
    const ended = new Promise<void>((resolve, reject) => {
      this.#end = { resolve, reject };
    });
    try {
      this.#spawnAll();
      await ended;
    } finally {
      clearInterval(watch);
      for (const queue of [...this.plan.wiring.queues, ...this.#dataQueues]) queue.destroy();
    }
  }

  #spawnAll(): void {
    const { config, wiring, task, stepsPerEpoch, load } = this.plan;
    const timeoutMs = 1000 * (config.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS);
    const training = task.kind === 'train';
    for (const [worker, stations] of wiring.workers.entries()) {
      const job: WorkerJob = {
        config,
        worker,
        stations,
        fromStep: training ? task.fromStep : 0,
        totalSteps: training ? task.totalSteps : 0,
        stepsPerEpoch,
        load,
        training,
        timeoutMs,
      };
      const indices = stations.map(({ index }) => index);
      this.#spawn('./worker.js', job, `stage ${indices.join(', ')}`, indices[0]!);
    }
    const job: SourceJob = {
      task,
      output: wiring.source,
      stop: this.#stop,
      train: this.plan.train && this.#port(this.plan.train),
      test: this.#port(this.plan.test),
      batchSize: config.batchSize,
      seed: config.seed,
      memoryFormat: config.memoryFormat,
      timeoutMs,
    };
    this.#spawn('./source.js', job, 'the data loader', -1);
  }

  #port(feed: DataFeed): DataPort {
    const { tensors, ...shared } = feed.dataset.share() as SharedDataset;
    const dataset = { ...shared, module: locateModule(shared.module, callerPlaces()) };
    const queue = Queue.create<null>(1);
    queue.put({ meta: null, tensors: [...tensors] });
    this.#dataQueues.push(queue);
    return { dataset, queue: queue.id, transform: feed.transform, inputs: feed.inputs ?? 1 };
  }

  #spawn(file: string, data: unknown, name: string, stage: number): void {
    const worker = startThread(new URL(file, import.meta.url), { workerData: data, resourceLimits: trainingResources });
    const thread: Thread = { worker, name, stage, finished: stage < 0 };
    this.#threads.push(thread);
    this.#running++;
    worker.on('message', (notice: WorkerNotice) => this.#receive(thread, notice));
    worker.on('error', (error: Error) =>
      this.#fail(`${name}: ${error.message}`, { stage, action: null, step: null, cause: error }),
    );
    worker.on('exit', (code) => this.#exited(thread, code));
  }

  #receive(thread: Thread, notice: WorkerNotice): void {
    if (notice.kind === 'finished') thread.finished = true;
    else if (notice.kind === 'failed') {
      const { message, stage, action, step } = notice;
      this.#fail(message, { stage, action, step });
    } else if (!this.#failure || notice.kind === 'saved') {
      // A part that was saved before the failure may make a checkpoint whole.
      this.#passOn(thread, notice);
    }
  }

  /** What this thread makes of a notice (it writes checkpoints, too) may fail as well as what another does. */
  #passOn({ stage }: Thread, notice: Notice): void {
    this.#attempt(() => this.onNotice(notice), { stage, step: notice.kind === 'saved' ? notice.step : null });
  }

  #attempt(action: () => void, at: { stage: number; step: number | null }): void {
    try {
      action();
    } catch (cause) {
      const where = at.step === null ? '' : `checkpoint of step ${at.step}: `;
      this.#fail(`${where}${cause instanceof Error ? cause.message : String(cause)}`, { ...at, action: null, cause });
    }
  }

  #exited(thread: Thread, code: number): void {
    this.#running--;
    if (code !== 0 || (!thread.finished && !this.#failure)) {
      const where = { stage: thread.stage, action: null, step: null };
      this.#fail(`the thread of ${thread.name} ended before its work was done (exit code ${code})`, where);
    }
    if (this.#running > 0) return;
    if (this.#failure) this.#end.reject(this.#failure);
    else this.#end.resolve();
  }

  #fail(message: string, at: { stage: number; action: string | null; step: number | null; cause?: unknown }): void {
    if (this.#failure) return;
    this.#failure = new StageError(message, at);
    for (const queue of [...this.plan.wiring.queues, ...this.#dataQueues]) queue.abort(message);
    setTimeout(() => {
      for (const { worker } of this.#threads) void worker.terminate();
    }, GRACE_MS).unref();
    // What hangs in a system call cannot be ended; nobody need wait for it.
    setTimeout(() => this.#end.reject(this.#failure!), 2 * GRACE_MS).unref();
  }
}
