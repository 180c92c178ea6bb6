/** The order in which a loader visits a data set. */
import { ConfigError, checkOptions, deriveSeed, Generator, ops, randperm, scope, tensor } from '../torch/index.js';
import { checkInteger } from './dataset.js';

/** An order of indices for each epoch; the same epoch always gives the same order. */
export interface Sampler {
  /** How many indices an epoch has. */
  readonly length: number;
  order(epoch: number): BigInt64Array;
}

/** 0, 1, 2, ... */
export class SequentialSampler implements Sampler {
  constructor(readonly length: number) {}

  order(): BigInt64Array {
    return BigInt64Array.from({ length: this.length }, (_, i) => BigInt(i));
  }
}

/** A fresh permutation each epoch, which depends on the seed and the epoch only. */
export class RandomSampler implements Sampler {
  constructor(
    readonly length: number,
    readonly seed: number,
  ) {}

  order(epoch: number): BigInt64Array {
    return scope(() => {
      const generator = new Generator(deriveSeed(this.seed, 'shuffle', epoch));
      const order = randperm(this.length, { generator, dtype: 'int64' }).data() as BigInt64Array;
      generator.dispose();
      return order;
    });
  }
}

/**
 * Indices drawn by weight (`torch.utils.data.WeightedRandomSampler`): to see rare classes as often as others, give each item the
 * inverse of its class's count. Each epoch draws afresh, by the seed and the epoch only.
 */
export class WeightedRandomSampler implements Sampler {
  readonly length: number;
  readonly replacement: boolean;
  readonly seed: number;
  private readonly weights: Float64Array;

  /**
   * @param weights one for each item, >= 0; they need not sum to 1
   * @param numSamples how many indices an epoch has
   * @param options.replacement whether an item may be drawn again; true by default
   * @throws ConfigError for weights that are negative, not finite or all 0, and for more samples than can be drawn
   */
  constructor(
    weights: ArrayLike<number>,
    numSamples: number,
    options: { readonly replacement?: boolean; readonly seed?: number } = {},
  ) {
    checkOptions('WeightedRandomSampler', options, ['replacement', 'seed']);
    checkInteger(numSamples, 1, 'WeightedRandomSampler: numSamples');
    this.weights = Float64Array.from(weights);
    const wrong = this.weights.findIndex((weight) => !(weight >= 0 && weight < Number.POSITIVE_INFINITY));
    if (wrong >= 0) throw new ConfigError(`expected weights >= 0 and finite, got ${this.weights[wrong]} at ${wrong}`);
    const drawable = this.weights.filter((weight) => weight > 0).length;
    this.replacement = options.replacement ?? true;
    if (drawable === 0 || (!this.replacement && numSamples > drawable)) {
      throw new ConfigError(
        `expected weights of which ${this.replacement ? 'one' : numSamples} at least are above 0, ` +
          `${this.replacement ? '' : 'as no item is drawn again, '}got ${drawable} of ${this.weights.length}`,
      );
    }
    this.length = numSamples;
    this.seed = options.seed ?? 0;
  }

  order(epoch: number): BigInt64Array {
    return scope(() => {
      const generator = new Generator(deriveSeed(this.seed, 'shuffle', epoch));
      const drawn = ops.multinomial(tensor(this.weights), this.length, this.replacement, { generator });
      generator.dispose();
      return drawn.data() as BigInt64Array;
    });
  }
}
