/**
 * What the loop asks of a stage: a part of a program that learns by itself, on one device. It owns its losses, optimizers,
 * rates and metrics, as many as it likes; when it is asked for what is the schedule's affair (loop.ts).
 */

import type { Parameter } from '../nn/index.js';
import type { Tensor } from '../torch/index.js';
import type { Replicas } from './replicas.js';
import type { Metrics } from './task.js';

/** The losses of a batch or a part of one, detached, by name. `loss` is the one that stands for the stage. */
export interface Losses {
  readonly loss: Tensor;
  readonly [name: string]: Tensor;
}

export interface Stage {
  /** Its number in the program. */
  readonly index: number;
  /** Whether its output is the program's prediction. */
  readonly isLast: boolean;
  /** The learning rate of its latest step, for events. */
  readonly lr: number;
  /** Prepares for the training batch `step`, counted from 1 over the run. */
  beginBatch(step: number): void;
  /** A tensor where this stage computes. */
  toDevice(x: Tensor): Tensor;
  /** What goes to the stages after it; on the last stage, the prediction. */
  forward(inputs: readonly Tensor[]): readonly Tensor[];
  /**
   * Backward from its own losses of what `forward` gave: gradients gather.
   * @param targets - all that travel with the batch
   * @param share - of the batch that these samples are; the losses count by it
   * @param peers - what the stages that send it theirs made of the same samples, in the order of its `peersIn`
   */
  learn(
    outputs: readonly Tensor[],
    targets: readonly Tensor[],
    share: number,
    peers?: readonly (readonly Tensor[])[],
  ): Losses;
  /** What its optimizers step. A stage that tells it may have replicas: their gradients are added up before `apply`. */
  parameters?(): readonly Parameter[];
  /** Called once before the work, where it has replicas: their batch statistics may be one. */
  join?(replicas: Replicas): void;
  /** After a batch's backward: its optimizers make their steps, or wait for more gradients. */
  apply(): void;
  /** Forward without gradients and as in use. */
  evaluate(inputs: readonly Tensor[]): readonly Tensor[];
  /** Judges what `evaluate` gave for a held-out batch, on the last stage. A stage without it is judged by who feeds it. */
  score?(outputs: readonly Tensor[], targets: readonly Tensor[]): void;
  /** What the batches scored since the last call come to; null where there were none. */
  takeScores?(): Scored | null;
  /** Names of its weights and statistics that are not finite. */
  notFinite(): string[];
}

/** Metrics over so many held-out samples. */
export interface Scored {
  readonly metrics: Metrics;
  readonly count: number;
}

/** Backward from a loss that counts by its share of the batch. @returns the share of it, detached */
export function backwardShare(loss: Tensor, share: number): Tensor {
  const weighted = share === 1 ? loss : loss.mul(share);
  weighted.backward();
  return weighted.detach();
}
