/**
 * Trains a model: prepares the run's folder, data and cut, starts the threads, and passes on their events.
 */

import { resolve } from 'node:path';
import type { BatchDataset, TensorBatch, ThreadShareable, TransformSpec } from '../data/index.js';
import { ConfigError, checkOptions } from '../torch/index.js';
import { callerPlaces } from '../torch/user-modules.js';
import { checkSmallestBatch } from './batch-check.js';
import { checkBeginning } from './beginning.js';
import { checkpointFolder } from './checkpoint.js';
import type { CheckpointCommits } from './checkpoint-commits.js';
import { completeConfig, type RunConfig, type RunSettings } from './config.js';
import { checkConfig, checkSettings } from './config-check.js';
import type { EvalEvent, RunEvent } from './events.js';
import { locateRef, type ModelSpec, type ModuleRef, resolveRef } from './model.js';
import type { ProfileProgress } from './profile.js';
import { chooseCut } from './profile-run.js';
import { checkResumed } from './resume.js';
import { type Notice, Run } from './run.js';
import { RunFolder, type RunInput, readRunConfig } from './run-folder.js';
import { RunSums, writeMetrics } from './run-sums.js';
import { stageCount } from './schedule.js';
import { wireChain } from './wiring.js';

/** What a data reference gives: both parts in memory, and what is done to their batches. */
export interface RunData {
  readonly train: BatchDataset<TensorBatch> & ThreadShareable;
  readonly test: BatchDataset<TensorBatch> & ThreadShareable;
  readonly trainTransforms: readonly TransformSpec[];
  readonly testTransforms: readonly TransformSpec[];
  /** How many of a batch's tensors are the model's inputs; the others are targets. Default 1. */
  readonly inputs?: number;
  /** Of one sample: [C, H, W] of images. */
  readonly inputShape?: readonly number[];
  /** Of the data set, such as `cifar10`: recipes go by it. */
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
  /** Of the last evaluation, on held-out samples, by the model's task: `{ accuracy, loss }` of a classifier. */
  readonly metrics: EvalEvent['metrics'] | null;
  readonly out: string | null;
  /** Whether the run was asked to stop before its end. */
  readonly stopped: boolean;
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
    data = resolveRef<RunData>(ref, hooks);
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
  readonly #resume: boolean;
  #result: Promise<RunResult> | null = null;
  #run: Run | null = null;
  readonly #stopping = new AbortController();
  readonly #listeners = new Set<(event: RunEvent) => void>();
  readonly #sums = new RunSums();
  /** Where the modules of the configuration are looked for: the caller is on the stack now. */
  readonly #places = callerPlaces();

  /**
   * @param settings - what has a default may be left out: {@link completeConfig}. A function is asked when the run starts: it
   * may load the data first, to see what fits them
   */
  constructor(settings: RunSettings | (() => Promise<RunSettings>), options: { resume?: boolean } = {}) {
    checkOptions('Trainer', options, ['resume']);
    this.#settings = typeof settings === 'function' ? settings : () => settings;
    this.#resume = options.resume ?? false;
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
    const spec = await resolveRef<ModelSpec>(model!);
    checkConfig(this.#config, spec.layers.length);
    const { out } = this.#config;
    const folder = out === null ? null : new RunFolder(out, this.#resume);
    try {
      if (folder?.checkpoint) checkResumed(readRunConfig(folder.path), this.#config, folder.path);
      this.#begin(spec, folder);
      const data = await loadRunData(this.#config.data);
      if (await this.#plan(spec)) await this.#execute(spec, data, folder);
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

  async #execute(spec: ModelSpec, data: RunData, folder: RunFolder | null): Promise<void> {
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
    const commits = folder?.commits(stageCount(config.schedule, config.stages), config.cut!) ?? null;
    this.#run = new Run(
      {
        config,
        wiring: wireChain(config, config.cut!, spec.layers.length),
        task: {
          kind: 'train',
          fromStep,
          totalSteps,
          evaluation: config.evaluation ?? true,
          evalEvery: config.evalEvery,
          checkpointEvery: config.checkpointEvery,
          checkpoints: config.out !== null,
        },
        train: { dataset: data.train, transform: data.trainTransforms, inputs: data.inputs },
        test: { dataset: data.test, transform: data.testTransforms, inputs: data.inputs },
        stepsPerEpoch,
        load: folder?.checkpoint ? { out: folder.path, state: folder.checkpoint } : null,
      },
      (notice) => this.#receive(notice, commits),
    );
    if (this.#stopping.signal.aborted) this.#run.stop();
    await this.#run.execute(() => folder?.check());
  }

  #receive(notice: Notice, commits: CheckpointCommits | null): void {
    if (notice.kind === 'event') this.#emit(notice.event);
    else if (notice.kind === 'saved' && commits?.saved(notice)) {
      const stage = stageCount(this.#config.schedule, this.#config.stages) - 1;
      const path = checkpointFolder(this.#config.out!);
      this.#emit({ type: 'checkpoint', time: Date.now(), stage, step: notice.step, path });
    } else if (notice.kind === 'freshHead') this.#emit({ type: 'freshHead', time: Date.now(), stage: notice.stage });
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
      out,
      stopped: this.#stopping.signal.aborted,
    };
    if (folder !== null && this.#run !== null) writeMetrics(folder.path, result, metrics);
    return result;
  }
}
