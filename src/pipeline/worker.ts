/**
 * The thread of one worker: builds its stages, opens their channels and runs the stage loop.
 */
import { parentPort, workerData } from 'node:worker_threads';
import {
  deriveSeed,
  Generator,
  liveTensors,
  noGrad,
  QueueError,
  rand,
  StageError,
  scope,
  setNumThreads,
} from '../torch/index.js';
import { markEngineThread } from '../torch/threads.js';
import { Checkpoint, saveShard } from './checkpoint.js';
import type { RunConfig } from './config.js';
import { EventWriter, eventsPath, type RunEvent } from './events.js';
import { type LoopContext, StageLoop, type Station } from './loop.js';
import { type Channel, LocalChannel, QueueChannel } from './messages.js';
import { type ModelSpec, resolveRef } from './model.js';
import { ModelStage } from './model-stage.js';
import { type Action, microbatchCount, scheduleFor, stageCount } from './schedule.js';
import type { ChannelRef, LoadedRun, WorkerJob, WorkerNotice } from './wiring.js';

const post = (notice: WorkerNotice): void => parentPort!.postMessage(notice);

/** Opens channels; both ends of a local one are the same object. */
class Channels {
  readonly #local = new Map<number, LocalChannel>();

  constructor(private readonly timeoutMs: number) {}

  open(ref: ChannelRef): Channel {
    if (ref.kind === 'queue') return new QueueChannel(ref.id, ref.name, this.timeoutMs);
    const channel = this.#local.get(ref.id) ?? new LocalChannel();
    this.#local.set(ref.id, channel);
    return channel;
  }
}

function buildStations(job: WorkerJob, spec: ModelSpec): Station<ModelStage>[] {
  const channels = new Channels(job.timeoutMs);
  const open = (refs: readonly ChannelRef[]): Channel[] => refs.map((ref) => channels.open(ref));
  return job.stations.map(({ inputs, outputs, gradientsIn, gradientsOut, ...place }) => ({
    stage: new ModelStage({ spec, config: job.config, length: job, ...place }),
    inputs: open(inputs),
    outputs: open(outputs),
    gradientsIn: open(gradientsIn),
    gradientsOut: open(gradientsOut),
  }));
}

function loadCheckpoint({ out, state, held }: LoadedRun, stations: readonly Station<ModelStage>[]): void {
  const checkpoint = Checkpoint.open(out, state, held);
  try {
    for (const { stage } of stations) {
      const headFound = scope(() => stage.load(checkpoint));
      if (!headFound) post({ kind: 'freshHead', stage: stage.index });
    }
  } finally {
    checkpoint.close();
  }
}

function openWriters(job: WorkerJob, stations: readonly Station<ModelStage>[]): Map<number, EventWriter> {
  const { out } = job.config;
  if (out === null || !job.training) return new Map();
  const append = job.fromStep > 0;
  return new Map(stations.map(({ stage }) => [stage.index, new EventWriter(eventsPath(out, stage.index), { append })]));
}

/** Steps between looks at memory. */
const MEMORY_EVERY = 10;

function main(
  job: WorkerJob,
  stations: readonly Station<ModelStage>[],
  writers: ReadonlyMap<number, EventWriter>,
): void {
  const { config } = job;
  const report = (event: RunEvent): void => {
    writers.get(event.stage)?.write(event);
    post({ kind: 'event', event });
  };
  const stages = stageCount(config.schedule, config.stages);
  const context: LoopContext<ModelStage> = {
    microbatches: microbatchCount(config.schedule, config.microbatches),
    actions: actionsOf(config, job.worker),
    finite: job.training && !config.allowNaN,
    spans: config.spans ?? false,
    report,
    afterBatch: (step) => {
      if (step % MEMORY_EVERY !== 0) return;
      const stage = stations[0]!.stage.index;
      const rss = process.memoryUsage.rss();
      report({ type: 'memory', time: Date.now(), stage, step, liveTensors: liveTensors('thread'), rss });
    },
    save: (stage, { step, epoch }) => {
      const saved = saveShard(config.out!, stage, step, stages, savingFaults(config, stage.index, step));
      post({ kind: 'saved', step, epoch, saved });
    },
    predicted: ({ step }, output) => {
      const values = output.float().data() as Float32Array;
      post({ kind: 'predicted', batch: step, shape: output.shape, values });
    },
    ...(config.faults ? { beforeAction: faults(config) } : {}),
  };
  for (const { stage } of stations) {
    report({
      type: 'start',
      time: Date.now(),
      stage: stage.index,
      model: config.modelName,
      schedule: config.schedule,
      stages,
      step: job.fromStep,
      totalSteps: job.totalSteps,
      layers: stage.layerNames,
      device: stage.device,
      threads: config.threads,
    });
  }
  new StageLoop(stations, context).run();
}

/** A worker's actions of a batch, worked out once for each number of microbatches. */
function actionsOf(config: RunConfig, worker: number): LoopContext['actions'] {
  const stages = stageCount(config.schedule, config.stages);
  const known = new Map<number, readonly Action[]>();
  return (microbatches) => {
    const actions = known.get(microbatches) ?? scheduleFor(config.schedule, stages, microbatches)[worker]!;
    known.set(microbatches, actions);
    return actions;
  };
}

function faults(config: RunConfig): NonNullable<LoopContext<ModelStage>['beforeAction']> {
  const { delayMs = 0, at } = config.faults!;
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  const generators = new Map<number, Generator>();
  return (stage, action, step) => {
    if (delayMs > 0) {
      const generator = generators.get(stage.index) ?? new Generator(deriveSeed(config.seed, 'delay', stage.index));
      generators.set(stage.index, generator);
      Atomics.wait(sleeper, 0, 0, rand([1], { generator }).item() * delayMs);
    }
    if (!at || at.stage !== stage.index || at.step !== step || action.kind !== 'F') return;
    if (at.kind === 'save') return;
    if (at.kind === 'throw') throw new Error('injected fault');
    if (at.kind === 'exit') process.exit(3);
    noGrad(() => [...stage.layers.parameters()][0]!.fill_(Number.NaN));
  };
}

/** Before each file of a stage's part of a checkpoint. */
function savingFaults({ faults }: RunConfig, stage: number, step: number): () => void {
  return () => {
    const ms = faults?.saveMs?.[stage] ?? 0;
    if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    const at = faults?.at;
    if (at?.kind === 'save' && at.stage === stage && at.step === step) throw new Error('injected fault');
  };
}

/** Tells of an error. It is the run's first word of it: whether the events can still be written does not matter. */
function fail(error: unknown): void {
  const at =
    error instanceof StageError ? error : { stage: stations[0]?.stage.index ?? job.worker, action: null, step: null };
  const { stage, action, step } = at;
  const message = error instanceof Error ? error.message : String(error);
  post({ kind: 'failed', stage, action, step, message });
  try {
    const text = { time: Date.now(), stage, step: step ?? 0, action, message };
    writers.get(stage)?.write({ type: 'error', ...text });
    for (const writer of writers.values()) writer.close();
  } catch {
    // Told already, by what failed first.
  }
}

markEngineThread();
const job = workerData as WorkerJob;
let stations: Station<ModelStage>[] = [];
let writers: ReadonlyMap<number, EventWriter> = new Map();
try {
  setNumThreads(job.config.threads);
  const spec = await resolveRef<ModelSpec>(job.config.model);
  stations = buildStations(job, spec);
  if (job.load !== null) loadCheckpoint(job.load, stations);
  writers = openWriters(job, stations);
  main(job, stations, writers);
  for (const writer of writers.values()) writer.close();
  post({ kind: 'finished' });
} catch (error) {
  // A queue that was closed under it means that another stage failed first, and has said so.
  const cause = error instanceof StageError ? error.cause : error;
  if (!(cause instanceof QueueError && cause.code === 'QUEUE_CLOSED')) fail(error);
}
