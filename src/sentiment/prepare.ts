/** A data set made ready for a configuration: its texts as tokens, its labelled utterances by split, its widths. */

import { seededPermutation } from '../data/index.js';
import type { Modality } from '../features/specs.js';
import type { TextTokenizer } from '../text/tokenizer.js';
import { ConfigError, DataError, deriveSeed } from '../torch/index.js';
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
  const data = reader ? withTexts(given, reader) : given;
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
  const notes =
    reader && ownFeatures(config).every((name) => name !== 'text') ? textNotes(given, reader.tokenizer) : [];
  return { data, reader, shape: { widths, outputs }, splits, unlabelled: data.length - used, notes };
}

/** Texts that are not there, and words that the vocabulary does not know, where that is most of them. */
function textNotes(data: SentimentData, tokenizer: TextTokenizer | null): string[] {
  const texts = data.utterances.map(({ text }) => (text ?? '').trim());
  const empty = texts.filter((text) => text === '').length;
  if (empty === texts.length) {
    throw new DataError(`${data.name} has no text in any utterance: leave text out of modalities`);
  }
  const known = tokenizer?.coverage(texts) ?? 1;
  return [
    ...(empty > 0 ? [`${empty} utterances without text are read as empty`] : []),
    ...(known < 0.5
      ? [`${Math.round(100 * (1 - known))} % of the words of ${data.name} are not in the vocabulary`]
      : []),
  ];
}

/** The modalities whose features go into batches. */
export function featureModalities(config: SentimentConfig): Modality[] {
  return config.modalities.filter((name) => name !== 'text' || textIsRows(config));
}

/** The modalities whose features the data must bring. */
export function ownFeatures(config: SentimentConfig): Modality[] {
  return config.modalities.filter((name) => name !== 'text' || config.text.kind === 'features');
}

/** Whether texts are rows of features in a batch; else they are tokens. */
export function textIsRows({ text }: SentimentConfig): boolean {
  return text.kind === 'features' || text.kind === 'shipped';
}

function withTexts(data: SentimentData, { rows, tokenizer }: TextReader): SentimentData {
  const texts = data.utterances.map(({ text }) => text ?? '');
  if (rows) return data.withFeatures({ text: rows(texts) });
  return tokenizer ? data.withTokens(tokenizer.encode(texts)) : data;
}

/** A split as a trained model reads it. @throws DataError when it is empty */
export function prepareTrained(
  config: SentimentConfig,
  given: SentimentData,
  reader: TextReader | null,
  split: SplitName,
): SentimentBatches {
  return labelledSplit(config, reader ? withTexts(given, reader) : given, split);
}

function labelledSplit(config: SentimentConfig, data: SentimentData, split: SplitName): SentimentBatches {
  const indices = data.indices(split).filter((index) => isLabelled(config, data, index));
  if (indices.length === 0) throw new DataError(whyNone(config, data, split));
  return new SentimentBatches(data, indices, { modalities: featureModalities(config) });
}

function whyNone({ task }: SentimentConfig, data: SentimentData, split: SplitName): string {
  const scored = data.utterances.some(({ label }) => label !== null);
  if (task === 'classification' && data.classes.length === 0 && scored)
    return `Expected classes in ${data.name}, its labels are numbers: train a recipe of scores, such as text-only, or name the classes`;
  if (task === 'regression' && data.classes.length > 0 && !scored)
    return `Expected labels in ${data.name} that are numbers, they are classes (${data.classes.join(', ')}): train text-classes`;
  return `${data.name} has no labelled utterances in its ${split} split`;
}

/** The same with a share of the training utterances, drawn by the seed. */
export function withShare(prepared: PreparedData, share: number, seed: number): PreparedData {
  if (share === 1) return prepared;
  const { data, indices, options } = prepared.splits.train;
  const count = Math.max(2, Math.round(share * indices.length));
  const drawn = seededPermutation(indices.length, deriveSeed(seed, 'share')).slice(0, count);
  const kept = [...drawn].sort((a, b) => a - b).map((place) => indices[place]!);
  return { ...prepared, splits: { ...prepared.splits, train: new SentimentBatches(data, kept, options) } };
}

function isLabelled(config: SentimentConfig, data: SentimentData, index: number): boolean {
  const { label, class: kind } = data.utterances[index]!;
  return (config.task === 'regression' ? label : kind) !== null;
}

/** Id and label of every training utterance, by its place in the split, and the greatest size of a label. */
export function labelledSamples({ data, splits }: PreparedData): { samples: [string, number][]; limit: number } {
  const samples = splits.train.indices.map((index): [string, number] => {
    const { id, label } = data.utterances[index]!;
    return [id, label ?? 0];
  });
  return { samples, limit: Math.max(...(data.range ?? [3]).map(Math.abs)) };
}
