import assert from 'node:assert/strict';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { saveSafetensors, saveTorch, writeSafetensorsIndex } from 'headrace/io';
import { BertEncoder, BertModel, loadBertWeights, readBertConfig } from 'headrace/text';
import { type Tensor, zeros } from 'headrace/torch';
import {
  distance,
  golden,
  goldenBatch,
  goldenConfig,
  goldenFolder,
  goldenWeights,
  temporaryFolder,
} from './bert-support.js';

/** Whether the folder's weights are all in place. */
function assertGolden(folder: string, tolerance = 0): void {
  const model = new BertModel(readBertConfig(folder));
  loadBertWeights(model, folder);
  const state = model.stateDict();
  for (const [key, value] of goldenWeights()) assert.ok(distance(state.get(key)!, value) <= tolerance, key);
}

const renamed = (rename: (key: string) => string): Map<string, Tensor> =>
  new Map([...goldenWeights()].map(([key, value]) => [rename(key), value]));

test('a folder gives the model of its weights', (t) => {
  const folder = goldenFolder(t);
  assertGolden(folder);
  const encoder = BertEncoder.fromFolder(folder);
  encoder.eval();
  assert.ok(distance(encoder.forward(goldenBatch()).sequence, golden.sequence as number[][][]) < 2e-5);
});

test('keys under bert. load, and the heads of a task stay out', (t) => {
  const weights = renamed((key) => `bert.${key}`);
  weights.set('cls.predictions.bias', zeros([40]));
  weights.set('classifier.weight', zeros([2, 32]));
  weights.set('bert.embeddings.position_ids', zeros([1, 12], { dtype: 'int64' }));
  assertGolden(goldenFolder(t, weights));
  const bare = goldenWeights();
  bare.set('cls.seq_relationship.bias', zeros([2]));
  assertGolden(goldenFolder(t, bare));
});

test("a reader's folder is one of its BERT, however it keeps its weights", (t) => {
  const whole = renamed((key) => `bert.${key}`);
  const packed = [...whole].flatMap(([key, value]): [string, Tensor][] => {
    if (value.ndim < 2) return [[key, value.to({ dtype: 'float16' })]];
    const scales = value.abs().amax([1]).div(127);
    const bytes = value.div(scales.unsqueeze(1)).round().to({ dtype: 'int8' });
    return [
      [key, bytes],
      [`${key}.scales`, scales],
    ];
  });
  const beside: [string, Tensor][] = [
    ['reader.pool.score.weight', zeros([1, 32])],
    ['familiarity.counts', zeros([40], { dtype: 'int32' })],
  ];
  assertGolden(goldenFolder(t, new Map([...whole, ...beside])));
  assertGolden(goldenFolder(t, new Map([...packed, ...beside])), 3e-3);
});

test("norms may have TensorFlow's names", (t) => {
  const old = (key: string) =>
    key.replace(/LayerNorm\.weight$/, 'LayerNorm.gamma').replace(/LayerNorm\.bias$/, 'LayerNorm.beta');
  assertGolden(
    goldenFolder(
      t,
      renamed((key) => `bert.${old(key)}`),
    ),
  );
});

test('shards and half precision load', (t) => {
  const folder = goldenFolder(t);
  rmSync(join(folder, 'model.safetensors'));
  const all = [...goldenWeights()];
  const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
  saveSafetensors(join(folder, shards[0]!), all.slice(0, 20));
  saveSafetensors(join(folder, shards[1]!), all.slice(20));
  const keys = all.map(([key]) => key);
  const places = new Map([
    [shards[0]!, keys.slice(0, 20)],
    [shards[1]!, keys.slice(20)],
  ]);
  writeSafetensorsIndex(join(folder, 'model.safetensors.index.json'), places);
  assertGolden(folder);
  const half = new Map(all.map(([key, value]) => [key, value.to({ dtype: 'float16' })]));
  assertGolden(goldenFolder(t, half), 5e-4);
});

test("weights in PyTorch's format load, and safetensors beside them come first", (t) => {
  const folder = goldenFolder(t);
  saveTorch(join(folder, 'pytorch_model.bin'), [['of another model', zeros([1])]]);
  assertGolden(folder);
  rmSync(join(folder, 'model.safetensors'));
  assert.throws(() => assertGolden(folder), /of another model: unknown/);
  saveTorch(
    join(folder, 'pytorch_model.bin'),
    renamed((key) => `bert.${key}`),
  );
  assertGolden(folder);
});

test('a pooler is read only by a model that has one', (t) => {
  const weights = goldenWeights();
  weights.delete('pooler.dense.weight');
  const folder = goldenFolder(t, weights);
  loadBertWeights(new BertModel(goldenConfig(), { pooler: false }), folder);
  assert.throws(
    () => loadBertWeights(new BertModel(goldenConfig()), folder),
    /do not:\n {2}pooler\.dense\.weight: missing, expected \[32,32\]\n/,
  );
});

test('every key that is missing, odd or unknown is named at once, and nothing is read', (t) => {
  const weights = goldenWeights();
  weights.delete('encoder.layer.1.output.dense.bias');
  weights.set('embeddings.position_embeddings.weight', zeros([16, 32]));
  weights.set('encoder.layer.2.output.dense.bias', zeros([32]));
  weights.set('encoder.layer.0.output.LayerNorm.gamma', zeros([32]));
  weights.set('encoder.layer.0.output.dense.bias', zeros([32], { dtype: 'int8' }));
  const folder = goldenFolder(t, weights);
  const model = new BertModel(goldenConfig());
  const before = model.stateDict().get('pooler.dense.weight')!.clone();
  assert.throws(
    () => loadBertWeights(model, folder),
    (error: Error) => {
      for (const part of [
        'encoder.layer.1.output.dense.bias: missing, expected [32]',
        'embeddings.position_embeddings.weight: expected floating-point [12,32], got float32 [16,32]',
        'encoder.layer.2.output.dense.bias: unknown',
        'encoder.layer.0.output.LayerNorm.gamma: the same as encoder.layer.0.output.LayerNorm.weight',
        'encoder.layer.0.output.dense.bias: expected floating-point [32], got int8 [32]',
        folder,
      ]) {
        assert.ok(error.message.includes(part), `${part}\nin: ${error.message}`);
      }
      return true;
    },
  );
  assert.equal(distance(model.stateDict().get('pooler.dense.weight')!, before), 0);
});

test('what is not there, or not safe, is refused with what to do', (t) => {
  const folder = goldenFolder(t);
  renameSync(join(folder, 'model.safetensors'), join(folder, 'pytorch_model.bin'));
  assert.throws(() => BertEncoder.fromFolder(folder), /pytorch_model\.bin is no file of torch\.save/);
  renameSync(join(folder, 'pytorch_model.bin'), join(folder, 'pytorch_model.bin.index.json'));
  assert.throws(() => BertEncoder.fromFolder(folder), /the parts of a larger pytorch_model\.bin.*save_pretrained/s);
  renameSync(join(folder, 'pytorch_model.bin.index.json'), join(folder, 'pytorch_model.bin'));
  rmSync(join(folder, 'pytorch_model.bin'));
  assert.throws(() => BertEncoder.fromFolder(folder), /No model in the folder/);
  assert.throws(() => BertEncoder.fromFolder(temporaryFolder(t)), /with config\.json in it.*got /);
  writeFileSync(join(folder, 'config.json'), '{');
  assert.throws(() => BertEncoder.fromFolder(folder), /config\.json: .*JSON/);
});
