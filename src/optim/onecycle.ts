import { ConfigError } from '../torch/index.js';
import type { ParamGroup } from './optimizer.js';
import { LRScheduler, type Scheduled } from './schedulers.js';

export interface OneCycleOptions {
  readonly maxLr: number | readonly number[];
  readonly totalSteps: number;
  /** Share of the steps in which the rate rises. Default 0.3. */
  readonly pctStart?: number;
  /** Default `'cos'`. */
  readonly annealStrategy?: 'cos' | 'linear';
  /** Whether momentum (or betas[0]) falls while the rate rises. Default true. */
  readonly cycleMomentum?: boolean;
  /** Default 0.85. */
  readonly baseMomentum?: number;
  /** Default 0.95. */
  readonly maxMomentum?: number;
  /** The first rate is maxLr / divFactor. Default 25. */
  readonly divFactor?: number;
  /** The last rate is the first / finalDivFactor. Default 1e4. */
  readonly finalDivFactor?: number;
  /** Whether the rate first falls as fast as it rose, then to the last. Default false. */
  readonly threePhase?: boolean;
}

type Annealing = ParamGroup<{ lr: number; momentum?: number; betas?: readonly [number, number] }>;
type Level = 'first' | 'max' | 'last';

/** Up to `maxLr`, then down to nearly nothing, in `totalSteps` steps (Smith's one-cycle policy). */
export class OneCycleLR extends LRScheduler {
  readonly #options: Required<OneCycleOptions>;
  /** Each phase's last step, and the levels it runs between. */
  readonly #phases: readonly { readonly end: number; readonly from: Level; readonly to: Level }[];

  constructor(optimizer: Scheduled, options: OneCycleOptions) {
    super(optimizer);
    this.#options = {
      pctStart: 0.3,
      annealStrategy: 'cos',
      cycleMomentum: true,
      baseMomentum: 0.85,
      maxMomentum: 0.95,
      divFactor: 25,
      finalDivFactor: 1e4,
      threePhase: false,
      ...options,
    };
    const { totalSteps, pctStart, threePhase } = this.#options;
    const up = pctStart * totalSteps - 1;
    this.#phases = threePhase
      ? [
          { end: up, from: 'first', to: 'max' },
          { end: 2 * pctStart * totalSteps - 2, from: 'max', to: 'first' },
          { end: totalSteps - 1, from: 'first', to: 'last' },
        ]
      : [
          { end: up, from: 'first', to: 'max' },
          { end: totalSteps - 1, from: 'max', to: 'last' },
        ];
    this.step(0);
  }

  override step(epoch = this.lastEpoch + 1): void {
    super.step(epoch);
    if (!this.#options.cycleMomentum) return;
    const { baseMomentum, maxMomentum } = this.#options;
    const momentum = this.#at(epoch, { first: maxMomentum, max: baseMomentum, last: maxMomentum });
    for (const group of this.optimizer.paramGroups as readonly Annealing[]) {
      if (group.betas) group.betas = [momentum, group.betas[1]];
      else group.momentum = momentum;
    }
  }

  lrAt(epoch: number, _baseLr: number, group: number): number {
    const { maxLr, divFactor, finalDivFactor } = this.#options;
    const max = typeof maxLr === 'number' ? maxLr : (maxLr[group] as number);
    const first = max / divFactor;
    return this.#at(epoch, { first, max, last: first / finalDivFactor });
  }

  #at(epoch: number, level: Readonly<Record<Level, number>>): number {
    const { totalSteps, annealStrategy } = this.#options;
    let start = 0;
    for (const { end, from, to } of this.#phases) {
      if (epoch <= end || end === totalSteps - 1) {
        if (epoch > end) throw new ConfigError(`Expected at most ${totalSteps} steps of OneCycleLR, got ${epoch + 1}`);
        const share = (epoch - start) / (end - start);
        const [a, b] = [level[from], level[to]];
        return annealStrategy === 'linear' ? a + (b - a) * share : b + ((a - b) / 2) * (1 + Math.cos(Math.PI * share));
      }
      start = end;
    }
    throw new ConfigError(`Expected totalSteps above 0, got ${totalSteps}`);
  }
}
