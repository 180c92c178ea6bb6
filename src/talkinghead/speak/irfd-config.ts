/** Settings of IRFD's training. */
import { isAtLeast, isFlag, isNumber, isObject, isOneOf, isText, isWhole, type Shape } from '../../io/index.js';
import { expressionNames } from '../../media/index.js';
import { type ComputeType, computeTypes } from '../../pipeline/compute.js';
import { ConfigError } from '../../torch/index.js';
import { threadCounts } from '../ranges.js';
import { readSettings, type Settings } from '../training/settings.js';
import { type GanSettings, isGan, noGan } from './adversary.js';
import { type EncoderShape, encoderDepths } from './encoder.js';
import type { Factor, IrfdShape } from './irfd.js';
import { type LossMode, type LossWeights, lossModes } from './losses.js';
import { type MappingShape, resolutions } from './stylegan.js';

export interface IrfdConfig {
  readonly seed: number;
  readonly threads: number;
  /** Threads that share out each step's pairs, with networks of their own: the steps are those of one. */
  readonly replicas: number;
  /** What networks compute in; `bfloat16` by autocast. */
  readonly compute: ComputeType;
  readonly mode: LossMode;
  /** Pixels of the pictures' sides. */
  readonly size: number;
  readonly encoder: EncoderShape;
  /** A run of `talk train trunk`, whose trunk all three encoders begin with; '' for none. */
  readonly trunk: string;
  readonly codes: Readonly<Record<Factor, number>>;
  /** Identity's code on a sphere. */
  readonly sphere: boolean;
  readonly style: number;
  readonly mapping: MappingShape;
  /** Channels of the decoder's smallest maps, and what their number times the map's side is at most. */
  readonly channels: number;
  readonly budget: number;
  /** People who are for the test alone: the last of the set. */
  readonly testPeople: number;
  /** Exchanges that are drawn exactly, for each clip. */
  readonly exchanges: number;
  /** Pairs of a step; of them the shares whose exchange is drawn exactly, of one clip, and of one person. */
  readonly pairs: number;
  readonly exactShare: number;
  readonly clipShare: number;
  readonly personShare: number;
  /** How much more a pixel of the inner face counts than one elsewhere. */
  readonly faceWeight: number;
  /** Whether encoders of emotion and pose see pictures in other colours, and that of emotion elsewhere, too. */
  readonly augment: boolean;
  readonly steps: number;
  /** Of encoders and classifier, and of the decoder. */
  readonly lr: number;
  readonly decoderLr: number;
  readonly alpha: number;
  readonly loss: LossWeights;
  /** A discriminator of pictures, which the paper's first stage has not. */
  readonly gan: GanSettings;
  /** Training steps between two checkpoints, and between two pictures of exchanges. */
  readonly keepEvery: number;
  readonly sheetEvery: number;
}

const standard: IrfdConfig = {
  seed: 1,
  threads: 1,
  replicas: 1,
  compute: 'float32',
  mode: 'repaired',
  size: 64,
  encoder: { depth: 10, width: 16 },
  trunk: '',
  codes: { identity: 96, emotion: 24, pose: 8 },
  sphere: true,
  style: 96,
  mapping: { layers: 2, rate: 1 },
  channels: 96,
  budget: 1024,
  testPeople: 20,
  exchanges: 2,
  pairs: 8,
  exactShare: 0.5,
  clipShare: 0.25,
  personShare: 0.125,
  faceWeight: 4,
  augment: true,
  steps: 1500,
  lr: 1e-3,
  decoderLr: 2e-3,
  alpha: 0.2,
  loss: { self: 10, exact: 10, identity: 1, emotion: 0.5, pose: 0.5, classification: 0.5 },
  gan: noGan,
  keepEvery: 50,
  sheetEvery: 250,
};

const literal: IrfdConfig = {
  ...standard,
  mode: 'literal',
  sphere: false,
  exchanges: 0,
  exactShare: 0,
  clipShare: 0.25,
  faceWeight: 0,
  augment: false,
  loss: { self: 1, exact: 0, identity: 1, emotion: 1, pose: 1, classification: 1 },
};

export const irfdRecipes: Readonly<Record<string, IrfdConfig>> = {
  standard,
  literal,
  /** The sizes that the paper tells, and StyleGAN2's where it tells none. */
  paper: {
    ...literal,
    size: 256,
    encoder: { depth: 50, width: 64 },
    codes: { identity: 512, emotion: 512, pose: 512 },
    style: 512,
    mapping: { layers: 8, rate: 0.01 },
    channels: 512,
    budget: 16384,
    lr: 1e-4,
    decoderLr: 1e-4,
  },
};

const isConfig: Shape = isObject({
  seed: isWhole(0),
  threads: isWhole(...threadCounts),
  replicas: isWhole(1),
  compute: isOneOf(computeTypes),
  mode: isOneOf(lossModes),
  size: isWhole(8),
  encoder: isObject({ depth: isWhole(10), width: isWhole(1) }),
  trunk: isText,
  codes: isObject({ identity: isWhole(1), emotion: isWhole(1), pose: isWhole(1) }),
  sphere: isFlag,
  style: isWhole(1),
  mapping: isObject({ layers: isWhole(1), rate: isNumber }),
  channels: isWhole(1),
  budget: isWhole(1),
  testPeople: isWhole(0),
  exchanges: isWhole(0),
  pairs: isWhole(1),
  exactShare: isAtLeast(0),
  clipShare: isAtLeast(0),
  personShare: isAtLeast(0),
  faceWeight: isAtLeast(0),
  augment: isFlag,
  steps: isWhole(1),
  lr: isAtLeast(0),
  decoderLr: isAtLeast(0),
  alpha: isAtLeast(0),
  loss: isObject({
    self: isAtLeast(0),
    exact: isAtLeast(0),
    identity: isAtLeast(0),
    emotion: isAtLeast(0),
    pose: isAtLeast(0),
    classification: isAtLeast(0),
  }),
  gan: isGan,
  keepEvery: isWhole(1),
  sheetEvery: isWhole(1),
});

/**
 * The settings that a recipe (`standard`, `literal`, `paper`), or a JSON file with `recipe` and what it changes, stands for.
 * @throws ConfigError, DataError
 */
export function readIrfdConfig(name: string, set: Settings = {}): IrfdConfig {
  const config = readSettings(name, irfdRecipes, isConfig, set);
  const { encoder, exactShare, clipShare, personShare, exchanges, pairs, replicas } = config;
  if (pairs % replicas !== 0)
    throw new ConfigError(`Expected as many pairs for each of ${replicas} replicas, got ${pairs} pairs`);
  resolutions(config);
  if (!encoderDepths.includes(encoder.depth))
    throw new ConfigError(`Expected encoder.depth among ${encoderDepths.join(', ')}, got ${encoder.depth}`);
  if (exactShare + clipShare + personShare > 1)
    throw new ConfigError(
      `Expected exactShare, clipShare and personShare to be 1 at most together, got ${exactShare + clipShare + personShare}`,
    );
  if (exactShare > 0 && exchanges === 0)
    throw new ConfigError(`Expected exchanges of 1 or more for exactShare ${exactShare}, got 0`);
  return config;
}

/** The model that a configuration makes. */
export function shapeOf(config: IrfdConfig): IrfdShape {
  const { size, style, channels, budget, encoder, codes, sphere, mapping } = config;
  return { size, style, channels, budget, encoder, codes, sphere, mapping, emotions: expressionNames.length };
}
