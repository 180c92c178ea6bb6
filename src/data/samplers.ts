/** The order in which a loader visits a data set. */
import { deriveSeed, Generator, randperm, scope } from '../torch/index.js';

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
