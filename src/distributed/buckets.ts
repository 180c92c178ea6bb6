/** Gradients of ranks that hold the same parameters, added up in buckets while the backward pass makes the rest of them. */
import { translating } from '../torch/errors.js';
import { writeTensors } from '../torch/frame.js';
import type { Tensor } from '../torch/index.js';
import { ranks } from './addon.js';
import type { ProcessGroup } from './group.js';

/** Small enough that the first is on its way early, large enough that few go. */
const BUCKET_BYTES = 2 ** 20;

export class GradientBuckets {
  readonly #id: number;

  /**
   * @param group - of all that hold the parameters, and for nothing else: buckets go when they are ready, at whatever moment
   * @param parameters - all of which require grad; the same in all ranks
   */
  constructor(group: ProcessGroup, parameters: readonly Tensor[], bytes = BUCKET_BYTES) {
    writeTensors(parameters);
    this.#id = translating(() => ranks().bucketsCreate(group.id, bytes));
  }

  /** Before the backward pass after which the gradients are complete: what it makes is sent at once. */
  expect(): void {
    ranks().bucketsExpect(this.#id);
  }

  /** Whether another pass has added to gradients that were on their way: then `finish` is to add up all once more, in all ranks. */
  get again(): boolean {
    return ranks().bucketsAgain(this.#id);
  }

  /** Waits until each gradient is the sum of those of all ranks; one that a rank does not have counts as zeros. */
  finish(timeoutMs: number, again: boolean): void {
    translating(() => ranks().bucketsFinish(this.#id, timeoutMs, again));
  }
}
