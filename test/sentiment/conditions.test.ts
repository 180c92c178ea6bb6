// Worse data, few labels, and data whose causes are known.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  beginFolder,
  degradeData,
  factorsOf,
  makeSynthetic,
  predictSplit,
  prepareData,
  prepareTrained,
  probe,
  probeFactors,
  SeedTrainer,
  type SentimentData,
  sentimentRecipe,
  writeResult,
} from 'headrace/sentiment';
import { tensor } from 'headrace/torch';
import { smallConfig, smallData } from './train-support.js';

test('a missing modality has no rows and no words, noise is as large as told, words are left out by their share', () => {
  const data = smallData({ train: 400, valid: 8, test: 8 });
  const without = degradeData(data, { missing: ['text', 'audio'] });
  assert.ok(without.utterances.every(({ text }) => text === null));
  assert.ok(without.features.audio!.lengths.every((length) => length === 0));
  assert.deepEqual(without.features.vision!.rows(3), data.features.vision!.rows(3));

  const noisy = degradeData(data, { noise: { audio: 2 } });
  assert.deepEqual(noisy.features.audio!.rows(5), degradeData(data, { noise: { audio: 2 } }).features.audio!.rows(5));
  const flat = (of: typeof data, column: number): number[] =>
    data.indices('train').flatMap((i) => [...of.features.audio!.rows(i)].filter((_, k) => k % 5 === column));
  const deviation = (values: readonly number[]): number => {
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    return Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
  };
  for (const column of [0, 3]) {
    const [before, after] = [flat(data, column), flat(noisy, column)];
    const ratio = deviation(after.map((value, i) => value - before[i]!)) / deviation(before);
    assert.ok(Math.abs(ratio - 2) < 0.15, `${ratio}`);
  }

  const words = (of: typeof data): number => of.utterances.reduce((sum, { text }) => sum + text!.split(' ').length, 0);
  const share = words(degradeData(data, { dropWords: 0.5 })) / words(data);
  assert.ok(Math.abs(share - 0.5) < 0.05, `${share}`);
  assert.throws(() => degradeData(data, { noise: { text: 1 } }), /small has no text features to make noisy/);
  assert.throws(() => degradeData(data, { mising: ['text'] } as object), /Did you mean missing\?/);
});

test('a share of the training utterances is drawn by the seed, and the scales are theirs', () => {
  const used = (seed: number): readonly number[] => {
    const config = smallConfig('ours', { trainShare: 0.25 });
    const trainer = new SeedTrainer(config, prepareData(config, smallData()), seed);
    const { prepared } = trainer.learner as unknown as { prepared: ReturnType<typeof prepareData> };
    assert.equal(prepared.splits.valid.length, 8);
    return prepared.splits.train.indices;
  };
  assert.equal(used(1).length, 6);
  assert.deepEqual(used(1), used(1));
  assert.notDeepEqual(used(1), used(2));
});

test('a probe reads off what is linear, and nothing of what is independent', () => {
  const draw = (n: number, salt: number) =>
    Array.from({ length: n }, (_, i) => [Math.sin(12.9 * i + salt), Math.sin(78.2 * i + salt)]);
  const [a, b] = [draw(60, 1), draw(40, 2)];
  const mapped = (rows: number[][]) => tensor(rows.map(([x, y]) => [2 * x! - y! + 3, x! + y!, 0.1 * y!]));
  const linear = probe({ codes: mapped(a), factors: tensor(a) }, { codes: mapped(b), factors: tensor(b) });
  assert.ok(
    linear.every((value) => value > 0.98),
    `${linear}`,
  );
  const none = probe(
    { codes: tensor(draw(60, 5)), factors: tensor(a) },
    { codes: tensor(draw(40, 7)), factors: tensor(b) },
  );
  assert.ok(
    none.every((value) => value < 0.2),
    `${none}`,
  );
});

test('synthetic data has the label and the factors that it says, and each code holds its own modality, not the others', async () => {
  const data = makeSynthetic({ count: 400, noise: 0.3, dims: 8 });
  assert.deepEqual(
    (['train', 'valid', 'test'] as const).map((split) => data.indices(split).length),
    [240, 80, 80],
  );
  const { shared, audio, text, vision } = factorsOf(data.utterances[7]!) as Record<string, [number, number]>;
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const expected =
    1.2 *
    (Math.SQRT1_2 * (sum(shared!) / Math.SQRT2) +
      Math.SQRT1_2 * (sum([...text!, ...audio!, ...vision!]) / Math.sqrt(6)));
  assert.ok(Math.abs(data.utterances[7]!.label! - expected) < 1e-6);
  const recipe = sentimentRecipe('ours', {
    modalities: ['text', 'audio', 'vision'],
    text: { kind: 'features', pool: 'mean' },
  });
  const config = { ...recipe, maxEpochs: 6 };
  const trainer = new SeedTrainer(config, prepareData(config, data), 1);
  const { test: scores } = (await trainer.run())!;
  assert.ok(scores.corr! > 0.6, `${scores.corr}`);
  const splits = (['train', 'test'] as const).map((split) => prepareTrained(config, data, null, split));
  const report = probeFactors(trainer.network, config, splits[0]!, splits[1]!)!;
  assert.ok(report.text!.text! > 0.9 && report.text!.shared! > 0.9, JSON.stringify(report.text));
  assert.ok(report.text!.audio! < 0.2 && report.audio!.vision! < 0.2, JSON.stringify(report));
  assert.ok(report.audio!.audio! > 0.2);
  // Without its text it does worse on the same utterances.
  const silent = prepareTrained(config, degradeData(data, { missing: ['text'] }), null, 'test');
  const { predictions, truth } = predictSplit(trainer.network, config, silent);
  const mae = predictions.reduce((total, value, i) => total + Math.abs(value - truth[i]!), 0) / truth.length;
  assert.ok(mae > scores.mae! + 0.05, `${mae} against ${scores.mae}`);
});

test('a model without codes of single modalities has no table of what they hold', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-codes-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const modalities = ['text', 'audio'] as const;
  const config = { ...sentimentRecipe('ef-lstm', { modalities, text: { kind: 'features' } }), maxEpochs: 1 };
  const data = makeSynthetic({ count: 20 });
  const prepared = prepareData(config, data);
  const trainer = new SeedTrainer(config, prepared, 1);
  const result = (await trainer.run())!;
  beginFolder(folder, config, prepared, false);
  writeResult(folder, result, trainer.network);
  const { factorTable } = (await import(
    new URL('../../../dist/cli/sentiment-conditions.js', import.meta.url).href
  )) as {
    factorTable: (rows: readonly object[], data: SentimentData) => string[][];
  };
  assert.deepEqual(factorTable([{ name: 'ef-lstm', folder, results: [result] }], data), []);
});
