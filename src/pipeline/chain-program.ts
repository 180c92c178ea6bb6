/** The program of a model cut into a chain of stages: what a thread of it makes, reports and saves. */

import { EventFiles, type RunEvent } from '../run/events.js';
import { liveTensors, noGrad, scope, type Tensor } from '../torch/index.js';
import { ownStream } from '../torch/queue.js';
import { Checkpoint, modelAlone, packShard, readersOf, saveShard, unpackShard } from './checkpoint.js';
import { deviceOf, type RunConfig, replicasOf } from './config.js';
import { faultsOf } from './faults.js';
import type { LoopContext } from './loop.js';
import { resolveModel } from './model.js';
import { ModelStage } from './model-stage.js';
import type { Post } from './post.js';
import type { Program } from './program.js';
import { type Action, scheduleFor, stageCount } from './schedule.js';
import type { LoadedRun, WorkerJob, WorkerNotice } from './wiring.js';

type Tell = Post<WorkerNotice>;

/** Steps between looks at memory. */
const MEMORY_EVERY = 10;

export async function program(job: WorkerJob, post: Tell, tensors: readonly Tensor[]): Promise<Program<ModelStage>> {
  const { config } = job;
  const replica = replicaOf(job);
  // Before there is any tensor of the stages, or of the model's module.
  for (const { index } of job.stations) ownStream(deviceOf(config, index, replica));
  const spec = await resolveModel(config.model);
  const stages = job.stations.map((place) => new ModelStage({ spec, config, length: job, ...place }));
  const tellLoaded: Tell = replica === 0 ? post : () => {};
  if (job.apart?.load) load(stages, readersOf(unpackShard(job.apart.load, tensors)), tellLoaded);
  else if (job.load !== null) loadCheckpoint(job.load, stages, tellLoaded);
  const files = openFiles(job);
  const report = (told: RunEvent): void => {
    const event = replica === 0 ? told : { ...told, replica };
    files?.write(event);
    post({ kind: 'event', event });
  };
  for (const stage of stages) report(startOf(job, stage));
  return {
    stages,
    context: contextOf(job, report, post),
    failed: ({ stage, step, action, message }) => {
      files?.write({ type: 'error', time: Date.now(), stage, step: step ?? 0, action, message });
      files?.close();
    },
    close: () => files?.close(),
  };
}

/** A worker has the replicas of one number, of all its stages. */
function replicaOf({ stations }: WorkerJob): number {
  return stations[0]!.replica;
}

function loadCheckpoint({ out, state, held }: LoadedRun, stages: readonly ModelStage[], post: Tell): void {
  const checkpoint = Checkpoint.open(out, state, held);
  try {
    load(stages, checkpoint, post);
  } finally {
    checkpoint.close();
  }
}

function load(stages: readonly ModelStage[], read: Parameters<ModelStage['load']>[0], post: Tell): void {
  for (const stage of stages) {
    const headFound = scope(() => stage.load(read));
    if (!headFound) post({ kind: 'freshHead', stage: stage.index });
  }
}

function openFiles(job: WorkerJob): EventFiles | null {
  const { config, training, apart, fromStep, stations } = job;
  const { out } = config;
  if (out === null || !training || apart) return null;
  const stages = stations.map(({ index }) => index);
  return new EventFiles(out, stages, { append: fromStep > 0, replica: replicaOf(job) });
}

function startOf({ config, fromStep, totalSteps }: WorkerJob, { index, layerNames, device }: ModelStage): RunEvent {
  return {
    type: 'start',
    time: Date.now(),
    stage: index,
    model: config.modelName,
    schedule: config.schedule,
    stages: stageCount(config.schedule, config.stages),
    step: fromStep,
    totalSteps,
    layers: layerNames,
    device,
    threads: config.threads,
  };
}

function contextOf(job: WorkerJob, report: (event: RunEvent) => void, post: Tell): LoopContext<ModelStage> {
  const { config, stations, training, apart } = job;
  /** Apart from checkpoints where the weights may be the best. */
  const keep = (stage: ModelStage, { step, epoch }: { step: number; epoch: number }, best: boolean): void => {
    if (replicaOf(job) > 0) return; // the first has the same weights
    const part = best ? modelAlone(stage) : stage;
    if (apart) {
      // Copies, since the stage learns on while they travel.
      scope(() => {
        const { keys, tensors } = packShard(part.state());
        const copies = tensors.map((each) => each.detach().clone());
        post({ kind: 'part', step, epoch, best, stage: stage.index, keys }, copies);
      });
      return;
    }
    const count = stageCount(config.schedule, config.stages);
    const saved = saveShard(config.out!, part, step, count, best, savingFaults(config, stage.index, step));
    post({ kind: 'saved', step, epoch, best, saved });
  };
  return {
    actions: actionsOf(job),
    finite: training && !config.allowNaN,
    otherwise: 'allowNaN: true goes on in spite of it',
    spans: config.spans ?? false,
    report,
    afterBatch: (step) => {
      if (step % MEMORY_EVERY !== 0) return;
      const rss = process.memoryUsage.rss();
      const stage = stations[0]!.index;
      report({ type: 'memory', time: Date.now(), stage, step, liveTensors: liveTensors('thread'), rss });
    },
    save: (stage, message) => keep(stage, message, false),
    afterControl: (stage, message) => message.kind === 'keep' && keep(stage, message, true),
    predicted: ({ step }, output: Tensor) => post({ kind: 'predicted', batch: step }, [output.float()]),
    ...(config.faults ? { beforeAction: faultsOf(config.faults, config.seed, spoil) } : {}),
  };
}

/** A worker's actions of a batch, worked out once for each number of microbatches. */
function actionsOf({ config, stations }: WorkerJob): LoopContext['actions'] {
  const replicas = replicasOf(config);
  const own = new Set(stations.map(({ index }) => index));
  const isOwn = ({ stage }: Action): boolean => own.has(stage);
  const known = new Map<number, readonly Action[]>();
  return (microbatches) => {
    const actions =
      known.get(microbatches) ??
      scheduleFor(config.schedule, replicas.length, microbatches, replicas).flat().filter(isOwn);
    known.set(microbatches, actions);
    return actions;
  };
}

function spoil({ layers }: ModelStage): void {
  noGrad(() => [...layers.parameters()][0]!.fill_(Number.NaN));
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
