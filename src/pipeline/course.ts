/** What a training run is fed, in order: batches, tests, markers of checkpoints, its end. A resumed run has the rest of it. */
import type { ControlMessage } from './messages.js';

/** What to feed in training. */
export interface TrainTask {
  readonly kind: 'train';
  /** Steps done before. */
  readonly fromStep: number;
  readonly totalSteps: number;
  readonly evaluation: boolean;
  readonly evalEvery: number;
  readonly checkpointEvery: number;
  readonly checkpoints: boolean;
  /** Whether what comes is the rest of a course whose beginning has passed, to the last message. Default false: a run that goes on. */
  readonly again?: boolean;
  /** Whether stages keep their weights at evaluations, since they may be the best. Default false. */
  readonly keeps?: boolean;
}

/** A training batch, or all of the test set, or a message. */
export type Fed =
  | { readonly kind: 'batch'; readonly step: number; readonly epoch: number }
  | { readonly kind: 'test'; readonly step: number; readonly epoch: number }
  | Exclude<ControlMessage, { kind: 'evaluated' }>;

/**
 * The course of a run.
 * @param perEpoch - steps of an epoch
 * @param stopped - asked before each step, by its number: whether to make a checkpoint and end in place of it
 * @param goesOn - asked after each evaluation but that at the end
 */
export function* courseOf(
  task: TrainTask,
  perEpoch: number,
  stopped: (step: number) => boolean,
  goesOn: () => boolean = () => true,
): Generator<Fed, void> {
  const isTested = (step: number): boolean =>
    task.evaluation && task.evalEvery > 0 && step % perEpoch === 0 && (step / perEpoch) % task.evalEvery === 0;
  const isSaved = (step: number): boolean => task.checkpointEvery > 0 && step % task.checkpointEvery === 0;
  let last = task.totalSteps;
  // At the end the test comes before the checkpoint, unless one is due in any case.
  const wasTested = task.again && (isTested(task.fromStep) || (task.fromStep === last && !isSaved(last)));
  let testedAt = wasTested ? task.fromStep : -1;
  let savedAt = task.fromStep;
  function* save(step: number): Generator<Fed, void> {
    if (!task.checkpoints || savedAt === step) return;
    yield { kind: 'checkpoint', step, epoch: Math.floor(step / perEpoch) };
    savedAt = step;
  }
  function* test(step: number): Generator<Fed, void> {
    const epoch = Math.floor(Math.max(0, step - 1) / perEpoch);
    yield { kind: 'test', step, epoch };
    if (task.keeps) yield { kind: 'keep', step, epoch };
    testedAt = step;
  }
  for (let step = task.fromStep + 1; step <= last; step++) {
    if (stopped(step)) {
      yield* save(step - 1);
      yield { kind: 'stop', step: step - 1, reason: 'stopped' };
      return;
    }
    const epoch = Math.floor((step - 1) / perEpoch);
    yield { kind: 'batch', step, epoch };
    if (isTested(step)) {
      yield* test(step);
      if (!goesOn()) last = step;
    }
    if (isSaved(step)) yield* save(step);
  }
  if (task.evaluation && testedAt !== last) yield* test(last);
  yield* save(last);
  yield { kind: 'stop', step: last, reason: 'done' };
}
