// Runs that begin with the weights of another, and folders that keep one seed in half precision.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  beginFolder,
  loadModel,
  packModel,
  predictUtterances,
  prepareData,
  SeedTrainer,
  type SentimentConfig,
  SentimentData,
  writeResult,
} from 'headrace/sentiment';
import { ConfigError } from 'headrace/torch';
import { smallConfig, smallData } from './train-support.js';

const scratch = mkdtempSync(join(tmpdir(), 'headrace-init-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

const only = (change: Partial<SentimentConfig> = {}): SentimentConfig =>
  smallConfig('text-only', { modalities: ['text'], maxEpochs: 1, ...change });

/** Trains seed 1 into a folder. */
async function trained(
  name: string,
  config = only(),
  data = smallData(),
): Promise<{ folder: string; trainer: SeedTrainer }> {
  const folder = join(scratch, name);
  const prepared = prepareData(config, data);
  beginFolder(folder, config, prepared, false);
  const trainer = new SeedTrainer(config, prepared, 1);
  const result = (await trainer.run())!;
  writeResult(folder, result, trainer.network);
  return { folder, trainer };
}

const values = (trainer: SeedTrainer, key: string): unknown => trainer.network.stateDict().get(key)!.tolist();

test('a run begins with the weights of another, and its own seed draws nothing of them', async () => {
  const { folder, trainer: first } = await trained('first');
  const next = new SeedTrainer(only({ init: folder }), prepareData(only(), smallData()), 2);
  assert.deepEqual(next.begun?.fresh, []);
  assert.equal(next.begun?.seed, 1);
  for (const key of next.begun!.taken) assert.deepEqual(values(next, key), values(first, key), key);
  const drawn = new SeedTrainer(only(), prepareData(only(), smallData()), 2);
  assert.notDeepEqual(values(drawn, 'model.text.output.weight'), values(first, 'model.text.output.weight'));
  assert.equal(drawn.begun, null);
});

test('after another task all is taken but the last layer, which is drawn as without the other run', async () => {
  const whole = smallData();
  const data = new SentimentData({
    ...whole,
    utterances: whole.utterances.map((item) => ({ ...item, class: item.label! > 0 ? 1 : 0 })),
    classes: ['bad', 'good'],
  });
  const { folder } = await trained('classes', only({ task: 'classification' }), data);
  const next = new SeedTrainer(only({ init: folder }), prepareData(only(), whole), 3);
  assert.deepEqual(next.begun?.fresh, ['model.head.layer_3.weight', 'model.head.layer_3.bias']);
  const drawn = new SeedTrainer(only(), prepareData(only(), whole), 3);
  assert.deepEqual(values(next, 'model.head.layer_3.weight'), values(drawn, 'model.head.layer_3.weight'));
});

test('a run with other words is refused: its vectors would stand for other words', async () => {
  const { folder } = await trained('words');
  const whole = smallData();
  const utterances = whole.utterances.map((item) => ({ ...item, text: `${item.text} indeed` }));
  const other = prepareData(only(), new SentimentData({ ...whole, utterances }));
  assert.throws(
    () => new SeedTrainer(only({ init: folder }), other, 1),
    (error: Error) => error instanceof ConfigError && /same words \(\d+\), got \d+/.test(error.message),
  );
});

test('a packed model is half as large and reads as the run does', async () => {
  const { folder } = await trained('packing');
  const out = join(scratch, 'packed');
  const size = (of: string): number => statSync(join(of, 'seed-1', 'model.safetensors')).size;
  assert.deepEqual(packModel(folder, out), { seed: 1, bytes: size(out) });
  assert.ok(size(out) < 0.65 * size(folder), `${size(out)} of ${size(folder)}`);
  const texts = ['the film was great', 'it was boring'].map((text) => ({ id: text, text }));
  const [whole, half] = [folder, out].map((path) => predictUtterances(loadModel(path), texts));
  // float16 keeps 11 bits of each weight.
  for (const [i, { score }] of whole!.entries()) assert.ok(Math.abs(score - half![i]!.score) < 0.01);
  assert.throws(() => packModel(folder, out), /holds a model already/);
});
