/** How well a reader reads held-out texts, in the measures that are usual for each set. */
import { mosiMetrics } from '../metrics.js';
import { classificationMetrics } from '../scores.js';
import { calibrationError } from './calibrate.js';
import { ekmanGroups, emotionNames, outputAt, outputs } from './labels.js';
import { likeliest, type SentimentReader, sigmoid } from './reader.js';
import { type Example, examplesOf, type SetConfig } from './sets.js';

export type ReaderScores = Readonly<Record<string, number>>;

/** A text with its true labels and what a reader gave. */
interface Read extends Example {
  readonly output: Float64Array;
}

/**
 * Scores of the part of each set that tests.
 * @param sets - by default those that the reader was trained on
 */
export async function readerScores(
  reader: SentimentReader,
  data: string,
  sets: Readonly<Record<string, SetConfig>> = reader.manifest.sets,
): Promise<Record<string, ReaderScores>> {
  const scores: Record<string, ReaderScores> = {};
  for (const [name, set] of Object.entries(sets)) {
    const examples = await examplesOf(set, data, 'test');
    if (examples.length === 0) continue;
    const given = reader.outputs(examples.map(({ text }) => text));
    scores[name] = scoresOf(
      reader,
      examples.map((example, i) => ({ ...example, output: given[i]! })),
    );
  }
  return scores;
}

function scoresOf(reader: SentimentReader, all: readonly Read[]): ReaderScores {
  const [{ labels }] = all as readonly [Read, ...Read[]];
  const size = { texts: all.length };
  if (labels.emotions !== undefined) return { ...size, ...emotionScores(reader, all) };
  if (labels.tweet !== undefined) return { ...size, ...classScores(all, 'tweet') };
  if (labels.irony !== undefined) return { ...size, ...classScores(all, 'irony') };
  if (labels.spoken !== undefined) return { ...size, ...classScores(all, 'spoken') };
  if (labels.grades !== undefined)
    return { ...size, ...polarity(reader, all), ...renamed(classScores(all, 'grades'), 'grades') };
  const neutral = all.some((read) => read.labels.classes === 1);
  if (labels.score !== undefined && neutral) return { ...size, ...numberScores(all) };
  return { ...size, ...(neutral ? classScores(all, 'classes') : polarity(reader, all)) };
}

const renamed = (scores: ReaderScores, name: string): ReaderScores =>
  Object.fromEntries(Object.entries(scores).map(([key, value]) => [`${name} ${key}`, value]));

/** Negative or positive, of the texts that are one of them: how often right, and how far its probabilities are off. */
function polarity(reader: SentimentReader, all: readonly Read[]): ReaderScores {
  const told = all.filter(({ labels }) => labels.classes !== 1);
  const shares = told.map(({ output }) => {
    const [negative, , positive] = reader.classes(output) as [number, number, number];
    return positive / (negative + positive);
  });
  const right = told.map(({ labels }, i) => shares[i]! > 0.5 === (labels.classes === 2));
  const accuracy = right.filter(Boolean).length / told.length;
  return {
    accuracy,
    'calibration error': calibrationError(
      shares.map((p) => Math.max(p, 1 - p)),
      right,
    ),
  };
}

function classScores(all: readonly Read[], task: 'tweet' | 'irony' | 'spoken' | 'grades' | 'classes'): ReaderScores {
  const said = all.map(({ output }) => likeliest(output, task));
  const truth = all.map(({ labels }) => labels[task]!);
  const { accuracy, macroF1, weightedF1 } = classificationMetrics(said, truth, { classes: outputs[task] });
  return { accuracy, 'macro F1': macroF1, 'weighted F1': weightedF1 };
}

function numberScores(all: readonly Read[]): ReaderScores {
  const said = all.map(({ output }) => output[outputAt('score')]!);
  const { mae, corr, acc2Non0, acc2Has0, acc7 } = mosiMetrics(
    said,
    all.map(({ labels }) => labels.score!),
  );
  return { 'Acc-2 non0': acc2Non0, 'Acc-2 has0': acc2Has0, 'Acc-7': acc7, MAE: mae, Corr: corr };
}

/** Macro F1 of the 28 emotions, and of Ekman's groups, each named where one of its emotions is. */
function emotionScores({ manifest }: SentimentReader, all: readonly Read[]): ReaderScores {
  const at = outputAt('emotions');
  const said = all.map(({ output }) => emotionNames.map((_, i) => sigmoid(output[at + i]!) >= manifest.thresholds[i]!));
  const truth = all.map(({ labels }) => emotionNames.map((_, i) => labels.emotions!.includes(i)));
  const groups = Object.values(ekmanGroups).map((names) => names.map((name) => emotionNames.indexOf(name)));
  const grouped = (marks: readonly boolean[]): boolean[] => groups.map((group) => group.some((i) => marks[i]));
  return {
    'macro F1 of 28': macroF1(said, truth),
    "macro F1 of Ekman's": macroF1(said.map(grouped), truth.map(grouped)),
  };
}

function macroF1(said: readonly (readonly boolean[])[], truth: readonly (readonly boolean[])[]): number {
  const labels = [...truth[0]!.keys()];
  const f1 = labels.map((label) => {
    const count = (of: (said: boolean, true_: boolean) => boolean): number =>
      said.filter((row, i) => of(row[label]!, truth[i]![label]!)).length;
    const hits = count((a, b) => a && b);
    const wrong = count((a, b) => a !== b);
    return hits === 0 ? 0 : (2 * hits) / (2 * hits + wrong);
  });
  return f1.reduce((a, b) => a + b, 0) / labels.length;
}
