import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DataLoader } from 'headrace/data';
import {
  checkFeatureSpecs,
  loadMmsaPickle,
  PackedSequences,
  SentimentBatches,
  SentimentData,
  sentimentBatchesFromShared,
  utterance,
} from 'headrace/sentiment';
import { ConfigError, liveTensors, type Tensor } from 'headrace/torch';
import { expectedRows, indices, lists, stored } from './datasets-support.js';

const data = loadMmsaPickle(stored('unaligned.pkl'));

const shapes = (batch: Readonly<Record<string, Tensor>>): Record<string, string> =>
  Object.fromEntries(Object.entries(batch).map(([name, t]) => [name, `${t.dtype} [${t.shape.join(', ')}]`]));

test('a batch is padded with zeros at the end, with lengths and masks', () => {
  const batches = new SentimentBatches(data, data.indices('train'));
  const batch = batches.batch(indices(2, 0));
  assert.deepEqual(shapes(batch), {
    index: 'int64 [2]',
    label: 'float32 [2]',
    class: 'int64 [2]',
    tokens: 'int64 [2, 3, 4]', // of six places the longest of the two texts fills four
    text: 'float32 [2, 4, 4]',
    textLengths: 'int64 [2]',
    textMask: 'bool [2, 4]',
    audio: 'float32 [2, 3, 5]',
    audioLengths: 'int64 [2]',
    audioMask: 'bool [2, 3]',
    vision: 'float32 [2, 2, 20]',
    visionLengths: 'int64 [2]',
    visionMask: 'bool [2, 2]',
  });
  assert.deepEqual(batch.index.tolist(), [2, 0]);
  assert.deepEqual(batch.label.tolist(), [0, Math.fround(2.4)]);
  assert.deepEqual(batch.class.tolist(), [1, 2]);
  assert.deepEqual(batch.audioLengths?.tolist(), [3, 1]);
  assert.deepEqual(lists(batch.audioMask), [
    [1, 1, 1],
    [1, 0, 0],
  ]);
  const audio = lists(batch.audio);
  assert.deepEqual(audio[0]?.[2], expectedRows(2, 3, 5).slice(10));
  assert.deepEqual(audio[1], [
    [0, 0, 2, 3, 4],
    [0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0],
  ]);
  // No face in utterance 0: length 1, as packed layers need, and a mask that is false throughout.
  assert.deepEqual(batch.visionLengths?.tolist(), [2, 1]);
  assert.deepEqual(lists(batch.visionMask)[1], [0, 0]);
});

test('a batch of one, also of an utterance that has nothing', () => {
  const batches = new SentimentBatches(data, data.indices('test'));
  const { vision, visionLengths, audio } = batches.batch(indices(0));
  assert.deepEqual([vision?.shape, visionLengths?.tolist(), audio?.shape], [[1, 1, 20], [1], [1, 1, 5]]);
});

test('fixed rows cut longer sequences and pad shorter ones', () => {
  const batches = new SentimentBatches(data, [3], { modalities: ['audio', 'vision'], rows: { audio: 2, vision: 5 } });
  const batch = batches.batch(indices(0));
  assert.deepEqual(
    [batch.audio?.shape, batch.audioLengths?.tolist(), batch.vision?.shape, batch.visionLengths?.tolist()],
    [[1, 2, 5], [2], [1, 5, 20], [3]],
  );
  assert.equal('text' in batch, false);
  assert.deepEqual(lists(batch.audio)[0], [expectedRows(3, 1, 5), expectedRows(3, 2, 5).slice(5)]);
});

test('unimodal labels come along where the set has them; what is missing is NaN or -1', () => {
  const sims = loadMmsaPickle(stored('sims.pkl'));
  const batch = new SentimentBatches(sims, sims.indices('valid')).batch(indices(0));
  assert.ok(Math.abs((batch.labelAudio?.item() ?? 9) - 0.6 / 3 / 2 - 0.1) < 1e-6);
  const bare = new SentimentData({ name: 'x', utterances: [utterance({ id: 'a', video: 'v', split: 'train' })] });
  const { label, class: classes } = new SentimentBatches(bare, [0]).batch(indices(0));
  assert.deepEqual([label.item(), classes.item()], [Number.NaN, -1]);
});

test('what cannot be asked for says so', () => {
  const bare = new SentimentData({ name: 'x', utterances: [utterance({ id: 'a', video: 'v', split: 'train' })] });
  assert.throws(
    () => new SentimentBatches(bare, [0], { modalities: ['audio'] }),
    /x has no audio features; it has: none/,
  );
  assert.throws(
    () => new SentimentBatches(data, [0], { rows: { audio: 0 } }),
    /rows of audio: expected an integer >= 1, got 0/,
  );
  assert.throws(() => new SentimentBatches(data, [6]), /expected utterances from 0 to 5, got 6/);
  assert.throws(() => new SentimentBatches(data, [0]).batch(indices(1)), /expected an index from 0 to 0, got 1/);
});

test('a batch makes no tensors but its own', () => {
  const batches = new SentimentBatches(data, data.indices('train'));
  const chosen = indices(0, 1);
  const before = liveTensors();
  const batch = batches.batch(chosen);
  assert.equal(liveTensors() - before, Object.keys(batch).length);
  for (const t of Object.values(batch)) t.dispose();
});

test('a loader draws from it, here and on another thread, and gets the same batches', async () => {
  const loader = new DataLoader(new SentimentBatches(data, data.indices('train')), {
    batchSize: 2,
    shuffle: true,
    seed: 3,
  });
  const here = Array.from(loader.batches(0, 0), (batch) =>
    Object.fromEntries(Object.entries(batch).map(([name, t]) => [name, t.tolist()])),
  );
  assert.equal(here.length, 2);
  const there: unknown[] = [];
  for await (const batch of loader.prefetch(0, 0))
    there.push(Object.fromEntries(Object.entries(batch).map(([name, t]) => [name, t.tolist()])));
  assert.deepEqual(there, here);
});

test('what another thread gets is the same data, by handle', () => {
  const batches = new SentimentBatches(data, data.indices('test'), { modalities: ['audio', 'vision'] });
  const { options, tensors } = batches.share();
  const copy = sentimentBatchesFromShared(JSON.parse(JSON.stringify(options)), tensors);
  assert.deepEqual(copy.batch(indices(1)).audio?.tolist(), batches.batch(indices(1)).audio?.tolist());
  assert.deepEqual(copy.batch(indices(0)).tokens?.tolist(), batches.batch(indices(0)).tokens?.tolist());
  const lazy = loadMmsaPickle(stored('unaligned.pkl'), { memory: 'lazy' });
  assert.throws(() => new SentimentBatches(lazy, [0]).share(), /not in memory.*load with \{ memory: 'packed' \}/);
  lazy.dispose();
});

test('sequences in several pieces, empty ones among them, give their own rows', () => {
  const lengths = Int32Array.of(0, 3, 0, 2_000_000, 1_500_000, 0, 1);
  const spec = { name: 'x', dims: 6, unit: 'frame', rate: null, version: '1' } as const;
  const read = (i: number): Float32Array => new Float32Array((lengths[i] as number) * 6).fill(i);
  const packed = PackedSequences.from({ spec, lengths, read });
  assert.deepEqual(
    packed.pieces.map((piece) => piece.shape[0]),
    [2_000_003, 1_500_001],
  );
  lengths.forEach((length, i) => {
    const rows = packed.rows(i);
    assert.equal(rows.length, 6 * length);
    assert.ok(length === 0 || (rows[0] === i && rows[rows.length - 1] === i));
  });
  assert.throws(() => packed.rows(7), /expected an utterance from 0 to 6, got 7/);
  packed.dispose();
});

test('a selection keeps order, features and tokens; disposing frees what was made', () => {
  const before = liveTensors();
  const whole = loadMmsaPickle(stored('unaligned.pkl'));
  const some = whole.select([5, 1]);
  assert.deepEqual(
    some.utterances.map(({ id }) => id),
    ['vid2$_$5', 'vid0$_$1'],
  );
  assert.deepEqual([...(some.features.audio?.rows(1) ?? [])], expectedRows(1, 2, 5));
  assert.equal(some.tokens?.data()[0], 106n);
  const silent = whole.withFeatures({ audio: null });
  assert.deepEqual(silent.modalities, ['text', 'vision']);
  some.dispose();
  whole.dispose();
  assert.equal(liveTensors(), before);
});

test('features that a model was not trained on are told with every difference', () => {
  const audio = { name: 'mel', dims: 64, unit: 'frame', rate: 50, version: '1' } as const;
  checkFeatureSpecs({ audio }, { audio, text: audio }, 'm');
  assert.throws(
    () => checkFeatureSpecs({ audio, vision: audio }, { audio: { ...audio, dims: 33, rate: null } }, 'run/model'),
    (error: Error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, /^run\/model was trained on other features/);
      assert.match(
        error.message,
        /audio: dims 33, trained with 64\n {2}audio: rate none, trained with 50\n {2}vision: no features/,
      );
      return true;
    },
  );
});
