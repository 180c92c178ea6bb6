/** A run of the chain engine: its workers and the data loader, what they are started with, and what the run depends on. */
import { resolve } from 'node:path';
import type { ThreadShareable, TransformSpec } from '../data/index.js';
import { EventFiles } from '../run/events.js';
import { Queue, StageError, type Tensor } from '../torch/index.js';
import { callerPlaces, locateModule } from '../torch/user-modules.js';
import { Checkpoint, packShard, partFor, saveShard, unpackShard } from './checkpoint.js';
import { deviceOf, type RunConfig, replicasOf } from './config.js';
import { shared } from './own-check.js';
import type { RankRun } from './rank-messages.js';
import { recovers } from './recovery.js';
import { microbatchCount, stageCount } from './schedule.js';
import type { DataPort, SourceJob, SourceTask } from './source.js';
import type { FailedAt } from './threads.js';
import type {
  Border,
  ChainStation,
  FolderMark,
  LoadedRun,
  ProgramPlan,
  Wiring,
  WorkerJob,
  WorkerNotice,
} from './wiring.js';
import { Workers } from './workers.js';

/** Milliseconds between looks at what a run depends on. */
const CHECK_MS = 1000;
const DEFAULT_TIMEOUT_SECONDS = 600;

/** A data set and what is done to its batches. */
export interface DataFeed {
  readonly dataset: ThreadShareable;
  /** How many of a batch's tensors are inputs. Default 1. */
  readonly inputs?: number | undefined;
  readonly transform: readonly TransformSpec[];
}

export interface RunPlan {
  readonly config: RunConfig;
  readonly wiring: Wiring<ChainStation<Border>>;
  readonly task: SourceTask;
  readonly train: DataFeed | null;
  readonly test: DataFeed;
  readonly stepsPerEpoch: number;
  readonly load: LoadedRun | null;
  /** The ranks that share the workers; without them this process has all. */
  readonly ranks?: RankRun | null;
  /** What tells the run's folder, for ranks that may not see it. */
  readonly mark?: FolderMark | null;
}

export class Run {
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  readonly #verdicts: Queue<boolean> | null;
  readonly #timeoutMs: number;
  readonly #workers: Workers<WorkerNotice, StageError>;
  /** Events of ranks that do not see the run's folder. */
  readonly #files: EventFiles[] = [];

  constructor(
    private readonly plan: RunPlan,
    private readonly onNotice: (notice: WorkerNotice, tensors: readonly Tensor[]) => void,
  ) {
    this.#timeoutMs = 1000 * (plan.config.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS);
    const errorOf = (message: string, at: FailedAt): StageError => new StageError(message, at);
    const group = plan.ranks?.group;
    this.#workers = new Workers(this.#program(), plan.ranks ?? null, {
      onFinished: () => recovers(group) && group!.tellDone(),
      onNotice: (notice, tensors) => this.#receive(notice, tensors),
      apart: (workers) => this.#apart(workers),
      errorOf,
    });
    this.#verdicts = plan.config.patience === undefined ? null : Queue.create(1);
    if (this.#verdicts) this.#workers.own(this.#verdicts);
  }

  /** Whether threads were left behind that could not be ended: in a system call, or a long computation. */
  get threadsLeft(): boolean {
    return this.#workers.running > 0;
  }

  /** Says after an evaluation whether to go on, in a run with patience. */
  judge(goesOn: boolean): void {
    this.#verdicts?.put({ meta: goesOn, tensors: [] });
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
    const watch = setInterval(() => this.#workers.attempt(check, { stage: -1, step: null }), CHECK_MS);
    try {
      this.#workers.begin();
      this.#feed();
      await this.#workers.ended();
    } finally {
      clearInterval(watch);
      await this.#workers.close();
      for (const files of this.#files) files.close();
    }
  }

  /** What ranks that do not see the run's folder would keep there is kept here. */
  #receive(notice: WorkerNotice, tensors: readonly Tensor[]): void {
    if (notice.kind === 'event') for (const files of this.#files) files.write(notice.event);
    if (notice.kind !== 'part') {
      this.onNotice(notice, tensors);
      return;
    }
    const { step, epoch, best, stage: index, keys } = notice;
    const { out, schedule, stages } = this.plan.config;
    const stage = { index, state: () => unpackShard(keys, tensors) };
    const saved = saveShard(out!, stage, step, stageCount(schedule, stages), best);
    for (const tensor of tensors) tensor.dispose();
    this.onNotice({ kind: 'saved', step, epoch, best, saved }, []);
  }

  /** What such a rank begins with: its part of the checkpoint, as tensors. */
  #apart(workers: readonly number[]): Pick<ProgramPlan, 'job' | 'tensors'> {
    const { config, wiring, load } = this.plan;
    const { job } = this.#program();
    const stages = workers.flatMap((worker) => wiring.workers[worker]!.map(({ index }) => index));
    if (job.training) this.#files.push(...workers.map((worker) => this.#filesOf(worker, job.fromStep > 0)));
    if (load === null) return { job: { ...job, apart: { load: null } } as ProgramPlan['job'], tensors: [] };
    const checkpoint = Checkpoint.open(load.out, partFor(load.state, config.cut!, stages));
    try {
      const { keys, tensors } = packShard(checkpoint.readAll());
      return { job: { ...job, load: null, apart: { load: keys } } as ProgramPlan['job'], tensors };
    } finally {
      checkpoint.close();
    }
  }

  #filesOf(worker: number, append: boolean): EventFiles {
    const stations = this.plan.wiring.workers[worker]!;
    const stages = stations.map(({ index }) => index);
    return new EventFiles(this.plan.config.out!, stages, { append, replica: stations[0]!.replica });
  }

  /** What every worker of the run is told. */
  #program(): ProgramPlan<WorkerJob, ChainStation<Border>> {
    const { config, wiring, task, stepsPerEpoch, load } = this.plan;
    const { out } = config;
    const training = task.kind === 'train';
    const job = {
      program: new URL('./chain-program.js', import.meta.url).href,
      config: { ...config, out: out === null ? null : resolve(out) },
      fromStep: training ? task.fromStep : 0,
      totalSteps: training ? task.totalSteps : 0,
      stepsPerEpoch,
      load,
      training,
      timeoutMs: this.#timeoutMs,
    };
    const recovery = recovers(this.plan.ranks?.group) ? { from: job.fromStep, out: resolve(out!) } : null;
    return { wiring, job, tensors: [], mark: this.plan.mark ?? null, recovery };
  }

  #feed(): void {
    const { config, task, train, test, ranks } = this.plan;
    const group = ranks?.group;
    const job: SourceJob = {
      task,
      output: this.#workers.sources()[0]!,
      stop: this.#stop,
      lasting: recovers(group) ? group!.id : null,
      verdicts: this.#verdicts?.id ?? null,
      train: train && this.#port(train),
      test: this.#port(test),
      batchSize: config.batchSize,
      microbatches: microbatchCount(config.schedule, config.microbatches),
      replicas: Math.max(...replicasOf(config)),
      seed: config.seed,
      memoryFormat: config.memoryFormat,
      pinned: deviceOf(config, 0, 0).startsWith('cuda'),
      timeoutMs: this.#timeoutMs,
    };
    this.#workers.spawn('./source.js', job, 'the data loader', -1);
  }

  #port(feed: DataFeed): DataPort {
    const { tensors, ...way } = shared(feed.dataset);
    const dataset = { ...way, module: locateModule(way.module, callerPlaces()) };
    const queue = Queue.create<null>(1);
    queue.put({ meta: null, tensors: [...tensors] });
    this.#workers.own(queue);
    return { dataset, queue: queue.id, transform: feed.transform, inputs: feed.inputs ?? 1 };
  }
}
