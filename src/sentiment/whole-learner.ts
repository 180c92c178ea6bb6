/** The reference procedure (Self-MM, MMSA): gradients through the whole network. */
import { DataLoader } from '../data/index.js';
import type { Module, Parameter } from '../nn/index.js';
import type { RunEvent } from '../run/index.js';
import { HeadraceError, noGrad, scope, type Tensor } from '../torch/index.js';
import type { SentimentConfig } from './config.js';
import type { SentimentBatch } from './datasets/index.js';
import { firstBatch, idsOf, predictSplit } from './evaluate.js';
import { freshNetwork, type InitReport } from './init.js';
import type { Learner, SeedState, TrainedEpoch } from './learner.js';
import { checkOutput } from './models/own.js';
import type { SentimentNetwork } from './network.js';
import { Objective, type ObjectiveParts } from './objective.js';
import { labelledSamples, type PreparedData } from './prepare.js';
import type { RateGroup } from './rates.js';
import { partOf, prefixed, TrainedPart } from './trained-part.js';

export class WholeLearner implements Learner {
  readonly network: SentimentNetwork;
  readonly begun: InitReport | null;
  readonly objective: Objective;
  readonly stages: readonly (readonly string[])[];
  readonly #loader: DataLoader<SentimentBatch>;
  readonly #trained: TrainedPart;
  #report: (event: RunEvent) => void = () => {};

  /** @throws ConfigError where the network lacks what the configuration trains */
  constructor(
    private readonly config: SentimentConfig,
    private readonly prepared: PreparedData,
    readonly seed: number,
  ) {
    ({ network: this.network, begun: this.begun } = freshNetwork(config, prepared, seed));
    this.network.to({ device: config.device });
    this.objective = this.#makeObjective();
    this.stages = [[...this.network.model.namedChildren()].map(([name]) => name)];
    this.#loader = new DataLoader(prepared.splits.train, { batchSize: config.batchSize, shuffle: true, seed });
    const parameters = ratedParameters(this.network, this.objective);
    this.#trained = new TrainedPart(config, this.batchesPerEpoch, () => this.network.stateDict(), parameters);
  }

  get batchesPerEpoch(): number {
    return this.#loader.batchesPerEpoch;
  }

  begin(from: SeedState | null, report: (event: RunEvent) => void): void {
    this.#report = report;
    if (from === null) return;
    const { tensors } = from;
    this.network.loadStateDict(partOf(tensors, 'network.'));
    this.objective.loadStateDict(partOf(tensors, 'objective.'));
    this.objective.labels?.loadStateDict(partOf(tensors, 'labels.'));
    this.#trained.resume(tensors);
  }

  async train(epoch: number, givesUp: () => boolean): Promise<TrainedEpoch | null> {
    const batches = this.batchesPerEpoch;
    const sums = new Map<string, number>();
    let norms: Readonly<Record<string, number>> = {};
    this.network.train();
    for (let b = 0; b < batches; b++) {
      if (givesUp()) return null;
      const measured = this.#batch(epoch, b, sums);
      if (b === batches - 1) norms = measured;
    }
    const trainedAt = performance.now();
    const { loss: validLoss } = predictSplit(this.network, this.config, this.prepared.splits.valid);
    const train = Object.fromEntries([...sums].map(([name, sum]) => [name, sum / batches]));
    return { train, validLoss, drift: this.objective.labels?.drift() ?? {}, norms, trainedAt };
  }

  keepBest(): void {
    this.#trained.keepBest();
  }

  async state(): Promise<Map<string, Tensor>> {
    return new Map([
      ...this.#trained.state(),
      ...prefixed('objective.', this.objective.stateDict()),
      ...(this.objective.labels?.stateDict('labels.') ?? []),
    ]);
  }

  async finish(_epoch: number, reason: 'done' | 'stopped'): Promise<void> {
    if (reason === 'done') this.network.loadStateDict(this.#trained.best);
  }

  async close(): Promise<void> {}

  /** Forward and backward of a batch, and a step where its window is full. @returns norms of an epoch's last features */
  #batch(epoch: number, b: number, sums: Map<string, number>): Readonly<Record<string, number>> {
    const start = performance.now();
    const { lr } = this.config.groups.other;
    const ends = b === this.batchesPerEpoch - 1;
    const step = (epoch - 1) * this.batchesPerEpoch + b + 1;
    return scope(() => {
      const batch = this.#toDevice(this.#loader.batch(epoch - 1, b));
      const ids = idsOf(this.prepared.splits.train, batch.index);
      this.network.beginStep(step);
      const output = this.network.forward(batch);
      const parts = this.objective.forward(output, batch, ids);
      parts.total.backward();
      const { total: loss, ...losses } = this.#note(parts, sums, epoch);
      this.objective.afterBatch(output, ids, epoch);
      const norms = ends ? (this.objective.report(output)?.norms ?? {}) : {};
      this.#trained.apply(b + 1);
      const place = { type: 'step', time: Date.now(), stage: 0, step, epoch: epoch - 1 } as const;
      const cost = { lr, samples: ids.length, busy: performance.now() - start, wait: 0, queue: null };
      this.#report({ ...place, loss: loss!, losses, ...cost });
      return norms;
    });
  }

  /** Adds up the parts of a loss. @returns them as numbers */
  #note(parts: ObjectiveParts, sums: Map<string, number>, epoch: number): Record<string, number> {
    const unimodal = Object.entries(parts.unimodal).map(([name, value]) => [`unimodal.${name}`, value] as const);
    const all = [
      ['total', parts.total],
      ['multimodal', parts.multimodal],
      ...unimodal,
      ...Object.entries(parts.others),
    ] as const;
    const values = all.map(([name, value]) => [name, value.item()] as const);
    for (const [name, value] of values) sums.set(name, (sums.get(name) ?? 0) + value);
    if (Number.isFinite(sums.get('total'))) return Object.fromEntries(values);
    const found = values.map(([name, value]) => `${name} ${value}`).join(', ');
    throw new HeadraceError(
      `seed ${this.seed}, epoch ${epoch}: the loss is not finite (${found}); lower the learning rates`,
      { code: 'NAN' },
    );
  }

  #makeObjective(): Objective {
    const { config } = this;
    const { samples, limit } = labelledSamples(this.prepared);
    return scope(() => {
      const sample = this.#toDevice(firstBatch(this.prepared.splits.train, 2));
      const output = noGrad(() => this.network.eval().forward(sample));
      checkOutput(config.model, output, sample.index.shape[0]!, this.prepared.shape.outputs);
      return new Objective(config, output, samples, limit);
    });
  }

  #toDevice(batch: SentimentBatch): SentimentBatch {
    const { device } = this.config;
    if (device === 'cpu') return batch;
    const moved = Object.entries(batch).map(([name, value]) => [name, value.to({ device })]);
    return Object.fromEntries(moved) as SentimentBatch;
  }
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
