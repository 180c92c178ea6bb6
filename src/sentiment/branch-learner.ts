/** Learning by branches: feeds their stages, and gathers what they tell. */
import { DataLoader } from '../data/index.js';
import type { Modality } from '../features/specs.js';
import {
  type BatchMessage,
  type Edge,
  edgeLayer,
  FEED_CAPACITY,
  Feed,
  LOADER,
  type ProgramPlan,
  type Wiring,
} from '../pipeline/index.js';
import type { RunEvent } from '../run/index.js';
import { HeadraceError, keep, scope, type Tensor, tensor } from '../torch/index.js';
import type { BranchJob, BranchNotice, BranchStation } from './branch-program.js';
import { dropoutOf, inputKeys, peersOf } from './branches.js';
import { checkBranches, type SentimentConfig } from './config.js';
import type { SentimentBatch } from './datasets/index.js';
import { evaluationLoader, lossSum } from './evaluate.js';
import { freshNetwork, type InitReport } from './init.js';
import type { Learner, SeedState, TrainedEpoch } from './learner.js';
import type { SharedPrivate } from './models/shared-private.js';
import type { SentimentNetwork } from './network.js';
import { givenLabel } from './objective.js';
import { labelledSamples, type PreparedData } from './prepare.js';
import type { SeedOptions } from './train-seed.js';
import { partOf, prefixed } from './trained-part.js';

const DEFAULT_TIMEOUT_MS = 600_000;
/** Batches that may wait between a branch and the fusion. */
const CAPACITY = 2;

/** What the stages have told of an epoch. */
class EpochSoFar {
  /** Of each stage, over its batches. */
  readonly losses: number[];
  readonly times: { busyMs: number; waitMs: number }[];
  /** Of all pairs, over the batches. */
  alignment = 0;
  /** Of all stages. */
  steps = 0;
  /** When the training batches were through. */
  trained = 0;
  /** Over the validation batches. */
  lossSum = 0;
  drift: Readonly<Record<string, number>> | null = null;
  /** Labels of the validation batches. */
  readonly truth: SentimentBatch[] = [];

  constructor(stages: number) {
    this.losses = Array.from({ length: stages }, () => 0);
    this.times = this.losses.map(() => ({ busyMs: 0, waitMs: 0 }));
  }

  step(event: Extract<RunEvent, { type: 'step' }>): void {
    this.losses[event.stage]! += event.loss!;
    // A pair is told by both of its branches.
    this.alignment += (event.losses?.alignment ?? 0) / 2;
    const times = this.times[event.stage]!;
    times.busyMs += event.busy;
    times.waitMs += event.wait;
    this.steps++;
    this.trained = performance.now();
  }
}

/** The branches of the shared-private model and their fusion, each by a loss of its own: the feed of their stages. */
export class BranchLearner implements Learner {
  readonly network: SentimentNetwork;
  readonly begun: InitReport | null;
  readonly stages: readonly (readonly string[])[];
  readonly #loader: DataLoader<SentimentBatch>;
  readonly #valid: DataLoader<SentimentBatch>;
  #feed: Feed<BranchNotice> | null = null;
  #report: (event: RunEvent) => void = () => {};
  /** Of generated labels: those of each modality, by the utterance's place in the split. */
  #labels: ReadonlyMap<string, Tensor> = new Map();
  #epoch: EpochSoFar;
  /** What the stages give at an epoch's end, by its keys, and how many have. */
  readonly #gathered = { tensors: new Map<string, Tensor>(), stages: 0 };

  /** @throws ConfigError for a configuration that branches cannot train */
  constructor(
    private readonly config: SentimentConfig,
    private readonly prepared: PreparedData,
    private readonly seed: number,
    private readonly options: SeedOptions,
  ) {
    checkBranches(config);
    ({ network: this.network, begun: this.begun } = freshNetwork(config, prepared, seed));
    this.stages = [...config.modalities.map((name) => [name, `heads.${name}`]), ['fusion']];
    this.#loader = new DataLoader(prepared.splits.train, { batchSize: config.batchSize, shuffle: true, seed });
    this.#valid = evaluationLoader(config, prepared.splits.valid);
    this.#epoch = new EpochSoFar(this.stages.length);
  }

  get batchesPerEpoch(): number {
    return this.#loader.batchesPerEpoch;
  }

  begin(from: SeedState | null, report: (event: RunEvent) => void): void {
    this.#report = report;
    this.#feed = new Feed<BranchNotice>(this.#plan(from), {
      ranks: this.options.ranks ?? null,
      last: this.config.modalities.length,
      onNotice: (notice, tensors) => this.#hear(notice, tensors),
      errorOf: (message, { thread, code, cause }) => {
        const where = thread === undefined ? '' : `${thread}: `;
        return new HeadraceError(`seed ${this.seed}, ${where}${message}`, { code, cause });
      },
    });
  }

  async train(epoch: number, givesUp: () => boolean): Promise<TrainedEpoch | null> {
    const feed = this.#feed!;
    const { batchesPerEpoch } = this;
    const { modalities } = this.config;
    const told = new EpochSoFar(this.stages.length);
    this.#epoch = told;
    for (let b = 0; b < batchesPerEpoch; b++) {
      if (givesUp()) return null;
      await feed.room();
      this.#put('train', this.#stepsOf(epoch - 1) + b + 1, epoch, () => this.#loader.batch(epoch - 1, b));
    }
    for (let b = 0; b < this.#valid.batchesPerEpoch; b++) {
      await feed.room();
      this.#put('predict', b, epoch, () => this.#valid.batch(0, b));
    }
    feed.control({ kind: 'evaluated', step: this.#stepsOf(epoch), epoch: epoch - 1 });
    await feed.until(() => told.drift !== null && told.steps === batchesPerEpoch * this.stages.length);
    this.options.onTimes?.(Object.fromEntries(told.times.map((time, i) => [modalities[i] ?? 'fusion', time])));
    const losses = told.losses.map((sum) => sum / batchesPerEpoch);
    const unimodal = Object.fromEntries(modalities.map((name, i) => [`unimodal.${name}`, losses[i]!]));
    const aligned = modalities.some((name) => peersOf(this.config, name).length > 0);
    const alignment = told.alignment / batchesPerEpoch;
    const total = losses.reduce((sum, loss) => sum + loss, alignment);
    return {
      train: { total, multimodal: losses.at(-1)!, ...unimodal, ...(aligned ? { alignment } : {}) },
      validLoss: told.lossSum / this.prepared.splits.valid.length,
      drift: told.drift!,
      norms: {},
      trainedAt: told.trained,
    };
  }

  keepBest(epoch: number): void {
    this.#feed!.control({ kind: 'keep', step: this.#stepsOf(epoch), epoch: epoch - 1 });
  }

  /** What the stages have, and the labels as the branches are given them. */
  async state(epoch: number): Promise<Map<string, Tensor>> {
    this.#feed!.control({ kind: 'checkpoint', step: this.#stepsOf(epoch), epoch });
    return new Map([...(await this.#gather()), ...prefixed('own.', this.#labels)]);
  }

  async finish(epoch: number, reason: 'done' | 'stopped'): Promise<void> {
    this.#feed!.control({ kind: 'stop', step: this.#stepsOf(epoch), reason });
    this.network.model.loadStateDict(await this.#gather());
    await this.#feed!.ended();
  }

  async close(): Promise<void> {
    await this.#feed?.close();
  }

  #plan(from: SeedState | null): ProgramPlan {
    const { config, seed, prepared, options } = this;
    if (from) {
      this.network.model.loadStateDict(partOf(from.tensors, 'network.'));
      this.#labels = partOf(from.tensors, 'own.');
    }
    const weights = this.network.model.stateDict();
    const initial = from ? new Map([...from.tensors, ...weights]) : weights;
    const job: ProgramPlan<BranchJob>['job'] = {
      program: new URL('./branch-program.js', import.meta.url).href,
      config,
      seed,
      batchesPerEpoch: this.#loader.batchesPerEpoch,
      keys: [...initial.keys()],
      text: { vocabulary: prepared.reader?.vocabulary ?? null, width: prepared.shape.widths.text ?? null },
      labels: config.unimodal!.labels === 'generated' ? this.#generated(weights) : null,
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      faults: options.faults ?? null,
    };
    const wiring = wireBranches(config, this.network.model as SharedPrivate);
    return { wiring, job, tensors: [...initial.values()].map((x) => x.detach()) };
  }

  /** What the labels are made with; those that a run begins with are the whole's. */
  #generated(weights: ReadonlyMap<string, Tensor>): BranchJob['labels'] {
    const { modalities, device, unimodal } = this.config;
    const { samples, limit } = labelledSamples(this.prepared);
    if (this.#labels.size === 0) {
      const table = keep(tensor(Float32Array.from(samples, ([, label]) => label)));
      this.#labels = new Map(modalities.map((name) => [name, table]));
    }
    const width = (name: string): number => weights.get(`${name}.layer_1.weight`)!.shape[0]!;
    const hidden = Object.fromEntries(modalities.map((name) => [name, width(`heads.${name}`)]));
    const { warmup = 1, excludeZero = true } = unimodal!;
    return {
      samples,
      options: { widths: { multimodal: width('fusion'), ...hidden }, limit, warmup, excludeZero, device },
    };
  }

  #hear(notice: BranchNotice, tensors: readonly Tensor[]): void {
    if (notice.kind === 'event') {
      if (notice.event.type === 'step') this.#epoch.step(notice.event);
      this.#report(notice.event);
    } else if (notice.kind === 'predicted') {
      const truth = this.#epoch.truth[notice.batch]!;
      this.#epoch.lossSum += scope(() => lossSum(this.config.task, tensors[0]!, truth));
    } else if (notice.kind === 'labels') {
      this.#epoch.drift = notice.drift;
      if (notice.names.length > 0) this.#labels = new Map(notice.names.map((name, i) => [name, tensors[i]!]));
    } else {
      for (const [i, key] of notice.keys.entries()) this.#gathered.tensors.set(key, tensors[i]!);
      this.#gathered.stages++;
    }
  }

  /** Puts a batch before every branch. */
  #put(split: 'train' | 'predict', step: number, epoch: number, make: () => SentimentBatch): void {
    const batch = scope(() => this.network.scale.forward(make()));
    const whole = this.config.task === 'regression' ? batch.label : batch.class;
    if (split === 'predict') {
      const { label, class: kind, index } = batch;
      this.#epoch.truth[step] = { label, class: kind, index };
    }
    const shared = { kind: 'batch', split, step, epoch: epoch - 1, samples: batch.index.shape[0]! } as const;
    this.#feed!.batch(
      this.config.modalities.map((name) => {
        const features = inputKeys(this.config, name).map((key) => batch[key]!);
        const own = split === 'train' ? this.#ownLabel(batch, name) : whole;
        const meta: BatchMessage = { ...shared, microbatch: 0, microbatches: 1, features: features.length };
        return { meta, tensors: [...features, own, whole, batch.index] };
      }),
    );
  }

  #ownLabel(batch: SentimentBatch, name: Modality): Tensor {
    if (this.config.task === 'classification') return batch.class;
    const made = this.#labels.get(name);
    if (made) return made.indexSelect(0, batch.index);
    return this.config.unimodal?.labels === 'given' ? givenLabel(batch, name) : batch.label;
  }

  /** What every stage gives, by its keys. */
  async #gather(): Promise<Map<string, Tensor>> {
    const gathered = this.#gathered;
    await this.#feed!.until(() => gathered.stages === this.stages.length);
    const tensors = new Map(gathered.tensors);
    gathered.tensors.clear();
    gathered.stages = 0;
    return tensors;
  }

  /** Steps done by the end of an epoch. @param epoch - from 1 */
  #stepsOf(epoch: number): number {
    return epoch * this.batchesPerEpoch;
  }
}

/** Each branch leads to the fusion. By `ppll` each has a worker of its own, else one takes them in turns. */
function wireBranches(config: SentimentConfig, model: SharedPrivate): Wiring<BranchStation<Edge>> {
  const { modalities, schedule } = config;
  const edge = edgeLayer();
  const [gradientsIn, gradientsOut] = [[], []];
  const workerOf = (index: number): number => (schedule === 'ppll' ? index : 0);
  const last = modalities.length;
  // One edge to each branch that looks at this one's features.
  const peers = modalities.flatMap((to, b) =>
    peersOf(config, to).map((from) => {
      const a = modalities.indexOf(from);
      return { from, to, link: edge(`${from} -> ${to}`, workerOf(a), workerOf(b), CAPACITY) };
    }),
  );
  const branches = modalities.map((modality, index): BranchStation<Edge> => {
    const encoder = modality === 'text' ? 0 : dropoutOf(model[modality]!);
    const dropout = { encoder, head: dropoutOf(model.heads.get(modality)) };
    const inputs = [edge(`feed -> ${modality}`, LOADER, workerOf(index), FEED_CAPACITY)];
    const outputs = [edge(`${modality} -> fusion`, workerOf(index), workerOf(last), CAPACITY)];
    const peersIn = peers.filter(({ to }) => to === modality).map(({ link }) => link);
    const peersOut = peers.filter(({ from }) => from === modality).map(({ link }) => link);
    return { index, name: modality, modality, dropout, inputs, outputs, gradientsIn, gradientsOut, peersIn, peersOut };
  });
  const fusion: BranchStation<Edge> = {
    index: last,
    name: 'fusion',
    modality: null,
    dropout: { encoder: 0, head: dropoutOf(model.fusion) },
    inputs: branches.flatMap(({ outputs }) => outputs),
    outputs: [],
    gradientsIn,
    gradientsOut,
  };
  const stations = [...branches, fusion];
  const sources = branches.flatMap(({ inputs }) => inputs);
  return { sources, workers: schedule === 'ppll' ? stations.map((station) => [station]) : [stations] };
}
