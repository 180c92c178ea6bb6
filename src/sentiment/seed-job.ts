/** What the thread of a seed is told, and what it tells. */
import type { SentimentConfig } from './config.js';
import type { SentimentSource } from './datasets/index.js';
import type { InitReport } from './init.js';
import type { EpochRecord } from './learner.js';
import type { SeedResult } from './train-seed.js';

/** Whether a seed shall stop: after the epoch, whose state is kept, or with the batch, since another seed has failed. */
export const STOP = { no: 0, afterEpoch: 1, atOnce: 2 } as const;

export interface SeedJob {
  readonly config: SentimentConfig;
  readonly source: SentimentSource;
  readonly seed: number;
  /** Null: nothing is written. */
  readonly out: string | null;
  /** Whether to keep the state between epochs, so that a broken run goes on. */
  readonly checkpoints: boolean;
  /** Its run over ranks; null where this process has all. */
  readonly ranks: { readonly group: number; readonly number: number } | null;
  /** Int32: one of {@link STOP}. */
  readonly stop: Int32Array;
}

export type SeedNotice =
  /** It begins with weights of another run. */
  | { readonly kind: 'begun'; readonly seed: number; readonly from: InitReport }
  | { readonly kind: 'epoch'; readonly seed: number; readonly record: EpochRecord }
  | { readonly kind: 'done'; readonly seed: number; readonly result: SeedResult }
  | { readonly kind: 'stopped'; readonly seed: number };
