import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Generator, tensor } from 'headrace/torch';
import { batchOf, distance, golden, goldenBatch, goldenEncoder, int64 } from './bert-support.js';

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
