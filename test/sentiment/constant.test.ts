import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  constantName,
  constantScores,
  likeConstant,
  prepareData,
  resultTable,
  type SeedResult,
  SentimentData,
  spreadOf,
  trainingConstant,
  utterance,
} from 'headrace/sentiment';
import { smallConfig } from './train-support.js';

/** Utterances with these labels, or classes, in turn. */
function dataOf(train: readonly number[], test: readonly number[], classes: readonly string[] = []): SentimentData {
  const make = (split: 'train' | 'valid' | 'test', values: readonly number[]) =>
    values.map((value, i) =>
      utterance({
        id: `${split}${i}`,
        video: split,
        split,
        text: 'a film',
        ...(classes.length > 0 ? { class: value } : { label: value }),
      }),
    );
  const utterances = [...make('train', train), ...make('valid', [0]), ...make('test', test)];
  return new SentimentData({ name: 'toy', utterances, classes, range: [-3, 3] });
}

const text = { modalities: ['text'] as const, unimodal: null };

test('of scores the constant is the mean of the training labels', () => {
  const config = smallConfig('text-only', text);
  const { splits, shape } = prepareData(config, dataOf([1, 2, -1.5], [1, -2, 0.5]));
  const mean = trainingConstant(config, splits.train);
  assert.equal(mean, 0.5);
  const scores = constantScores(config, splits.test, mean, shape.outputs);
  assert.ok(Math.abs(scores.mae! - (0.5 + 2.5 + 0) / 3) < 1e-12);
  assert.ok(Number.isNaN(scores.corr));
  assert.equal(scores.acc2Non0, 2 / 3); // positive for all
  assert.equal(constantName(config, mean, []), 'constant: training mean +0.50');
});

test('of classes it is the most frequent one', () => {
  const config = smallConfig('text-classes');
  const classes = ['bad', 'plain', 'good'];
  const { splits, shape } = prepareData(config, dataOf([2, 1, 1, 0], [1, 1, 2, 0], classes));
  const most = trainingConstant(config, splits.train);
  assert.equal(most, 1);
  const scores = constantScores(config, splits.test, most, shape.outputs);
  assert.equal(scores.accuracy, 0.5);
  assert.ok(Math.abs(scores.weightedF1! - (2 / 4) * (2 / 3)) < 1e-12); // F1 of the class is 2 * 2 / (2 + 4)
  assert.equal(constantName(config, most, classes), 'constant: plain');
});

test('a table has the constant below its rows, and no number where a score is not defined', () => {
  const result = (corr: number) => ({ test: { mae: 1, corr } }) as unknown as SeedResult;
  const rows = [{ name: 'ours', results: [result(0.5), result(0.7)] }];
  assert.deepEqual(resultTable(rows, { name: 'constant', test: { mae: 1.5, corr: Number.NaN } }), [
    ['', 'seeds', 'MAE', 'Corr'],
    ['ours', '2', '1.0000 ± 0.0000', '0.6000 ± 0.1414'],
    ['constant', '', '1.5000', '-'],
  ]);
  assert.equal(resultTable(rows).length, 2);
});

test('a model that says the same of everything, or correlates with nothing, is told', () => {
  const config = smallConfig('text-only', text);
  assert.match(likeConstant({ mae: 1, corr: 0.4 }, 0.001)!, /all but the same for every utterance/);
  assert.match(likeConstant({ mae: 1, corr: -0.2 }, 0.5)!, /is -0\.200, not above 0/);
  assert.match(likeConstant({ mae: 1, corr: 0 }, null)!, /is 0\.000, not above 0/);
  assert.match(likeConstant({ mae: 1, corr: Number.NaN }, null)!, /not defined/);
  assert.equal(likeConstant({ mae: 1, corr: 0.3 }, 0.5), null);
  assert.equal(likeConstant({ accuracy: 0.5 }, 1), null);
  assert.equal(spreadOf(config, [0, 1], [-2, 2]), 0.25);
  assert.equal(spreadOf(config, [0, 1], [1, 1]), null);
  assert.equal(spreadOf(smallConfig('text-classes'), [1, 1, 1], [0, 1, 2]), 0);
});
