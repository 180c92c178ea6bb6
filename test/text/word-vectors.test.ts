import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { splitWords, WordTokenizer, WordVectors } from 'headrace/text';

const floats = (values: readonly number[]): Buffer => Buffer.from(Float32Array.from(values).buffer);

test('word vectors: lookup, features of texts, coverage', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'headrace-vectors-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, 'words.txt'), 'good\nfilm\n!\n');
  writeFileSync(join(dir, 'vectors.f32'), floats([1, 2, 3, 4, 5, 6]));
  const vectors = WordVectors.open(dir);
  assert.deepEqual([vectors.size, vectors.dims, vectors.index('FILM'), vectors.index('bad')], [3, 2, 1, null]);
  assert.deepEqual(vectors.tensor().tolist(), [
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  const text = vectors.features([{ text: 'A GOOD film!' }, { text: null }]);
  assert.deepEqual([[...text.lengths], [...text.rows(0)], [...text.rows(1)]], [[3, 0], [1, 2, 3, 4, 5, 6], []]);
  assert.deepEqual(vectors.coverage(['good bad', 'bad film']), { share: 0.5, missing: ['bad'] });
  writeFileSync(join(dir, 'vectors.f32'), floats([1, 2, 3, 4, 5]));
  assert.throws(() => WordVectors.open(dir), /expected a row of float32 for each of 3 words, got 20 bytes/);
});

test('words are split as word vectors have them', () => {
  assert.deepEqual(splitWords("It's GOOD, isn’t it? 3D!"), [
    'it',
    "'s",
    'good',
    ',',
    'is',
    "n't",
    'it',
    '?',
    '3d',
    '!',
  ]);
  assert.deepEqual(splitWords("can't DIDNT"), ['ca', "n't", 'didnt']);
});

test('texts of scripts without blanks are cut into characters, or the longest words that are known', () => {
  assert.deepEqual(splitWords('我很喜欢,great film！'), ['我', '很', '喜', '欢', ',', 'great', 'film', '！']);
  const known = new Set(['喜欢', '很喜', '电影']);
  assert.deepEqual(
    splitWords('我很喜欢电影', (word) => known.has(word)),
    ['我', '很喜', '欢', '电影'],
  );
  assert.deepEqual(splitWords('とても良い'), ['と', 'て', 'も', '良', 'い']);
  assert.deepEqual(splitWords('ดีมาก').slice(0, 2), ['ดี', 'ม']);
  assert.deepEqual(splitWords('안녕 영화'), ['안녕', '영화']);
  // Marks belong to their letters, however they are stored.
  assert.deepEqual(splitWords('cafe\u0301 हिन्दी'), ['café', 'हिन्दी']);
  assert.deepEqual(splitWords("It's good! I don't"), ['it', "'s", 'good', '!', 'i', 'do', "n't"]);
  assert.deepEqual(new WordTokenizer(['很', '喜欢', '我']).ids('我很喜欢你'), [4, 2, 3, 1]);
});
