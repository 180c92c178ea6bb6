// Medians, and runs with several seeds: their spread, and whether two models differ by more than it.

import { DataError } from '../torch/errors.js';
import { checkFlag, checkOptions } from '../torch/options.js';

/** The middle of some values, or the mean of the two middle ones; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The value that a quarter of the values lie under, the lower of two neighbours; NaN of none. */
export function lowerQuartile(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 4)] ?? Number.NaN;
}

export interface Summary {
  readonly mean: number;
  /** Of the sample (n - 1); NaN of a single value. */
  readonly std: number;
  readonly n: number;
}

/** The scores of one run, by name. */
export type Run = Readonly<Record<string, number>>;

/** Welch's unpaired t-test of two samples whose variances may differ. */
export interface WelchTest {
  /** Mean of the first sample less that of the second. */
  readonly difference: number;
  readonly t: number;
  /** Degrees of freedom by Welch and Satterthwaite; seldom an integer. */
  readonly df: number;
  /** Two-sided. */
  readonly p: number;
  /** Of the difference, at the confidence asked for. */
  readonly interval: readonly [low: number, high: number];
}

/** The same of pairs: `df` is one less than there are. */
export type PairedTest = WelchTest;

/** Two models' scores beside each other. */
export interface Comparison extends WelchTest {
  readonly a: Summary;
  readonly b: Summary;
}

/** Mean, standard deviation and number of values. NaN among them makes both NaN. @throws DataError for no value */
export function summarise(values: ArrayLike<number>): Summary {
  const list = Array.from(values);
  const n = list.length;
  if (n === 0) throw new DataError('Expected values to summarise, got none');
  const mean = list.reduce((total, x) => total + x, 0) / n;
  const squares = list.reduce((total, x) => total + (x - mean) ** 2, 0);
  return { mean, std: n > 1 ? Math.sqrt(squares / (n - 1)) : Number.NaN, n };
}

/** Each score's summary over runs. @throws DataError unless all runs have the same scores */
export function summariseRuns(runs: readonly Run[]): Record<string, Summary> {
  return Object.fromEntries(namesOf(runs).map((name) => [name, summarise(runs.map((run) => run[name]!))]));
}

/**
 * Tests every score of two models, one run a seed. The test is unpaired unless asked to pair run with run: equal seeds make
 * runs alike where the models begin with the same weights and see the same batches, as those that differ in a loss do. Many scores tested at once give small p-values by chance; decide beforehand which one counts.
 */
export function compareRuns(
  a: readonly Run[],
  b: readonly Run[],
  options: { readonly confidence?: number; readonly paired?: boolean } = {},
): Record<string, Comparison> {
  checkOptions('compareRuns', options, ['confidence', 'paired']);
  checkFlag('compareRuns', 'paired', options.paired);
  const { paired = false, ...confidence } = options;
  const test = paired ? pairedTest : welchTest;
  const names = namesOf([...a, ...b]);
  return Object.fromEntries(
    names.map((name) => {
      const [ofA, ofB] = [a.map((run) => run[name]!), b.map((run) => run[name]!)];
      return [name, { a: summarise(ofA), b: summarise(ofB), ...test(ofA, ofB, confidence) }];
    }),
  );
}

/**
 * Welch's t-test (Biometrika 34, 1947). Where neither sample has any spread there is no test: `t` is infinite, or NaN
 * where the means are equal too, and `df`, `p` and the interval are NaN.
 * @param options.confidence - of the interval; default 0.95
 * @throws DataError unless both samples have two finite values or more
 */
export function welchTest(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  options: { readonly confidence?: number } = {},
): WelchTest {
  const confidence = confidenceOf('welchTest', options);
  const [first, second] = [expectSample('first', a), expectSample('second', b)];
  const [va, vb] = [first.std ** 2 / first.n, second.std ** 2 / second.n];
  const error = Math.sqrt(va + vb);
  const difference = first.mean - second.mean;
  const t = difference / error;
  const share = va / (va + vb);
  const df = 1 / (share ** 2 / (first.n - 1) + (1 - share) ** 2 / (second.n - 1));
  return tTest(difference, error, t, df, confidence);
}

/**
 * Student's t-test of the differences of pairs: the first value of `a` with the first of `b`, and so on. Where all differ by
 * the same there is no test, as in {@link welchTest}.
 * @throws DataError unless both have the same number of finite values, two or more
 */
export function pairedTest(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  options: { readonly confidence?: number } = {},
): PairedTest {
  const confidence = confidenceOf('pairedTest', options);
  expectSample('first', a);
  expectSample('second', b);
  if (a.length !== b.length) throw new DataError(`Expected samples in pairs, got ${a.length} and ${b.length} values`);
  const { mean, std, n } = summarise(Array.from(a, (value, i) => value - b[i]!));
  const error = std / Math.sqrt(n);
  return tTest(mean, error, mean / error, n - 1, confidence);
}

function confidenceOf(where: string, options: { readonly confidence?: number }): number {
  checkOptions(where, options, ['confidence']);
  const { confidence = 0.95 } = options;
  if (confidence > 0 && confidence < 1) return confidence;
  throw new DataError(`Expected a confidence in (0, 1), got ${confidence}`);
}

function tTest(difference: number, error: number, t: number, df: number, confidence: number): WelchTest {
  if (error === 0) return { difference, t, df, p: Number.NaN, interval: [Number.NaN, Number.NaN] };
  const reach = studentTQuantile((1 + confidence) / 2, df) * error;
  return { difference, t, df, p: studentTTwoSided(t, df), interval: [difference - reach, difference + reach] };
}

/**
 * The probability that |T| is at least |t|, T of Student's distribution with `df` degrees of freedom: the regularised
 * incomplete beta function I_x(df/2, 1/2) at x = df / (df + t²). Good to about 1e-13 of its value, small ones too.
 */
export function studentTTwoSided(t: number, df: number): number {
  if (!(df > 0)) throw new DataError(`Expected degrees of freedom above 0, got ${df}`);
  if (Number.isNaN(t)) return Number.NaN;
  const ratio = (t * t) / df;
  if (ratio === 0) return 1;
  if (ratio === Number.POSITIVE_INFINITY) return 0;
  const a = df / 2;
  // x^a (1-x)^(1/2) / B(a, 1/2), with log(x) = -log(1 + t²/df), which keeps its digits where x is near 1.
  const front = Math.exp(
    -a * Math.log1p(ratio) +
      0.5 * (Math.log(ratio) - Math.log1p(ratio)) +
      logGammaHalfStep(a) -
      0.5 * Math.log(Math.PI),
  );
  const [x, rest] = [1 / (1 + ratio), ratio / (1 + ratio)];
  // The fraction converges fast below the distribution's mean; beyond it, the other tail is computed.
  if (x < (a + 1) / (a + 2.5)) return (front * betaFraction(x, a, 0.5)) / a;
  return 1 - (front * betaFraction(rest, 0.5, a)) / 0.5;
}

/** The t below which Student's distribution has the share `probability`. @throws DataError outside (0, 1) */
export function studentTQuantile(probability: number, df: number): number {
  if (!(probability > 0 && probability < 1)) {
    throw new DataError(`Expected a probability in (0, 1), got ${probability}`);
  }
  if (probability === 0.5) return 0;
  const outside = 2 * Math.min(probability, 1 - probability);
  let [low, high] = [0, 1];
  while (studentTTwoSided(high, df) > outside) [low, high] = [high, high * 2];
  for (let middle = (low + high) / 2; middle > low && middle < high; middle = (low + high) / 2) {
    if (studentTTwoSided(middle, df) > outside) low = middle;
    else high = middle;
  }
  return probability > 0.5 ? high : -high;
}

/** log Γ(a + ½) - log Γ(a): Stirling's series where a is large, and steps of one up to there. */
function logGammaHalfStep(a: number): number {
  let result = 0;
  for (; a < 15; a += 1) result += Math.log(a / (a + 0.5));
  const y = 1 / (a * a);
  const series = (1 / a) * (-1 / 8 + y * (1 / 192 + y * (-1 / 640 + y * (17 / 14336 - y * (31 / 18432)))));
  return result + 0.5 * Math.log(a) + series;
}

/**
 * The continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8), by Lentz's method, from the
 * first term on.
 */
function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  const away = (value: number) => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let m = 1; m <= 10_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    let step = 1;
    for (const term of [even, odd]) {
      d = 1 / away(1 + term * d);
      c = away(1 + term / c);
      step = c * d;
      value *= step;
    }
    if (Math.abs(step - 1) < 3e-16) return value;
  }
  throw new DataError(`The incomplete beta function did not converge at x = ${x}, a = ${a}, b = ${b}`);
}

function namesOf(runs: readonly Run[]): string[] {
  if (runs.length === 0) throw new DataError('Expected runs to summarise, got none');
  const names = Object.keys(runs[0]!);
  for (const [i, run] of runs.entries()) {
    const own = Object.keys(run);
    if (own.length === names.length && names.every((name) => Object.hasOwn(run, name))) continue;
    throw new DataError(`Expected the scores ${names.join(', ')} of every run, got ${own.join(', ')} of run ${i}`);
  }
  return names;
}

function expectSample(which: string, values: ArrayLike<number>): Summary {
  const bad = Array.from(values).findIndex((x) => !Number.isFinite(x));
  if (bad >= 0)
    throw new DataError(`Expected finite values to test, got ${values[bad]} at ${bad} of the ${which} sample`);
  if (values.length < 2) {
    throw new DataError(`Expected two values or more in the ${which} sample, got ${values.length}: run more seeds`);
  }
  return summarise(values);
}
