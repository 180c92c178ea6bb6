/** What the training of a seed asks of whoever makes the network learn: the whole of it at once, or branch by branch. */
import type { RunEvent } from '../run/index.js';
import type { Tensor } from '../torch/index.js';
import type { InitReport } from './init.js';
import type { SentimentNetwork } from './network.js';

/** What an epoch came to. */
export interface EpochRecord {
  /** From 1. */
  readonly epoch: number;
  /** Means over the batches of the parts of the loss: `total`, `multimodal`, `unimodal.text`, `alignment`, ... */
  readonly train: Readonly<Record<string, number>>;
  /** Mean over the validation split. */
  readonly validLoss: number;
  readonly best: boolean;
  /** How far generated labels have moved, by modality. */
  readonly drift: Readonly<Record<string, number>>;
  /** Norms of the aligned features, of the epoch's last batch. */
  readonly norms: Readonly<Record<string, number>>;
  readonly utterancesPerSecond: number;
}

/** The state of a run between two epochs. */
export interface SeedState {
  readonly epoch: number;
  readonly best: { readonly epoch: number; readonly loss: number };
  readonly history: readonly EpochRecord[];
  readonly seconds: number;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

export type TrainedEpoch = Pick<EpochRecord, 'train' | 'validLoss' | 'drift' | 'norms'> & {
  /** When the training batches were through, by `performance.now()`. */
  readonly trainedAt: number;
};

export interface Learner {
  /** What is trained; its weights are the best ones once it is done. */
  readonly network: SentimentNetwork;
  /** What it took from the run that the configuration names as `init`. */
  readonly begun: InitReport | null;
  /** Names of the layers of each stage. */
  readonly stages: readonly (readonly string[])[];
  readonly batchesPerEpoch: number;
  /** @param from - what an earlier session kept */
  begin(from: SeedState | null, report: (event: RunEvent) => void): void;
  /**
   * Trains an epoch, and judges it.
   * @param epoch - from 1
   * @param givesUp - asked before every batch
   * @returns null where it was given up
   */
  train(epoch: number, givesUp: () => boolean): Promise<TrainedEpoch | null>;
  /** The weights as they are after an epoch become the best so far. */
  keepBest(epoch: number): void;
  /** All that it takes to go on after an epoch. */
  state(epoch: number): Promise<Map<string, Tensor>>;
  /** Ends after an epoch. */
  finish(epoch: number, reason: 'done' | 'stopped'): Promise<void>;
  /** Ends, whatever is under way. */
  close(): Promise<void>;
}
