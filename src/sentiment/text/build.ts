/** Text as a configuration wants it: the tokens of a data set, and the encoder that reads them. */
import { skipInit } from '../../nn/index.js';
import { ConfigError, deriveSeed, Generator } from '../../torch/index.js';
import type { TextConfig } from '../config.js';
import { type SentimentData, splitWords, WordVectors } from '../datasets/index.js';
import type { TextEncoder } from './encoder.js';
import { type TextTokenizer, WordTokenizer } from './tokenizer.js';
import { WordEncoder } from './words.js';

/** How the texts of one run become vectors. A run's folder keeps what it takes to make it again. */
export interface TextReader {
  /** Null where texts come as features. */
  readonly tokenizer: TextTokenizer | null;
  /** A fresh encoder. @param trained - whether its weights will be loaded, so that none need be drawn or read */
  encoder(seed: number, trained?: boolean): TextEncoder;
  /** Words of the vocabulary, to be kept with a model; null where a folder holds it. */
  readonly vocabulary: readonly string[] | null;
}

/**
 * @param vocabulary - of a trained model; by default it is made from the vectors, or from the training texts
 * @throws DataError, ConfigError
 */
export function textReader(config: TextConfig, data: SentimentData | null, vocabulary?: readonly string[]): TextReader {
  if (config.kind === 'words') return wordReader(config, data, vocabulary);
  throw new ConfigError(`Expected text of kind words, bert or features, got '${String(config.kind)}'`);
}

function wordReader(
  config: Extract<TextConfig, { kind: 'words' }>,
  data: SentimentData | null,
  vocabulary?: readonly string[],
): TextReader {
  const { kind: _, vectors: folder, ...options } = config;
  const vectors = folder === null || vocabulary ? null : WordVectors.open(folder);
  const words = vocabulary ?? vectors?.words ?? wordsOf(data!);
  const tokenizer = new WordTokenizer(words);
  return {
    tokenizer,
    vocabulary: words,
    encoder: (seed, trained = false) => {
      // Vectors drawn at random mean nothing until they are trained.
      const made = {
        ...options,
        ...(vectors ? { dims: vectors.dims } : {}),
        ...(folder === null ? { tuneVectors: true } : {}),
      };
      const encoder = skipInit(() => new WordEncoder(tokenizer.size, made));
      encoder.initialise(new Generator(deriveSeed(seed, 'init', 'text')));
      if (vectors && !trained) encoder.setVectors(vectors.tensor());
      return encoder;
    },
  };
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
