/** Sets of labelled texts, as a configuration names them, cut into what trains, what chooses and what tests. */
import { join } from 'node:path';
import { ConfigError, DataError } from '../../torch/index.js';
import { loadSentiment, type SplitName } from '../datasets/index.js';
import { parseSentimentSpec } from '../spec.js';
import { labelledTexts, plainText } from './corpora.js';
import { type LabelKind, type Labels, labelReaders, scoreLabels } from './labels.js';
import { phraseExamples } from './phrases.js';

/** A set: files of the data folder (label, tab, text a line), a folder of CMU-MOSI or MELD, or phrases of patterns. */
export interface SetConfig {
  readonly kind: LabelKind | 'utterances' | 'phrases';
  readonly train?: string;
  readonly valid?: string;
  readonly test?: string;
  /** A file without parts: every fifth line tests, of the others every ninth chooses. */
  readonly whole?: string;
  /** Of `utterances`: a folder that `sentiment train` reads. */
  readonly folder?: string;
  /** Files whose texts are left out. */
  readonly without?: readonly string[];
  /** How often an epoch has each text. Default 1. */
  readonly repeats?: number;
  /** How much a text counts in the loss. Default 1. */
  readonly weight?: number;
  /** So many of its texts train, spread evenly. Default: all. */
  readonly limit?: number;
  /** Texts that come again in an epoch are mistyped. */
  readonly careless?: boolean;
  /** Of `phrases`: sentences of each pattern's score. */
  readonly each?: number;
  /** The most pieces that are trained on of a longer text, each with the label of the whole. Default 1: its beginning. */
  readonly pieces?: number;
}

export interface Example {
  readonly text: string;
  readonly labels: Labels;
}

/** The examples of a part of a set; none where it has no such part. */
export async function examplesOf(set: SetConfig, data: string, part: SplitName): Promise<Example[]> {
  if (set.kind === 'utterances') return utterancesOf(set, data, part);
  if (set.kind === 'phrases') return part === 'train' ? phraseExamples(set.each ?? 200, 0) : [];
  const read = labelReaders[set.kind];
  const lines = (file: string): Example[] =>
    labelledTexts(data, file).map(({ label, text }, i) => {
      const labels = read(label);
      if (labels !== null) return { text, labels };
      throw new DataError(`${join(data, file)}, line ${i + 1}: expected a label of kind ${set.kind}, got '${label}'`);
    });
  const file = set[part];
  if (set.whole !== undefined) return lines(set.whole).filter((_, i) => foldOf(i) === part);
  if (file === undefined) return [];
  const known = new Set(
    (set.without ?? []).flatMap((other) => labelledTexts(data, other).map(({ text }) => bare(text))),
  );
  return lines(file).filter(({ text }) => !known.has(bare(text)));
}

/** The part of a line of a file without parts. */
function foldOf(line: number): SplitName {
  if (line % 5 === 0) return 'test';
  return Math.floor(line / 5) % 9 === 0 && line % 5 === 1 ? 'valid' : 'train';
}

/** Letters and numbers alone, by which the same sentence of two sets is known. */
function bare(text: string): string {
  return text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
}

async function utterancesOf({ folder }: SetConfig, data: string, part: SplitName): Promise<Example[]> {
  if (folder === undefined) throw new ConfigError("Expected a set of kind 'utterances' to name its folder, got none");
  const set = await loadSentiment(parseSentimentSpec(join(data, folder)));
  try {
    const classes = set.classes.map((name) => ['negative', 'neutral', 'positive'].indexOf(name));
    return set.indices(part).flatMap((i) => {
      const { text, label, class: said } = set.utterances[i]!;
      const labels = label !== null ? scoreLabels(String(label)) : said === null ? null : { spoken: classes[said]! };
      return !text || labels === null ? [] : [{ text: plainText(text), labels }];
    });
  } finally {
    set.dispose();
  }
}
