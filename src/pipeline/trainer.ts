/**
 * Trains a model: prepares the run's folder, data and cut, starts the threads, and passes on their events.
 */
import { accessSync, constants, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BatchDataset, TensorBatch, ThreadShareable, TransformSpec } from '../data/index.js';
import { writeFileAtomic } from '../io/index.js';
import { ConfigError } from '../torch/index.js';
import {
  type CheckpointState,
  checkpointFolder,
  commitCheckpoint,
  hasCheckpoint,
  readCheckpointState,
  type SavedShard,
} from './checkpoint.js';
import { checkConfig, type RunConfig } from './config.js';
import { type EvalEvent, type RunEvent, type StepEvent, throughput, writeMetrics } from './events.js';
import { type ModelSpec, type ModuleRef, resolveRef } from './model.js';
import { chooseCut } from './profile-run.js';
import { type Notice, Run } from './run.js';
import { stageCount } from './schedule.js';
import { median } from './stats.js';
import { wireChain } from './wiring.js';

/** What a data reference gives: both parts in memory, and what is done to their batches. */
export interface RunData {
  readonly train: BatchDataset<TensorBatch> & ThreadShareable;
  readonly test: BatchDataset<TensorBatch> & ThreadShareable;
  readonly trainTransforms: readonly TransformSpec[];
  readonly testTransforms: readonly TransformSpec[];
  /** Names of the classes, for predictions. */
  readonly classes?: readonly string[];
}

/** How a trained model wants its input, kept in the run's folder: the data it was trained on may be gone. */
export interface RunInput {
  readonly classes: readonly string[] | null;
  readonly transforms: readonly TransformSpec[];
}

const INPUT = 'input.json';

/** What the folder of a run says of its input. Null for runs that kept nothing. */
export function readRunInput(out: string): RunInput | null {
  const path = join(out, INPUT);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as RunInput) : null;
}

export interface RunResult {
  readonly model: string;
  readonly schedule: string;
  readonly stages: number;
  /** Optimizer steps done, those of earlier sessions of the run included. */
  readonly steps: number;
  /** Median over the epochs of this session, start-up and evaluation apart; null where there were too few steps. */
  readonly imagesPerSecond: number | null;
  /** Of the last evaluation, on held-out images. */
  readonly loss: number | null;
  readonly accuracy: number | null;
  readonly out: string | null;
  /** Whether the run was asked to stop before its end. */
  readonly stopped: boolean;
}

const loaded = new Map<string, Promise<RunData>>();

/** Loads a data set once in a process: later runs in it share the tensors. */
export function loadRunData(ref: ModuleRef): Promise<RunData> {
  const key = JSON.stringify(ref);
  let data = loaded.get(key);
  if (!data) {
    data = resolveRef<RunData>(ref);
    data.catch(() => loaded.delete(key));
    loaded.set(key, data);
  }
  return data;
}

/** Reads the configuration that a run's folder holds. @throws ConfigError where there is none */
export function readRunConfig(out: string): RunConfig {
  const path = join(out, 'config.json');
  if (!existsSync(path)) throw new ConfigError(`Expected the folder of a run with a config.json, got ${out}.`);
  return { ...(JSON.parse(readFileSync(path, 'utf8')) as RunConfig), out };
}

function prepareFolder(out: string, resume: boolean): void {
  if (resume && !hasCheckpoint(out)) {
    throw new ConfigError(`Expected a checkpoint in ${checkpointFolder(out)} to resume from, found none.`);
  }
  if (!resume && hasCheckpoint(out)) {
    throw new ConfigError(`${out} holds a run already: resume it (--resume), or give another folder.`);
  }
  try {
    mkdirSync(out, { recursive: true });
    accessSync(out, constants.W_OK);
  } catch (cause) {
    throw new ConfigError(`Expected a folder that can be written to, got ${out}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/**
 * One training run. Iterate it for its events, or await its result; either starts it.
 *
 * @example
 * const run = new Trainer(config);
 * for await (const event of run) if (event.type === 'eval') console.log(event.accuracy);
 * console.log(await run.result);
 */
export class Trainer implements AsyncIterable<RunEvent> {
  #config: RunConfig;
  readonly #resume: boolean;
  #result: Promise<RunResult> | null = null;
  #run: Run | null = null;
  #stopping = false;
  #listener: ((event: RunEvent) => void) | null = null;
  readonly #events: RunEvent[] = [];
  readonly #shards = new Map<number, SavedShard[]>();

  constructor(config: RunConfig, options: { resume?: boolean } = {}) {
    this.#config = config;
    this.#resume = options.resume ?? false;
  }

  /** Checkpoints and stops; the result tells so. Nothing is lost: what is under way is finished before it is saved. */
  stop(): void {
    this.#stopping = true;
    this.#run?.stop();
  }

  /** Settles at the end of the run. @throws ConfigError, DataError or StageError */
  get result(): Promise<RunResult> {
    this.#result ??= this.#train();
    return this.#result;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<RunEvent> {
    const waiting: RunEvent[] = [];
    let wake = (): void => {};
    this.#listener = (event) => {
      waiting.push(event);
      wake();
    };
    let ended = false;
    const end = (): void => {
      ended = true;
      wake();
    };
    const result = this.result;
    result.then(end, end);
    while (true) {
      yield* waiting.splice(0);
      if (ended && waiting.length === 0) break;
      if (waiting.length > 0) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (ended || waiting.length > 0) resolve();
      });
    }
    await result;
  }

  async #train(): Promise<RunResult> {
    const spec = await resolveRef<ModelSpec>(this.#config.model);
    checkConfig(this.#config, spec.layers.length);
    const { out } = this.#config;
    if (out !== null) prepareFolder(out, this.#resume);
    const checkpoint = this.#resume && out !== null ? readCheckpointState(out) : null;
    const data = await loadRunData(this.#config.data);
    const cut = this.#config.cut ?? (await chooseCut(this.#config));
    this.#config = { ...this.#config, cut };
    if (out !== null) this.#describe(out, data);
    await this.#execute(spec, data, cut, checkpoint);
    return this.#finish();
  }

  #describe(out: string, data: RunData): void {
    const input: RunInput = { classes: data.classes ?? null, transforms: data.testTransforms };
    writeFileAtomic(join(out, 'config.json'), `${JSON.stringify(this.#config, null, 2)}\n`);
    writeFileAtomic(join(out, INPUT), `${JSON.stringify(input, null, 2)}\n`);
  }

  async #execute(
    spec: ModelSpec,
    data: RunData,
    cut: readonly number[],
    checkpoint: CheckpointState | null,
  ): Promise<void> {
    const config = this.#config;
    const stepsPerEpoch = Math.ceil(data.train.length / config.batchSize);
    const totalSteps = config.steps ?? config.epochs! * stepsPerEpoch;
    const fromStep = checkpoint?.step ?? 0;
    this.#run = new Run(
      {
        config,
        wiring: wireChain(config, cut, spec.layers.length),
        task: {
          kind: 'train',
          fromStep,
          totalSteps,
          evaluation: config.evaluation ?? true,
          evalEvery: config.evalEvery,
          checkpointEvery: config.checkpointEvery,
          checkpoints: config.out !== null,
        },
        train: { dataset: data.train, transform: data.trainTransforms },
        test: { dataset: data.test, transform: data.testTransforms },
        stepsPerEpoch,
        load: checkpoint ? config.out : null,
      },
      (notice) => this.#receive(notice),
    );
    if (this.#stopping) this.#run.stop();
    await this.#run.execute();
  }

  #receive(notice: Notice): void {
    if (notice.kind === 'event') this.#emit(notice.event);
    else if (notice.kind === 'saved') this.#saved(notice);
    else if (notice.kind === 'freshHead') this.#emit({ type: 'freshHead', time: Date.now(), stage: notice.stage });
  }

  #emit(event: RunEvent): void {
    this.#events.push(event);
    this.#listener?.(event);
  }

  /** Once every stage has saved its part of a step, the checkpoint is whole. */
  #saved({ step, epoch, saved }: Extract<Notice, { kind: 'saved' }>): void {
    const shards = [...(this.#shards.get(step) ?? []), saved];
    this.#shards.set(step, shards);
    const config = this.#config;
    if (shards.length < stageCount(config.schedule, config.stages)) return;
    this.#shards.delete(step);
    commitCheckpoint(config.out!, shards, { step, epoch, cut: config.cut! });
    const path = checkpointFolder(config.out!);
    this.#emit({ type: 'checkpoint', time: Date.now(), stage: shards.length - 1, step, path });
  }

  #finish(): RunResult {
    const { modelName, schedule, stages, out } = this.#config;
    const last = <T extends RunEvent>(type: T['type']): T | undefined =>
      this.#events.findLast((event) => event.type === type) as T | undefined;
    const lastStage = stageCount(schedule, stages) - 1;
    const steps = this.#events.filter((e): e is StepEvent => e.type === 'step' && e.stage === lastStage);
    const evaluation = last<EvalEvent>('eval');
    const result: RunResult = {
      model: modelName,
      schedule,
      stages,
      steps: steps.at(-1)?.step ?? 0,
      imagesPerSecond: medianThroughput(steps),
      loss: evaluation?.loss ?? null,
      accuracy: evaluation?.accuracy ?? null,
      out,
      stopped: this.#stopping,
    };
    if (out !== null) writeMetrics(out, result, this.#events);
    return result;
  }
}

/** Median over the epochs, each by itself, so that evaluation between them does not count. */
function medianThroughput(steps: readonly StepEvent[]): number | null {
  const epochs = new Map<number, StepEvent[]>();
  for (const step of steps) {
    const epoch = epochs.get(step.epoch) ?? [];
    epochs.set(step.epoch, epoch);
    epoch.push(step);
  }
  const speeds = [...epochs.values()].map(throughput).filter((speed) => speed !== null);
  return speeds.length > 0 ? median(speeds) : null;
}
