/** What the training of a reader does. */
import {
  isFlag,
  isList,
  isObject,
  isOneOf,
  isText,
  isWhole,
  optional,
  orNull,
  type Shape,
} from '../../io/json-file.js';
import { isFactors } from '../../pipeline/config-check.js';
import { labelReaders } from './labels.js';
import { readRecipe } from './read-recipe.js';
import type { HeadOptions } from './reader-model.js';
import type { SetConfig } from './sets.js';
import { isPositive, isShare, type TrainingSettings, trainingShapes } from './training.js';

export interface FinetuneConfig extends TrainingSettings {
  /** In place of epochs. */
  readonly steps: number | null;
  readonly sets: Readonly<Record<string, SetConfig>>;
  readonly heads: HeadOptions;
  /** Two-way LSTMs in place of the folder's encoder, over its pieces, with whose vectors they begin: to compare with. Null: none. */
  readonly lstm: { readonly layers: number; readonly width: number } | null;
  /** Dropout of the encoder, in place of what its folder says. */
  readonly dropout: number;
  /** What the learning rate is multiplied by in the encoder, which has learnt before; see `RunConfig.lrFactors`. */
  readonly lrFactors: Readonly<Record<string, number>>;
  /** Tokens that are read of a text. */
  readonly length: number;
  /** How the reader's weights are kept: int8 takes half of float16, and a scale for each row. */
  readonly weights: 'float16' | 'int8';
  /** The most tokens of a batch. */
  readonly batchTokens: number;
}

const parts = (name: string): { train: string; valid: string; test: string } => ({
  train: `text/${name}.train.tsv`,
  valid: `text/${name}.dev.tsv`,
  test: `text/${name}.test.tsv`,
});

const reader: FinetuneConfig = {
  sets: {
    sst: { kind: 'grades', ...parts('sst5'), repeats: 2, careless: true },
    cr: { kind: 'binary', whole: 'text/cr.tsv', repeats: 2, careless: true },
    mpqa: { kind: 'binary', train: 'text/mpqa.tsv' },
    mr: {
      kind: 'binary',
      test: 'text/mr.tsv',
      without: ['text/sst5.train.tsv', 'text/sst5.dev.tsv', 'text/sst5.test.tsv'],
    },
    imdb: { kind: 'stars', train: 'text/imdb.train.tsv', test: 'text/imdb.test.tsv', weight: 0.5, pieces: 2 },
    goemotions: { kind: 'goemotions', ...parts('goemotions') },
    'tweet-emotion': { kind: 'tweet-emotion', ...parts('tweet-emotion'), repeats: 2 },
    'tweet-irony': { kind: 'irony', ...parts('tweet-irony') },
    meld: { kind: 'utterances', folder: 'meld' },
    mosi: { kind: 'utterances', folder: 'mosi', repeats: 3 },
    phrases: { kind: 'phrases', each: 300 },
  },
  heads: { hidden: 256, filters: 256, dropout: 0.3 },
  lstm: null,
  dropout: 0.1,
  lrFactors: {},
  length: 64,
  weights: 'float16',
  batchTokens: 2048,
  epochs: 3,
  steps: null,
  lr: 2e-4,
  warmupEpochs: 0.1,
  compute: 'bfloat16',
  checkpointEvery: 200,
  seed: 0,
};

/** On the Universal Sentence Encoder lite, which has learnt English before: small steps there. */
const sentence: FinetuneConfig = {
  ...reader,
  sets: {
    ...reader.sets,
    sst: { ...reader.sets.sst!, repeats: 3 },
    cr: { ...reader.sets.cr!, repeats: 3 },
    imdb: { kind: 'stars', train: 'text/imdb.train.tsv', test: 'text/imdb.test.tsv', weight: 0.5, limit: 8000 },
  },
  epochs: 2,
  lr: 1e-3,
  lrFactors: { encoder: 0.2 },
  warmupEpochs: 0.05,
  weights: 'int8',
};

/** On a BERT of the usual size: small steps there, as its authors have them (arXiv 1810.04805), larger ones in what is new. */
const bert: FinetuneConfig = { ...reader, lr: 2e-4, lrFactors: { bert: 0.1 } };

export const finetuneRecipes: Readonly<Record<string, FinetuneConfig>> = {
  reader,
  bert,
  bilstm: { ...reader, lstm: { layers: 1, width: 256 }, compute: 'float32', epochs: 2, lr: 1e-3 },
  sentence: {
    ...sentence,
    sets: Object.fromEntries(Object.entries(sentence.sets).filter(([name]) => name !== 'mpqa')),
  },
};

const isSet = isObject({
  kind: isOneOf([...Object.keys(labelReaders), 'utterances', 'phrases']),
  train: optional(isText),
  valid: optional(isText),
  test: optional(isText),
  whole: optional(isText),
  folder: optional(isText),
  without: optional(isList(isText)),
  repeats: optional(isWhole(1)),
  weight: optional(isPositive),
  pieces: optional(isWhole(1)),
  limit: optional(isWhole(1)),
  careless: optional(isFlag),
  each: optional(isWhole(1)),
});
const areSets: Shape = (value, at) => {
  const faults = isObject({})(value, at);
  if (faults.length > 0) return faults;
  return Object.entries(value as object).flatMap(([name, set]) => (set === null ? [] : isSet(set, `${at}.${name}`)));
};

const shape = isObject({
  sets: areSets,
  heads: isObject({ hidden: isWhole(1), filters: isWhole(0), dropout: isShare }),
  lstm: orNull(isObject({ layers: isWhole(1), width: isWhole(2) })),
  dropout: isShare,
  lrFactors: isFactors,
  length: isWhole(8),
  weights: isOneOf(['float16', 'int8']),
  steps: orNull(isWhole(1)),
  batchTokens: isWhole(8),
  epochs: isWhole(1),
  ...trainingShapes,
});

/** @param name - `reader`, `bert`, `bilstm`, `sentence`, or a JSON file that changes it; @param set - fields by their paths. A set that is null is left out */
export function readFinetuneConfig(name: string, set: Readonly<Record<string, unknown>> = {}): FinetuneConfig {
  const config = readRecipe(name, finetuneRecipes, shape, set);
  const sets = Object.entries(config.sets).filter(([, each]) => each !== null);
  return { ...config, sets: Object.fromEntries(sets) };
}
