/** The training of one seed: the reference procedure (Self-MM, MMSA), gradients through the whole network. */
import { DataLoader } from '../data/index.js';
import type { Module, Parameter } from '../nn/index.js';
import { Adam, clipGradNorm_ } from '../optim/index.js';
import { HeadraceError, keep, noGrad, scope, type Tensor } from '../torch/index.js';
import { checkSentimentConfig, type SentimentConfig } from './config.js';
import { spreadOf } from './constant.js';
import type { SentimentBatch } from './datasets/index.js';
import { firstBatch, idsOf, metricsOf, predictSplit, type SplitPredictions } from './evaluate.js';
import { freshNetwork, type InitReport } from './init.js';
import type { SentimentNetwork } from './network.js';
import { Objective, type ObjectiveParts } from './objective.js';
import type { PreparedData } from './prepare.js';
import { type RateGroup, rateGroups } from './rates.js';
import type { Run } from './statistics.js';

/** What an epoch came to. */
export interface EpochRecord {
  /** From 1. */
  readonly epoch: number;
  /** Means over the batches of the parts of the loss: `total`, `multimodal`, `unimodal.text`, `alignment`, ... */
  readonly train: Readonly<Record<string, number>>;
  /** Mean over the validation split. */
  readonly validLoss: number;
  readonly best: boolean;
  /** How far generated labels have moved, by modality. */
  readonly drift: Readonly<Record<string, number>>;
  /** Norms of the aligned features, of the epoch's last batch. */
  readonly norms: Readonly<Record<string, number>>;
  readonly utterancesPerSecond: number;
}

export interface SeedResult {
  readonly seed: number;
  readonly bestEpoch: number;
  readonly epochs: number;
  readonly valid: Run;
  /** At the epoch that was best on the validation split; the test split chooses nothing. */
  readonly test: Run;
  /** Standard deviation of the test predictions over that of the labels; near 0 the model says the same of everything. */
  readonly spread?: number | null;
  readonly seconds: number;
  readonly utterancesPerSecond: number;
  readonly history: readonly EpochRecord[];
}

/** What a run can be told while it goes on. */
export interface SeedHooks {
  readonly onEpoch?: (record: EpochRecord) => void;
  /** Asked after every epoch, when `save` has been called. */
  readonly shouldStop?: () => boolean;
  /** Asked before every batch: whether to end at once, with nothing kept of the epoch. */
  readonly shouldGiveUp?: () => boolean;
  /** Called after every epoch with all that it takes to go on from there. */
  readonly save?: (state: SeedState) => void;
  /** What an earlier session saved. */
  readonly from?: SeedState | null;
}

/** The state of a run between two epochs. */
export interface SeedState {
  readonly epoch: number;
  readonly best: { readonly epoch: number; readonly loss: number };
  readonly history: readonly EpochRecord[];
  readonly seconds: number;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

export class SeedTrainer {
  readonly network: SentimentNetwork;
  /** What it took from the run that the configuration names as `init`. */
  readonly begun: InitReport | null;
  readonly objective: Objective;
  readonly #optimizer: Adam;
  readonly #loader: DataLoader<SentimentBatch>;
  readonly #best = new Map<string, Tensor>();
  #bestEpoch = 0;
  #bestLoss = Number.POSITIVE_INFINITY;
  #history: EpochRecord[] = [];
  #seconds = 0;

  /** @throws ConfigError for a configuration that makes no sense */
  constructor(
    private readonly config: SentimentConfig,
    private readonly prepared: PreparedData,
    readonly seed: number,
  ) {
    checkSentimentConfig(config);
    ({ network: this.network, begun: this.begun } = freshNetwork(config, prepared, seed));
    this.network.to({ device: config.device });
    this.objective = this.#makeObjective();
    this.#optimizer = new Adam(rateGroups(config, ratedParameters(this.network, this.objective)));
    this.#loader = new DataLoader(prepared.splits.train, { batchSize: config.batchSize, shuffle: true, seed });
    for (const [key, value] of this.network.stateDict()) this.#best.set(key, keep(value.clone()));
  }

  /** Trains to the end, or until told to stop: then null, and what `save` was given last goes on from there. */
  run(hooks: SeedHooks = {}): SeedResult | null {
    if (hooks.from) this.#resume(hooks.from);
    const { patience, maxEpochs } = this.config;
    for (let epoch = this.#history.length + 1; epoch <= maxEpochs; epoch++) {
      if (epoch - 1 - this.#bestEpoch >= patience) break;
      const record = this.#epoch(epoch, hooks.shouldGiveUp);
      if (record === null) return null;
      this.#history.push(record);
      hooks.onEpoch?.(record);
      hooks.save?.(this.#state());
      if (hooks.shouldStop?.()) return null;
    }
    return this.#finish();
  }

  /** The network, with the weights that were best on the validation split. */
  bestNetwork(): SentimentNetwork {
    this.network.loadStateDict(this.#best);
    return this.network;
  }

  /** Null where it was given up. */
  #epoch(epoch: number, shouldGiveUp: SeedHooks['shouldGiveUp']): EpochRecord | null {
    const start = performance.now();
    const { accumulate, leftover } = this.config;
    const batches = this.#loader.batchesPerEpoch;
    const sums = new Map<string, number>();
    let norms: Readonly<Record<string, number>> = {};
    this.network.train();
    this.#optimizer.zeroGrad();
    for (let b = 0; b < batches; b++) {
      if (shouldGiveUp?.()) return null;
      scope(() => {
        const last = this.#batch(epoch, b, sums);
        if (b === batches - 1) norms = last();
      });
      const full = (b + 1) % accumulate === 0;
      if (full || (b === batches - 1 && leftover === 'flush')) this.#step();
    }
    // A window that an epoch's end cuts off is given up, as the reference does, unless it was flushed.
    this.#optimizer.zeroGrad();
    const trained = (performance.now() - start) / 1000;
    const { loss: validLoss } = predictSplit(this.network, this.config, this.prepared.splits.valid);
    const best = validLoss < this.#bestLoss;
    if (best) this.#keepBest(epoch, validLoss);
    this.#seconds += (performance.now() - start) / 1000;
    return {
      epoch,
      train: Object.fromEntries([...sums].map(([name, sum]) => [name, sum / batches])),
      validLoss,
      best,
      drift: this.objective.labels?.drift() ?? {},
      norms,
      utterancesPerSecond: this.prepared.splits.train.length / trained,
    };
  }

  /** Forward and backward of a batch; gradients add up. Returns how to measure its features. */
  #batch(epoch: number, b: number, sums: Map<string, number>): () => Readonly<Record<string, number>> {
    const batch = this.#toDevice(this.#loader.batch(epoch - 1, b));
    const ids = idsOf(this.prepared.splits.train, batch.index);
    this.network.beginStep((epoch - 1) * this.#loader.batchesPerEpoch + b + 1);
    const output = this.network.forward(batch);
    const parts = this.objective.forward(output, batch, ids);
    parts.total.backward();
    this.#note(parts, sums, epoch);
    this.objective.afterBatch(output, ids, epoch);
    return () => this.objective.report(output)?.norms ?? {};
  }

  #note(parts: ObjectiveParts, sums: Map<string, number>, epoch: number): void {
    const unimodal = Object.entries(parts.unimodal).map(([name, value]) => [`unimodal.${name}`, value] as const);
    const all = [
      ['total', parts.total],
      ['multimodal', parts.multimodal],
      ...unimodal,
      ...Object.entries(parts.others),
    ] as const;
    for (const [name, value] of all) sums.set(name, (sums.get(name) ?? 0) + value.item());
    if (Number.isFinite(sums.get('total'))) return;
    const found = all.map(([name, value]) => `${name} ${value.item()}`).join(', ');
    throw new HeadraceError(
      `seed ${this.seed}, epoch ${epoch}: the loss is not finite (${found}); lower the learning rates`,
      {
        code: 'NAN',
      },
    );
  }

  #step(): void {
    const { clipNorm } = this.config;
    if (clipNorm !== null)
      clipGradNorm_(
        this.#optimizer.paramGroups.flatMap(({ params }) => params),
        clipNorm,
      );
    this.#optimizer.step();
    this.#optimizer.zeroGrad();
  }

  #keepBest(epoch: number, loss: number): void {
    this.#bestEpoch = epoch;
    this.#bestLoss = loss;
    noGrad(() => {
      for (const [key, value] of this.network.stateDict()) this.#best.get(key)!.copy_(value);
    });
  }

  #finish(): SeedResult {
    const { seed, config, prepared } = this;
    const ended = { seed, bestEpoch: this.#bestEpoch, seconds: this.#seconds, history: this.#history };
    return seedResult(config, prepared, this.bestNetwork(), ended);
  }

  #makeObjective(): Objective {
    const { config } = this;
    const { samples, limit } = labelledSamples(this.prepared);
    return scope(() => {
      const sample = this.#toDevice(firstBatch(this.prepared.splits.train, 2));
      const output = noGrad(() => this.network.eval().forward(sample));
      return new Objective(config, output, samples, limit);
    });
  }

  #toDevice(batch: SentimentBatch): SentimentBatch {
    const { device } = this.config;
    if (device === 'cpu') return batch;
    const moved = Object.entries(batch).map(([name, value]) => [name, value.to({ device })]);
    return Object.fromEntries(moved) as SentimentBatch;
  }

  #state(): SeedState {
    const tensors = new Map<string, Tensor>();
    const add = (prefix: string, state: Iterable<readonly [string, Tensor]>): void => {
      for (const [key, value] of state) tensors.set(`${prefix}.${key}`, value);
    };
    add('network', this.network.stateDict());
    add('objective', this.objective.stateDict());
    add('best', this.#best);
    add('optimizer', this.#optimizer.stateDict().state);
    if (this.objective.labels) add('labels', this.objective.labels.stateDict());
    const best = { epoch: this.#bestEpoch, loss: this.#bestLoss };
    return { epoch: this.#history.length, best, history: this.#history, seconds: this.#seconds, tensors };
  }

  #resume(state: SeedState): void {
    const part = (prefix: string): Map<string, Tensor> => {
      const found = [...state.tensors].filter(([key]) => key.startsWith(`${prefix}.`));
      return new Map(found.map(([key, value]) => [key.slice(prefix.length + 1), value]));
    };
    this.network.loadStateDict(part('network'));
    this.objective.loadStateDict(part('objective'));
    this.#optimizer.loadStateDict({ groups: this.#optimizer.stateDict().groups, state: part('optimizer') });
    this.objective.labels?.loadStateDict(part('labels'));
    noGrad(() => {
      for (const [key, value] of part('best')) this.#best.get(key)!.copy_(value);
    });
    this.#bestEpoch = state.best.epoch;
    this.#bestLoss = state.best.loss;
    this.#history = [...state.history];
    this.#seconds = state.seconds;
  }
}

/** The result of a network with its best weights, tested. */
export function seedResult(
  config: SentimentConfig,
  { splits, shape }: PreparedData,
  network: SentimentNetwork,
  ended: Pick<SeedResult, 'seed' | 'bestEpoch' | 'seconds' | 'history'>,
): SeedResult {
  const score = (predicted: SplitPredictions): Run => metricsOf(config, predicted, shape.outputs);
  const [valid, test] = [splits.valid, splits.test].map((split) => predictSplit(network, config, split)) as [
    SplitPredictions,
    SplitPredictions,
  ];
  const speeds = ended.history.map(({ utterancesPerSecond }) => utterancesPerSecond).sort((a, b) => a - b);
  const { seed, bestEpoch, seconds, history } = ended;
  return {
    seed,
    bestEpoch,
    epochs: history.length,
    valid: score(valid),
    test: score(test),
    spread: spreadOf(config, test.predictions, test.truth),
    seconds,
    utterancesPerSecond: speeds[speeds.length >> 1] ?? 0,
    history,
  };
}

/** Id and label of every training utterance, by its place in the split, and the greatest size of a label. */
export function labelledSamples({ data, splits }: PreparedData): { samples: [string, number][]; limit: number } {
  const samples = splits.train.indices.map((index): [string, number] => {
    const { id, label } = data.utterances[index]!;
    return [id, label ?? 0];
  });
  return { samples, limit: Math.max(...(data.range ?? [3]).map(Math.abs)) };
}

/** The encoders' parameters and all others, those of the objective among them. */
function* ratedParameters(
  network: SentimentNetwork,
  objective: Module,
): Iterable<readonly [group: RateGroup, name: string, parameter: Parameter]> {
  for (const [name, parameter] of network.namedParameters()) {
    const part = name.split('.')[1] ?? '';
    yield [part === 'text' || part === 'audio' || part === 'vision' ? part : 'other', name, parameter];
  }
  for (const [name, parameter] of objective.namedParameters('objective')) yield ['other', name, parameter];
}
