import type { Scheduled } from './schedulers.js';

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
  readonly minLr?: number;
  /** Smallest change of a rate that is made. Default 1e-8. */
  readonly eps?: number;
}

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
    options: PlateauOptions = {},
  ) {
    this.#options = {
      mode: 'min',
      factor: 0.1,
      patience: 10,
      threshold: 1e-4,
      thresholdMode: 'rel',
      cooldown: 0,
      minLr: 0,
      eps: 1e-8,
      ...options,
    };
    const best = this.#options.mode === 'min' ? Infinity : -Infinity;
    this.#state = { best, numBadEpochs: 0, cooldownCounter: 0, lastEpoch: 0 };
  }

  step(metric: number): void {
    const { patience, cooldown } = this.#options;
    const state = this.#state;
    state.lastEpoch += 1;
    if (this.#better(metric)) {
      state.best = metric;
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
    const sign = mode === 'min' ? 1 : -1;
    const { best } = this.#state;
    const margin = thresholdMode === 'abs' ? threshold : Math.abs(best) * threshold;
    return Number.isFinite(best) ? sign * metric < sign * best - margin : sign * metric < sign * best;
  }

  #reduce(): void {
    const { factor, minLr, eps } = this.#options;
    for (const group of this.optimizer.paramGroups) {
      const lower = Math.max(group.lr * factor, minLr);
      if (group.lr - lower > eps) group.lr = lower;
    }
  }

  getLastLr(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr);
  }

  stateDict(): PlateauState {
    return { ...this.#state };
  }

  loadStateDict(state: PlateauState): void {
    this.#state = { ...state };
  }
}
