import assert from 'node:assert/strict';
import fs, { mkdtempSync, rmSync, statSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, mock, test } from 'node:test';
import { saveNpz } from 'headrace/io';
import { loadMmsaNpz, PackedSequences, SentimentData, saveMmsaNpz, utterance } from 'headrace/sentiment';
import { DataError, tensor } from 'headrace/torch';
import { smallData } from './train-support.js';

const folder = mkdtempSync(join(tmpdir(), 'headrace-save-'));
after(() => rmSync(folder, { recursive: true }));

test('what is saved is loaded: texts, labels, features, and what they are', () => {
  const path = join(folder, 'small.npz');
  const given = smallData();
  saveMmsaNpz(given, path);
  using data = loadMmsaNpz(path, { name: 'small', range: [-3, 3] });
  assert.deepEqual(data.specs, given.specs);
  assert.deepEqual(
    data.utterances.map(({ id, text, label, split }) => [id, text, label, split]),
    given.utterances.map(({ id, text, label, split }) => [id, text, label, split]),
  );
  for (const name of ['audio', 'vision'] as const) {
    for (let i = 0; i < given.length; i++)
      assert.deepEqual(data.features[name]!.rows(i), given.features[name]!.rows(i), `${name} ${i}`);
  }
});

test("classes of one's own are saved by their names, without scores where there are none", () => {
  const path = join(folder, 'classes.npz');
  const given = smallData();
  const classes = ['angry', 'happy', 'sad'];
  const utterances = given.utterances.map((item, i) => ({ ...item, label: null, class: i % 3 }));
  saveMmsaNpz(new SentimentData({ ...given, utterances, classes, range: null }), path);
  using data = loadMmsaNpz(path);
  assert.deepEqual(data.classes, classes);
  assert.deepEqual(
    data.utterances.map(({ class: kind, label }) => [kind, label]),
    utterances.map((_, i) => [i % 3, null]),
  );
});

test('an utterance without a label cannot be saved; specifications that are no JSON are told', () => {
  const path = join(folder, 'bad.npz');
  const unlabelled = new SentimentData({
    name: 'x',
    utterances: [utterance({ id: 'a', video: 'a', split: 'test', text: 'b' })],
  });
  assert.throws(() => saveMmsaNpz(unlabelled, path), /expected a label for every utterance, 'a' has none/);
  saveNpz(path, { specs: ['{'], 'train/id': ['a'], 'train/regression_labels': tensor([1]) });
  assert.throws(
    () => loadMmsaNpz(path),
    (error: Error) => error instanceof DataError && /bad\.npz: expected 'specs' to say/.test(error.message),
  );
});

test('features come into memory utterance by utterance: no read is longer than one of them', () => {
  const [count, rows, dims] = [60, 200, 40];
  const lengths = new Int32Array(count).fill(rows);
  const spec = { name: 'sound', dims, unit: 'frame', rate: 10, version: '1' } as const;
  const read = (i: number): Float32Array => new Float32Array(rows * dims).fill(i);
  const utterances = Array.from({ length: count }, (_, i) =>
    utterance({ id: `u${i}`, video: `u${i}`, split: 'train', text: 'a', label: 1 }),
  );
  const features = { audio: PackedSequences.from({ spec, lengths, read }) };
  const path = join(folder, 'large.npz');
  saveMmsaNpz(new SentimentData({ name: 'x', utterances, features }), path);
  assert.ok(statSync(path).size > 4 * count * rows * dims);
  const spy = mock.method(fs, 'readSync');
  syncBuiltinESMExports();
  try {
    using data = loadMmsaNpz(path, { memory: 'packed' });
    assert.equal(data.features.audio!.rows(59)[0], 59);
    const sizes = spy.mock.calls.map(({ result }) => Number(result));
    const total = sizes.reduce((sum, size) => sum + size, 0);
    assert.ok(total > 4 * count * rows * dims, 'the spy sees the reads');
    assert.ok(Math.max(...sizes) <= Math.max(4 * rows * dims, 1 << 17), `${Math.max(...sizes)} bytes at once`);
  } finally {
    spy.mock.restore();
    syncBuiltinESMExports();
  }
});
