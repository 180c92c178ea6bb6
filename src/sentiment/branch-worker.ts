/** The thread of one branch or of the fusion, or of all of them in turns: builds its stages and runs the stage loop. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Modality } from '../features/specs.js';
import {
  type Action,
  type Channel,
  type FaultConfig,
  LocalChannel,
  type LoopContext,
  type Message,
  QueueChannel,
  StageLoop,
  type Station,
} from '../pipeline/index.js';
import {
  deriveSeed,
  Generator,
  Queue,
  QueueError,
  rand,
  StageError,
  setNumThreads,
  type Tensor,
} from '../torch/index.js';
import {
  type BranchSettings,
  BranchStage,
  FusionStage,
  headFrom,
  partOf,
  sequenceFrom,
  type Weights,
} from './branches.js';
import { textReader } from './text-reader.js';
import { UnimodalLabels, type UnimodalLabelsOptions } from './ulgm.js';

/** A stage as its thread is told of it. */
export interface BranchStation {
  readonly index: number;
  /** Null: the fusion. */
  readonly modality: Modality | null;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Dropout of the encoder and of the head. */
  readonly dropout: { readonly encoder: number; readonly head: number };
}

export interface BranchJob extends BranchSettings {
  readonly stations: readonly BranchStation[];
  /** Where its initial weights come from, with the state of a run to go on with, and where what it has to tell goes. */
  readonly weights: number;
  readonly results: number;
  /** Queues that other threads use, by id; the rest are lists within this thread. */
  readonly queues: readonly number[];
  /** What a text encoder is built from. */
  readonly text: { readonly vocabulary: readonly string[] | null; readonly width: number | null };
  /** Null where labels are not generated. */
  readonly labels: {
    readonly samples: readonly (readonly [string, number])[];
    readonly options: UnimodalLabelsOptions;
  } | null;
  readonly timeoutMs: number;
  readonly faults: FaultConfig | null;
  /** Whether a stage gives its state after each epoch. */
  readonly saves: boolean;
}

/** What a thread puts into the queue of results; tensors go with it. */
export type BranchResult =
  | { readonly kind: 'predicted'; readonly batch: number }
  /** The epoch is over. Tensors: of the fusion, the labels of each modality by the utterances' places. */
  | {
      readonly kind: 'epoch';
      readonly stage: number;
      /** Mean over the batches. */
      readonly loss: number;
      /** Milliseconds of its training batches in which it worked, and in which it waited for others. */
      readonly busyMs: number;
      readonly waitMs: number;
      readonly labels: readonly string[];
      readonly drift: Readonly<Record<string, number>>;
    }
  /** The best weights, or all that it takes to go on, by these keys. */
  | { readonly kind: 'weights' | 'state'; readonly stage: number; readonly keys: readonly string[] };

export type BranchNotice =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly message: string; readonly code: string }
  | { readonly kind: 'finished' };

type Work = BranchStage | FusionStage;

function buildStage(job: BranchJob, station: BranchStation, weights: Weights): Work {
  const { config, seed, batchesPerEpoch } = job;
  const settings = { config, seed, batchesPerEpoch };
  const { index, modality, dropout } = station;
  if (modality === null) {
    const maker = job.labels && {
      labels: new UnimodalLabels(job.labels.samples, job.labels.options),
      ids: job.labels.samples.map(([id]) => id),
    };
    return new FusionStage(index, headFrom(weights, 'fusion.', dropout.head), maker, settings);
  }
  const head = headFrom(weights, `heads.${modality}.`, dropout.head);
  if (modality !== 'text') {
    return new BranchStage(index, modality, sequenceFrom(weights, `${modality}.`, dropout.encoder), head, settings);
  }
  const { vocabulary, width } = job.text;
  const encoder = textReader(config.text, null, vocabulary ?? undefined, width ?? undefined).encoder(seed, true);
  encoder.loadStateDict(partOf(weights, 'text.'));
  return new BranchStage(index, modality, encoder, head, settings);
}

function buildStations(job: BranchJob): Station<Work>[] {
  const { meta, tensors } = Queue.attach<readonly string[]>(job.weights).get(job.timeoutMs);
  const weights = new Map(meta.map((key, i) => [key, tensors[i]!]));
  const channels = new Map<number, Channel>();
  const open = (id: number): Channel => {
    const found =
      channels.get(id) ??
      (job.queues.includes(id)
        ? new QueueChannel(id, `queue ${id} of the branches`, job.timeoutMs)
        : new LocalChannel());
    channels.set(id, found);
    return found;
  };
  const build = (station: BranchStation): Work => {
    const stage = buildStage(job, station, weights);
    if ([...weights.keys()].some((key) => key.startsWith('optimizer.'))) stage.resume(weights);
    return stage;
  };
  return job.stations.map((station) => ({
    stage: build(station),
    inputs: station.inputs.map(open),
    outputs: station.outputs.map(open),
    gradientsIn: [],
    gradientsOut: [],
  }));
}

/** Each stage in turn, the branches before the fusion. */
function actionsOf(stations: readonly BranchStation[]): Action[] {
  return stations.flatMap(({ index }): Action[] => [
    { stage: index, kind: 'F', microbatch: 0 },
    { stage: index, kind: 'B', microbatch: 0 },
    { stage: index, kind: 'U' },
  ]);
}

function contextOf(job: BranchJob): LoopContext<Work> {
  const results = Queue.attach<BranchResult>(job.results);
  const put = (meta: BranchResult, tensors: readonly Tensor[]): void =>
    results.put({ meta, tensors: tensors.map((x) => x.to({ device: 'cpu' })) }, job.timeoutMs);
  const sums = new Map<number, { loss: number; busyMs: number; waitMs: number }>();
  const actions = actionsOf(job.stations);
  return {
    microbatches: 1,
    actions: () => actions,
    finite: true,
    spans: false,
    report: (event) => {
      if (event.type !== 'step') return;
      const sum = sums.get(event.stage) ?? { loss: 0, busyMs: 0, waitMs: 0 };
      sums.set(event.stage, {
        loss: sum.loss + event.loss!,
        busyMs: sum.busyMs + event.busy,
        waitMs: sum.waitMs + event.wait,
      });
    },
    afterBatch: () => {},
    save: (stage, { step, epoch: best }) => {
      if (best * job.batchesPerEpoch === step) stage.keepBest();
      if (!job.saves) return;
      const state = stage.state();
      put({ kind: 'state', stage: stage.index, keys: [...state.keys()] }, [...state.values()]);
    },
    predicted: ({ step }, output) => put({ kind: 'predicted', batch: step }, [output]),
    afterControl: (stage, message) => {
      if (message.kind === 'stop') {
        put({ kind: 'weights', stage: stage.index, keys: [...stage.best.keys()] }, [...stage.best.values()]);
      }
      if (message.kind !== 'evaluated') return;
      const maker = stage instanceof FusionStage ? stage.maker : null;
      const table = maker ? maker.labels.of(maker.ids) : {};
      const names = Object.keys(table);
      const { loss: sum, ...times } = sums.get(stage.index)!;
      const loss = sum / job.batchesPerEpoch;
      const drift = maker?.labels.drift() ?? {};
      put({ kind: 'epoch', stage: stage.index, loss, ...times, labels: names, drift }, Object.values(table));
      sums.delete(stage.index);
    },
    ...(job.faults ? { beforeAction: faultsOf(job.faults, job.seed) } : {}),
  };
}

function faultsOf({ delayMs = 0, at }: FaultConfig, seed: number): NonNullable<LoopContext<Work>['beforeAction']> {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  const generators = new Map<number, Generator>();
  return (stage, action, step) => {
    if (delayMs > 0) {
      const generator = generators.get(stage.index) ?? new Generator(deriveSeed(seed, 'delay', stage.index));
      generators.set(stage.index, generator);
      Atomics.wait(sleeper, 0, 0, rand([1], { generator }).item() * delayMs);
    }
    if (!at || at.stage !== stage.index || at.step !== step || action.kind !== 'F') return;
    if (at.kind === 'exit') process.exit(3);
    throw new Error('injected fault');
  };
}

const post = (notice: BranchNotice): void => parentPort!.postMessage(notice);
const job = workerData as BranchJob;
try {
  setNumThreads(job.config.threads);
  post({ kind: 'ready' });
  const stations = buildStations(job);
  new StageLoop<Work>(stations, contextOf(job)).run();
  post({ kind: 'finished' });
} catch (error) {
  // A queue that was closed under it means that another branch failed first, and has said so.
  const cause = error instanceof StageError ? error.cause : error;
  if (!(cause instanceof QueueError && cause.code === 'QUEUE_CLOSED')) {
    const { message, code } = error as { message: string; code?: string };
    post({ kind: 'failed', message, code: (cause as { code?: string } | undefined)?.code ?? code ?? '' });
    for (const id of [...job.queues, job.results]) Queue.attach<Message>(id).abort(message);
  }
}
