/** How well a reader reads held-out texts, in the measures that are usual for each set. */
import { mosiMetrics } from '../metrics.js';
import { classificationMetrics } from '../scores.js';
import { calibrationError } from './calibrate.js';
import { classNames, ekmanGroups, emotionNames, outputAt, outputs, tweetEmotions } from './labels.js';
import { likeliest, type SentimentReader, sigmoid } from './reader.js';
import { type Example, examplesOf, type SetConfig } from './sets.js';

export type ReaderScores = Readonly<Record<string, number>>;

/** A text with its true labels and what a reader gave. */
interface Read extends Example {
  readonly output: Float64Array;
}

/** What a reader said of a text of a set, in the terms of the set's task: names of classes and emotions, or numbers. */
export interface ReaderPrediction {
  readonly text: string;
  readonly label: string | number;
  readonly prediction: string | number;
  /** From -3 to 3. */
  readonly score: number;
  /** Of negative, neutral and positive. */
  readonly probabilities: readonly number[];
}

/**
 * Scores of the part of each set that tests.
 * @param sets - by default those that the reader was trained on
 * @param onRead - is told what the reader said of each set's texts
 */
export async function readerScores(
  reader: SentimentReader,
  data: string,
  sets: Readonly<Record<string, SetConfig>> = reader.manifest.sets,
  onRead: (set: string, said: () => ReaderPrediction[]) => void = () => {},
): Promise<Record<string, ReaderScores>> {
  const scores: Record<string, ReaderScores> = {};
  for (const [name, set] of Object.entries(sets)) {
    const examples = await examplesOf(set, data, 'test');
    if (examples.length === 0) continue;
    const given = reader.outputs(examples.map(({ text }) => text));
    const all = examples.map((example, i) => ({ ...example, output: given[i]! }));
    scores[name] = { texts: all.length, ...scoresOf(reader, all) };
    onRead(name, () => predictionsOf(reader, all));
  }
  return scores;
}

/** By what a set's labels tell. Polarity: negative or positive, without a text that is neither. */
type SetTask = 'emotions' | 'tweet' | 'irony' | 'spoken' | 'grades' | 'score' | 'classes' | 'polarity';

function taskOf(all: readonly Read[]): SetTask {
  const [{ labels }] = all as readonly [Read, ...Read[]];
  const alone = (['emotions', 'tweet', 'irony', 'spoken', 'grades'] as const).find(
    (name) => labels[name] !== undefined,
  );
  if (alone !== undefined) return alone;
  if (!all.some((read) => read.labels.classes === 1)) return 'polarity';
  return labels.score === undefined ? 'classes' : 'score';
}

function scoresOf(reader: SentimentReader, all: readonly Read[]): ReaderScores {
  const task = taskOf(all);
  if (task === 'emotions') return emotionScores(reader, all);
  if (task === 'grades') return { ...polarity(reader, all), ...renamed(classScores(all, 'grades'), 'grades') };
  if (task === 'score') return numberScores(all);
  return task === 'polarity' ? polarity(reader, all) : classScores(all, task);
}

function predictionsOf(reader: SentimentReader, all: readonly Read[]): ReaderPrediction[] {
  const task = taskOf(all);
  return all.map((read) => {
    const [label, prediction] = saidOf(reader, read, task);
    const score = scoreOf(read.output);
    return { text: read.text, label, prediction, score, probabilities: reader.classes(read.output) };
  });
}

/** The label of a text, and what was said. */
function saidOf(reader: SentimentReader, { labels, output }: Read, task: SetTask): [Said, Said] {
  if (task === 'emotions') {
    const named = (marks: readonly boolean[]): string => emotionNames.filter((_, i) => marks[i]).join(' ');
    return [named(emotionNames.map((_, i) => labels.emotions!.includes(i))), named(emotionsIn(reader, output))];
  }
  if (task === 'score') return [labels.score!, scoreOf(output)];
  if (task === 'polarity') return [classNames[labels.classes!]!, isPositive(reader, output) ? 'positive' : 'negative'];
  const name = (n: number): Said => names[task]?.[n] ?? n;
  return [name(labels[task]!), name(likeliest(output, task))];
}

type Said = string | number;
const names: Readonly<Partial<Record<SetTask, readonly string[]>>> = {
  tweet: tweetEmotions,
  spoken: classNames,
  classes: classNames,
};

/** What it says in [-3, 3]; the measures of scores clip by themselves. */
const scoreOf = (output: Float64Array): number => Math.min(3, Math.max(-3, output[outputAt('score')]!));

/** Of the two, without neutral: the probability of positive. */
function positiveShare(reader: SentimentReader, output: Float64Array): number {
  const [negative, , positive] = reader.classes(output) as [number, number, number];
  return positive / (negative + positive);
}

const isPositive = (reader: SentimentReader, output: Float64Array): boolean => positiveShare(reader, output) > 0.5;

/** Which of the emotions it names. */
function emotionsIn({ manifest }: SentimentReader, output: Float64Array): boolean[] {
  const at = outputAt('emotions');
  return emotionNames.map((_, i) => sigmoid(output[at + i]!) >= manifest.thresholds[i]!);
}

const renamed = (scores: ReaderScores, name: string): ReaderScores =>
  Object.fromEntries(Object.entries(scores).map(([key, value]) => [`${name} ${key}`, value]));

/** Negative or positive, of the texts that are one of them: how often right, and how far its probabilities are off. */
function polarity(reader: SentimentReader, all: readonly Read[]): ReaderScores {
  const told = all.filter(({ labels }) => labels.classes !== 1);
  const shares = told.map(({ output }) => positiveShare(reader, output));
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
function emotionScores(reader: SentimentReader, all: readonly Read[]): ReaderScores {
  const said = all.map(({ output }) => emotionsIn(reader, output));
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
