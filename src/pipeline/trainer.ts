/**
 * Trains a model: prepares the run's folder, data and cut, starts the threads, and passes on their events.
 */

import { resolve } from 'node:path';
import type { BatchDataset, TensorBatch, ThreadShareable, TransformSpec } from '../data/index.js';
import type { ProcessGroup } from '../distributed/index.js';
import { type EvalEvent, type RunEvent, readRun } from '../run/events.js';
import { RunSums, writeMetrics } from '../run/sums.js';
import { ConfigError, checkOptions } from '../torch/index.js';
import { callerPlaces } from '../torch/user-modules.js';
import { checkSmallestBatch } from './batch-check.js';
import { checkBeginning } from './beginning.js';
import { checkpointFolder } from './checkpoint.js';
import type { CheckpointCommits, SavedPart } from './checkpoint-commits.js';
import { completeConfig, type RunConfig, type RunSettings } from './config.js';
import { checkConfig, checkSettings } from './config-check.js';
import { locateRef, type ModelSpec, type ModuleRef, resolveModel, resolveRef } from './model.js';
import { checkData } from './own-check.js';
import type { ProfileProgress } from './profile.js';
import { chooseCut } from './profile-run.js';
import { checkRanks, nextRun } from './ranks.js';
import { Board, checkRecovery, Heard, recovers } from './recovery.js';
import { resumed } from './resume.js';
import { Run } from './run.js';
import { type Resume, RunFolder, type RunInput, readRunConfig } from './run-folder.js';
import { stageCount } from './schedule.js';
import { type BestEvaluation, Selection } from './selection.js';
import { taskOf } from './task.js';
import { type WorkerNotice, wireChain, workersOf } from './wiring.js';

/** What a data reference gives: both parts in memory, and what is done to their batches. */
export interface RunData {
  readonly train: BatchDataset<TensorBatch> & ThreadShareable;
  readonly test: BatchDataset<TensorBatch> & ThreadShareable;
  readonly trainTransforms: readonly TransformSpec[];
  readonly testTransforms: readonly TransformSpec[];
  /** How many of a batch's tensors are the model's inputs; the others are targets. Default 1. */
  readonly inputs?: number;
  /** Shape of one sample: [C, H, W] of images. */
  readonly inputShape?: readonly number[];
  /** Name of the data set, such as `cifar10`: recipes go by it. */
  readonly name?: string;
  /** Names of the classes, for predictions. */
  readonly classes?: readonly string[];
}

export interface RunResult {
  readonly model: string;
  readonly schedule: string;
  readonly stages: number;
  /** Optimizer steps done, those of earlier sessions of the run included. */
  readonly steps: number;
  /**
   * Median over the epochs of this session (its last 1,000), start-up and evaluation apart; null where there were too few
   * steps.
   */
  readonly samplesPerSecond: number | null;
  /** Metrics of the last evaluation, on held-out samples, by the model's task: `{ accuracy, loss }` of a classifier. */
  readonly metrics: EvalEvent['metrics'] | null;
  /** The best evaluation, by the task's metric, of all sessions. */
  readonly best: BestEvaluation | null;
  readonly out: string | null;
  /** Whether the run was asked to stop before its end. */
  readonly stopped: boolean;
}

export interface TrainerOptions {
  /** Go on from the last checkpoint; 'auto': where there is one, else begin. Default false. */
  readonly resume?: Resume;
  /** Ranks that share the stages. This is rank 0, within `overRanks`. Default: this process has all. */
  readonly group?: ProcessGroup | null;
}

const loaded = new Map<string, Promise<RunData>>();

/**
 * Loads a data set once in a process: later runs in it share the tensors.
 * @param hooks - a second argument for the function that loads it, such as to show how far it is
 */
export async function loadRunData(given: ModuleRef, hooks?: object): Promise<RunData> {
  const ref = locateRef(given);
  const key = JSON.stringify(ref);
  let data = loaded.get(key);
  if (!data) {
    data = resolveRef<unknown>(ref, hooks).then((given) => checkData(ref, given));
    data.catch(() => loaded.delete(key));
    loaded.set(key, data);
  }
  return data;
}

/**
 * One training run. Iterate it for its events, or await its result; either starts it. Leaving the iteration (`break`,
 * `return`, `throw`) stops the run, with a checkpoint, and waits for its end.
 *
 * @example
 * const run = new Trainer(config);
 * for await (const event of run) if (event.type === 'eval') console.log(event.metrics.accuracy);
 * console.log(await run.result);
 */
export class Trainer implements AsyncIterable<RunEvent> {
  #config!: RunConfig;
  readonly #settings: () => RunSettings | Promise<RunSettings>;
  readonly #resume: Resume;
  readonly #group: ProcessGroup | null;
  #result: Promise<RunResult> | null = null;
  #run: Run | null = null;
  readonly #stopping = new AbortController();
  readonly #listeners = new Set<(event: RunEvent) => void>();
  readonly #sums = new RunSums();
  readonly #heard = new Heard();
  #selection: Selection | null = null;
  /** Where the modules of the configuration are looked for: the caller is on the stack now. */
  readonly #places = callerPlaces();

  /**
   * @param settings - what has a default may be left out: {@link completeConfig}. A function is asked when the run starts: it
   * may load the data first, to see what fits them
   */
  constructor(settings: RunSettings | (() => Promise<RunSettings>), options: TrainerOptions = {}) {
    checkOptions('Trainer', options, ['resume', 'group']);
    this.#settings = typeof settings === 'function' ? settings : () => settings;
    this.#resume = options.resume ?? false;
    this.#group = options.group ?? null;
  }

  /** Checkpoints and stops; the result tells so. Nothing is lost: what is under way is finished before it is saved. */
  stop(): void {
    this.#stopping.abort();
    this.#run?.stop();
  }

  /** Settles at the end of the run. @throws ConfigError, DataError or StageError */
  get result(): Promise<RunResult> {
    this.#result ??= this.#train();
    return this.#result;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<RunEvent, void> {
    const waiting: RunEvent[] = [];
    let wake = (): void => {};
    const listener = (event: RunEvent): void => {
      waiting.push(event);
      wake();
    };
    this.#listeners.add(listener);
    let ended = false;
    const end = (): void => {
      ended = true;
      wake();
    };
    const result = this.result;
    result.then(end, end);
    try {
      while (true) {
        yield* waiting.splice(0);
        if (waiting.length > 0) continue;
        if (ended) break;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      this.#listeners.delete(listener);
      if (!ended) this.stop();
      await result;
    }
  }

  async #train(): Promise<RunResult> {
    this.#config = completeConfig(await this.#settings());
    checkSettings(this.#config);
    const [model, ref] = [this.#config.model, this.#config.data].map((each) => locateRef(each, this.#places));
    this.#config = { ...this.#config, model: model!, data: ref! };
    const spec = await resolveModel(model!);
    checkConfig(this.#config, spec.layers.length);
    if (this.#group !== null) checkRanks(this.#group, workersOf(this.#config).length);
    if (recovers(this.#group)) checkRecovery(this.#config);
    const { out } = this.#config;
    const board = recovers(this.#group) ? new Board(this.#group!) : null;
    const rejoins = board !== null && board.begun !== null;
    const folder = out === null ? null : new RunFolder(out, this.#resume, rejoins);
    try {
      if (folder?.checkpoint || (folder && rejoins))
        this.#config = resumed(readRunConfig(folder.path), this.#config, folder.path);
      this.#begin(spec, folder);
      const data = await loadRunData(this.#config.data);
      if (this.#group?.done) this.#recall(folder!);
      else if (await this.#plan(spec)) await this.#execute(spec, data, folder, board);
      return this.#finish(folder);
    } finally {
      // Where a thread could not be ended it may still write: the folder stays this process's own.
      if (!this.#run?.threadsLeft) folder?.close();
    }
  }

  /** What the run begins with is checked as a whole; a run that goes on has weights of its own. */
  #begin(spec: ModelSpec, folder: RunFolder | null): void {
    const { init, freeze } = this.#config;
    if (folder?.checkpoint) this.#config = { ...this.#config, init: undefined };
    else if (init !== undefined) this.#config = { ...this.#config, init: resolve(init) };
    if (freeze?.length === 0) this.#config = { ...this.#config, freeze: undefined };
    const keys = checkBeginning(spec, this.#config);
    if (keys.length > 0) {
      this.#emit({ type: 'freshWeights', time: Date.now(), stage: 0, file: this.#config.init!, keys });
    }
  }

  /** Chooses the cut where none is given; false where the run was stopped meanwhile. */
  async #plan(spec: ModelSpec): Promise<boolean> {
    const { signal } = this.#stopping;
    if (this.#config.cut) return !signal.aborted;
    let sweeps = 0;
    const tell = (secondsLeft: number | null, cut: readonly number[] | null): void =>
      this.#emit({ type: 'plan', time: Date.now(), stage: 0, layers: spec.layers.length, sweeps, secondsLeft, cut });
    const onProgress = (progress: ProfileProgress): void => {
      sweeps = progress.sweeps;
      tell(progress.secondsLeft, null);
    };
    try {
      const cut = await chooseCut(this.#config, undefined, { signal, onProgress });
      this.#config = { ...this.#config, cut };
      if (sweeps > 0) tell(0, cut);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    return !signal.aborted;
  }

  /** A run that was over when this rank 0 was started again: its events tell what it came to. */
  #recall({ path }: RunFolder): void {
    for (const event of readRun(path)) this.#sums.add(event);
  }

  async #execute(spec: ModelSpec, data: RunData, folder: RunFolder | null, board: Board | null): Promise<void> {
    const config = this.#config;
    const stepsPerEpoch = Math.ceil(data.train.length / config.batchSize);
    if (stepsPerEpoch === 0) throw new ConfigError('Expected data to train on, got a set of none.');
    const totalSteps = config.steps ?? config.epochs! * stepsPerEpoch;
    const fromStep = folder?.checkpoint?.step ?? 0;
    if (fromStep > totalSteps) {
      throw new ConfigError(
        `The run in ${folder!.path} has done ${fromStep} steps, and ${totalSteps} are asked for: ` +
          'give more steps or epochs to go on.',
      );
    }
    checkSmallestBatch(spec, config, data.train.length, totalSteps);
    const input: RunInput = { classes: data.classes ?? null, transforms: data.testTransforms };
    folder?.describe(config, input);
    if (board !== null && board.begun === null) board.begin(fromStep);
    const stages = stageCount(config.schedule, config.stages);
    const selection = new Selection(taskOf(spec, config.labelSmoothing), folder?.best ?? null);
    this.#selection = selection;
    const commits = folder?.commits(stages, config.cut!) ?? null;
    const bestCommits = folder?.bestCommits(stages, config.cut!, selection) ?? null;
    const plan = {
      config,
      wiring: wireChain(config, config.cut!, spec.layers.length, { ranks: this.#group?.worldSize ?? 1 }),
      task: {
        kind: 'train' as const,
        fromStep,
        totalSteps,
        evaluation: config.evaluation ?? true,
        evalEvery: config.evalEvery,
        checkpointEvery: config.checkpointEvery,
        checkpoints: config.out !== null,
        keeps: config.out !== null && config.evalEvery > 0,
        again: board !== null && board.begun! < fromStep,
      },
      train: { dataset: data.train, transform: data.trainTransforms, inputs: data.inputs },
      test: { dataset: data.test, transform: data.testTransforms, inputs: data.inputs },
      stepsPerEpoch,
      load: folder?.checkpoint ? { out: resolve(folder.path), state: folder.checkpoint } : null,
      ranks: this.#group && nextRun(this.#group),
      mark: folder?.mark ?? null,
    };
    this.#run = new Run(plan, (notice) => {
      if (!this.#heard.isNew(notice)) return;
      if (notice.kind === 'saved' && notice.best) bestCommits?.saved(notice);
      else if (this.#receive(notice, commits)) board?.commit((notice as SavedPart).step);
    });
    if (this.#stopping.signal.aborted) this.#run.stop();
    await this.#run.execute(() => folder?.check());
  }

  /** @returns whether a checkpoint is whole by it */
  #receive(notice: WorkerNotice, commits: CheckpointCommits | null): boolean {
    if (notice.kind === 'event') {
      if (notice.event.type === 'eval') this.#judge(notice.event);
      this.#emit(notice.event);
    } else if (notice.kind === 'saved' && commits?.saved(notice)) {
      const stage = stageCount(this.#config.schedule, this.#config.stages) - 1;
      const path = checkpointFolder(this.#config.out!);
      this.#emit({ type: 'checkpoint', time: Date.now(), stage, step: notice.step, path });
      return true;
    } else if (notice.kind === 'freshHead') this.#emit({ type: 'freshHead', time: Date.now(), stage: notice.stage });
    return false;
  }

  #judge(event: EvalEvent): void {
    this.#selection!.judge(event);
    const { patience } = this.#config;
    if (patience !== undefined) this.#run!.judge(this.#selection!.epochsSince(event) < patience);
  }

  #emit(event: RunEvent): void {
    this.#sums.add(event);
    for (const listener of this.#listeners) listener(event);
  }

  #finish(folder: RunFolder | null): RunResult {
    const { modelName, schedule, stages, out } = this.#config;
    const metrics = this.#sums.metrics();
    const result: RunResult = {
      model: modelName,
      schedule,
      stages,
      steps: metrics.steps === 0 ? (folder?.checkpoint?.step ?? 0) : metrics.steps,
      samplesPerSecond: this.#sums.medianSpeed,
      metrics: metrics.metrics,
      best: this.#selection?.best ?? null,
      out,
      stopped: this.#stopping.signal.aborted,
    };
    if (folder !== null && this.#run !== null) writeMetrics(folder.path, result, metrics);
    return result;
  }
}
