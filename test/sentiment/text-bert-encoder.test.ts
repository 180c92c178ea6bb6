import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { BertEncoder, SentimentData, textReader, utterance } from 'headrace/sentiment';
import { Generator, tensor } from 'headrace/torch';
import {
  batchOf,
  distance,
  golden,
  goldenBatch,
  goldenConfig,
  goldenFolder,
  goldenWeights,
  int64,
  temporaryFolder,
  tokenizerJson,
} from './text-bert-support.js';

function goldenEncoder(options = {}): BertEncoder {
  const encoder = new BertEncoder(goldenConfig(), options);
  const weights = [...goldenWeights()].filter(([key]) => !key.startsWith('pooler.'));
  encoder.loadStateDict(new Map(weights.map(([key, value]) => [`bert.${key}`, value])));
  return encoder;
}

function dataOf(...texts: (string | null)[]): SentimentData {
  const item = (text: string | null, i: number) => utterance({ id: `${i}`, video: 'v', split: 'train', text });
  return new SentimentData({ name: 'some set', utterances: texts.map(item) });
}

test('the sequence is the last hidden states, the whole the first of them', () => {
  const encoder = goldenEncoder();
  encoder.eval();
  const { sequence, mask, pooled } = encoder.forward(goldenBatch());
  assert.equal(encoder.width, 32);
  assert.ok(distance(sequence, golden.sequence as number[][][]) < 2e-5);
  assert.equal(distance(pooled, sequence.select(1, 0)), 0);
  assert.deepEqual(mask.to({ dtype: 'int64' }).tolist(), golden.mask);
  assert.equal(mask.dtype, 'bool');
});

test('columns that are padding in the whole batch are left out', () => {
  const encoder = goldenEncoder();
  encoder.eval();
  const { sequence, mask } = encoder.forward(goldenBatch(30));
  assert.deepEqual(
    [sequence.shape, mask.shape],
    [
      [3, 7, 32],
      [3, 7],
    ],
  );
  assert.ok(distance(sequence, golden.sequence as number[][][]) < 2e-5);
});

test('a text without any piece has one row and finite values', () => {
  const encoder = goldenEncoder();
  encoder.eval();
  const { sequence, mask, pooled } = encoder.forward(
    batchOf({
      tokens: int64([
        [0, 0],
        [0, 0],
        [0, 0],
      ]).view([1, 3, 2]),
    }),
  );
  assert.deepEqual([sequence.shape, mask.tolist()], [[1, 1, 32], [[1]]]);
  assert.ok(pooled.isfinite().all().item());
});

test('gradients reach every weight, and none where it is frozen', () => {
  const free = goldenEncoder();
  free.forward(goldenBatch()).pooled.square().sum().backward();
  for (const [name, { grad }] of free.namedParameters()) assert.ok(grad, name);
  const frozen = goldenEncoder({ frozen: true });
  assert.ok(!frozen.forward(goldenBatch()).sequence.requiresGrad);
  assert.ok([...frozen.parameters()].every(({ requiresGrad }) => !requiresGrad));
});

test('dropout follows its generator in training; a frozen encoder has none', () => {
  const batch = goldenBatch();
  const encoder = goldenEncoder();
  const generator = new Generator(3);
  encoder.setGenerator(generator);
  const draw = () => encoder.forward(batch).sequence.detach();
  const first = draw();
  assert.ok(distance(draw(), first) > 0.01);
  generator.manualSeed(3);
  assert.equal(distance(draw(), first), 0);
  encoder.eval();
  const still = draw();
  assert.ok(distance(still, first) > 0.01);
  const frozen = goldenEncoder({ frozen: true });
  frozen.train();
  assert.equal(distance(frozen.forward(batch).sequence, still), 0);
});

test('tokens of another shape, and a batch without, are named', () => {
  const encoder = goldenEncoder();
  assert.throws(() => encoder.forward(batchOf({ audio: tensor([[1]]) })), /Expected tokens in the batch, got .*audio/);
  assert.throws(() => encoder.forward(batchOf({ tokens: int64([[2, 3]]) })), /\[B, 3, L\].*got \[1,2\]/);
});

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
