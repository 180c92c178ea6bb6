/** Settings of the voice model's training: a recipe, or a JSON file that changes one. */
import { isAtLeast, isList, isNumber, isObject, isText, isWhole, type Shape } from '../../io/index.js';
import { ConfigError } from '../../torch/index.js';
import { threadCounts } from '../ranges.js';
import { readSettings, type Settings } from '../training/settings.js';
import { type AugmentOptions, usualAugmentation } from './augment.js';
import type { NetworkShape } from './network.js';

/** A synthesiser's voice, and how many texts it speaks. */
export interface VoiceSource {
  readonly voice: string;
  readonly texts: number;
}

export interface VoiceConfig {
  readonly seed: number;
  readonly threads: number;
  readonly network: NetworkShape;
  readonly dropout: number;
  /** Voices to learn from, others by which settings are chosen, and others for the test alone. */
  readonly voices: readonly VoiceSource[];
  readonly validationVoices: readonly VoiceSource[];
  readonly testVoices: readonly VoiceSource[];
  /** People of the real clips who are for the test alone; all others are learnt from. */
  readonly testSpeakers: readonly string[];
  readonly augment: AugmentOptions;
  /** In how many ways each clip is heard; one more is the clip as it is. */
  readonly variants: number;
  readonly steps: number;
  /** Windows of a step, of them those of real clips, and steps of 20 ms of a window. */
  readonly batch: number;
  readonly realBatch: number;
  readonly window: number;
  readonly lr: number;
  readonly weightDecay: number;
  /** Weights of the parts of the loss, beside that of the moves. */
  readonly loss: {
    /** Of sealed lips. */
    readonly closure: number;
    /** Of 1 - correlation with the exact opening. */
    readonly exact: number;
    /** Of 1 - correlation with the opening, and with the width, that a camera saw. */
    readonly opening: number;
    readonly width: number;
  };
  /** Training steps between two checkpoints. */
  readonly keepEvery: number;
}

const voices = (list: readonly (readonly [string, number])[]): VoiceSource[] =>
  list.map(([voice, texts]) => ({ voice, texts }));

export const voiceRecipes: Readonly<Record<string, VoiceConfig>> = {
  standard: {
    seed: 1,
    threads: 1,
    network: { width: 96, dilations: [1, 2, 4, 8, 1, 2, 4] },
    dropout: 0.1,
    voices: voices([
      ['flite:slt', 240],
      ['flite:awb', 240],
      ['festival:kal_diphone', 100],
      ['festival:cmu_us_slt_arctic_hts', 60],
      ['festival:lp_diphone', 60],
      ['festival:pc_diphone', 60],
      ['festival:suo_fi_lj_diphone', 60],
      ['festival:hy_fi_mv_diphone', 60],
      ['festival:czech_dita', 60],
      ['festival:czech_machac', 60],
      ['festival:czech_ph', 60],
      ['festival:upc_ca_ona_hts', 60],
      ['espeak:en-us', 60],
      ['espeak:en-us+klatt2', 40],
      ['espeak:en-us+klatt4', 40],
      ['espeak:en-gb-x-rp+m3', 40],
      ['espeak:en-gb-scotland+f4', 40],
      ['espeak:en-us+f3', 40],
      ['espeak:es+f2', 40],
      ['espeak:it+m5', 40],
      ['espeak:nl+f4', 40],
      ['espeak:pt-br+m2', 40],
      ['espeak:sv+f1', 40],
      ['espeak:pl+m7', 40],
      ['espeak:tr+f5', 40],
      ['espeak:fi+m1', 40],
      ['espeak:en-us+m1', 40],
      ['espeak:en-us+f1', 40],
      ['espeak:hu+m4', 30],
      ['espeak:ro+f3', 30],
      ['espeak:nb+m3', 30],
      ['espeak:ca+f5', 30],
    ]),
    validationVoices: voices([
      ['festival:ked_diphone', 40],
      ['espeak:en-us+m3', 30],
      ['espeak:da+f4', 30],
      ['espeak:eo+m5', 30],
    ]),
    testVoices: voices([
      ['flite:rms', 40],
      ['espeak:en-us+m6', 30],
      ['espeak:de+f2', 30],
      ['espeak:fr+m4', 30],
    ]),
    testSpeakers: [],
    augment: usualAugmentation,
    variants: 3,
    steps: 4500,
    batch: 24,
    realBatch: 7,
    window: 150,
    lr: 2e-3,
    weightDecay: 1e-3,
    loss: { closure: 0.7, exact: 1, opening: 1, width: 0.3 },
    keepEvery: 250,
  },
};

const isVoices = isList(isObject({ voice: isText, texts: isWhole(1) }));

const isConfig: Shape = isObject({
  seed: isWhole(0),
  threads: isWhole(...threadCounts),
  network: isObject({ width: isWhole(1), dilations: isList(isWhole(1)) }),
  dropout: isAtLeast(0),
  voices: isVoices,
  validationVoices: isVoices,
  testVoices: isVoices,
  testSpeakers: isList(isText),
  augment: isObject({
    speed: isAtLeast(0),
    warp: isAtLeast(0),
    song: isAtLeast(0),
    room: isAtLeast(0),
    noise: isAtLeast(0),
    telephone: isAtLeast(0),
    gain: isAtLeast(0),
  }),
  variants: isWhole(0),
  steps: isWhole(1),
  batch: isWhole(1),
  realBatch: isWhole(0),
  window: isWhole(40),
  lr: isNumber,
  weightDecay: isAtLeast(0),
  loss: isObject({ closure: isAtLeast(0), exact: isAtLeast(0), opening: isAtLeast(0), width: isAtLeast(0) }),
  keepEvery: isWhole(1),
});

/**
 * The settings that a recipe's name, or a JSON file with `recipe` and what it changes, stands for.
 * @param set - changes by path: `{ 'loss.opening': 0.5 }`
 * @throws ConfigError, DataError for settings that there are not, or of another kind
 */
export function readVoiceConfig(name: string, set: Settings = {}): VoiceConfig {
  const config = readSettings(name, voiceRecipes, isConfig, set);
  if (config.realBatch > config.batch)
    throw new ConfigError(`Expected realBatch of at most batch, ${config.batch}, got ${config.realBatch}`);
  return config;
}
