/** A data set made ready for a configuration: its texts as tokens, its labelled utterances by split, its widths. */

import type { Modality } from '../features/specs.js';
import type { TextTokenizer } from '../text/tokenizer.js';
import { ConfigError, DataError } from '../torch/index.js';
import type { SentimentConfig } from './config.js';
import { SentimentBatches, type SentimentData, type SplitName, splitNames } from './datasets/index.js';
import type { NetworkShape } from './network.js';
import { type TextReader, textReader } from './text-reader.js';

export interface PreparedData {
  readonly data: SentimentData;
  readonly reader: TextReader | null;
  readonly shape: NetworkShape;
  /** Labelled utterances of each split. */
  readonly splits: Readonly<Record<SplitName, SentimentBatches>>;
  /** Utterances that are left out because they have no label. */
  readonly unlabelled: number;
  /** What a report should tell of the texts. */
  readonly notes: readonly string[];
}

/** @throws DataError when a split is empty, ConfigError when the data lacks what the configuration uses */
export function prepareData(config: SentimentConfig, given: SentimentData): PreparedData {
  const usesText = config.modalities.includes('text');
  const reader = usesText ? textReader(config.text, given) : null;
  const data = reader?.tokenizer ? withTokens(given, reader) : given;
  const rows = featureModalities(config);
  for (const name of rows) {
    if (!data.features[name]) {
      throw new ConfigError(
        `${data.name} has no ${name} features (it has: ${data.modalities.join(', ') || 'none'}): leave ${name} out of modalities`,
      );
    }
  }
  const splits = Object.fromEntries(
    splitNames.map((split) => [split, labelledSplit(config, data, split)]),
  ) as unknown as PreparedData['splits'];
  const used = splitNames.reduce((sum, split) => sum + splits[split].length, 0);
  const widths = Object.fromEntries(rows.map((name) => [name, data.features[name]!.spec.dims]));
  const outputs = config.task === 'regression' ? 1 : data.classes.length;
  const notes = reader?.tokenizer ? textNotes(given, reader.tokenizer) : [];
  return { data, reader, shape: { widths, outputs }, splits, unlabelled: data.length - used, notes };
}

/** Texts that are not there, and words that the vocabulary does not know, where that is most of them. */
function textNotes(data: SentimentData, tokenizer: TextTokenizer): string[] {
  const texts = data.utterances.map(({ text }) => (text ?? '').trim());
  const empty = texts.filter((text) => text === '').length;
  if (empty === texts.length) {
    throw new DataError(`${data.name} has no text in any utterance: leave text out of modalities`);
  }
  const known = tokenizer.coverage(texts);
  return [
    ...(empty > 0 ? [`${empty} utterances without text are read as empty`] : []),
    ...(known < 0.5
      ? [`${Math.round(100 * (1 - known))} % of the words of ${data.name} are not in the vocabulary`]
      : []),
  ];
}

/** The modalities whose features go into batches. */
export function featureModalities(config: SentimentConfig): Modality[] {
  return config.modalities.filter((name) => name !== 'text' || config.text.kind === 'features');
}

function withTokens(data: SentimentData, reader: TextReader): SentimentData {
  return data.withTokens(reader.tokenizer!.encode(data.utterances.map(({ text }) => text ?? '')));
}

/** A split as a trained model reads it. @throws DataError when it is empty */
export function prepareTrained(
  config: SentimentConfig,
  given: SentimentData,
  reader: TextReader | null,
  split: SplitName,
): SentimentBatches {
  return labelledSplit(config, reader?.tokenizer ? withTokens(given, reader) : given, split);
}

function labelledSplit(config: SentimentConfig, data: SentimentData, split: SplitName): SentimentBatches {
  const indices = data.indices(split).filter((index) => isLabelled(config, data, index));
  if (indices.length === 0) throw new DataError(`${data.name} has no labelled utterances in its ${split} split`);
  return new SentimentBatches(data, indices, { modalities: featureModalities(config) });
}

function isLabelled(config: SentimentConfig, data: SentimentData, index: number): boolean {
  const { label, class: kind } = data.utterances[index]!;
  return (config.task === 'regression' ? label : kind) !== null;
}
