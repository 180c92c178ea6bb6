// Pre-training of a text encoder, on texts in which every hidden word can be told from those around it.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadSafetensors, SafetensorsFile } from 'headrace/io';
import { Trainer } from 'headrace/pipeline';
import {
  keepEncoder,
  MaskedTokens,
  type PretrainConfig,
  preparePretraining,
  readPretrainConfig,
} from 'headrace/sentiment';
import { BertEncoder, WordPieceTokenizer } from 'headrace/text';
import { type Tensor, tensor } from 'headrace/torch';

import { headrace, lastJson } from '../cli/run.js';

const folder = mkdtempSync(join(tmpdir(), 'headrace-pretrain-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const data = join(folder, 'data');
mkdirSync(data);
const animals = ['cat meow milk', 'dog woof bone', 'cow moo grass', 'hen cluck corn'].map((line) => line.split(' '));
const lines = Array.from({ length: 1800 }, (_, i) => {
  const [name, sound, food] = animals[(i * 7) % 4]!;
  return `the ${name} says ${sound} and eats ${food} .`;
});
writeFileSync(join(data, 'animals.txt'), `${lines.join('\n')}\n`);

const config: PretrainConfig = {
  ...readPretrainConfig('small'),
  texts: ['animals.txt'],
  vocabulary: 150,
  model: { layers: 2, width: 64, heads: 2, inner: 64, dropout: 0 },
  length: 19, // [CLS] and two lines with their [SEP], so that nothing is cut off
  places: 20,
  batchSize: 32,
  epochs: 4,
  lr: 3e-3,
  warmupEpochs: 0.5,
  checkpointEvery: 0,
};

/** What a run comes to. */
async function trained(out: string, change: Partial<PretrainConfig> = {}) {
  const own = { ...config, ...change };
  const settings = preparePretraining(own, { data, out });
  const { metrics } = await new Trainer({ ...settings, cut: own.schedule === 'ppll' ? [1] : [] }).result;
  return metrics!;
}

test('it learns to guess hidden words, and leaves a folder that a BERT is read from', async () => {
  const out = join(folder, 'bp');
  const { accuracy } = await trained(out);
  assert.ok(accuracy! > 0.9, `${accuracy}`);
  const kept = await keepEncoder(config, preparePretraining(config, { data, out }));
  const tokenizer = WordPieceTokenizer.fromFolder(kept);
  assert.deepEqual(tokenizer.pieces('The cow says moo.'), ['the', 'cow', 'says', 'moo', '.']);
  const encoder = BertEncoder.fromFolder(kept).eval();
  assert.deepEqual(encoder.forward({ tokens: tokenizer.encode(['the cow']) }).sequence.shape, [1, 4, 64]);
  const json = JSON.parse(readFileSync(join(kept, 'config.json'), 'utf8')) as Record<string, unknown>;
  assert.equal(json.vocab_size, tokenizer.size);
  assert.equal(json.num_hidden_layers, 2);
});

test('without an epoch it is the encoder as it begins, with the vectors of the words that have one', async () => {
  const vectors = join(folder, 'vectors');
  mkdirSync(vectors);
  writeFileSync(join(vectors, 'words.txt'), 'cat\ndog\nkitten\n');
  writeFileSync(join(vectors, 'vectors.f32'), new Float32Array([1, 2, 3, -1, -2, -3, 9, 9, 9]));
  const own = { ...config, epochs: 0 };
  const settings = preparePretraining(own, { data, out: join(folder, 'begun'), vectors });
  const kept = await keepEncoder(own, settings);
  const { weight } = BertEncoder.fromFolder(kept).bert.embeddings.word_embeddings;
  const tokenizer = WordPieceTokenizer.fromFolder(kept);
  const rowOf = (word: string) => weight.select(0, tokenizer.ids(word)[1]!);
  // Their mean is taken off first: the two are opposite, and as wide as initial values.
  assert.ok(rowOf('cat').add(rowOf('dog')).abs().max().item() < 1e-6);
  assert.ok(Math.abs(rowOf('cat').square().mean().sqrt().item() - 0.02) < 0.002);
});

test('a deeper encoder goes on from one that has learnt: layers repeat, the head is kept, and it soon guesses as well', async () => {
  const out = join(folder, 'shallow');
  await trained(out);
  const bert = await keepEncoder(config, preparePretraining(config, { data, out }));
  const deep = { ...config, model: { ...config.model, layers: 4 }, epochs: 0 };
  const begun = join(folder, 'begun-deep');
  const kept = await keepEncoder(deep, preparePretraining(deep, { data, out: begun, bert }));
  const [from, made] = [bert, kept].map((each) => loadSafetensors(join(each, 'model.safetensors')).tensors);
  assert.equal(made!.size, from!.size + 32);
  for (const [key, value] of made!) {
    const source = key.replace('layer.2', 'layer.0').replace('layer.3', 'layer.1');
    assert.deepEqual(value.tolist(), from!.get(source)!.tolist(), key);
  }
  const own = { ...deep, epochs: 1 };
  const settings = preparePretraining(own, { data, out: join(folder, 'deep'), bert });
  const { metrics } = await new Trainer({ ...settings, cut: [] }).result;
  assert.ok(metrics!.accuracy! > 0.9, `${metrics!.accuracy}`);
});

test('an encoder that the configuration does not fit, or one beside word vectors, is refused', async () => {
  const bert = await keepEncoder(
    { ...config, epochs: 0 },
    preparePretraining(config, { data, out: join(folder, 'fits') }),
  );
  const prepared = (model: Partial<PretrainConfig['model']>, vectors?: string) => () =>
    preparePretraining(
      { ...config, model: { ...config.model, ...model } },
      { data, out: join(folder, 'not'), bert, vectors },
    );
  assert.throws(prepared({ width: 32 }), /as wide as the encoder in .*: width 64, not 32/);
  assert.throws(prepared({ layers: 3 }), /as many layers as the encoder in .* has \(2\), or a multiple, got 3/);
  assert.throws(prepared({}, folder), /an encoder or word vectors to begin with, got both/);
  renameSync(join(bert, 'tokenizer.json'), join(bert, 'kept'));
  assert.throws(prepared({}), /Expected tokenizer\.json in .*, got none\. Make it from vocab\.txt/);
  assert.ok(!existsSync(join(folder, 'not')));
});

test('in two stages it learns, too, each by its own loss', async () => {
  const { accuracy } = await trained(join(folder, 'ppll'), { schedule: 'ppll', compute: 'float32' });
  assert.ok(accuracy! > 0.9, `${accuracy}`);
});

test('what is hidden is drawn anew for every batch, never a special token, and is what stood there', () => {
  const rows = tensor(
    Array.from({ length: 50 }, () => [2, ...Array.from({ length: 38 }, (_, i) => 10 + i), 3]),
    {
      dtype: 'int16',
    },
  );
  const masked = new MaskedTokens(rows, { vocabulary: 60, special: 5 });
  const batch = (indices: readonly number[]): Record<string, number[][]> => {
    const found = masked.batch(tensor(indices, { dtype: 'int64' })) as Record<string, Tensor>;
    return Object.fromEntries(Object.entries(found).map(([name, value]) => [name, value.tolist() as number[][]]));
  };
  const order = [...Array(50).keys()];
  const { tokens, places, hidden } = batch(order) as Record<'tokens' | 'places' | 'hidden', number[][]>;
  const changes = { mask: 0, other: 0, same: 0 };
  for (const [row, own] of places.entries()) {
    assert.equal(new Set(own).size, 6); // 15 % of 40
    for (const [i, place] of own.entries()) {
      assert.ok(place > 0 && place < 39, `${place}`);
      assert.equal(hidden[row]![i], 9 + place);
      const shown = tokens[row]![place]!;
      changes[shown === 4 ? 'mask' : shown === 9 + place ? 'same' : 'other']++;
    }
    const others = tokens[row]!.filter((token, place) => !own.includes(place) && token !== 9 + place);
    assert.deepEqual(others, [2, 3]);
  }
  // Of 300: 80, 10 and 10 %, within four standard deviations.
  assert.ok(Math.abs(changes.mask - 240) < 28, `${changes.mask}`);
  assert.ok(Math.abs(changes.other - 30) < 21 && Math.abs(changes.same - 30) < 21, JSON.stringify(changes));
  assert.deepEqual(batch(order).places, places);
  assert.notDeepEqual(batch([...order].reverse()).places, [...places].reverse());
});

test('the command trains, keeps its vocabulary, and refuses a folder of other texts', async () => {
  const out = join(folder, 'command');
  const path = join(folder, 'own.json');
  writeFileSync(path, JSON.stringify({ ...config, epochs: 1 }));
  const args = ['sentiment', 'pretrain', path, '--data', data, '--out', out, '--json'];
  const first = await headrace(args);
  assert.equal(first.code, 0, first.stderr);
  const { steps, encoder } = lastJson(first) as { steps: number; encoder: string };
  const rows = loadSafetensors(join(out, 'text', 'rows.safetensors')).tensors.get('rows')!;
  assert.equal(rows.dtype, 'int16');
  assert.equal(steps, Math.ceil((rows.shape[0]! - Math.ceil(rows.shape[0]! / 200)) / 32));
  using file = SafetensorsFile.open(join(encoder, 'model.safetensors'));
  assert.ok([...file.entries.keys()].every((key) => /^(bert|cls\.predictions)\./.test(key)));
  const other = { ...config, length: 20 };
  assert.throws(
    () => preparePretraining(other, { data, out }),
    /holds texts of another configuration: its settings are length 19, not 20/,
  );
});

test('a configuration with unknown names or impossible values is refused', () => {
  assert.throws(() => readPretrainConfig('smal'), /Did you mean small\?/);
  assert.throws(() => readPretrainConfig('small', { epochz: 1 }), /Did you mean epochs\?/);
  assert.throws(
    () => readPretrainConfig('small', { 'model.layers': 0 }),
    /model\.layers to be a whole number >= 1, got 0/,
  );
  assert.throws(() => readPretrainConfig('small', { compute: 'float16' }), /compute to be one of float32, bfloat16/);
});
