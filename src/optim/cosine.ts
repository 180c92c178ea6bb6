/** Rates along a cosine. */
import { number, type RulesOf, Signature, whole } from '../nn/signature.js';
import { LRScheduler, type Scheduled, unsupported } from './schedulers.js';

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
    this.start();
  }

  lrAt(epoch: number, baseLr: number): number {
    const { tMax, etaMin } = this.#options;
    return etaMin + ((baseLr - etaMin) * (1 + Math.cos((Math.PI * epoch) / tMax))) / 2;
  }

  override lrAfter(lr: number, epoch: number, baseLr: number): number {
    const { tMax, etaMin } = this.#options;
    if (epoch === 0) return lr;
    const height = (at: number) => 1 + Math.cos((Math.PI * at) / tMax);
    // From the lowest point there is no going up by a factor.
    if ((epoch - 1 - tMax) % (2 * tMax) === 0) return lr + ((baseLr - etaMin) * height(epoch)) / 2;
    return etaMin + ((lr - etaMin) * height(epoch)) / height(epoch - 1);
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
    this.start();
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
