/**
 * The branches of the shared-private model as stages of the engine: an encoder with its head for each modality, and the
 * fusion of what they say. Each learns by its own loss; no gradient passes between them.
 */

import type { Modality } from '../features/specs.js';
import { type Dropout, functional, type Module, StepGenerators } from '../nn/index.js';
import { backwardShare, type Losses, namesNotFinite, type Stage } from '../pipeline/index.js';
import { TextEncoder } from '../text/encoder.js';
import { cat, noGrad, scope, type Tensor } from '../torch/index.js';
import { alignmentLoss } from './alignment.js';
import type { SentimentConfig } from './config.js';
import type { SentimentBatch } from './datasets/index.js';
import { sequenceOf } from './models/model.js';
import { Head, SequenceEncoder } from './models/parts.js';
import { alignmentOptions } from './objective.js';
import { textIsRows } from './prepare.js';
import type { RateGroup } from './rates.js';
import { partOf, TrainedPart, type Weights } from './trained-part.js';
import type { UnimodalLabels } from './ulgm.js';

/** What a stage is told of the run. */
export interface BranchSettings {
  readonly config: SentimentConfig;
  readonly seed: number;
  readonly batchesPerEpoch: number;
}

/** What the branches and the fusion have in common: windows of gradients, random draws, the best weights. */
abstract class SentimentStage implements Stage {
  abstract readonly index: number;
  abstract readonly isLast: boolean;
  readonly trained: TrainedPart;
  #step = 0;
  readonly #generators: StepGenerators;

  /** @param parts - modules by their prefix among the network's keys, with the group of their rates */
  constructor(
    protected readonly settings: BranchSettings,
    private readonly parts: readonly (readonly [prefix: string, module: Module, group: RateGroup])[],
  ) {
    const { device } = settings.config;
    for (const [, module] of parts) module.to({ device });
    const drawing = parts.map(([name, module]) => [name, module] as const);
    this.#generators = new StepGenerators(settings.seed, drawing, device);
    const parameters = parts.flatMap(([prefix, module, group]) =>
      [...module.namedParameters(prefix)].map(([name, parameter]) => [group, name, parameter] as const),
    );
    this.trained = new TrainedPart(settings.config, settings.batchesPerEpoch, () => this.#weights(), parameters);
  }

  abstract forward(inputs: readonly Tensor[]): Tensor[];
  protected abstract loss(outputs: readonly Tensor[], ...targets: Tensor[]): Tensor;

  /** What is added to the loss for what other stages made; null where nothing is. */
  protected alignment(_outputs: readonly Tensor[], _peers: readonly (readonly Tensor[])[]): Tensor | null {
    return null;
  }

  /** From 1. */
  protected get epoch(): number {
    return Math.ceil(this.#step / this.settings.batchesPerEpoch);
  }

  beginBatch(step: number): void {
    this.#step = step;
    this.#train(true);
    this.#generators.begin(step);
  }

  toDevice(x: Tensor): Tensor {
    const { device } = this.settings.config;
    return device === 'cpu' ? x : x.to({ device });
  }

  get lr(): number {
    return this.settings.config.groups.other.lr;
  }

  learn(
    outputs: readonly Tensor[],
    targets: readonly Tensor[],
    share: number,
    peers: readonly (readonly Tensor[])[] = [],
  ): Losses {
    const loss = scope(() => this.loss(outputs, ...targets));
    const alignment = this.alignment(outputs, peers);
    if (alignment === null) return { loss: backwardShare(loss, share) };
    backwardShare(loss.add(alignment), share);
    return { loss: loss.detach(), alignment: alignment.detach() };
  }

  notFinite(): string[] {
    return namesNotFinite(this.#weights());
  }

  evaluate(inputs: readonly Tensor[]): Tensor[] {
    this.#train(false);
    return noGrad(() => this.forward(inputs));
  }

  /** The configuration's groups have their own rates, which stay as they are. */
  apply(): void {
    this.trained.apply(this.#step - (this.epoch - 1) * this.settings.batchesPerEpoch);
  }

  /** All that it takes to go on from here, between two epochs: tensors of the live ones' memory. */
  state(): Map<string, Tensor> {
    return this.trained.state();
  }

  /** Takes over its part of what {@link state} gave, but for the weights, which it was built with. */
  resume(state: Weights): void {
    this.trained.resume(state);
  }

  protected lossOf(output: Tensor, target: Tensor): Tensor {
    const { task } = this.settings.config;
    return task === 'regression' ? output.sub(target).abs().mean() : functional.crossEntropy(output, target);
  }

  #weights(): Weights {
    return new Map(this.parts.flatMap(([prefix, module]) => [...module.stateDict(`${prefix}.`)]));
  }

  #train(training: boolean): void {
    for (const [, module] of this.parts) module.train(training);
  }
}

/** Encoder and head of one modality. In: its rows, or its tokens. Out: its feature [B, d], and the head's hidden one [B, p]. */
export class BranchStage extends SentimentStage {
  readonly isLast = false;
  #prediction: Tensor | null = null;

  constructor(
    readonly index: number,
    readonly modality: Modality,
    private readonly encoder: TextEncoder | SequenceEncoder,
    private readonly head: Head,
    settings: BranchSettings,
  ) {
    super(settings, [
      [modality, encoder, modality],
      [`heads.${modality}`, head, 'other'],
    ]);
  }

  forward(inputs: readonly Tensor[]): Tensor[] {
    const batch = Object.fromEntries(inputKeys(this.settings.config, this.modality).map((key, i) => [key, inputs[i]!]));
    const feature = this.#encode(batch as SentimentBatch);
    const { hidden, prediction } = this.head.forward(feature);
    this.#prediction = prediction;
    return [feature, hidden];
  }

  /** @param label - the modality's own */
  protected loss(_outputs: readonly Tensor[], label: Tensor): Tensor {
    const weight = this.settings.config.unimodal?.weights?.[this.modality] ?? 1;
    return this.lossOf(this.#prediction!, label).mul(weight);
  }

  /** The other branches' matrices are given: what is left is this branch's own gradient of the loss that all have. */
  protected override alignment(outputs: readonly Tensor[], peers: readonly (readonly Tensor[])[]): Tensor | null {
    const { alignment, modalities } = this.settings.config;
    const others = peersOf(this.settings.config, this.modality);
    if (!alignment || others.length === 0) return null;
    const place = alignment.on === 'feature' ? 0 : 1;
    const matrixOf = (name: Modality): Tensor =>
      (name === this.modality ? outputs : peers[others.indexOf(name)]!)[place]!;
    const names = modalities.filter((name) => name === this.modality || others.includes(name));
    const own = Object.entries(alignment.weights).filter(([pair]) => pair.split('-').includes(this.modality));
    const weights = Object.fromEntries(own.filter(([, weight]) => weight !== 0));
    return alignmentLoss(
      Object.fromEntries(names.map((name) => [name, matrixOf(name)])),
      alignmentOptions({ ...alignment, weights }),
    );
  }

  #encode(batch: SentimentBatch): Tensor {
    if (this.encoder instanceof TextEncoder) return this.encoder.forward(batch).pooled;
    return this.encoder.forward(sequenceOf(batch, this.modality));
  }
}

/** What the generated labels need besides the stages' features. */
export interface LabelMaker {
  readonly labels: UnimodalLabels;
  /** Ids of the training utterances by their place in the split. */
  readonly ids: readonly string[];
}

/** The head over all modalities; it moves the unimodal labels by its own features and the branches'. Out: the prediction. */
export class FusionStage extends SentimentStage {
  readonly isLast = true;
  #hidden: Readonly<Record<string, Tensor>> = {};
  #index: readonly number[] = [];

  constructor(
    readonly index: number,
    private readonly head: Head,
    readonly maker: LabelMaker | null,
    settings: BranchSettings,
  ) {
    super(settings, [['fusion', head, 'other']]);
  }

  /** @param inputs - what each branch gives, in the order of the modalities */
  forward(inputs: readonly Tensor[]): Tensor[] {
    const { modalities } = this.settings.config;
    const features = modalities.map((_, i) => inputs[2 * i]!);
    const own = Object.fromEntries(modalities.map((name, i) => [name, inputs[2 * i + 1]!]));
    const { hidden, prediction } = this.head.forward(cat(features, 1));
    this.#hidden = { multimodal: hidden.detach(), ...own };
    return [prediction];
  }

  protected loss([output]: readonly [Tensor], _own: Tensor, label: Tensor, index: Tensor): Tensor {
    this.#index = index.tolist() as number[];
    return this.lossOf(output, label);
  }

  override state(): Map<string, Tensor> {
    return new Map([...super.state(), ...(this.maker?.labels.stateDict('labels.') ?? [])]);
  }

  override resume(state: Weights): void {
    super.resume(state);
    this.maker?.labels.loadStateDict(partOf(state, 'labels.'));
  }

  override apply(): void {
    super.apply();
    if (!this.maker) return;
    const { labels, ids } = this.maker;
    labels.update(
      this.#index.map((place) => ids[place]!),
      this.#hidden,
      this.epoch,
    );
  }
}

/** The modalities that one is aligned with, in the order of the configuration. */
export function peersOf({ alignment, modalities }: SentimentConfig, modality: Modality): Modality[] {
  const pairs = Object.entries(alignment?.weights ?? {}).filter(([, weight]) => weight !== 0);
  const paired = (a: string, b: string): boolean =>
    pairs.some(([pair]) => pair === `${a}-${b}` || pair === `${b}-${a}`);
  return modalities.filter((other) => other !== modality && paired(other, modality));
}

/** Which tensors of a batch a branch reads. */
export function inputKeys(config: SentimentConfig, modality: Modality): string[] {
  if (modality === 'text' && !textIsRows(config)) return ['tokens'];
  return [modality, `${modality}Lengths`, `${modality}Mask`];
}

/** A head with these weights: its widths are theirs. @param prefix - of its keys, with the dot */
export function headFrom(weights: Weights, prefix: string, dropout: number): Head {
  const shape = (key: string): number[] => weights.get(`${prefix}${key}`)!.shape;
  const [hidden, width] = shape('layer_1.weight') as [number, number];
  const head = new Head(width, hidden, shape('layer_3.weight')[0]!, dropout);
  head.loadStateDict(partOf(weights, prefix));
  return head;
}

/** An encoder of rows with these weights. */
export function sequenceFrom(weights: Weights, prefix: string, dropout: number): SequenceEncoder {
  const shape = (key: string): number[] => weights.get(`${prefix}${key}`)!.shape;
  const [rows, hidden] = [shape('rnn.weight_ih_l0')[1]!, shape('rnn.weight_hh_l0')[1]!];
  const [out, read] = shape('linear_1.weight') as [number, number];
  const encoder = new SequenceEncoder(rows, hidden, out, dropout, read > hidden);
  encoder.loadStateDict(partOf(weights, prefix));
  return encoder;
}

/** The probability of a module's first dropout; 0 without any. */
export function dropoutOf(module: { readonly dropout: Dropout }): number {
  return module.dropout.p;
}
