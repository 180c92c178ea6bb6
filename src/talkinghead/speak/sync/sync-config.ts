/** Settings of SyncNet's training. */
import { isAtLeast, isFlag, isObject, isOneOf, isWhole, type Shape } from '../../../io/index.js';
import { type ComputeType, computeTypes } from '../../../pipeline/compute.js';
import { ConfigError } from '../../../torch/index.js';
import { readSettings, type Settings } from '../../training/settings.js';
import { SyncNet, type SyncShape } from './sync-net.js';

export interface SyncConfig {
  readonly seed: number;
  readonly threads: number;
  /** What the network computes in; `bfloat16` by autocast. */
  readonly compute: ComputeType;
  /** Pixels that frames are read at, out of which mouths are cut. */
  readonly size: number;
  readonly network: SyncShape;
  /** Of the contrastive loss. */
  readonly margin: number;
  /** Pairs in sync of a step; there are as many that are not. */
  readonly windows: number;
  /** Of the pairs that are not in sync, the share whose sound is of the same clip, so many frames away: the hard ones. */
  readonly shiftShare: number;
  readonly leastShift: number;
  readonly mostShift: number;
  /** Mirrors frames, changes their colours and the mouth's place, and the sound's loudness. */
  readonly augment: boolean;
  /** People who are for the test alone: those who come last. */
  readonly testPeople: number;
  readonly steps: number;
  readonly lr: number;
  readonly weightDecay: number;
  readonly keepEvery: number;
}

const standard: SyncConfig = {
  seed: 1,
  threads: 1,
  compute: 'float32',
  size: 64,
  network: { frames: 5, mouth: 32, width: 16, embedding: 64 },
  margin: 1,
  windows: 24,
  shiftShare: 0.6,
  leastShift: 3,
  mostShift: 15,
  augment: true,
  testPeople: 10,
  steps: 2000,
  lr: 1e-3,
  weightDecay: 1e-2,
  keepEvery: 100,
};

export const syncRecipes: Readonly<Record<string, SyncConfig>> = {
  standard,
  /** Frames of 256 pixels, mouths and layers as large as those of published sync networks. */
  paper: {
    ...standard,
    size: 256,
    network: { frames: 5, mouth: 128, width: 64, embedding: 512 },
    windows: 64,
    steps: 100_000,
    lr: 1e-4,
    keepEvery: 1000,
  },
};

const isConfig: Shape = isObject({
  seed: isWhole(0),
  threads: isWhole(1),
  compute: isOneOf(computeTypes),
  size: isWhole(16),
  network: isObject({ frames: isWhole(1), mouth: isWhole(8), width: isWhole(1), embedding: isWhole(1) }),
  margin: isAtLeast(0),
  windows: isWhole(2),
  shiftShare: isAtLeast(0),
  leastShift: isWhole(1),
  mostShift: isWhole(1),
  augment: isFlag,
  testPeople: isWhole(0),
  steps: isWhole(1),
  lr: isAtLeast(0),
  weightDecay: isAtLeast(0),
  keepEvery: isWhole(1),
});

/**
 * The settings that a recipe (`standard`, `paper`), or a JSON file with `recipe` and what it changes, stands for.
 * @throws ConfigError, DataError
 */
export function readSyncConfig(name: string, set: Settings = {}): SyncConfig {
  const config = readSettings(name, syncRecipes, isConfig, set);
  const { shiftShare, leastShift, mostShift, network } = config;
  if (shiftShare > 1) throw new ConfigError(`Expected shiftShare from 0 to 1, got ${shiftShare}`);
  if (leastShift > mostShift)
    throw new ConfigError(`Expected leastShift of at most mostShift, got ${leastShift} and ${mostShift}`);
  new SyncNet(network, { device: 'meta' }); // which checks the shape
  return config;
}

/** Frames that a clip must have: a window, and one that is shifted. */
export function leastFrames({ network, leastShift }: SyncConfig): number {
  return network.frames + 2 * leastShift;
}
