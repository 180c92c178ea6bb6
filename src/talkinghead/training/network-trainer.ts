/** What trainers of networks begin with and keep alike. */
import type { Module } from '../../nn/index.js';
import type { Adam } from '../../optim/index.js';
import { manualSeed, setNumThreads, type Tensor } from '../../torch/index.js';
import {
  gathered,
  partOf,
  type StepHooks,
  type StepLearner,
  type StepRecord,
  type TrainState,
  trainSteps,
} from './steps.js';

/** Something that changes in a training. */
export interface Kept {
  tensors(): Iterable<readonly [string, Tensor]>;
  load(tensors: ReadonlyMap<string, Tensor>): void;
}

export function keptModule(module: Module): Kept {
  return { tensors: () => module.stateDict(), load: (tensors) => void module.loadStateDict(tensors) };
}

/** An optimizer's moments; its settings are the configuration's. */
export function keptOptimizer(optimizer: Pick<Adam, 'stateDict' | 'loadStateDict'>): Kept {
  const load = (state: ReadonlyMap<string, Tensor>): void => {
    const { groups } = optimizer.stateDict();
    optimizer.loadStateDict({ groups, state: new Map(state) });
  };
  return { tensors: () => optimizer.stateDict().state, load };
}

export interface TrainerConfig {
  readonly seed: number;
  readonly threads: number;
  readonly steps: number;
  readonly keepEvery: number;
}

export abstract class NetworkTrainer<Config extends TrainerConfig> implements StepLearner {
  /** Before the networks are made, so that they are the seed's. */
  constructor(protected readonly config: Config) {
    setNumThreads(config.threads);
    manualSeed(config.seed);
  }

  /** What learns: in training while it runs. */
  protected abstract readonly learner: Module;
  /** All that changes, by name. */
  protected abstract kept(): Readonly<Record<string, Kept>>;

  abstract step(step: number): Record<string, number>;

  /** @returns the course of the training, or null where it was asked to stop: then `save` has been called */
  async run(hooks: StepHooks = {}): Promise<readonly StepRecord[] | null> {
    if (hooks.from) this.load(hooks.from);
    this.learner.train();
    return trainSteps(this, this.config, hooks);
  }

  tensors(): Map<string, Tensor> {
    const parts = Object.entries(this.kept()).map(([name, part]) => [name, part.tensors()] as const);
    return gathered(Object.fromEntries(parts));
  }

  /** Goes on from what an earlier session kept. */
  load({ tensors }: Pick<TrainState, 'tensors'>): void {
    for (const [name, part] of Object.entries(this.kept())) part.load(partOf(tensors, name));
  }
}
