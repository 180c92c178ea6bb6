import { ConfigError } from '../torch/index.js';
import type { Hyperparameters, ParamGroup } from './optimizer.js';

/** What a scheduler needs of an optimizer. */
export interface Scheduled {
  readonly paramGroups: readonly ParamGroup<Hyperparameters>[];
}

export interface SchedulerState {
  readonly lastEpoch: number;
}

/**
 * A learning rate as a pure function of the step: stepping n times, or jumping to n, gives the same rates.
 * Rates are those of PyTorch's scheduler of the same name. "Epoch" is PyTorch's word for a step of the scheduler.
 */
export abstract class LRScheduler {
  lastEpoch = 0;
  readonly baseLrs: readonly number[];

  constructor(protected readonly optimizer: Scheduled) {
    for (const group of optimizer.paramGroups) group.initialLr ??= group.lr;
    this.baseLrs = optimizer.paramGroups.map((group) => group.initialLr as number);
  }

  /** The rate of a group at a step, from the rate that it started with. */
  abstract lrAt(epoch: number, baseLr: number, group: number): number;

  /** Goes to the next step, or to the given one, and sets the rates. */
  step(epoch = this.lastEpoch + 1): void {
    this.lastEpoch = epoch;
    this.optimizer.paramGroups.forEach((group, i) => {
      group.lr = this.lrAt(epoch, this.baseLrs[i] as number, i);
    });
  }

  getLastLr(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr);
  }

  stateDict(): SchedulerState {
    return { lastEpoch: this.lastEpoch };
  }

  loadStateDict({ lastEpoch }: SchedulerState): void {
    this.step(lastEpoch);
  }
}

/** base · λ(epoch), one function for all groups or one for each. */
export class LambdaLR extends LRScheduler {
  constructor(
    optimizer: Scheduled,
    private readonly lrLambda: ((epoch: number) => number) | readonly ((epoch: number) => number)[],
  ) {
    super(optimizer);
    if (typeof lrLambda !== 'function' && lrLambda.length !== optimizer.paramGroups.length) {
      throw new ConfigError(`Expected ${optimizer.paramGroups.length} functions, one a group, got ${lrLambda.length}`);
    }
    this.step(0);
  }

  lrAt(epoch: number, baseLr: number, group: number): number {
    const lambda = typeof this.lrLambda === 'function' ? this.lrLambda : this.lrLambda[group];
    return baseLr * (lambda?.(epoch) ?? 1);
  }
}

/** Times `gamma` every `stepSize` steps. */
export class StepLR extends LRScheduler {
  constructor(
    optimizer: Scheduled,
    private readonly options: { readonly stepSize: number; readonly gamma?: number },
  ) {
    super(optimizer);
    this.step(0);
  }

  lrAt(epoch: number, baseLr: number): number {
    const { stepSize, gamma = 0.1 } = this.options;
    return baseLr * gamma ** Math.floor(epoch / stepSize);
  }
}

/** Times `gamma` at each milestone. */
export class MultiStepLR extends LRScheduler {
  constructor(
    optimizer: Scheduled,
    private readonly options: { readonly milestones: readonly number[]; readonly gamma?: number },
  ) {
    super(optimizer);
    this.step(0);
  }

  lrAt(epoch: number, baseLr: number): number {
    const { milestones, gamma = 0.1 } = this.options;
    return baseLr * gamma ** milestones.filter((milestone) => milestone <= epoch).length;
  }
}

/** Times `factor` for the first `totalIters` steps. */
export class ConstantLR extends LRScheduler {
  constructor(
    optimizer: Scheduled,
    private readonly options: { readonly factor?: number; readonly totalIters?: number } = {},
  ) {
    super(optimizer);
    this.step(0);
  }

  lrAt(epoch: number, baseLr: number): number {
    const { factor = 1 / 3, totalIters = 5 } = this.options;
    return epoch < totalIters ? baseLr * factor : baseLr;
  }
}

/** From base · `startFactor` to base · `endFactor` in `totalIters` even steps: a warm-up. */
export class LinearLR extends LRScheduler {
  constructor(
    optimizer: Scheduled,
    private readonly options: {
      readonly startFactor?: number;
      readonly endFactor?: number;
      readonly totalIters?: number;
    } = {},
  ) {
    super(optimizer);
    this.step(0);
  }

  lrAt(epoch: number, baseLr: number): number {
    const { startFactor = 1 / 3, endFactor = 1, totalIters = 5 } = this.options;
    return baseLr * (startFactor + ((endFactor - startFactor) * Math.min(totalIters, epoch)) / totalIters);
  }
}

/** Times `gamma` every step. */
export class ExponentialLR extends LRScheduler {
  constructor(
    optimizer: Scheduled,
    private readonly options: { readonly gamma: number },
  ) {
    super(optimizer);
    this.step(0);
  }

  lrAt(epoch: number, baseLr: number): number {
    return baseLr * this.options.gamma ** epoch;
  }
}

/** Down to zero as (1 - epoch / totalIters) to the `power`. */
export class PolynomialLR extends LRScheduler {
  constructor(
    optimizer: Scheduled,
    private readonly options: { readonly totalIters?: number; readonly power?: number } = {},
  ) {
    super(optimizer);
    this.step(0);
  }

  lrAt(epoch: number, baseLr: number): number {
    const { totalIters = 5, power = 1 } = this.options;
    return baseLr * (1 - Math.min(totalIters, epoch) / totalIters) ** power;
  }
}

/** Half a cosine from the base rate to `etaMin` in `tMax` steps (and back up after, as PyTorch's). */
export class CosineAnnealingLR extends LRScheduler {
  constructor(
    optimizer: Scheduled,
    private readonly options: { readonly tMax: number; readonly etaMin?: number },
  ) {
    super(optimizer);
    this.step(0);
  }

  lrAt(epoch: number, baseLr: number): number {
    const { tMax, etaMin = 0 } = this.options;
    return etaMin + ((baseLr - etaMin) * (1 + Math.cos((Math.PI * epoch) / tMax))) / 2;
  }
}

/** Half cosines of `t0`, `t0 · tMult`, `t0 · tMult²`, ... steps, each from the base rate down. */
export class CosineAnnealingWarmRestarts extends LRScheduler {
  constructor(
    optimizer: Scheduled,
    private readonly options: { readonly t0: number; readonly tMult?: number; readonly etaMin?: number },
  ) {
    super(optimizer);
    this.step(0);
  }

  lrAt(epoch: number, baseLr: number): number {
    const { t0, tMult = 1, etaMin = 0 } = this.options;
    let period = t0;
    let since = epoch;
    while (since >= period) {
      since -= period;
      period *= tMult;
    }
    return etaMin + ((baseLr - etaMin) * (1 + Math.cos((Math.PI * since) / period))) / 2;
  }
}

/** One scheduler after another: `schedulers[i + 1]` begins, at its own step 0, at step `milestones[i]`. */
export class SequentialLR extends LRScheduler {
  constructor(
    optimizer: Scheduled,
    private readonly schedulers: readonly LRScheduler[],
    private readonly milestones: readonly number[],
  ) {
    super(optimizer);
    if (schedulers.length !== milestones.length + 1) {
      throw new ConfigError(
        `Expected one milestone fewer than schedulers, got ${schedulers.length} schedulers and ${milestones.length} milestones`,
      );
    }
    this.step(0);
  }

  lrAt(epoch: number, baseLr: number, group: number): number {
    const at = this.milestones.filter((milestone) => milestone <= epoch).length;
    const since = at === 0 ? epoch : epoch - (this.milestones[at - 1] as number);
    return (this.schedulers[at] as LRScheduler).lrAt(since, baseLr, group);
  }
}
