import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  compareRuns,
  pairedTest,
  studentTQuantile,
  studentTTwoSided,
  summarise,
  summariseRuns,
  welchTest,
} from 'headrace/sentiment';
import { assertNear, golden } from './support.js';

/** Relative: p-values span 170 orders of magnitude. */
function assertRelative(actual: number, expected: number, tolerance: number, what: string): void {
  const error = Math.abs(actual - expected) / Math.max(Math.abs(expected), 1e-290);
  assert.ok(error <= tolerance, `${what}: expected ${expected}, got ${actual}`);
}

test('mean and deviation of the sample', () => {
  const { mean, std, n } = summarise([2, 4, 4, 4, 5, 5, 7, 9]);
  assertNear([mean, std, n], [5, Math.sqrt(32 / 7), 8], 1e-15);
  assert.deepEqual(summarise(Float32Array.of(3)), { mean: 3, std: Number.NaN, n: 1 });
  assert.ok(Number.isNaN(summarise([1, Number.NaN]).mean));
  assert.throws(() => summarise([]), /values to summarise, got none/);
});

test("Student's tails are SciPy's, small ones too", () => {
  for (const { t, df, p } of golden.statistics.tails) {
    assertRelative(studentTTwoSided(t, df), p, 1e-10, `t = ${t}, df = ${df}`);
  }
  assert.equal(studentTTwoSided(0, 3), 1);
  assert.equal(studentTTwoSided(Number.POSITIVE_INFINITY, 3), 0);
});

test("one and two degrees of freedom have the tails' closed forms", () => {
  for (const t of [0.01, 0.5, 1, 3, 100]) {
    assertRelative(studentTTwoSided(t, 1), 1 - (2 / Math.PI) * Math.atan(t), 1e-13, `df 1, t = ${t}`);
    const closed = 2 / (2 + t * t + t * Math.sqrt(2 + t * t));
    assertRelative(studentTTwoSided(t, 2), closed, 1e-13, `df 2, t = ${t}`);
  }
});

test("Student's quantiles are SciPy's", () => {
  for (const { probability, df, t } of golden.statistics.quantiles) {
    assertNear(studentTQuantile(probability, df), t, 1e-9 * Math.max(1, Math.abs(t)), `${probability}, df = ${df}`);
  }
  // The table that every textbook prints.
  assertNear(studentTQuantile(0.975, 10), 2.228, 5e-4);
});

test("the paired test is that of Student's own example, ten patients' extra sleep by two drugs", () => {
  const a = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0, 2];
  const b = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
  // As R's t.test(extra ~ group, data = sleep, paired = TRUE) prints it.
  const { difference, t, df, p, interval } = pairedTest(a, b);
  assertNear([difference, t, df], [-1.58, -4.0621, 9], 5e-5);
  assertNear(p, 0.002833, 5e-7);
  assertNear([...interval], [-2.4598858, -0.7001142], 5e-8);
  const runs = (values: readonly number[]) => values.map((mae) => ({ mae }));
  assert.equal(compareRuns(runs(a), runs(b), { paired: true }).mae!.p, p);
  assert.throws(() => pairedTest(a, b.slice(1)), /samples in pairs, got 10 and 9 values/);
});

test("Welch's test is SciPy's", () => {
  for (const { a, b, t, df, p, interval } of golden.statistics.welch) {
    const test = welchTest(a, b);
    assertRelative(test.t, t, 1e-10, 't');
    assertRelative(test.df, df, 1e-10, 'df');
    assertRelative(test.p, p, 1e-9, 'p');
    for (const side of [0, 1] as const) assertRelative(test.interval[side], interval[side], 1e-8, 'interval');
    const swapped = welchTest(b, a);
    assertRelative(swapped.p, test.p, 1e-12, 'p the other way round');
    assert.equal(swapped.difference, -test.difference);
  }
});

test('samples without spread give no p-value', () => {
  const apart = welchTest([1, 1], [2, 2, 2]);
  assert.deepEqual(apart, {
    difference: -1,
    t: Number.NEGATIVE_INFINITY,
    df: Number.NaN,
    p: Number.NaN,
    interval: [Number.NaN, Number.NaN],
  });
  assert.ok(Number.isNaN(welchTest([1, 1], [1, 1]).t));
  assert.ok(welchTest([1, 1], [2, 2.1]).p > 0);
  assert.ok(Number.isFinite(welchTest([0, 1e-100], [0, 2e-100]).p));
});

test('samples that cannot be tested are named', () => {
  assert.throws(() => welchTest([1], [1, 2]), /two values or more in the first sample, got 1: run more seeds/);
  assert.throws(() => welchTest([1, 2], [1, Number.NaN]), /got NaN at 1 of the second sample/);
  assert.throws(() => welchTest([1, 2], [1, 2], { confidence: 95 }), /confidence in \(0, 1\), got 95/);
  assert.throws(() => studentTTwoSided(1, 0), /degrees of freedom above 0, got 0/);
  assert.throws(() => studentTQuantile(1, 3), /probability in \(0, 1\), got 1/);
});

test('runs are summarised and compared score by score', () => {
  const ours = [0.9, 1, 1.1].map((mae) => ({ mae, corr: mae / 2 }));
  const theirs = [1.2, 1.3, 1.25, 1.4].map((mae) => ({ corr: 0.5, mae }));
  assertNear(summariseRuns(ours).corr!.mean, 0.5, 1e-15);
  const { mae, corr } = compareRuns(ours, theirs);
  assert.deepEqual([mae!.a.n, mae!.b.n], [3, 4]);
  assertNear(mae!.difference, 1 - 1.2875, 1e-12);
  assert.equal(mae!.p, welchTest([0.9, 1, 1.1], [1.2, 1.3, 1.25, 1.4]).p);
  assert.ok(corr!.p > 0.99);
  assert.throws(() => summariseRuns([{ mae: 1 }, { corr: 1 }]), /scores mae of every run, got corr of run 1/);
  assert.throws(() => summariseRuns([]), /runs to summarise, got none/);
});
