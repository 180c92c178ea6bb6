/**
 * The scores of the sentiment benchmarks, as MMSA computes them, since published tables are its. Predictions and truth
 * are arrays or tensors, [N] or [N, 1]. A score that is not defined (correlation with a constant, accuracy over no
 * sample) is NaN, never 0.
 */
import { ConfigError, Tensor } from '../torch/index.js';
import { accuracy, classScores, determination, meanAbsoluteError, type Numbers, pearson, readBoth } from './scores.js';

/** Which scores a data set is judged by: `'mosi'` for CMU-MOSI and CMU-MOSEI. */
export type MetricFamily = 'mosi' | 'sims' | 'simsv2';

/**
 * Two accuracies are in use, and tables mix them up: `Has0` is negative against not negative over all samples, `Non0`
 * negative against positive over those whose true label is not 0.
 */
export interface MosiMetrics {
  readonly mae: number;
  readonly corr: number;
  readonly acc7: number;
  readonly acc5: number;
  readonly acc3: number;
  readonly acc2Has0: number;
  readonly f1Has0: number;
  readonly acc2Non0: number;
  readonly f1Non0: number;
}

export interface SimsMetrics {
  readonly mae: number;
  readonly corr: number;
  readonly acc5: number;
  readonly acc3: number;
  readonly acc2: number;
  readonly f1: number;
}

export interface SimsV2Metrics extends SimsMetrics {
  /** `acc2` over the samples whose true label is in [-0.4, 0.4]. */
  readonly acc2Weak: number;
  /** Coefficient of determination: 1 - Σ (y - ŷ)² / Σ (y - ȳ)². */
  readonly r2: number;
}

export type MetricName = keyof MosiMetrics | keyof SimsV2Metrics;

const TITLES: Readonly<Record<MetricName, string>> = {
  mae: 'MAE',
  corr: 'Corr',
  acc7: 'Acc-7',
  acc5: 'Acc-5',
  acc3: 'Acc-3',
  acc2: 'Acc-2',
  f1: 'F1',
  acc2Has0: 'Acc-2 (has0)',
  f1Has0: 'F1 (has0)',
  acc2Non0: 'Acc-2 (non0)',
  f1Non0: 'F1 (non0)',
  acc2Weak: 'Acc-2 (weak)',
  r2: 'R2',
};

const FAMILIES: Readonly<Record<MetricFamily, readonly MetricName[]>> = {
  mosi: ['mae', 'corr', 'acc7', 'acc5', 'acc3', 'acc2Has0', 'f1Has0', 'acc2Non0', 'f1Non0'],
  sims: ['mae', 'corr', 'acc5', 'acc3', 'acc2', 'f1'],
  simsv2: ['mae', 'corr', 'acc5', 'acc3', 'acc2', 'f1', 'acc2Weak', 'r2'],
};

export const metricFamilies = Object.keys(FAMILIES) as readonly MetricFamily[];

/** A family's scores in the order to print them, with their titles and which way is better. */
export function metricNames(family: MetricFamily): { name: MetricName; title: string; better: 'higher' | 'lower' }[] {
  expectFamily(family);
  return FAMILIES[family].map((name) => ({ name, title: TITLES[name], better: name === 'mae' ? 'lower' : 'higher' }));
}

/** How a table calls a score; one of classes keeps its name. */
export const metricTitle = (name: string): string => (Object.hasOwn(TITLES, name) ? TITLES[name as MetricName] : name);

/** The scores of a family by its name. */
export function sentimentMetrics(
  family: MetricFamily,
  predictions: Numbers,
  truth: Numbers,
): MosiMetrics | SimsMetrics | SimsV2Metrics {
  expectFamily(family);
  return { mosi: mosiMetrics, sims: simsMetrics, simsv2: simsV2Metrics }[family](predictions, truth);
}

/**
 * The scores of CMU-MOSI and CMU-MOSEI, labels in [-3, 3]. MAE and Corr are of the predictions as they are; Acc-7, Acc-5
 * and Acc-3 clip both sides to ±3, ±2, ±1 and round half to even. F1 is the support-weighted one of the same two classes.
 * @throws DataError naming the row of a number that is not finite; ShapeError where lengths differ or are 0
 */
export function mosiMetrics(predictions: Numbers, truth: Numbers): MosiMetrics {
  const [p, t] = readBoth(predictions, truth);
  const rounded = (limit: number) => accuracy(p.map(roundWithin(limit)), t.map(roundWithin(limit)));
  const notNegative = (x: number) => (x >= 0 ? 1 : 0);
  const positive = (x: number) => (x > 0 ? 1 : 0);
  const coloured = [...t.keys()].filter((row) => t[row] !== 0);
  const has0 = twoClasses(p.map(notNegative), t.map(notNegative));
  const non0 = twoClasses(
    coloured.map((row) => positive(p[row]!)),
    coloured.map((row) => positive(t[row]!)),
  );
  return {
    mae: meanAbsoluteError(p, t),
    corr: pearson(p, t),
    acc7: rounded(3),
    acc5: rounded(2),
    acc3: rounded(1),
    acc2Has0: has0.accuracy,
    f1Has0: has0.f1,
    acc2Non0: non0.accuracy,
    f1Non0: non0.f1,
  };
}

/**
 * The scores of CH-SIMS, labels in [-1, 1]: both sides are clipped there before everything, MAE included. Classes are
 * the intervals between 0 (Acc-2), ±0.1 (Acc-3), ±0.1 and ±0.7 (Acc-5), each with its upper end.
 * @throws DataError naming the row of a number that is not finite; ShapeError where lengths differ or are 0
 */
export function simsMetrics(predictions: Numbers, truth: Numbers): SimsMetrics {
  return simsScores(readSims(predictions, truth));
}

/** The scores of CH-SIMS v2: those of CH-SIMS, Acc-2 of weak sentiments, and R2. */
export function simsV2Metrics(predictions: Numbers, truth: Numbers): SimsV2Metrics {
  const data = readSims(predictions, truth);
  const { p, t, edge } = data;
  const weak = [...t.keys()].filter((row) => Math.abs(t[row]!) <= edge.t(0.4));
  const signs = (values: number[]) => weak.map((row) => (values[row]! > 0 ? 1 : 0));
  return { ...simsScores(data), acc2Weak: accuracy(signs(p), signs(t)), r2: determination(p, t) };
}

interface SimsData {
  readonly p: number[];
  readonly t: number[];
  /** A threshold as it is in the precision of each side: a float32 label of 0.4 is greater than the double 0.4. */
  readonly edge: { readonly p: (x: number) => number; readonly t: (x: number) => number };
}

function readSims(predictions: Numbers, truth: Numbers): SimsData {
  const [p, t] = readBoth(predictions, truth);
  const clip = (x: number) => Math.min(1, Math.max(-1, x));
  return { p: p.map(clip), t: t.map(clip), edge: { p: rounderOf(predictions), t: rounderOf(truth) } };
}

function simsScores({ p, t, edge }: SimsData): SimsMetrics {
  const classify = (edges: readonly number[]) => {
    const classOf = (round: (x: number) => number) => (x: number) => edges.filter((limit) => x > round(limit)).length;
    return [p.map(classOf(edge.p)), t.map(classOf(edge.t))] as const;
  };
  const two = twoClasses(...classify([0]));
  return {
    mae: meanAbsoluteError(p, t),
    corr: pearson(p, t),
    acc5: accuracy(...classify([-0.7, -0.1, 0.1, 0.7])),
    acc3: accuracy(...classify([-0.1, 0.1])),
    acc2: two.accuracy,
    f1: two.f1,
  };
}

function twoClasses(p: readonly number[], t: readonly number[]): { accuracy: number; f1: number } {
  const { accuracy: share, weightedF1 } = classScores(p, t, 2);
  return { accuracy: share, f1: weightedF1 };
}

/** Clips to ±limit and rounds half to even, as NumPy does. */
function roundWithin(limit: number): (x: number) => number {
  return (x) => {
    const clipped = Math.min(limit, Math.max(-limit, x));
    const below = Math.floor(clipped);
    const over = clipped - below;
    if (over === 0.5) return below % 2 === 0 ? below : below + 1;
    return over < 0.5 ? below : below + 1;
  };
}

function rounderOf(source: Numbers): (x: number) => number {
  const single = source instanceof Tensor ? source.dtype === 'float32' : source instanceof Float32Array;
  return single ? Math.fround : (x) => x;
}

function expectFamily(family: MetricFamily): void {
  if (Object.hasOwn(FAMILIES, family)) return;
  throw new ConfigError(`Expected metrics of ${Object.keys(FAMILIES).join(', ')}, got '${family}'`);
}
