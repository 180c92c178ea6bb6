/** The training of one seed by branches: feeds their threads, chooses the epoch, and gathers the best weights. */
import { DataLoader } from '../data/index.js';
import type { Modality } from '../features/specs.js';
import type { BatchMessage, FaultConfig, Message } from '../pipeline/index.js';
import { keep, Queue, scope, type Tensor, tensor } from '../torch/index.js';
import { BranchThreads } from './branch-threads.js';
import type { BranchStation } from './branch-worker.js';
import { dropoutOf, inputKeys, partOf } from './branches.js';
import { checkBranches, checkSentimentConfig, type SentimentConfig } from './config.js';
import type { SentimentBatch } from './datasets/index.js';
import { evaluationLoader, lossSum } from './evaluate.js';
import { freshNetwork, type InitReport } from './init.js';
import type { SharedPrivate } from './models/shared-private.js';
import type { SentimentNetwork } from './network.js';
import { givenLabel } from './objective.js';
import type { PreparedData } from './prepare.js';
import {
  type EpochRecord,
  labelledSamples,
  type SeedHooks,
  type SeedResult,
  type SeedState,
  seedResult,
} from './train-seed.js';

const DEFAULT_TIMEOUT_MS = 600_000;
/** Batches that may wait before a branch. */
const CAPACITY = 2;

/** Milliseconds of an epoch. */
export interface BranchTimes {
  readonly busyMs: number;
  /** For what the others give it, or for room where it puts its own. */
  readonly waitMs: number;
}

export interface BranchOptions {
  /** How long any part may wait for another. Default 600 000. */
  readonly timeoutMs?: number;
  /** Told after every epoch how each branch and the `fusion` spent the time of its training batches. */
  readonly onTimes?: (times: Readonly<Record<string, BranchTimes>>) => void;
  /** For tests. */
  readonly faults?: FaultConfig;
}

/** Trains the shared-private model by `sequential` or `ppll`: bit for bit the same. */
export class BranchTrainer {
  readonly network: SentimentNetwork;
  /** What it took from the run that the configuration names as `init`. */
  readonly begun: InitReport | null;
  readonly #loader: DataLoader<SentimentBatch>;
  /** Of generated labels: those of each modality, by the utterance's place in the split. */
  #labels: ReadonlyMap<string, Tensor> = new Map();
  #seconds = 0;

  /** @throws ConfigError for a configuration that branches cannot train */
  constructor(
    private readonly config: SentimentConfig,
    private readonly prepared: PreparedData,
    readonly seed: number,
    private readonly options: BranchOptions = {},
  ) {
    checkSentimentConfig(config);
    checkBranches(config);
    ({ network: this.network, begun: this.begun } = freshNetwork(config, prepared, seed));
    this.#loader = new DataLoader(prepared.splits.train, { batchSize: config.batchSize, shuffle: true, seed });
  }

  /**
   * Trains to the end, or until told to stop: then null, and what `save` was given last goes on from there.
   * @throws HeadraceError of the first branch that fails
   */
  async run(hooks: SeedHooks = {}): Promise<SeedResult | null> {
    const { patience, maxEpochs, modalities } = this.config;
    const valid = evaluationLoader(this.config, this.prepared.splits.valid);
    const queues = (count: number): Queue<Message>[] => Array.from({ length: count }, () => Queue.create(CAPACITY));
    // In turns, only the feeder and the branches need queues.
    const between = this.config.schedule === 'ppll' ? queues(modalities.length) : [];
    const room = valid.batchesPerEpoch + 2 * modalities.length + 4;
    const { timeoutMs = DEFAULT_TIMEOUT_MS } = this.options;
    const threads = new BranchThreads(queues(modalities.length), between, room, `seed ${this.seed}`, timeoutMs);
    try {
      const { save, from = null } = hooks;
      await this.#start(threads, between, timeoutMs, from, save !== undefined);
      const history: EpochRecord[] = [...(from?.history ?? [])];
      let best = from?.best ?? { epoch: 0, loss: Number.POSITIVE_INFINITY };
      for (let epoch = history.length + 1; epoch <= maxEpochs && epoch - 1 - best.epoch < patience; epoch++) {
        const record = await this.#epoch(threads, valid, epoch, best.loss, hooks.shouldGiveUp);
        if (record === null) return null;
        history.push(record);
        hooks.onEpoch?.(record);
        if (record.best) best = { epoch, loss: record.validLoss };
        if (record.best || save) {
          await threads.putAll({ kind: 'checkpoint', step: this.#stepOf(epoch + 1, 0) - 1, epoch: best.epoch });
        }
        if (save) save({ epoch, best, history, seconds: this.#seconds, tensors: await this.#state(threads) });
        if (hooks.shouldStop?.()) return null;
      }
      await this.#gather(threads, history.length);
      const ended = { seed: this.seed, bestEpoch: best.epoch, seconds: this.#seconds, history };
      return seedResult(this.config, this.prepared, this.network, ended);
    } finally {
      await threads.close();
    }
  }

  async #start(
    threads: BranchThreads,
    between: readonly Queue<Message>[],
    timeoutMs: number,
    from: SeedState | null,
    saves: boolean,
  ): Promise<void> {
    const { config, seed, prepared, options } = this;
    const model = this.network.model as SharedPrivate;
    const { modalities } = config;
    if (from) this.#resume(from);
    const weights = model.stateDict();
    const first = (name: string): number[] => weights.get(`${name}.layer_1.weight`)!.shape;
    // Lists within one thread go by numbers that no queue has.
    const outputs = modalities.map((_, i) => between[i]?.id ?? -1 - i);
    const branches = modalities.map((modality, index): BranchStation => {
      const encoder = modality === 'text' ? 0 : dropoutOf(model[modality]!);
      const dropout = { encoder, head: dropoutOf(model.heads.get(modality)) };
      return { index, modality, inputs: [threads.inputs[index]!.id], outputs: [outputs[index]!], dropout };
    });
    const dropout = { encoder: 0, head: dropoutOf(model.fusion) };
    const fusion = { index: modalities.length, modality: null, inputs: outputs, outputs: [], dropout };
    const stations = [...branches, fusion];
    const { warmup = 1, excludeZero = true, labels } = config.unimodal!;
    const { samples, limit } = labelledSamples(prepared);
    const hidden = Object.fromEntries(modalities.map((name) => [name, first(`heads.${name}`)[0]!]));
    const widths = { multimodal: first('fusion')[0]!, ...hidden };
    const generated = { samples, options: { widths, limit, warmup, excludeZero, device: config.device } };
    if (labels === 'generated' && this.#labels.size === 0) {
      const table = keep(tensor(Float32Array.from(samples, ([, label]) => label)));
      this.#labels = new Map(modalities.map((name) => [name, table]));
    }
    const job = {
      config,
      seed,
      batchesPerEpoch: this.#loader.batchesPerEpoch,
      text: { vocabulary: prepared.reader?.vocabulary ?? null, width: prepared.shape.widths.text ?? null },
      labels: labels === 'generated' ? generated : null,
      timeoutMs,
      faults: options.faults ?? null,
      saves,
    };
    const groups = config.schedule === 'ppll' ? stations.map((station) => [station]) : [stations];
    const initial = from ? new Map([...from.tensors, ...weights]) : weights;
    for (const group of groups) await threads.start({ ...job, stations: group }, initial);
  }

  async #epoch(
    threads: BranchThreads,
    valid: DataLoader<SentimentBatch>,
    epoch: number,
    bestLoss: number,
    shouldGiveUp: SeedHooks['shouldGiveUp'],
  ): Promise<EpochRecord | null> {
    const start = performance.now();
    const { batchesPerEpoch } = this.#loader;
    for (let b = 0; b < batchesPerEpoch; b++) {
      if (shouldGiveUp?.()) return null;
      await this.#feed(threads, 'train', this.#stepOf(epoch, b), epoch, () => this.#loader.batch(epoch - 1, b));
    }
    const truth: SentimentBatch[] = [];
    for (let b = 0; b < valid.batchesPerEpoch; b++) {
      const { label, class: kind, index } = await this.#feed(threads, 'predict', b, epoch, () => valid.batch(0, b));
      truth.push({ label, class: kind, index });
    }
    await threads.putAll({ kind: 'evaluated', step: this.#stepOf(epoch, batchesPerEpoch - 1), epoch });
    const { losses, drift, validLoss, trained } = await this.#collect(threads, truth);
    const { modalities } = this.config;
    const multimodal = losses[modalities.length]!;
    const unimodal = Object.fromEntries(modalities.map((name, i) => [`unimodal.${name}`, losses[i]!]));
    this.#seconds += (performance.now() - start) / 1000;
    return {
      epoch,
      train: { total: losses.reduce((sum, loss) => sum + loss, 0), multimodal, ...unimodal },
      validLoss,
      best: validLoss < bestLoss,
      drift,
      norms: {},
      utterancesPerSecond: this.prepared.splits.train.length / ((trained - start) / 1000),
    };
  }

  /** What the stages tell of an epoch: predictions of the validation split, means of the losses, labels. */
  async #collect(
    threads: BranchThreads,
    truth: readonly SentimentBatch[],
  ): Promise<{ losses: number[]; drift: Readonly<Record<string, number>>; validLoss: number; trained: number }> {
    const stages = this.config.modalities.length + 1;
    const losses: number[] = [];
    const times: Record<string, BranchTimes> = {};
    let drift: Readonly<Record<string, number>> = {};
    let [sum, trained] = [0, 0];
    for (let left = truth.length + stages; left > 0; left--) {
      const { meta, tensors } = await threads.get();
      if (meta.kind === 'predicted') {
        // The first one says that the training batches are through.
        if (meta.batch === 0) trained = performance.now();
        sum += scope(() => lossSum(this.config.task, tensors[0]!, truth[meta.batch]!));
      } else if (meta.kind === 'epoch') {
        losses[meta.stage] = meta.loss;
        const { busyMs, waitMs } = meta;
        times[this.config.modalities[meta.stage] ?? 'fusion'] = { busyMs, waitMs };
        if (meta.stage < stages - 1) continue;
        drift = meta.drift;
        if (meta.labels.length > 0) this.#labels = new Map(meta.labels.map((name, i) => [name, keep(tensors[i]!)]));
      }
    }
    this.options.onTimes?.(times);
    return { losses, drift, validLoss: sum / this.prepared.splits.valid.length, trained };
  }

  /** Puts a batch before every branch. */
  async #feed(
    threads: BranchThreads,
    split: 'train' | 'predict',
    step: number,
    epoch: number,
    make: () => SentimentBatch,
  ): Promise<SentimentBatch> {
    const batch = scope(() => this.network.scale.forward(make()));
    const whole = this.config.task === 'regression' ? batch.label : batch.class;
    const samples = batch.index.shape[0]!;
    for (const [branch, name] of this.config.modalities.entries()) {
      const features = inputKeys(this.config, name).map((key) => batch[key]!);
      const own = split === 'train' ? this.#ownLabel(batch, name) : whole;
      const meta: BatchMessage = {
        kind: 'batch',
        split,
        step,
        epoch,
        samples,
        microbatch: 0,
        microbatches: 1,
        features: features.length,
      };
      await threads.put(branch, { meta, tensors: [...features, own, whole, batch.index] });
    }
    return batch;
  }

  #ownLabel(batch: SentimentBatch, name: Modality): Tensor {
    if (this.config.task === 'classification') return batch.class;
    const made = this.#labels.get(name);
    if (made) return made.indexSelect(0, batch.index);
    return this.config.unimodal?.labels === 'given' ? givenLabel(batch, name) : batch.label;
  }

  /** Ends the stages and takes over the weights that each of them kept. */
  async #gather(threads: BranchThreads, epochs: number): Promise<void> {
    await threads.putAll({ kind: 'stop', step: this.#stepOf(epochs + 1, 0) - 1, reason: 'done' });
    this.network.model.loadStateDict(await threads.gather('weights', this.config.modalities.length + 1));
    this.network.eval();
  }

  /** All that it takes to go on: what the stages have, and the labels as the branches are given them. */
  async #state(threads: BranchThreads): Promise<Map<string, Tensor>> {
    const state = await threads.gather('state', this.config.modalities.length + 1);
    for (const [name, labels] of this.#labels) state.set(`own.${name}`, labels);
    return state;
  }

  #resume({ tensors, seconds }: SeedState): void {
    this.network.model.loadStateDict(partOf(tensors, 'network.'));
    this.#labels = partOf(tensors, 'own.');
    this.#seconds = seconds;
  }

  /** Counted from 1 over the run. @param epoch - from 1 */
  #stepOf(epoch: number, batch: number): number {
    return (epoch - 1) * this.#loader.batchesPerEpoch + batch + 1;
  }
}
