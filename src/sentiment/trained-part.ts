/** A network, or a part of one, that an optimizer trains: its windows of batches, and its best weights so far. */
import type { Parameter } from '../nn/index.js';
import { Adam, clipGradNorm_ } from '../optim/index.js';
import { keep, noGrad, type Tensor } from '../torch/index.js';
import type { SentimentConfig } from './config.js';
import { type RateGroup, rateGroups } from './rates.js';

/** Tensors by their keys. */
export type Weights = ReadonlyMap<string, Tensor>;

/** The weights whose keys begin so, without it. */
export function partOf(weights: Weights, prefix: string): Map<string, Tensor> {
  const found = [...weights].filter(([key]) => key.startsWith(prefix));
  return new Map(found.map(([key, value]) => [key.slice(prefix.length), value]));
}

/** The same the other way round. */
export function prefixed(prefix: string, weights: Weights): [key: string, value: Tensor][] {
  return [...weights].map(([key, value]) => [`${prefix}${key}`, value]);
}

export class TrainedPart {
  readonly optimizer: Adam;
  readonly best: Weights;

  /** @param weights - live ones, by the network's keys */
  constructor(
    private readonly config: SentimentConfig,
    private readonly batchesPerEpoch: number,
    private readonly weights: () => Weights,
    parameters: Iterable<readonly [group: RateGroup, name: string, parameter: Parameter]>,
  ) {
    this.optimizer = new Adam(rateGroups(config, parameters));
    this.best = new Map([...weights()].map(([key, value]) => [key, keep(value.clone())]));
  }

  /**
   * After the backward of a batch: a step where its window is full.
   * @param batch - of its epoch, from 1
   */
  apply(batch: number): void {
    const { accumulate, leftover, clipNorm } = this.config;
    const ends = batch === this.batchesPerEpoch;
    if (batch % accumulate === 0 || (ends && leftover === 'flush')) {
      const params = this.optimizer.paramGroups.flatMap((group) => group.params);
      if (clipNorm !== null) clipGradNorm_(params, clipNorm);
      this.optimizer.step();
      this.optimizer.zeroGrad();
    }
    // A window that an epoch's end cuts off is given up, as the reference does, unless it was flushed.
    if (ends) this.optimizer.zeroGrad();
  }

  /** The weights as they are become the best so far. */
  keepBest(): void {
    noGrad(() => {
      for (const [key, value] of this.weights()) this.best.get(key)!.copy_(value);
    });
  }

  /** All that it takes to go on from here, between two epochs: tensors of the live ones' memory. */
  state(): Map<string, Tensor> {
    return new Map([
      ...prefixed('network.', this.weights()),
      ...prefixed('best.', this.best),
      ...prefixed('optimizer.', this.optimizer.stateDict().state),
    ]);
  }

  /** Takes over its part of what {@link state} gave, but for the weights themselves. */
  resume(state: Weights): void {
    const best = partOf(state, 'best.');
    noGrad(() => {
      for (const [key, value] of this.best) value.copy_(best.get(key)!);
    });
    const { groups } = this.optimizer.stateDict();
    this.optimizer.loadStateDict({ groups, state: partOf(state, 'optimizer.') });
  }
}
