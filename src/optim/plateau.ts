import { choice, number, type RulesOf, rule, Signature, whole } from '../nn/signature.js';
import { expectObject } from '../torch/expect.js';
import { ConfigError, DataError, Tensor } from '../torch/index.js';
import { guardSpelling } from '../torch/python-names.js';
import { camelCase } from '../torch/spelling.js';
import { expectOptimizer, type Scheduled } from './schedulers.js';

export interface PlateauOptions {
  /** Whether lower (`'min'`, default) or higher is better. */
  readonly mode?: 'min' | 'max';
  /** Default 0.1. */
  readonly factor?: number;
  /** Steps without improvement that are borne. Default 10. */
  readonly patience?: number;
  /** Smallest improvement that counts. Default 1e-4. */
  readonly threshold?: number;
  /** Whether the threshold is a share of the best value (default) or a difference. */
  readonly thresholdMode?: 'rel' | 'abs';
  /** Steps after a reduction in which nothing is counted. Default 0. */
  readonly cooldown?: number;
  /** Lowest rate: one for all groups, or one for each. Default 0. */
  readonly minLr?: number | readonly number[];
  /** Smallest change of a rate that is made. Default 1e-8. */
  readonly eps?: number;
}

const known = new Signature(
  'ReduceLROnPlateau',
  {},
  {
    mode: choice<'min' | 'max'>('min', 'min', 'max'),
    factor: rule<number>(0.1, 'a number < 1', (value) => typeof value === 'number' && value < 1),
    patience: whole(10),
    threshold: number(1e-4),
    thresholdMode: choice<'rel' | 'abs'>('rel', 'rel', 'abs'),
    cooldown: whole(0),
    minLr: rule<number | readonly number[]>(0, 'a number, or one for each group', (value) =>
      [value].flat().every((each) => typeof each === 'number' && each >= 0),
    ),
    eps: number(1e-8),
  } satisfies RulesOf<PlateauOptions>,
  ['verbose'],
);

/** What a {@link ReduceLROnPlateau} remembers. */
export interface PlateauState {
  best: number;
  numBadEpochs: number;
  cooldownCounter: number;
  lastEpoch: number;
}

/** Lowers the rate when a metric stops improving: the one scheduler that is no function of the step alone. */
export class ReduceLROnPlateau {
  readonly #options: Required<PlateauOptions>;
  #state: PlateauState;

  constructor(
    private readonly optimizer: Scheduled,
    options?: PlateauOptions,
  ) {
    expectOptimizer('ReduceLROnPlateau', optimizer);
    this.#options = known.read('ReduceLROnPlateau', [], options);
    const { minLr } = this.#options;
    if (typeof minLr !== 'number' && minLr.length !== optimizer.paramGroups.length) {
      throw new ConfigError(`Expected ${optimizer.paramGroups.length} rates minLr, one a group, got ${minLr.length}.`);
    }
    const best = this.#options.mode === 'min' ? Infinity : -Infinity;
    this.#state = { best, numBadEpochs: 0, cooldownCounter: 0, lastEpoch: 0 };
  }

  /** @param metric - a number, or a tensor of one element */
  step(metric: number | Tensor): void {
    const value = metric instanceof Tensor ? metric.item() : metric;
    if (typeof value !== 'number') throw new ConfigError(`Expected a number to watch, got ${String(value)}.`);
    const { patience, cooldown } = this.#options;
    const state = this.#state;
    state.lastEpoch += 1;
    if (this.#better(value)) {
      state.best = value;
      state.numBadEpochs = 0;
    } else {
      state.numBadEpochs += 1;
    }
    if (state.cooldownCounter > 0) {
      state.cooldownCounter -= 1;
      state.numBadEpochs = 0;
    }
    if (state.numBadEpochs > patience) {
      this.#reduce();
      state.cooldownCounter = cooldown;
      state.numBadEpochs = 0;
    }
  }

  #better(metric: number): boolean {
    const { mode, threshold, thresholdMode } = this.#options;
    const { best } = this.#state;
    const sign = mode === 'min' ? -1 : 1;
    // PyTorch's rule, to the letter: a share of a negative best value moves the bound the other way.
    const bound = thresholdMode === 'rel' ? best * (1 + sign * threshold) : best + sign * threshold;
    return mode === 'min' ? metric < bound : metric > bound;
  }

  #reduce(): void {
    const { factor, minLr, eps } = this.#options;
    this.optimizer.paramGroups.forEach((group, i) => {
      const lower = Math.max(group.lr * factor, typeof minLr === 'number' ? minLr : (minLr[i] as number));
      if (group.lr - lower > eps) group.lr = lower;
    });
  }

  getLastLr(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr);
  }

  stateDict(): PlateauState {
    return { ...this.#state };
  }

  /** Takes over a state saved by {@link stateDict}, by these names or PyTorch's. */
  loadStateDict(state: Readonly<Partial<PlateauState>> | Readonly<Record<string, unknown>>): void {
    expectObject('ReduceLROnPlateau.loadStateDict', state, 'what its stateDict() gives');
    const saved = new Map(Object.entries(state).map(([name, value]) => [camelCase(name), value]));
    // JSON has no infinity: what was written of it is null.
    if (saved.get('best') === null) saved.set('best', this.#options.mode === 'min' ? Infinity : -Infinity);
    const names = Object.keys(this.#state) as (keyof PlateauState)[];
    const missing = names.filter((name) => typeof saved.get(name) !== 'number');
    if (missing.length > 0)
      throw new DataError(`Expected a saved state with ${names.join(', ')}, got no ${missing.join(', ')}.`);
    this.#state = Object.fromEntries(names.map((name) => [name, saved.get(name)])) as unknown as PlateauState;
  }
}

guardSpelling(ReduceLROnPlateau);
