/** What the trainings of an encoder and of a reader have in common: their settings, and how an optimizer goes by them. */
import { isAtLeast, isOneOf, isWhole, leaf } from '../../io/json-file.js';
import type { RunSettings } from '../../pipeline/index.js';
import type { DType } from '../../torch/index.js';

export interface TrainingSettings {
  readonly epochs: number;
  readonly lr: number;
  readonly warmupEpochs: number;
  /** What layers compute in. */
  readonly compute: Extract<DType, 'float32' | 'bfloat16'>;
  readonly checkpointEvery: number;
  readonly seed: number;
}

export const isPositive = leaf('a number above 0', (value) => typeof value === 'number' && value > 0);
export const isShare = leaf(
  'a number from 0 to below 1',
  (value) => typeof value === 'number' && value >= 0 && value < 1,
);

/** The shapes of the settings but for the epochs, of which one of the trainings may have none. */
export const trainingShapes = {
  lr: isPositive,
  warmupEpochs: isAtLeast(0),
  compute: isOneOf(['float32', 'bfloat16']),
  checkpointEvery: isWhole(0),
  seed: isWhole(0),
};

/** AdamW under a cosine, evaluated after each epoch. */
export function learningOf({ epochs, lr, warmupEpochs, checkpointEvery, seed }: TrainingSettings) {
  return {
    epochs,
    optimizer: { name: 'adamw', lr, betas: [0.9, 0.98], eps: 1e-6, weightDecay: 0.01, decay: 'weights' },
    lrSchedule: { name: 'cosine', warmupEpochs, minLr: 0.02 },
    seed,
    evalEvery: 1,
    checkpointEvery,
  } as const satisfies Partial<RunSettings>;
}
