/** Settings of the second stage's training. */
import { isAtLeast, isFlag, isObject, isOneOf, isText, isWhole, type Shape } from '../../../io/index.js';
import { type ComputeType, computeTypes } from '../../../pipeline/compute.js';
import { ConfigError } from '../../../torch/index.js';
import { readSettings, type Settings } from '../../training/settings.js';
import { type GanSettings, isGan, noGan } from '../adversary.js';
import { type LossMode, lossModes } from '../losses.js';
import type { MappingShape } from '../stylegan.js';
import type { TalkingForm } from '../talking-generator.js';

/**
 * Where the emotion of frames is taken from: `frame`, each frame itself, as published, so that its mouth is in the code; `other`,
 * another frame of the clip; `clip`, the mean code of some of its frames; `label`, another clip of the person with the same emotion.
 */
export const emotionSources = ['frame', 'other', 'clip', 'label'] as const;
export type EmotionFrom = (typeof emotionSources)[number];

/** Where the frame is taken from that shows who it is: of the same clip, or of any clip of the person, where moods may differ. */
export const portraitSources = ['clip', 'person'] as const;
export type PortraitFrom = (typeof portraitSources)[number];

/** What SyncNet holds made frames against: their sound, as the paper's words say, or the true frames, as its formula does. */
export const syncTargets = ['sound', 'frames'] as const;
export type SyncTarget = (typeof syncTargets)[number];

/** Where the second stage's encoders come from: IRFD, or nowhere, to see what IRFD is worth. */
export const encoderOrigins = ['irfd', 'fresh'] as const;
export type EncoderOrigin = (typeof encoderOrigins)[number];

/** Weights of the parts; that of the discriminator is `gan.weight`. */
export interface TalkingWeights {
  readonly sync: number;
  readonly perceptual: number;
  /** Of all pixels, and of those of the mouth; not in literal mode. */
  readonly pixels: number;
  readonly mouth: number;
  /** Of where landmarks are fetched from in the portrait; of the form `portrait`, not in literal mode. */
  readonly landmarks: number;
  /** Of the codes of made frames, against those they were made of; not in literal mode. */
  readonly identity: number;
  readonly emotion: number;
  readonly pose: number;
}

export interface TalkingConfig {
  readonly seed: number;
  readonly threads: number;
  /** Threads that share out each step's stretches, with networks of their own: the steps are those of one. */
  readonly replicas: number;
  /** What networks compute in; `bfloat16` by autocast. */
  readonly compute: ComputeType;
  readonly mode: LossMode;
  /** A run of `talk train irfd`, or its model: whose codes, and pictures of what size. */
  readonly irfd: string;
  /** `fresh`: encoders of the same shape as IRFD's that know nothing yet; they must learn (`tune`), and have no codes to keep. */
  readonly encoders: EncoderOrigin;
  /**
   * How fast its encoders go on learning, of `lr`: 0 leaves them as they are, as the paper seems to. Codes that change cannot be held
   * against IRFD's: the losses of codes are for 0 alone.
   */
  readonly tune: number;
  /** A run of `talk train syncnet`, or its model; none where `loss.sync` is 0. */
  readonly sync: string;
  readonly syncTarget: SyncTarget;
  /** The step from which on the sync loss counts. */
  readonly syncFrom: number;
  /** `irfd`: features of its encoders. Or a folder with a VGG's weights by torchvision's names. */
  readonly perceptual: string;
  /** `voice`: the network that comes with Headrace. Or a file of `talk train voice`, or a folder with a wav2vec 2.0. */
  readonly sound: string;
  /** Frames to either side whose sound a frame is made by. */
  readonly context: number;
  readonly form: TalkingForm;
  /** Whether the generator sees the portrait whose pixels it moves; of the form `portrait` alone. */
  readonly sees: boolean;
  /** How many times as large as IRFD's the pictures are: a power of two. Its encoders see them made smaller. */
  readonly scale: number;
  readonly width: number;
  readonly face: number;
  readonly mapping: MappingShape;
  readonly channels: number;
  readonly budget: number;
  readonly portraitFrom: PortraitFrom;
  readonly emotionFrom: EmotionFrom;
  /** Whether the pose's encoder sees frames without their mouths. */
  readonly hideMouth: boolean;
  /** Whether colours of the frames that pose and emotion are read from, and the place of the latter, are changed at random. */
  readonly augment: boolean;
  /** Stretches of clips in a step, and frames of each that follow one another. */
  readonly clips: number;
  readonly frames: number;
  readonly testPeople: number;
  readonly steps: number;
  readonly lr: number;
  readonly gan: GanSettings;
  readonly loss: TalkingWeights;
  readonly keepEvery: number;
  readonly sheetEvery: number;
}

const standard: TalkingConfig = {
  seed: 1,
  threads: 1,
  replicas: 1,
  compute: 'float32',
  mode: 'repaired',
  irfd: '',
  encoders: 'irfd',
  tune: 0.3,
  sync: '',
  syncTarget: 'sound',
  syncFrom: 500,
  perceptual: 'irfd',
  sound: 'voice',
  context: 2,
  form: 'portrait',
  sees: true,
  scale: 1,
  width: 64,
  face: 64,
  mapping: { layers: 2, rate: 1 },
  channels: 96,
  budget: 1024,
  portraitFrom: 'person',
  emotionFrom: 'other',
  hideMouth: true,
  augment: false,
  clips: 4,
  frames: 5,
  testPeople: 20,
  steps: 2000,
  lr: 2e-3,
  gan: { ...noGan, weight: 0.05 },
  loss: { sync: 0.3, perceptual: 1, pixels: 2, mouth: 6, landmarks: 40, identity: 0, emotion: 0, pose: 0 },
  keepEvery: 50,
  sheetEvery: 250,
};

/** Equation 13: a plain sum of three, with everything of a frame taken from the frame itself. */
const literal: TalkingConfig = {
  ...standard,
  mode: 'literal',
  tune: 0,
  syncTarget: 'frames',
  syncFrom: 0,
  form: 'picture',
  sees: false,
  portraitFrom: 'clip',
  emotionFrom: 'frame',
  hideMouth: false,
  augment: false,
  gan: { ...noGan, weight: 1, kind: 'printed' },
  loss: { sync: 1, perceptual: 1, pixels: 0, mouth: 0, landmarks: 0, identity: 0, emotion: 0, pose: 0 },
};

export const talkingRecipes: Readonly<Record<string, TalkingConfig>> = {
  standard,
  literal,
  /** StyleGAN2's sizes, for an IRFD of 256 pixels. */
  paper: {
    ...literal,
    width: 512,
    face: 512,
    mapping: { layers: 4, rate: 0.01 },
    channels: 512,
    budget: 16384,
    lr: 1e-4,
    gan: { ...literal.gan, lr: 1e-4, layers: 4, width: 64 },
  },
};

const isConfig: Shape = isObject({
  seed: isWhole(0),
  threads: isWhole(1),
  replicas: isWhole(1),
  compute: isOneOf(computeTypes),
  mode: isOneOf(lossModes),
  irfd: isText,
  encoders: isOneOf(encoderOrigins),
  tune: isAtLeast(0),
  sync: isText,
  syncTarget: isOneOf(syncTargets),
  syncFrom: isWhole(0),
  perceptual: isText,
  sound: isText,
  context: isWhole(0),
  form: isOneOf(['picture', 'portrait']),
  sees: isFlag,
  scale: isWhole(1),
  width: isWhole(1),
  face: isWhole(1),
  mapping: isObject({ layers: isWhole(1), rate: isAtLeast(0) }),
  channels: isWhole(1),
  budget: isWhole(1),
  portraitFrom: isOneOf(portraitSources),
  emotionFrom: isOneOf(emotionSources),
  hideMouth: isFlag,
  augment: isFlag,
  clips: isWhole(1),
  frames: isWhole(1),
  testPeople: isWhole(0),
  steps: isWhole(1),
  lr: isAtLeast(0),
  gan: isGan,
  loss: isObject({
    sync: isAtLeast(0),
    perceptual: isAtLeast(0),
    pixels: isAtLeast(0),
    mouth: isAtLeast(0),
    landmarks: isAtLeast(0),
    identity: isAtLeast(0),
    emotion: isAtLeast(0),
    pose: isAtLeast(0),
  }),
  keepEvery: isWhole(1),
  sheetEvery: isWhole(1),
});

/**
 * The settings that a recipe (`standard`, `literal`, `paper`), or a JSON file with `recipe` and what it changes, stands for.
 * @throws ConfigError, DataError
 */
export function readTalkingConfig(name: string, set: Settings = {}): TalkingConfig {
  const config = readSettings(name, talkingRecipes, isConfig, set);
  if (config.irfd === '')
    throw new ConfigError('Expected a run of headrace talk train irfd whose codes are learnt from (irfd: RUN)');
  if (config.loss.sync > 0 && config.sync === '')
    throw new ConfigError(
      'Expected a run of headrace talk train syncnet (sync: RUN), or a training without it (loss.sync: 0)',
    );
  const { encoders, tune, loss, clips, replicas, scale } = config;
  if (!Number.isInteger(Math.log2(scale))) throw new ConfigError(`Expected scale to be a power of two, got ${scale}`);
  if (clips % replicas !== 0)
    throw new ConfigError(`Expected as many clips for each of ${replicas} replicas, got ${clips} clips of a step`);
  if (encoders === 'fresh' && tune === 0)
    throw new ConfigError('Expected encoders that begin anew (encoders: fresh) to learn (tune above 0), got tune 0');
  if (tune > 0 && loss.identity + loss.emotion + loss.pose > 0)
    throw new ConfigError(
      `Expected no codes of IRFD's to be kept (loss.identity, loss.emotion and loss.pose of 0) where encoders learn on, got tune ${tune}`,
    );
  return config;
}
