// Lists whose length the schema fixes: libtorch's kernels read that many elements without asking whether they are there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Argument, ones, op, ops, type Tensor, zeros } from 'headrace/torch';
import { fuzz } from './fuzz/run.js';

const x = zeros([1, 2, 4, 4]);
const index = zeros([1, 2, 2, 2], { dtype: 'int64' });
const volume = zeros([1, 2, 4, 4, 4]);

// Each ends Python's process (torch 1.13) where it is not refused.
const refused: [string, Argument[], string][] = [
  ['reflectionPad1d', [zeros([2, 4]), []], "'padding': expected 2 values, or one for all, got 0"],
  ['reflectionPad2d', [x, []], "'padding': expected 4 values, got 0"],
  ['reflectionPad2d', [x, [1]], "'padding': expected 4 values, got 1"],
  ['reflectionPad3d', [volume, [1, 1]], "'padding': expected 6 values, got 2"],
  ['replicationPad2d', [x, [1, 1, 1]], "'padding': expected 4 values, got 3"],
  ['maxUnpool2d', [zeros([1, 2, 2, 2]), index, []], "'outputSize': expected 2 values, or one for all, got 0"],
  ['maxUnpool3d', [volume, volume.long(), [4, 4, 4], [], [0]], "'stride': expected 3 values, or one for all, got 0"],
  ['slowConv3d', [volume, zeros([2, 2, 1, 1, 1]), []], "'kernelSize': expected 3 values, or one for all, got 0"],
  ['slowConv3d', [volume, zeros([2, 2, 1, 1, 1]), [1, 1]], "'kernelSize': expected 3 values, or one for all, got 2"],
  ['toSparseBsr', [zeros([4, 4]), []], "'blocksize': expected 2 values, or one for all, got 0"],
  ['upsampleNearest2d', [x, []], "'outputSize': expected 2 values, or one for all, got 0"],
  ['histogramdd', [zeros([3, 2]), []], "'bins': expected a list of at least one"],
  ['alignTensors', [[]], "'tensors': expected a list of at least one"],
];

for (const [name, args, words] of refused) {
  test(`${name} refuses a list of the wrong length: ${words}`, () => {
    assert.throws(() => op(name)(...args), {
      name: 'TorchError',
      code: 'ARGUMENTS',
      message: new RegExp(`argument ${words}`),
    });
  });
}

test('one number, or a list of one, stands for all; lists of dimensions have any length; an empty default may be given', () => {
  const ones4 = ones([1, 1, 4, 4]);
  const sums = ops.conv2d(ones4, ones([1, 1, 2, 2]), null, 2).tolist();
  assert.deepEqual(sums, [
    [
      [
        [4, 4],
        [4, 4],
      ],
    ],
  ]); // prettier-ignore
  assert.deepEqual(ops.conv2d(ones4, ones([1, 1, 2, 2]), null, [2]).tolist(), sums);
  assert.deepEqual(ops.conv2d(ones4, ones([1, 1, 2, 2]), null, [2, 2]).tolist(), sums);
  assert.deepEqual((ops.maxPool2d(ones4, [2], []) as Tensor).shape, [1, 1, 2, 2]);
  assert.equal(ops.amax(ones4, []).item(), 1);
  assert.deepEqual(ops.amax(ones4, [2, 3]).shape, [1, 1]);
  assert.deepEqual(ops.mean(ones4, [1, 2, 3]).tolist(), [1]);
  assert.deepEqual(ops.flip(ones4, []).shape, [1, 1, 4, 4]);
  assert.deepEqual(ops.broadcastTensors([]), []);
});

test('random arguments do not end the process: operators of images, with lists of every length', async () => {
  const crashes = await fuzz(
    3,
    5,
    '^(reflectionPad|replicationPad|max|avgPool|adaptive|slowConv|toSparse|upsample|im2col|col2im|conv)',
  );
  assert.deepEqual(crashes, []);
});
