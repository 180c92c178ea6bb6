import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  classificationMetrics,
  metricNames,
  mosiMetrics,
  sentimentMetrics,
  simsMetrics,
  simsV2Metrics,
} from 'headrace/sentiment';
import { tensor } from 'headrace/torch';
import { assertNear, f64, golden } from './support.js';

const MOSI_T = [-3, -1.6, -0.4, 0, 0, 0.2, 0.5, 1.5, 2.5, 3];
const MOSI_P = [-2.4, -1.2, 0.1, -0.2, 0.3, 0.6, 0.4, 1.6, 2.4, 3.4];
const SIMS_T = [-1, -0.8, -0.6, -0.2, 0, 0, 0.2, 0.6, 0.8, 1];
const SIMS_P = [-0.71, -0.65, -0.1, 0.05, 0, 0.15, 0.1, 0.71, 0.69, 1.3];

function assertMetrics(actual: object, expected: Readonly<Record<string, number>>): void {
  assert.deepEqual(Object.keys(actual).sort(), Object.keys(expected).sort());
  for (const [name, value] of Object.entries(actual)) assertNear(value as number, expected[name]!, 1e-9, name);
}

test('the golden scores of MOSI, from arrays and tensors', () => {
  const expected = {
    mae: 0.31,
    corr: 0.9887798291311448,
    acc7: 0.7,
    acc5: 0.8,
    acc3: 0.9,
    acc2Has0: 0.8,
    f1Has0: 0.8,
    acc2Non0: 0.875,
    f1Non0: 0.8681818181818182,
  };
  assertMetrics(mosiMetrics(MOSI_P, MOSI_T), expected);
  assertMetrics(mosiMetrics(f64(MOSI_P), f64(MOSI_T).unsqueeze(1)), expected);
});

test('the golden scores of SIMS: both sides are clipped before everything, MAE included', () => {
  const expected = { acc2: 0.8, acc3: 0.7, acc5: 0.4, f1: 0.8, mae: 0.166, corr: 0.9701790858677756 };
  assertMetrics(simsMetrics(SIMS_P, SIMS_T), expected);
});

test("two hundred samples of each have NumPy's scores", () => {
  const { mosi, sims } = golden;
  assertMetrics(mosiMetrics(mosi.predicted, mosi.truth), mosi.metrics);
  assertMetrics(simsV2Metrics(sims.predicted, sims.truth), sims.metrics);
});

test('rounding goes half to even, as published scores have it', () => {
  // -0.5, 0.5, 1.5, 2.5 become 0, 0, 2, 2.
  assert.equal(mosiMetrics([0, 0, 2, 2], [-0.5, 0.5, 1.5, 2.5]).acc7, 1);
  assert.equal(mosiMetrics([-1, 1, 1, 3], [-0.5, 0.5, 1.5, 2.5]).acc7, 0);
});

test('classes of SIMS contain their upper ends, in float32 too', () => {
  const truth = [-0.7, -0.1, 0, 0.1, 0.4, 0.7, 0.70001];
  const twin = [-1, -0.7 + 1e-6, -0.05, -0.09, 0.1 + 1e-6, 0.4, 1];
  for (const read of [(x: number[]) => x, (x: number[]) => tensor(x), (x: number[]) => Float32Array.from(x)]) {
    const scores = simsV2Metrics(read(twin), read(truth));
    assert.equal(scores.acc5, 1);
    // Weak are -0.1, 0, 0.1 and 0.4; of them only 0.1 has a twin of the other sign.
    assert.equal(scores.acc2Weak, 0.75);
  }
});

test('constant predictions have no correlation, and the other scores stand', () => {
  const scores = mosiMetrics([0.1, 0.1, 0.1], [1, -2, 0.1]);
  assert.ok(Number.isNaN(scores.corr));
  assertNear(scores.mae, 1, 1e-12);
  assertNear([scores.acc2Has0, scores.f1Has0], [2 / 3, (2 / 3) * 0.8], 1e-12);
  const constant = simsV2Metrics([0.1, 0.2], [0.5, 0.5]);
  assert.ok(Number.isNaN(constant.corr) && Number.isNaN(constant.r2) && Number.isNaN(constant.acc2Weak));
});

test('where every label is 0, what is scored without zeros is NaN', () => {
  const scores = mosiMetrics([0.3, -0.1], [0, 0]);
  assert.ok(Number.isNaN(scores.acc2Non0) && Number.isNaN(scores.f1Non0));
  assert.equal(scores.acc2Has0, 0.5);
});

test('a single sample is scored', () => {
  const scores = mosiMetrics(tensor([[1.2]]), tensor([1]));
  assert.equal(scores.acc7, 1);
  assert.ok(Number.isNaN(scores.corr));
});

test('numbers that are not finite, wrong lengths and shapes are named', () => {
  assert.throws(() => mosiMetrics([0, Number.NaN], [0, 1]), /got NaN as the prediction of row 1/);
  assert.throws(() => simsMetrics([0, 1], [Number.NEGATIVE_INFINITY, 0]), /got -Infinity as the truth of row 0/);
  assert.throws(() => mosiMetrics([0, 1], [0]), /as many predictions as true labels, got 2 and 1/);
  assert.throws(() => mosiMetrics([], []), /predictions to score, got none/);
  assert.throws(() => mosiMetrics(f64([[1, 2]]), f64([1])), /prediction \[N\] or \[N, 1\], got \[1,2\]/);
});

test('families have their scores in order, each named with its variant', () => {
  for (const [family, scores] of [
    ['mosi', mosiMetrics(MOSI_P, MOSI_T)],
    ['sims', simsMetrics(SIMS_P, SIMS_T)],
    ['simsv2', simsV2Metrics(SIMS_P, SIMS_T)],
  ] as const) {
    assert.deepEqual(metricNames(family).map(({ name }) => name).sort(), Object.keys(scores).sort()); // biome-ignore format: one line
    const given = family === 'mosi' ? [MOSI_P, MOSI_T] : [SIMS_P, SIMS_T];
    assert.deepEqual(sentimentMetrics(family, given[0]!, given[1]!), scores);
  }
  const titles = metricNames('mosi').map(({ title }) => title);
  assert.deepEqual(titles.slice(5), ['Acc-2 (has0)', 'F1 (has0)', 'Acc-2 (non0)', 'F1 (non0)']);
  assert.equal(metricNames('sims')[0]!.better, 'lower');
  assert.throws(() => metricNames('toString' as 'mosi'), /mosi, sims, simsv2, got 'toString'/);
});

test('classes have the scores worked out by hand', () => {
  // Confusion: class 0: 2 right, 1 as 1; class 1: 1 right; class 2: 1 as 0, 1 right; class 3 never occurs.
  const truth = [0, 0, 0, 1, 2, 2];
  const predicted = tensor([0, 1, 0, 1, 0, 2], { dtype: 'int64' });
  const scores = classificationMetrics(predicted, truth, { classes: 4 });
  assert.deepEqual(scores.confusion, [[2, 1, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]); // biome-ignore format: one line
  assertNear(scores.classes.map(({ f1 }) => f1), [2 / 3, 2 / 3, 2 / 3, 0], 1e-12); // biome-ignore format: one line
  assertNear(scores.classes.map(({ precision }) => precision), [2 / 3, 1 / 2, 1, 0], 1e-12); // biome-ignore format: one line
  assertNear(scores.classes.map(({ recall }) => recall), [2 / 3, 1, 1 / 2, 0], 1e-12); // biome-ignore format: one line
  assertNear([scores.accuracy, scores.weightedF1, scores.macroF1], [2 / 3, 2 / 3, 2 / 3], 1e-12);
  const lopsided = classificationMetrics([0, 0, 0, 0], [0, 0, 0, 1]);
  assertNear([lopsided.weightedF1, lopsided.macroF1], [(3 / 4) * (6 / 7), 3 / 7], 1e-12);
});

test('what is no class is named with its row', () => {
  assert.throws(
    () => classificationMetrics([0, 3], [0, 1], { classes: 3 }),
    /0 to 2, got 3 as the prediction of row 1/,
  );
  assert.throws(() => classificationMetrics([0, 1], [0, -1]), /got -1 as the truth of row 1/);
  assert.throws(() => classificationMetrics([0, 0.7], [0, 1]), /got 0.7 as the prediction of row 1/);
  assert.throws(() => classificationMetrics([0, 1e12], [0, 1]), /0 to 999, got 1000000000000/);
  assert.throws(() => classificationMetrics([0], [0], { classes: 1 }), /2 classes or more, got 1/);
});
