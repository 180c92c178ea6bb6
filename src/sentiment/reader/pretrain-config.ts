/** What a pre-training of a text encoder does. */
import { isList, isObject, isOneOf, isText, isWhole } from '../../io/json-file.js';
import { readRecipe } from './read-recipe.js';
import { isShare, type TrainingSettings, trainingShapes } from './training.js';

export interface PretrainConfig extends TrainingSettings {
  /** Files of the data folder: `.tsv`, a label, a tab and a text a line; others, a text a line. */
  readonly texts: readonly string[];
  /** Word pieces that are learnt from the texts, with the special tokens. */
  readonly vocabulary: number;
  readonly model: {
    readonly layers: number;
    readonly width: number;
    readonly heads: number;
    readonly inner: number;
    readonly dropout: number;
  };
  /** Tokens of a row. */
  readonly length: number;
  /** The most tokens that the encoder will read. */
  readonly places: number;
  readonly batchSize: number;
  /** 0: the vocabulary alone is learnt, and the encoder is as it begins. */
  readonly epochs: number;
  readonly schedule: 'bp' | 'ppll';
  /** Of ppll. */
  readonly stages: number;
}

/** Three layers of width 192: 2.9 million parameters, half of them the vectors of 8,000 pieces. */
const small: PretrainConfig = {
  texts: [
    'text/imdb.unlabelled.txt',
    'text/imdb.train.tsv',
    'text/sst5.train.tsv',
    'text/mpqa.tsv',
    'text/goemotions.train.tsv',
    'text/tweet-emotion.train.tsv',
    'text/tweet-irony.train.tsv',
  ],
  vocabulary: 8000,
  model: { layers: 3, width: 192, heads: 3, inner: 768, dropout: 0 },
  length: 64,
  places: 256,
  batchSize: 64,
  epochs: 3,
  lr: 1.5e-3,
  warmupEpochs: 0.03,
  schedule: 'bp',
  stages: 2,
  compute: 'bfloat16',
  checkpointEvery: 200,
  seed: 0,
};

export const pretrainRecipes: Readonly<Record<string, PretrainConfig>> = {
  small,
  /** Twice the layers: of a small encoder (`bert`), which learns on. */
  deep: { ...small, model: { ...small.model, layers: 6 }, epochs: 2, lr: 1e-3 },
  medium: { ...small, model: { layers: 4, width: 256, heads: 4, inner: 1024, dropout: 0 }, lr: 1e-3 },
};

const shape = isObject({
  texts: isList(isText),
  vocabulary: isWhole(6),
  model: isObject({ layers: isWhole(1), width: isWhole(1), heads: isWhole(1), inner: isWhole(1), dropout: isShare }),
  length: isWhole(8),
  places: isWhole(8),
  batchSize: isWhole(1),
  epochs: isWhole(0),
  schedule: isOneOf(['bp', 'ppll']),
  stages: isWhole(2),
  ...trainingShapes,
});

/** @param name - `small`, `deep`, `medium`, or a JSON file that changes one; @param set - fields by their paths */
export function readPretrainConfig(name: string, set: Readonly<Record<string, unknown>> = {}): PretrainConfig {
  return readRecipe(name, pretrainRecipes, shape, set);
}
