/** Text as a configuration wants it: the tokens of a data set, and the encoder that reads them. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PackedSequences, type SequenceFeatures } from '../features/sequences.js';
import { buildSeeded, skipInit } from '../nn/index.js';
import { readBertConfig } from '../text/bert-config.js';
import { BertEncoder } from '../text/bert-encoder.js';
import { loadBertWeights } from '../text/bert-weights.js';
import type { TextEncoder } from '../text/encoder.js';
import { type FeaturePool, FeatureText } from '../text/feature-text.js';
import { lexiconScores } from '../text/lexicon.js';
import { type TextTokenizer, WordTokenizer } from '../text/tokenizer.js';
import { splitWords, WordVectors } from '../text/word-vectors.js';
import { WordPieceTokenizer } from '../text/wordpiece.js';
import { WordEncoder } from '../text/words.js';
import { ConfigError, DataError, deriveSeed } from '../torch/index.js';
import type { TextConfig } from './config.js';
import type { SentimentData } from './datasets/index.js';
import { shippedModel } from './reader/folder.js';
import { SentimentReader } from './reader/reader.js';

/** How the texts of one run become vectors. A run's folder keeps what it takes to make it again. */
export interface TextReader {
  /** Null where texts come as features. */
  readonly tokenizer: TextTokenizer | null;
  /** A fresh encoder. @param trained - whether its weights will be loaded, so that none need be drawn or read */
  encoder(seed: number, trained?: boolean): TextEncoder;
  /** Makes features of texts, where a reader makes them once for all before a model is trained on them; else null. */
  readonly rows: ((texts: readonly string[]) => SequenceFeatures) | null;
  /** Words of the vocabulary, to be kept with a model; null where a folder holds it. */
  readonly vocabulary: readonly string[] | null;
  /** Paths of what a trained model needs of the text's `folder`: a copy of it that holds them will do. Weights are not among them. */
  readonly files: readonly string[];
}

/**
 * @param data - null for a trained model
 * @param vocabulary - of a trained model; by default it is made from the vectors, or from the training texts
 * @param width - of a trained model's text features; by default the data's
 * @throws DataError, ConfigError
 */
export function textReader(
  config: TextConfig,
  data: SentimentData | null,
  vocabulary?: readonly string[],
  width?: number,
): TextReader {
  if (config.kind === 'words') return wordReader(config, data, vocabulary);
  if (config.kind === 'bert') return bertReader(config, data);
  if (config.kind === 'shipped') return shippedReader(config, width);
  if (config.kind === 'features') return featureReader(config, data, width);
  const { kind } = config as { readonly kind: unknown };
  throw new ConfigError(`Expected text of kind words, bert, shipped or features, got '${String(kind)}'`);
}

function wordReader(
  config: Extract<TextConfig, { kind: 'words' }>,
  data: SentimentData | null,
  vocabulary?: readonly string[],
): TextReader {
  const { kind: _, vectors: folder, vocabulary: kept = 'all', lexicon, ...options } = config;
  const vectors = folder === null || vocabulary ? null : readVectors(folder, kept, data!);
  const words = vocabulary ?? vectors?.words ?? wordsOf(data!);
  const tokenizer = new WordTokenizer(words);
  return {
    tokenizer,
    vocabulary: words,
    files: [],
    rows: null,
    encoder: (seed, trained = false) => {
      // Vectors drawn at random mean nothing until they are trained.
      const made = {
        ...options,
        ...(vectors ? { dims: vectors.dims } : {}),
        ...(folder === null ? { tuneVectors: true } : {}),
        ...(lexicon ? { scores: true } : {}),
      };
      const own = deriveSeed(seed, 'init', 'text');
      const encoder = buildSeeded(() => new WordEncoder(tokenizer.size, made), own);
      if (vectors && !trained) encoder.setVectors(vectors.tensor());
      if (lexicon && !trained) encoder.setScores(lexiconScores(lexicon, words));
      return encoder;
    },
  };
}

function bertReader(
  config: Extract<TextConfig, { kind: 'bert' }> & { readonly maxLength?: number },
  data: SentimentData | null,
): TextReader {
  const { folder, frozen = false, maxLength } = config;
  if (data?.utterances.every(({ text }) => !text)) {
    throw new ConfigError(`${data.name} has no texts for BERT to read: leave text out of modalities`);
  }
  const shape = readBertConfig(folder);
  const places = shape.maxPositionEmbeddings;
  if (maxLength !== undefined && maxLength > places) {
    throw new ConfigError(
      `Expected a maxLength of texts up to ${places}, which the BERT of ${folder} reads, got ${maxLength}`,
    );
  }
  const tokenizer = WordPieceTokenizer.fromFolder(folder, { maxLength: maxLength ?? places });
  if (tokenizer.size > shape.vocabSize) {
    throw new DataError(
      `Expected tokenizer.json and config.json of one model in ${folder}, got ${tokenizer.size} tokens and a vocab_size of ${shape.vocabSize}`,
    );
  }
  return {
    tokenizer,
    vocabulary: null,
    rows: null,
    files: ['config.json', 'tokenizer.json'].map((name) => join(folder, name)),
    encoder: (_seed, trained = false) => {
      const encoder = skipInit(() => new BertEncoder(shape, { frozen }));
      if (!trained) loadBertWeights(encoder.bert, folder);
      return encoder;
    },
  };
}

function featureReader(
  config: Extract<TextConfig, { kind: 'features' }> & { readonly pool?: FeaturePool },
  data: SentimentData | null,
  width?: number,
): TextReader {
  const dims = data ? data.features.text?.spec.dims : width;
  if (dims === undefined) {
    const has = data ? `${data.name} (it has: ${data.modalities.join(', ') || 'none'})` : 'no width of them';
    throw new ConfigError(
      `Expected text features, got ${has}: choose text of kind words or bert, or leave text out of modalities`,
    );
  }
  const { pool } = config;
  return {
    tokenizer: null,
    vocabulary: null,
    files: [],
    rows: null,
    encoder: () => new FeatureText(dims, pool === undefined ? {} : { pool }),
  };
}

/** A trained reader, which stays as it is: its rows of a text are features. */
function shippedReader({ folder }: Extract<TextConfig, { kind: 'shipped' }>, width?: number): TextReader {
  const where = folder ?? shippedModel;
  let reader: SentimentReader | null = null;
  const load = (): SentimentReader => {
    reader ??= SentimentReader.load(where);
    return reader;
  };
  return {
    tokenizer: null,
    vocabulary: null,
    files: [],
    encoder: () => new FeatureText(width ?? load().width),
    rows: (texts) => {
      const blocks = load().rows(texts);
      const dims = load().width;
      // Another reader has other rows, however it is called.
      const version = createHash('sha256')
        .update(readFileSync(join(where, 'model.safetensors')))
        .digest('hex');
      const spec = {
        name: 'rows of a text reader',
        dims,
        unit: 'word',
        rate: null,
        version: version.slice(0, 12),
      } as const;
      const lengths = Int32Array.from(blocks, (block) => block.length / dims);
      return PackedSequences.from({ spec, lengths, read: (i) => blocks[i]! });
    },
  };
}

/** The vectors of a folder: all, or those of the words that the data's texts have. */
function readVectors(folder: string, kept: 'all' | 'data', data: SentimentData): WordVectors {
  const vectors = WordVectors.open(folder);
  if (kept === 'all') return vectors;
  if (kept !== 'data') throw new ConfigError(`Expected a text.vocabulary 'all' or 'data', got '${String(kept)}'`);
  const tokenizer = new WordTokenizer(vectors.words);
  const used = tokenizer.used(data.utterances.map(({ text }) => text ?? ''));
  return vectors.rows([...vectors.words.keys()].filter((place) => used.has(place)));
}

/** The words that occur at least twice in the training texts, most frequent first. */
function wordsOf(data: SentimentData): string[] {
  const counts = new Map<string, number>();
  for (const index of data.indices('train')) {
    for (const word of splitWords(data.utterances[index]!.text ?? '')) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const kept = [...counts].filter(([, count]) => count > 1);
  return kept.sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([word]) => word);
}
