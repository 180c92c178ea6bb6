import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadMeldFolder, loadMosiFolder, WordVectors } from 'headrace/sentiment';
import { realData } from './datasets-support.js';

const mosi = realData('mosi');
const meld = realData('meld');
const words = realData('wordvec');

test('CMU-MOSI: the published sizes of both splits', { skip: mosi.skip }, () => {
  const std = loadMosiFolder(mosi.path, { split: 'std' }).summary();
  assert.deepEqual(
    Object.values(std.splits).map(({ utterances, videos }) => [utterances, videos]),
    [
      [1284, 52],
      [229, 10],
      [686, 31],
    ],
  );
  assert.equal(std.sharedVideos, 0);
  const own = loadMosiFolder(mosi.path, { split: 'bclstm' });
  assert.deepEqual(
    [own.indices('test').length, own.summary().splits.train.videos + own.summary().splits.valid.videos],
    [752, 62],
  );
  assert.deepEqual([own.specs.text?.dims, own.specs.audio?.dims, own.specs.vision?.dims], [100, 73, 100]);
  assert.deepEqual(own.features.audio?.cleaned, { nan: 0, infinite: 0, utterances: 0 });
  assert.throws(
    () => loadMosiFolder(mosi.path, { split: 'std', features: ['text'] }),
    /cannot be used with the split 'std'/,
  );
});

test('MELD: the published sizes', { skip: meld.skip }, () => {
  const { splits } = loadMeldFolder(meld.path).summary();
  assert.deepEqual([splits.train.utterances, splits.valid.utterances, splits.test.utterances], [9989, 1109, 2610]);
});

test('word vectors cover the words of MOSI', { skip: mosi.skip || words.skip }, () => {
  const vectors = WordVectors.open(words.path);
  const data = loadMosiFolder(mosi.path, { split: 'std' });
  assert.deepEqual([vectors.size, vectors.dims], [22387, 100]);
  const { share } = vectors.coverage(data.utterances.map(({ text }) => text ?? ''));
  assert.ok(share > 0.92, `${share}`); // the set lacks the words of one letter, I and A among them
  const text = vectors.features(data.utterances);
  assert.equal(text.lengths.length, 2199);
  assert.ok(text.lengths.every((length) => length > 0));
});
