import { basename, resolve } from 'node:path';
import { writeFileAtomic } from '../io/index.js';
import { formatColumns } from '../report/index.js';
import { classNames, type ReaderScores, readerScores, SentimentReader, toCsv } from '../sentiment/index.js';
import { ConfigError } from '../torch/index.js';
import { print } from './report.js';
import type { SentimentEvalFlags } from './sentiment-program.js';

/** `headrace sentiment eval` of a reader: the sets that it was trained on, their parts that test. */
export async function evaluateReader(
  folder: string,
  { data, split, json, predictions, csv }: SentimentEvalFlags,
): Promise<void> {
  if (split !== 'test') throw new ConfigError(`Expected --split test: readers are tested on it alone, got ${split}`);
  const rows: Cell[][] = [];
  const scores = await readerScores(SentimentReader.load(folder), data, undefined, (set, said) => {
    if (predictions === undefined) return;
    for (const { text, label, prediction, score, probabilities } of said())
      rows.push([set, text, label, prediction, score, ...probabilities]);
  });
  if (predictions !== undefined) {
    writeFileAtomic(predictions, toCsv([['set', 'text', 'label', 'prediction', 'score', ...classNames], ...rows]));
  }
  if (csv !== undefined) writeFileAtomic(csv, toCsv(scoreTable(basename(resolve(folder)), scores)));
  print(json, { reader: folder, data, split: 'test', scores }, scoreLines(scores));
}

type Cell = string | number | null;

/** A row for each set; a score that a set has not is an empty cell. */
function scoreTable(model: string, scores: Readonly<Record<string, ReaderScores>>): Cell[][] {
  const names = [...new Set(Object.values(scores).flatMap((each) => Object.keys(each)))];
  const rows = Object.entries(scores).map(([set, each]) => [model, set, ...names.map((name) => each[name] ?? null)]);
  return [['Model', 'Set', ...names], ...rows];
}

/** A line for each set. */
export function scoreLines(scores: Readonly<Record<string, ReaderScores>>): string {
  const rows = Object.entries(scores).map(([name, { texts, ...values }]) => {
    const shown = Object.entries(values).map(([score, value]) => `${score} ${value.toFixed(3)}`);
    return [name, `${texts} texts`, shown.join(', ')];
  });
  return formatColumns(rows);
}
