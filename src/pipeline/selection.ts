/** Which evaluation of a run is the best so far, by its task's metric, and the weights that stages have kept of it. */

import type { EvalEvent } from '../run/events.js';
import { ConfigError } from '../torch/index.js';
import type { CheckpointState } from './checkpoint.js';
import { CheckpointCommits, type CheckpointStore, type SavedPart } from './checkpoint-commits.js';
import type { Task } from './task.js';

/** An evaluation that no other has surpassed. */
export type BestEvaluation = Pick<EvalEvent, 'step' | 'epoch' | 'metrics'>;

/** What the folder of a run says of its best weights. */
export interface BestState extends CheckpointState {
  readonly metrics: EvalEvent['metrics'];
}

export class Selection {
  #best: BestEvaluation | null;
  /** Evaluations that were the best when they came, by step. */
  readonly #metrics = new Map<number, EvalEvent['metrics']>();

  /** @param kept - of an earlier session. @throws ConfigError where the task does not measure what it selects by */
  constructor(
    private readonly task: Task,
    private readonly kept: BestState | null,
  ) {
    const [known, { metric }] = [Object.keys(task.metrics()), task.selects];
    if (!known.includes(metric)) {
      throw new ConfigError(`Expected the task ${task.name} to select by one of ${known.join(', ')}, got ${metric}.`);
    }
    this.#best = kept;
  }

  get best(): BestEvaluation | null {
    if (this.#best === null) return null;
    const { step, epoch, metrics } = this.#best;
    return { step, epoch, metrics };
  }

  /** Takes note of an evaluation; the first of equals stays. */
  judge({ step, epoch, metrics }: EvalEvent): void {
    if (!this.#surpasses(metrics)) return;
    this.#best = { step, epoch, metrics };
    this.#metrics.set(step, metrics);
  }

  /** Epochs since the best, up to an evaluation. */
  epochsSince({ epoch }: EvalEvent): number {
    return this.#best === null ? epoch + 1 : epoch - this.#best.epoch;
  }

  /** The parts that stages keep of each evaluation, of which the best's stay. @param commit - makes them so in the folder */
  commits(
    stages: number,
    cut: readonly number[],
    store: Omit<CheckpointStore, 'commit'> & { commit(state: BestState): void },
  ): CheckpointCommits {
    const commit = (state: CheckpointState): void =>
      store.commit({ ...state, metrics: this.#metrics.get(state.step)! });
    const wins = ({ step }: SavedPart): boolean => this.#metrics.has(step);
    return new CheckpointCommits(stages, cut, { ...store, commit }, this.kept, wins);
  }

  #surpasses(metrics: EvalEvent['metrics']): boolean {
    const { metric, best } = this.task.selects;
    const [now, before] = [metrics[metric] ?? Number.NaN, this.#best?.metrics[metric] ?? Number.NaN];
    if (Number.isNaN(now)) return false;
    return Number.isNaN(before) || (best === 'highest' ? now > before : now < before);
  }
}
