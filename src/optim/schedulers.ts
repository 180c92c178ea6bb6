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
  /** The optimizer's rates, one a group. */
  readonly lastLr?: readonly number[];
}

/**
 * A learning rate by the step: stepping n times, or jumping to n, gives the same rates. Where another hand has changed a
 * rate (another scheduler, a plateau, the program), a step goes on from what it finds, as PyTorch's scheduler of the same
 * name does; those that know the rate by the step alone set it anew. "Epoch" is PyTorch's word for a step of the scheduler.
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

  /** The rate at a step from the one before it, where that is not {@link lrAt}'s: here what the step alone says. */
  lrAfter(_lr: number, epoch: number, baseLr: number, group: number): number {
    return this.lrAt(epoch, baseLr, group);
  }

  /** Goes to the next step, or to the given one, and sets the rates: at a given one, whatever they were. */
  step(epoch?: number): void {
    const before = this.lastEpoch;
    this.lastEpoch = epoch ?? before + 1;
    this.#setRates((lr, baseLr, i) =>
      epoch !== undefined || lr === this.lrAt(before, baseLr, i)
        ? this.lrAt(this.lastEpoch, baseLr, i)
        : this.lrAfter(lr, this.lastEpoch, baseLr, i),
    );
  }

  /** The first step, by the constructor: a rate that another scheduler has set is what it starts from. */
  protected start(): void {
    this.lastEpoch = 0;
    this.#setRates((lr, baseLr, i) => (lr === baseLr ? this.lrAt(0, baseLr, i) : this.lrAfter(lr, 0, baseLr, i)));
  }

  // A group that was added later keeps its rate, as in PyTorch.
  #setRates(rate: (lr: number, baseLr: number, group: number) => number): void {
    this.optimizer.paramGroups.slice(0, this.baseLrs.length).forEach((group, i) => {
      group.lr = rate(group.lr, this.baseLrs[i] as number, i);
    });
  }

  getLastLr(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr);
  }

  stateDict(): SchedulerState {
    return { lastEpoch: this.lastEpoch, lastLr: this.getLastLr() };
  }

  /**
   * Goes to a saved step and to the rates that were saved with it; where there are none, to those that the step alone says.
   * PyTorch's name of the step, `last_epoch`, loads too.
   */
  loadStateDict(state: SchedulerState | { readonly last_epoch: number }): void {
    expectObject(`${this.constructor.name}.loadStateDict`, state, 'what its stateDict() gives');
    const saved = 'last_epoch' in state ? state.last_epoch : state.lastEpoch;
    if (!Number.isInteger(saved)) throw new DataError(`Expected a saved state with lastEpoch, got ${String(saved)}.`);
    const rates = 'lastLr' in state ? state.lastLr : undefined;
    const groups = this.optimizer.paramGroups;
    if (rates && (rates.length !== groups.length || !rates.every((rate) => typeof rate === 'number'))) {
      throw new DataError(`Expected ${groups.length} saved rates, one a group, got [${rates}].`);
    }
    this.step(saved);
    rates?.forEach((rate, i) => {
      (groups[i] as ParamGroup<Hyperparameters>).lr = rate;
    });
  }
}

guardSpelling(LRScheduler);

/** @throws ConfigError unless it has groups of parameters */
export function expectOptimizer(where: string, optimizer: unknown): void {
  if (typeof optimizer === 'object' && optimizer !== null && 'paramGroups' in optimizer) return;
  throw misfit(where, 'an optimizer', optimizer, 'It comes first, the options after it.');
}

/** PyTorch's options that no scheduler has here. */
export const unsupported = ['lastEpoch', 'verbose'];
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
    this.start();
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
    this.start();
  }

  lrAt(epoch: number, baseLr: number): number {
    const { stepSize, gamma } = this.#options;
    return baseLr * gamma ** Math.floor(epoch / stepSize);
  }

  override lrAfter(lr: number, epoch: number): number {
    const { stepSize, gamma } = this.#options;
    return epoch === 0 || epoch % stepSize !== 0 ? lr : lr * gamma;
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
    this.start();
  }

  lrAt(epoch: number, baseLr: number): number {
    const { milestones, gamma } = this.#options;
    return baseLr * gamma ** milestones.filter((milestone) => milestone <= epoch).length;
  }

  override lrAfter(lr: number, epoch: number): number {
    const { milestones, gamma } = this.#options;
    return lr * gamma ** milestones.filter((milestone) => milestone === epoch).length;
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
    this.start();
  }

  lrAt(epoch: number, baseLr: number): number {
    const { factor, totalIters } = this.#options;
    return epoch < totalIters || totalIters === 0 ? baseLr * factor : baseLr;
  }

  override lrAfter(lr: number, epoch: number): number {
    const { factor, totalIters } = this.#options;
    return epoch === 0 ? lr * factor : epoch === totalIters ? lr / factor : lr;
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
    this.start();
  }

  lrAt(epoch: number, baseLr: number): number {
    const { startFactor, endFactor, totalIters } = this.#options;
    // Without steps it never leaves the start: what PyTorch's does.
    if (totalIters === 0) return baseLr * startFactor;
    return baseLr * (startFactor + ((endFactor - startFactor) * Math.min(totalIters, epoch)) / totalIters);
  }

  override lrAfter(lr: number, epoch: number): number {
    const { startFactor, endFactor, totalIters } = this.#options;
    if (epoch === 0) return lr * startFactor;
    const rise = endFactor - startFactor;
    return epoch > totalIters ? lr : lr * (1 + rise / (totalIters * startFactor + (epoch - 1) * rise));
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
    this.start();
  }

  lrAt(epoch: number, baseLr: number): number {
    return baseLr * this.#options.gamma ** epoch;
  }

  override lrAfter(lr: number, epoch: number): number {
    return epoch === 0 ? lr : lr * this.#options.gamma;
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
    this.start();
  }

  lrAt(epoch: number, baseLr: number): number {
    const { totalIters, power } = this.#options;
    if (totalIters === 0) return baseLr;
    return baseLr * (1 - Math.min(totalIters, epoch) / totalIters) ** power;
  }

  override lrAfter(lr: number, epoch: number): number {
    const { totalIters, power } = this.#options;
    if (epoch === 0 || epoch > totalIters) return lr;
    return lr * ((totalIters - epoch) / (totalIters - epoch + 1)) ** power;
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
    const [scheduler, since] = this.active(epoch);
    return scheduler.lrAt(since, baseLr, group);
  }

  override lrAfter(lr: number, epoch: number, baseLr: number, group: number): number {
    const [scheduler, since] = this.active(epoch);
    // One that begins does not look back.
    return since === 0 ? scheduler.lrAt(0, baseLr, group) : scheduler.lrAfter(lr, since, baseLr, group);
  }

  /** The scheduler of a step, and the step that it is for that one. */
  private active(epoch: number): [scheduler: LRScheduler, since: number] {
    const at = this.milestones.filter((milestone) => milestone <= epoch).length;
    return [this.schedulers[at] as LRScheduler, at === 0 ? epoch : epoch - (this.milestones[at - 1] as number)];
  }
}
