import { choice, flag, number, orNull, type RulesOf, rule, Signature, whole } from '../nn/signature.js';
import { ConfigError } from '../torch/index.js';
import type { ParamGroup } from './optimizer.js';
import { LRScheduler, type Scheduled } from './schedulers.js';

export interface OneCycleOptions {
  /** One for all groups, or one for each. */
  readonly maxLr: number | readonly number[];
  /** Steps of the whole cycle: this, or `epochs` and `stepsPerEpoch`. */
  readonly totalSteps?: number | null;
  readonly epochs?: number | null;
  readonly stepsPerEpoch?: number | null;
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

const share = (fallback: number) => number(fallback, { min: 0, max: 1 });
const count = orNull(whole(undefined, 1));
const known = new Signature(
  'OneCycleLR',
  {},
  {
    maxLr: rule<number | readonly number[]>(undefined, 'a number, or one for each group', (value) =>
      [value].flat().every((each) => typeof each === 'number'),
    ),
    totalSteps: count,
    epochs: count,
    stepsPerEpoch: count,
    pctStart: share(0.3),
    annealStrategy: choice<'cos' | 'linear'>('cos', 'cos', 'linear'),
    cycleMomentum: flag(true),
    baseMomentum: number(0.85),
    maxMomentum: number(0.95),
    divFactor: number(25),
    finalDivFactor: number(1e4),
    threePhase: flag(false),
  } satisfies RulesOf<OneCycleOptions>,
  ['lastEpoch', 'verbose'],
);

function stepsOf({ totalSteps, epochs, stepsPerEpoch }: Required<OneCycleOptions>): number {
  if (totalSteps !== null) return totalSteps;
  if (epochs !== null && stepsPerEpoch !== null) return epochs * stepsPerEpoch;
  throw new ConfigError('Expected totalSteps of OneCycleLR, or epochs and stepsPerEpoch, got neither.');
}

type Annealing = ParamGroup<{ lr: number; momentum?: number; betas?: readonly [number, number] }>;
type Level = 'first' | 'max' | 'last';

/** Up to `maxLr`, then down to nearly nothing, in `totalSteps` steps (Smith's one-cycle policy). */
export class OneCycleLR extends LRScheduler {
  readonly #options: Required<OneCycleOptions> & { readonly totalSteps: number };
  /** Each phase's last step, and the levels it runs between. */
  readonly #phases: readonly { readonly end: number; readonly from: Level; readonly to: Level }[];

  constructor(optimizer: Scheduled, options: OneCycleOptions) {
    super(optimizer);
    const values = known.read('OneCycleLR', [], options);
    const { pctStart, threePhase, maxLr } = values;
    const totalSteps = stepsOf(values);
    this.#options = { ...values, totalSteps };
    const groups = optimizer.paramGroups as readonly Annealing[];
    if (typeof maxLr !== 'number' && maxLr.length !== groups.length) {
      throw new ConfigError(`Expected ${groups.length} rates maxLr, one a group, got ${maxLr.length}.`);
    }
    if (values.cycleMomentum && groups.some((group) => group.momentum === undefined && group.betas === undefined)) {
      throw new ConfigError('Expected an optimizer with momentum or betas, or cycleMomentum: false, for OneCycleLR.');
    }
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

  override step(epoch?: number): void {
    super.step(epoch);
    if (!this.#options.cycleMomentum) return;
    const { baseMomentum, maxMomentum } = this.#options;
    const momentum = this.#at(this.lastEpoch, { first: maxMomentum, max: baseMomentum, last: maxMomentum });
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
        // The loop that steps after each of totalSteps batches ends one past the end, as PyTorch lets it.
        if (epoch > totalSteps)
          throw new ConfigError(`Expected at most ${totalSteps} steps of OneCycleLR, got ${epoch}.`);
        const share = end > start ? (epoch - start) / (end - start) : 1;
        const [a, b] = [level[from], level[to]];
        return annealStrategy === 'linear' ? a + (b - a) * share : b + ((a - b) / 2) * (1 + Math.cos(Math.PI * share));
      }
      start = end;
    }
    throw new ConfigError(`Expected totalSteps above 0, got ${totalSteps}`);
  }
}
