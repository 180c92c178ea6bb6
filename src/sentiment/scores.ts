/** Scores of numbers and of classes, and the reading of what is scored. */
import { ConfigError, DataError, ShapeError, Tensor } from '../torch/index.js';
import { checkOptions } from '../torch/options.js';

/** [N], or [N, 1] for a tensor. */
export type Numbers = Tensor | ArrayLike<number>;

/** Without a number of classes: as many as make sense, so that a stray large value is an error and not a large table. */
const MOST_CLASSES = 1000;

export interface ClassScore {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Samples whose true class this is. */
  readonly support: number;
}

export interface ClassificationMetrics {
  readonly accuracy: number;
  /** F1 of the classes, weighted by their support. */
  readonly weightedF1: number;
  /** Plain mean of F1 over the classes that occur, in truth or prediction. */
  readonly macroF1: number;
  readonly classes: readonly ClassScore[];
  /** `confusion[true][predicted]`. */
  readonly confusion: readonly (readonly number[])[];
}

/**
 * Scores of predicted classes 0 … `classes` - 1. A class that was never predicted has precision 0, one that never occurs
 * recall 0, and F1 is 0 where both are.
 * @param classes - their number; by default as many as occur, at most 1000
 * @throws DataError for a number that is no class; ShapeError where lengths differ or are 0
 */
export function classificationMetrics(
  predictions: Numbers,
  truth: Numbers,
  options: { readonly classes?: number } = {},
): ClassificationMetrics {
  checkOptions('classificationMetrics', options, ['classes']);
  const [p, t] = readBoth(predictions, truth);
  const greatest = [...p, ...t].reduce((most, x) => Math.max(most, Math.floor(x)), 1);
  const { classes = Math.min(greatest + 1, MOST_CLASSES) } = options;
  if (!Number.isInteger(classes) || classes < 2) throw new ConfigError(`Expected 2 classes or more, got ${classes}`);
  expectClasses('prediction', p, classes);
  expectClasses('truth', t, classes);
  return classScores(p, t, classes);
}

export function classScores(p: readonly number[], t: readonly number[], classes: number): ClassificationMetrics {
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (const [row, truth] of t.entries()) confusion[truth]![p[row]!]! += 1;
  const scores = confusion.map((ofClass, c): ClassScore & { predicted: number } => {
    const [hits, support] = [ofClass[c]!, sum(ofClass)];
    const predicted = sum(confusion.map((line) => line[c]!));
    const share = (part: number, whole: number) => (whole === 0 ? 0 : part / whole);
    return {
      precision: share(hits, predicted),
      recall: share(hits, support),
      f1: share(2 * hits, support + predicted),
      support,
      predicted,
    };
  });
  const occurring = scores.filter(({ support, predicted }) => support + predicted > 0);
  return {
    accuracy: sum(confusion.map((line, c) => line[c]!)) / t.length,
    weightedF1: sum(scores.map(({ f1, support }) => f1 * support)) / t.length,
    macroF1: sum(occurring.map(({ f1 }) => f1)) / occurring.length,
    classes: scores.map(({ predicted: _, ...score }) => score),
    confusion,
  };
}

export function accuracy(p: readonly number[], t: readonly number[]): number {
  return t.filter((x, row) => x === p[row]).length / t.length;
}

export function meanAbsoluteError(p: readonly number[], t: readonly number[]): number {
  return sum(t.map((x, row) => Math.abs(x - p[row]!))) / t.length;
}

export function pearson(p: readonly number[], t: readonly number[]): number {
  if (isConstant(p) || isConstant(t)) return Number.NaN;
  const [dp, dt] = [deviations(p), deviations(t)];
  const products = sum(dp.map((x, row) => x * dt[row]!));
  return products / Math.sqrt(sum(dp.map((x) => x * x))) / Math.sqrt(sum(dt.map((x) => x * x)));
}

export function determination(p: readonly number[], t: readonly number[]): number {
  if (isConstant(t)) return Number.NaN;
  return 1 - sum(t.map((x, row) => (x - p[row]!) ** 2)) / sum(deviations(t).map((x) => x * x));
}

function deviations(values: readonly number[]): number[] {
  const mean = sum(values) / values.length;
  return values.map((x) => x - mean);
}

function isConstant(values: readonly number[]): boolean {
  return values.every((x) => x === values[0]);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, x) => total + x, 0);
}

export function readBoth(predictions: Numbers, truth: Numbers): [number[], number[]] {
  const [p, t] = [read('prediction', predictions), read('truth', truth)];
  if (p.length !== t.length) {
    throw new ShapeError(`Expected as many predictions as true labels, got ${p.length} and ${t.length}`);
  }
  if (t.length === 0) throw new ShapeError('Expected predictions to score, got none');
  return [p, t];
}

function read(what: string, source: Numbers): number[] {
  if (source instanceof Tensor) {
    const shape = source.shape;
    if (!(shape.length === 1 || (shape.length === 2 && shape[1] === 1))) {
      throw new ShapeError(`Expected a ${what} [N] or [N, 1], got [${shape}]`);
    }
  }
  const numbers = Array.from(source instanceof Tensor ? source.data() : source, Number);
  const bad = numbers.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0) throw new DataError(`Expected finite numbers, got ${numbers[bad]} as the ${what} of row ${bad}`);
  return numbers;
}

function expectClasses(what: string, values: readonly number[], classes: number): void {
  const bad = values.findIndex((x) => !Number.isInteger(x) || x < 0 || x >= classes);
  if (bad >= 0) {
    throw new DataError(`Expected classes 0 to ${classes - 1}, got ${values[bad]} as the ${what} of row ${bad}`);
  }
}
