// Results and predictions as CSV, for spreadsheets and for pandas.
import { writeFileAtomic } from '../io/index.js';
import {
  mmsaScore,
  type Run,
  type SentimentManifest,
  type SplitPredictions,
  summariseRuns,
  toCsv,
} from '../sentiment/index.js';

type Cell = string | number | null;

/** A row for each seed, then their mean and standard deviation; scores by MMSA's names. */
export function resultsCsv(model: string, runs: readonly (readonly [seed: number, scores: Run])[]): string {
  const summary = summariseRuns(runs.map(([, scores]) => scores));
  const names = Object.keys(summary);
  const row = (seed: Cell, value: (name: string) => number): Cell[] => [model, seed, ...names.map(value)];
  return toCsv([
    ['Model', 'Seed', ...names.map(mmsaScore)],
    ...runs.map(([seed, scores]) => row(seed, (name) => scores[name]!)),
    row('mean', (name) => summary[name]!.mean),
    row('std', (name) => summary[name]!.std),
  ]);
}

/** A row for each utterance and seed: its label, what the model says, and what the heads of single modalities say. */
export function writePredictions(
  path: string,
  { classes, config }: Pick<SentimentManifest, 'classes' | 'config'>,
  runs: readonly {
    readonly seed: number;
    readonly predicted: SplitPredictions;
    readonly texts: readonly (string | null)[];
  }[],
): void {
  const named = (value: number): Cell => (config.task === 'classification' ? (classes[value] ?? value) : value);
  const heads = Object.entries(runs[0]?.predicted.unimodal ?? {}).map(
    ([name]) => name as keyof SplitPredictions['unimodal'],
  );
  const rows = runs.flatMap(({ seed, predicted: { ids, truth, predictions, unimodal }, texts }) =>
    ids.map((id, i): Cell[] => [
      seed,
      id,
      texts[i] ?? null,
      named(truth[i]!),
      named(predictions[i]!),
      ...heads.map((name) => unimodal[name]![i]!),
    ]),
  );
  const header = ['seed', 'id', 'text', 'label', 'prediction', ...heads.map((name) => `prediction_${name}`)];
  writeFileAtomic(path, toCsv([header, ...rows]));
}
