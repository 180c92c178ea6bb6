import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  FeatureText,
  PackedSequences,
  SentimentBatches,
  SentimentData,
  textReader,
  utterance,
} from 'headrace/sentiment';
import { tensor } from 'headrace/torch';
import { batchOf } from '../text/bert-support.js';

/** Three utterances of two, one and no rows of width 2. */
const rows = [[1, 2, 3, 4], [5, 6], []];

function dataOf(): SentimentData {
  const spec = { name: 'rows', dims: 2, unit: 'word', rate: null, version: '1' } as const;
  const text = PackedSequences.from({
    spec,
    lengths: Int32Array.from(rows, (row) => row.length / 2),
    read: (index) => Float32Array.from(rows[index]!),
  });
  const utterances = rows.map((_, i) => utterance({ id: `${i}`, video: 'v', split: 'train', label: 0 }));
  return new SentimentData({ name: 'some set', utterances, features: { text } });
}

const batch = () => new SentimentBatches(dataOf(), [0, 1, 2]).batch(tensor(BigInt64Array.from([0n, 1n, 2n])));

test('rows pass as they are, and the first is the whole', () => {
  const { sequence, mask, pooled } = new FeatureText(2).forward(batch());
  assert.deepEqual(sequence.tolist(), [
    [
      [1, 2],
      [3, 4],
    ],
    [
      [5, 6],
      [0, 0],
    ],
    [
      [0, 0],
      [0, 0],
    ],
  ]);
  // An utterance without rows has one of zeros.
  assert.deepEqual(mask.to({ dtype: 'int64' }).tolist(), [
    [1, 1],
    [1, 0],
    [1, 0],
  ]);
  assert.deepEqual(pooled.tolist(), [
    [1, 2],
    [5, 6],
    [0, 0],
  ]);
});

test('the mean is of the real rows', () => {
  assert.deepEqual(new FeatureText(2, { pool: 'mean' }).forward(batch()).pooled.tolist(), [
    [2, 3],
    [5, 6],
    [0, 0],
  ]);
});

test('a batch of one row each is the row', () => {
  const one = batchOf({ text: tensor([[[1, 2]], [[3, 4]]]), textMask: tensor([[true], [true]]) });
  for (const pool of ['first', 'mean'] as const) {
    assert.deepEqual(new FeatureText(2, { pool }).forward(one).pooled.tolist(), [
      [1, 2],
      [3, 4],
    ]);
  }
});

test("a reader takes the width from the data, a trained model's from its run", () => {
  const made = textReader({ kind: 'features' }, dataOf());
  const loaded = textReader({ kind: 'features' }, null, undefined, 7);
  assert.deepEqual([made.encoder(1).width, loaded.encoder(1, true).width], [2, 7]);
  assert.deepEqual([made.tokenizer, made.vocabulary, made.files], [null, null, []]);
  assert.equal(made.encoder(1).stateDict().size, 0);
  const mean = textReader({ kind: 'features', pool: 'mean' } as { kind: 'features' }, dataOf());
  assert.equal((mean.encoder(1) as FeatureText).pool, 'mean');
});

test('data without text features, and rows of another width, are refused', () => {
  const bare = dataOf().withFeatures({ text: null });
  assert.throws(
    () => textReader({ kind: 'features' }, bare),
    /text features, got some set \(it has: none\): choose text/,
  );
  assert.throws(() => textReader({ kind: 'features' }, null), /got no width of them/);
  assert.throws(() => new FeatureText(3).forward(batch()), /\[B, T, 3\], got \[3,2,2\]/);
  assert.throws(() => new FeatureText(2).forward(batchOf({ audio: tensor([[1]]) })), /text features in the batch, got/);
  assert.throws(() => new FeatureText(0), /from 1, got 0/);
  assert.throws(() => new FeatureText(2, { pool: 'last' as 'mean' }), /'first' or 'mean', got 'last'/);
});
