import { number, type RulesOf, rule, Signature, whole } from '../nn/signature.js';
import { expectFunction, expectList, expectObject, misfit } from '../torch/expect.js';
import { ConfigError, DataError } from '../torch/index.js';
import { guardSpelling } from '../torch/python-names.js';
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
    expectOptimizer(new.target.name, optimizer);
    for (const group of optimizer.paramGroups) group.initialLr ??= group.lr;
    this.baseLrs = optimizer.paramGroups.map((group) => group.initialLr as number);
  }

  /** The rate of a group at a step, from the rate that it started with. */
  abstract lrAt(epoch: number, baseLr: number, group: number): number;

  /** Goes to the next step, or to the given one, and sets the rates. */
  step(epoch = this.lastEpoch + 1): void {
    this.lastEpoch = epoch;
    // A group that was added later keeps its rate, as in PyTorch.
    this.optimizer.paramGroups.slice(0, this.baseLrs.length).forEach((group, i) => {
      group.lr = this.lrAt(epoch, this.baseLrs[i] as number, i);
    });
  }

  getLastLr(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr);
  }

  stateDict(): SchedulerState {
    return { lastEpoch: this.lastEpoch };
  }

  /** Goes to a saved step; PyTorch's name of it, `last_epoch`, loads too. */
  loadStateDict(state: SchedulerState | { readonly last_epoch: number }): void {
    expectObject(`${this.constructor.name}.loadStateDict`, state, 'what its stateDict() gives');
    const saved = 'last_epoch' in state ? state.last_epoch : state.lastEpoch;
    if (!Number.isInteger(saved)) throw new DataError(`Expected a saved state with lastEpoch, got ${String(saved)}.`);
    this.step(saved);
  }
}

guardSpelling(LRScheduler);

/** @throws ConfigError unless it has groups of parameters */
export function expectOptimizer(where: string, optimizer: unknown): void {
  if (typeof optimizer === 'object' && optimizer !== null && 'paramGroups' in optimizer) return;
  throw misfit(where, 'an optimizer', optimizer, 'It comes first, the options after it.');
}

const unsupported = ['lastEpoch', 'verbose'];
const numbers = rule<readonly number[]>(
  undefined,
  'a list of whole numbers',
  (value) => Array.isArray(value) && value.every(Number.isInteger),
);

/** base · λ(epoch), one function for all groups or one for each. */
export class LambdaLR extends LRScheduler {
  constructor(
    optimizer: Scheduled,
    private readonly lrLambda: ((epoch: number) => number) | readonly ((epoch: number) => number)[],
  ) {
    super(optimizer);
    const functions = Array.isArray(lrLambda) ? lrLambda : [lrLambda];
    for (const each of functions) {
      expectFunction('LambdaLR', each, 'a function of the epoch, or a list of them, as the second argument');
    }
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

export interface StepOptions {
  readonly stepSize: number;
  readonly gamma?: number;
}

const stepLR = new Signature(
  'StepLR',
  {},
  {
    stepSize: whole(undefined, 1),
    gamma: number(0.1),
  } satisfies RulesOf<StepOptions>,
  unsupported,
);

/** Times `gamma` every `stepSize` steps. */
export class StepLR extends LRScheduler {
  readonly #options: Required<StepOptions>;

  constructor(optimizer: Scheduled, options: StepOptions) {
    super(optimizer);
    this.#options = stepLR.read('StepLR', [], options);
    this.step(0);
  }

  lrAt(epoch: number, baseLr: number): number {
    const { stepSize, gamma } = this.#options;
    return baseLr * gamma ** Math.floor(epoch / stepSize);
  }
}

export interface MultiStepOptions {
  readonly milestones: readonly number[];
  readonly gamma?: number;
}

const multiStepLR = new Signature(
  'MultiStepLR',
  {},
  {
    milestones: numbers,
    gamma: number(0.1),
  } satisfies RulesOf<MultiStepOptions>,
  unsupported,
);

/** Times `gamma` at each milestone. */
export class MultiStepLR extends LRScheduler {
  readonly #options: Required<MultiStepOptions>;

  constructor(optimizer: Scheduled, options: MultiStepOptions) {
    super(optimizer);
    this.#options = multiStepLR.read('MultiStepLR', [], options);
    this.step(0);
  }

  lrAt(epoch: number, baseLr: number): number {
    const { milestones, gamma } = this.#options;
    return baseLr * gamma ** milestones.filter((milestone) => milestone <= epoch).length;
  }
}

export interface ConstantOptions {
  readonly factor?: number;
  readonly totalIters?: number;
}

const constantLR = new Signature(
  'ConstantLR',
  {},
  {
    factor: number(1 / 3, { min: 0, max: 1 }),
    totalIters: whole(5, 0),
  } satisfies RulesOf<ConstantOptions>,
  unsupported,
);

/** Times `factor` for the first `totalIters` steps. */
export class ConstantLR extends LRScheduler {
  readonly #options: Required<ConstantOptions>;

  constructor(optimizer: Scheduled, options?: ConstantOptions) {
    super(optimizer);
    this.#options = constantLR.read('ConstantLR', [], options);
    this.step(0);
  }

  lrAt(epoch: number, baseLr: number): number {
    const { factor, totalIters } = this.#options;
    return epoch < totalIters || totalIters === 0 ? baseLr * factor : baseLr;
  }
}

export interface LinearOptions {
  readonly startFactor?: number;
  readonly endFactor?: number;
  readonly totalIters?: number;
}

const linearLR = new Signature(
  'LinearLR',
  {},
  {
    startFactor: number(1 / 3, { above: 0, max: 1 }),
    endFactor: number(1, { min: 0, max: 1 }),
    totalIters: whole(5, 0),
  } satisfies RulesOf<LinearOptions>,
  unsupported,
);

/** From base · `startFactor` to base · `endFactor` in `totalIters` even steps: a warm-up. */
export class LinearLR extends LRScheduler {
  readonly #options: Required<LinearOptions>;

  constructor(optimizer: Scheduled, options?: LinearOptions) {
    super(optimizer);
    this.#options = linearLR.read('LinearLR', [], options);
    this.step(0);
  }

  lrAt(epoch: number, baseLr: number): number {
    const { startFactor, endFactor, totalIters } = this.#options;
    // Without steps it never leaves the start: what PyTorch's does.
    if (totalIters === 0) return baseLr * startFactor;
    return baseLr * (startFactor + ((endFactor - startFactor) * Math.min(totalIters, epoch)) / totalIters);
  }
}

export interface ExponentialOptions {
  readonly gamma: number;
}

const exponentialLR = new Signature(
  'ExponentialLR',
  {},
  {
    gamma: number(),
  } satisfies RulesOf<ExponentialOptions>,
  unsupported,
);

/** Times `gamma` every step. */
export class ExponentialLR extends LRScheduler {
  readonly #options: Required<ExponentialOptions>;

  constructor(optimizer: Scheduled, options: ExponentialOptions) {
    super(optimizer);
    this.#options = exponentialLR.read('ExponentialLR', [], options);
    this.step(0);
  }

  lrAt(epoch: number, baseLr: number): number {
    return baseLr * this.#options.gamma ** epoch;
  }
}

export interface PolynomialOptions {
  readonly totalIters?: number;
  readonly power?: number;
}

const polynomialLR = new Signature(
  'PolynomialLR',
  {},
  {
    totalIters: whole(5, 0),
    power: number(1),
  } satisfies RulesOf<PolynomialOptions>,
  unsupported,
);

/** Down to zero as (1 - epoch / totalIters) to the `power`. */
export class PolynomialLR extends LRScheduler {
  readonly #options: Required<PolynomialOptions>;

  constructor(optimizer: Scheduled, options?: PolynomialOptions) {
    super(optimizer);
    this.#options = polynomialLR.read('PolynomialLR', [], options);
    this.step(0);
  }

  lrAt(epoch: number, baseLr: number): number {
    const { totalIters, power } = this.#options;
    if (totalIters === 0) return baseLr;
    return baseLr * (1 - Math.min(totalIters, epoch) / totalIters) ** power;
  }
}

export interface CosineAnnealingOptions {
  readonly tMax: number;
  readonly etaMin?: number;
}

const cosineAnnealingLR = new Signature(
  'CosineAnnealingLR',
  {},
  {
    tMax: whole(undefined, 1),
    etaMin: number(0),
  } satisfies RulesOf<CosineAnnealingOptions>,
  unsupported,
);

/** Half a cosine from the base rate to `etaMin` in `tMax` steps (and back up after, as PyTorch's). */
export class CosineAnnealingLR extends LRScheduler {
  readonly #options: Required<CosineAnnealingOptions>;

  constructor(optimizer: Scheduled, options: CosineAnnealingOptions) {
    super(optimizer);
    this.#options = cosineAnnealingLR.read('CosineAnnealingLR', [], options);
    this.step(0);
  }

  lrAt(epoch: number, baseLr: number): number {
    const { tMax, etaMin } = this.#options;
    return etaMin + ((baseLr - etaMin) * (1 + Math.cos((Math.PI * epoch) / tMax))) / 2;
  }
}

export interface WarmRestartsOptions {
  readonly t0: number;
  readonly tMult?: number;
  readonly etaMin?: number;
}

const cosineAnnealingWarmRestarts = new Signature(
  'CosineAnnealingWarmRestarts',
  {},
  {
    t0: whole(undefined, 1),
    tMult: whole(1, 1),
    etaMin: number(0),
  } satisfies RulesOf<WarmRestartsOptions>,
  unsupported,
);

/** Half cosines of `t0`, `t0 · tMult`, `t0 · tMult²`, ... steps, each from the base rate down. */
export class CosineAnnealingWarmRestarts extends LRScheduler {
  readonly #options: Required<WarmRestartsOptions>;

  constructor(optimizer: Scheduled, options: WarmRestartsOptions) {
    super(optimizer);
    this.#options = cosineAnnealingWarmRestarts.read('CosineAnnealingWarmRestarts', [], options);
    this.step(0);
  }

  lrAt(epoch: number, baseLr: number): number {
    const { t0, tMult, etaMin } = this.#options;
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
    expectList('SequentialLR', schedulers, 'schedulers in a list');
    expectList('SequentialLR', milestones, 'milestones in a list');
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
