/** A stage of a model: consecutive layers, their local head where it has one, and their optimizer, on one device. */
import { type Module, type Parameter, StepGenerators, SyncBatchNorm } from '../nn/index.js';
import { Adam, AdamW, SGD } from '../optim/index.js';
import { deriveSeed, noGrad, scope, type Tensor } from '../torch/index.js';
import { freeze, isUnder, loadBeginning } from './beginning.js';
import { computing, inFull } from './compute.js';
import { deviceOf, learningRate, type OptimizerConfig, type RunConfig } from './config.js';
import { buildHead, type HeadModule, Layers, type ModelSpec } from './model.js';
import { namesNotFinite } from './not-finite.js';
import type { Replicas } from './replicas.js';
import { backwardShare, type Losses, type Scored, type Stage } from './stage.js';
import { Scores, type Task, taskOf } from './task.js';

type AnyOptimizer = SGD | Adam | AdamW;
type NamedParameters = [string, Parameter][];

/** Parameters that are updated alike. */
interface Group {
  readonly params: NamedParameters;
  /** Factor of the learning rate. */
  readonly factor: number;
  readonly decays: boolean;
}

/** With decay 'weights', biases and the scales of norms (everything of one dimension) are not decayed. */
function groupsOf({ optimizer, lrFactors = {} }: RunConfig, named: NamedParameters): Group[] {
  const factorOf = (key: string): number => Object.entries(lrFactors).find(([part]) => isUnder(key, part))?.[1] ?? 1;
  const factors = [...new Set([1, ...Object.values(lrFactors)])];
  return factors
    .flatMap((factor) =>
      [true, false].map((decays) => {
        const isOf = (parameter: Parameter): boolean => (optimizer.decay === 'all' || parameter.ndim > 1) === decays;
        return { factor, decays, params: named.filter(([key, value]) => factorOf(key) === factor && isOf(value)) };
      }),
    )
    .filter(({ params }) => params.length > 0);
}

function makeOptimizer(config: OptimizerConfig, all: readonly Group[]): AnyOptimizer {
  const groups = all.map(({ params, decays }) => (decays ? { params } : { params, weightDecay: 0 }));
  if (config.name === 'sgd') {
    const { lr, momentum, weightDecay, nesterov } = config;
    return new SGD(groups, { lr, momentum, weightDecay, nesterov });
  }
  const { name: _, decay: __, ...options } = config;
  return config.name === 'adam' ? new Adam(groups, options) : new AdamW(groups, options);
}

export interface ModelStageOptions {
  readonly spec: ModelSpec;
  readonly config: RunConfig;
  /** What it is trained and judged by. Default: the model's own task. */
  readonly task?: Task;
  /** How long the run is: what its learning rate depends on. */
  readonly length?: { readonly totalSteps: number; readonly stepsPerEpoch: number };
  readonly index: number;
  /** Its number among the replicas of the stage. Default 0. */
  readonly replica?: number;
  /** Layers `from` up to, not including, `to`. */
  readonly from: number;
  readonly to: number;
  /** Whether it learns by a head of its own (local schedules, all stages but the last). */
  readonly hasHead: boolean;
}

export class ModelStage implements Stage {
  readonly index: number;
  readonly layers: Layers;
  readonly head: HeadModule | null;
  readonly optimizer: AnyOptimizer;
  readonly device: string;
  /** The last layer of the model is here: the stage trains by the model's own loss. */
  readonly isLast: boolean;
  /** What the head's keys begin with. */
  readonly headPrefix: string;
  readonly layerNames: readonly string[];
  readonly #config: RunConfig;
  readonly #task: Task;
  readonly #length: NonNullable<ModelStageOptions['length']>;
  #scores: Scores | null = null;
  #step = 0;
  readonly #generators: StepGenerators;
  readonly #frozen: readonly Module[];
  /** In the order of the optimizer's. */
  readonly #groups: readonly Group[];
  #lr: number;

  constructor(options: ModelStageOptions) {
    const { spec, config, index, replica = 0, from, to } = options;
    this.index = index;
    this.#config = config;
    this.#task = options.task ?? taskOf(spec, config.labelSmoothing);
    this.#length = options.length ?? { totalSteps: 0, stepsPerEpoch: 1 };
    this.isLast = to === spec.layers.length;
    this.layerNames = spec.layers.slice(from, to).map((layer) => layer.name);
    this.headPrefix = `heads.${this.layerNames.at(-1)}`;
    this.device = deviceOf(config, index, replica);
    this.layers = new Layers(spec, config.seed, from, to);
    const { kind, depth } = config.head;
    this.head = options.hasHead
      ? buildHead(spec, kind, to - 1, depth === undefined ? {} : { depth }, config.seed)
      : null;
    if (config.init !== undefined) loadBeginning(this.layers, config.init);
    this.#frozen = freeze(this.layers, config.freeze ?? []);
    for (const module of this.#frozen) module.eval();
    for (const module of this.#modules()) module.to({ device: this.device, memoryFormat: config.memoryFormat });
    this.#groups = groupsOf(config, [...this.#namedParameters()]);
    this.optimizer = makeOptimizer(config.optimizer, this.#groups);
    this.#lr = config.optimizer.lr;
    // Replicas have the same weights, and see other samples: they draw other numbers.
    const seed = replica === 0 ? config.seed : deriveSeed(config.seed, 'replica', replica);
    this.#generators = new StepGenerators(seed, this.#drawing(), this.device);
  }

  *#modules(): Iterable<Module> {
    yield this.layers;
    if (this.head) yield this.head;
  }

  /** Those that learn. */
  *#namedParameters(): Iterable<[string, Parameter]> {
    for (const entry of this.layers.namedParameters()) if (entry[1].requiresGrad) yield entry;
    if (this.head) yield* this.head.namedParameters(this.headPrefix);
  }

  // Each layer by itself, so that what it draws does not depend on the cut.
  *#drawing(): Iterable<[string, Module]> {
    yield* this.layers.named();
    if (this.head) yield [this.headPrefix, this.head];
  }

  get lr(): number {
    return this.#lr;
  }

  beginBatch(step: number): void {
    this.#step = step;
    this.setTraining(true);
    this.#generators.begin(step);
  }

  setTraining(training: boolean): void {
    if (this.layers.training === training) return;
    for (const module of this.#modules()) module.train(training);
    for (const module of this.#frozen) module.eval();
  }

  toDevice(x: Tensor): Tensor {
    return this.device === 'cpu' ? x : x.to({ device: this.device, nonBlocking: true });
  }

  forward(inputs: readonly Tensor[]): Tensor[] {
    const features = this.#computing(() => this.layers.features(...inputs));
    return this.isLast ? features.map((output) => inFull(this.#config.compute, output)) : features;
  }

  #computing<T>(forward: () => T): T {
    return computing(this.#config.compute, this.device, forward);
  }

  /** What the loss looks at. */
  #judged(outputs: readonly Tensor[]): Tensor {
    const { head } = this;
    return head
      ? inFull(
          this.#config.compute,
          this.#computing(() => head.forward(...outputs)),
        )
      : outputs[0]!;
  }

  /** By the model's loss on the last stage, the head's elsewhere. */
  learn(outputs: readonly Tensor[], targets: readonly Tensor[], share: number): Losses {
    const loss = scope(() => this.#task.loss(this.#judged(outputs), ...targets));
    return { loss: backwardShare(loss, share) };
  }

  join(replicas: Replicas): void {
    if (!this.#config.syncBatchNorm) return;
    for (const module of this.#modules()) SyncBatchNorm.convertSyncBatchnorm(module, replicas);
  }

  parameters(): Parameter[] {
    return [...this.#namedParameters()].map(([, parameter]) => parameter);
  }

  apply(): void {
    const { totalSteps, stepsPerEpoch } = this.#length;
    this.#lr = learningRate(this.#config, this.#step - 1, totalSteps, stepsPerEpoch);
    for (const [i, { factor }] of this.#groups.entries()) this.optimizer.paramGroups[i]!.lr = this.#lr * factor;
    this.optimizer.step();
    this.optimizer.zeroGrad();
  }

  evaluate(inputs: readonly Tensor[]): Tensor[] {
    this.setTraining(false);
    return noGrad(() => this.forward(inputs));
  }

  score([output]: readonly [Tensor], targets: readonly Tensor[]): void {
    this.#scores ??= new Scores(this.#task);
    this.#scores.update(output, targets);
  }

  takeScores(): Scored | null {
    if (this.#scores === null) return null;
    const scored = { metrics: this.#scores.compute(), count: this.#scores.count };
    this.#scores = null;
    return scored;
  }

  notFinite(): string[] {
    const { model, heads } = this.state();
    return namesNotFinite([...model, ...heads]);
  }

  /** Everything that a checkpoint of this stage holds. */
  state(): { model: Map<string, Tensor>; heads: Map<string, Tensor>; optimizer: Map<string, Tensor> } {
    return {
      model: this.layers.stateDict(),
      heads: this.head ? this.head.stateDict(`${this.headPrefix}.`) : new Map(),
      optimizer: new Map(this.optimizer.stateDict().state),
    };
  }

  /**
   * Takes over this stage's part of a checkpoint of the whole model, from any cut.
   * A head that the checkpoint lacks keeps its fresh weights.
   * @returns whether the head was found, or none is needed
   */
  load(read: { model: ReadTensor; heads: ReadTensor; optimizer: ReadTensor }): boolean {
    this.layers.loadStateDict(readAll(this.layers.stateDict().keys(), read.model));
    let headFound = true;
    if (this.head) {
      const keys = [...this.head.stateDict(`${this.headPrefix}.`).keys()];
      const found = readAll(keys, read.heads);
      headFound = found.size === keys.length;
      const strip = this.headPrefix.length + 1;
      if (headFound) this.head.loadStateDict(new Map([...found].map(([key, value]) => [key.slice(strip), value])));
    }
    const names = [...this.#namedParameters()].map(([name]) => name);
    // All that the optimizer kept of its parameters, whatever its names for it: `conv1.weight.exp_avg`.
    const own = new Set(names);
    const kept = [...read.optimizer.keys()].filter((key) => own.has(key.slice(0, key.lastIndexOf('.'))));
    const state = readAll(kept, read.optimizer);
    this.optimizer.loadStateDict({ groups: [{ params: names }], state });
    return headFound;
  }
}

/** Reads one tensor of a checkpoint; null where it has none of that key. */
export interface ReadTensor {
  (key: string): Tensor | null;
  keys(): Iterable<string>;
}

function readAll(keys: Iterable<string>, read: ReadTensor): Map<string, Tensor> {
  const found = new Map<string, Tensor>();
  for (const key of keys) {
    const value = read(key);
    if (value) found.set(key, value);
  }
  return found;
}
