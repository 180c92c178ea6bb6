import { formatColumns } from '../report/index.js';
import { type ReaderScores, readerScores, SentimentReader } from '../sentiment/index.js';
import { ConfigError } from '../torch/index.js';
import { print } from './report.js';
import type { SentimentEvalFlags } from './sentiment-program.js';

/** `headrace sentiment eval` of a reader: the sets that it was trained on, their parts that test. */
export async function evaluateReader(
  folder: string,
  { data, split, json, predictions, csv }: SentimentEvalFlags,
): Promise<void> {
  if (predictions ?? csv)
    throw new ConfigError('Expected no --predictions or --csv with a reader, whose tasks have scores of their own');
  if (split !== 'test') throw new ConfigError(`Expected --split test: readers are tested on it alone, got ${split}`);
  const scores = await readerScores(SentimentReader.load(folder), data);
  print(json, { reader: folder, data, split: 'test', scores }, scoreLines(scores));
}

/** A line for each set. */
export function scoreLines(scores: Readonly<Record<string, ReaderScores>>): string {
  const rows = Object.entries(scores).map(([name, { texts, ...values }]) => {
    const shown = Object.entries(values).map(([score, value]) => `${score} ${value.toFixed(3)}`);
    return [name, `${texts} texts`, shown.join(', ')];
  });
  return formatColumns(rows);
}
