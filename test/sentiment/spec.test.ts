// Data sets as a command line names them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSentimentSpec, sentimentSpecs } from 'headrace/sentiment';

test('every name that the help lists is understood, and no other', () => {
  const names = sentimentSpecs.split(' | ').filter((spec) => spec.includes(':'));
  const paths = names.filter((spec) => !spec.startsWith('synthetic'));
  for (const spec of paths) assert.equal(parseSentimentSpec(spec).path, spec.split(':')[1]);
  const made = { format: 'synthetic', path: 'made up', count: 60, noise: 2 };
  assert.deepEqual(parseSentimentSpec('synthetic:count=60,noise=2'), made);
  assert.throws(() => parseSentimentSpec('synthetic:count'), /synthetic:count=600,noise=2, got 'count' in it/);
  assert.deepEqual(parseSentimentSpec('mosi-bclstm:x'), { format: 'mosi-folder', path: 'x', split: 'bclstm' });
  assert.equal(parseSentimentSpec('mmsa:x.npz').format, 'mmsa-npz');
  assert.throws(() => parseSentimentSpec('mosei:x'), /Expected data as mosi:DIR \| .* \| PATH, got 'mosei:x'/);
});
