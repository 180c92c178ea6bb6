/** What trainers of networks begin with and keep alike. */
import type { Module } from '../../nn/index.js';
import type { Adam } from '../../optim/index.js';
import type { Replicas } from '../../pipeline/replicas.js';
import { manualSeed, setNumThreads, type Tensor } from '../../torch/index.js';
import type { Crew } from './crew.js';
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
  /**
   * Before the networks are made, so that they are the seed's.
   * @param replicas - of which it is one, each with a part of every step's samples
   */
  constructor(
    protected readonly config: Config,
    protected readonly replicas: Replicas | null = null,
  ) {
    setNumThreads(config.threads);
    manualSeed(config.seed);
  }

  /** What learns: in training while it runs. */
  protected abstract readonly learner: Module;
  /** All that changes, by name. */
  protected abstract kept(): Readonly<Record<string, Kept>>;

  abstract step(step: number): Record<string, number>;

  /**
   * @param crew - whose first replica it is
   * @returns the course of the training, or null where it was asked to stop: then `save` has been called
   */
  async run(hooks: StepHooks = {}, crew: Crew | null = null): Promise<readonly StepRecord[] | null> {
    if (hooks.from) this.load(hooks.from);
    this.learner.train();
    if (crew === null) return trainSteps(this, this.config, hooks);
    let failed = true;
    try {
      const history = await trainSteps(crew.begin(this), this.config, hooks);
      failed = false;
      return history;
    } finally {
      await crew.end(failed);
    }
  }

  /** As one of several: takes on the state of the first, and learns. */
  join(tensors: ReadonlyMap<string, Tensor>): void {
    this.load({ tensors });
    this.learner.train();
  }

  /** This replica's part of a whole, as they are shared out: each n-th. */
  protected ownOf<T>(all: readonly T[]): T[] {
    const { index, count } = this.replicas ?? { index: 0, count: 1 };
    return all.filter((_, i) => i % count === index);
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
