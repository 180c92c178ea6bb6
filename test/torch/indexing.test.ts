import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arange, type Index, slice as s, type Tensor, tensor, zeros } from 'headrace/torch';
import { testEach } from './golden.js';

const x = arange(24).view([2, 3, 4]);
const v = arange(10);
const mask = x.remainder(3).eq(0);
const rows = tensor([
  [true, false, true],
  [false, true, false],
]);
const int = (...values: number[]) => tensor(values, { dtype: 'int64' });
const bool = (...values: boolean[]) => tensor(values);
const dots = '...';
const of =
  (source: Tensor, ...indices: Index[]) =>
  () =>
    source.index(...indices);

const CASES: Record<string, () => Tensor> = {
  'x[1]': of(x, 1),
  'x[-1]': of(x, -1),
  'x[1, 2]': of(x, 1, 2),
  'x[1, -1, 3]': of(x, 1, -1, 3),
  'x[:, 1]': of(x, s(), 1),
  'x[:, :, -1]': of(x, s(), s(), -1),
  'x[..., 0]': of(x, dots, 0),
  'x[0, ...]': of(x, 0, dots),
  'x[0, ..., 1]': of(x, 0, dots, 1),
  'x[...]': of(x, dots),
  'x[None]': of(x, null),
  'x[:, None]': of(x, s(), null),
  'x[..., None]': of(x, dots, null),
  'x[None, 1, None, ..., None]': of(x, null, 1, null, dots, null),
  'v[2:5]': of(v, s(2, 5)),
  'v[:3]': of(v, s(null, 3)),
  'v[-3:]': of(v, s(-3)),
  'v[:-2]': of(v, s(null, -2)),
  'v[1:9:3]': of(v, s(1, 9, 3)),
  'v[::4]': of(v, s(null, null, 4)),
  'v[5:2]': of(v, s(5, 2)),
  'v[20:]': of(v, s(20)),
  'v[-100:2]': of(v, s(-100, 2)),
  'x[:, 1:, ::2]': of(x, s(), s(1), s(null, null, 2)),
  'x[1, :2, 1:3]': of(x, 1, s(null, 2), s(1, 3)),
  'x[..., 1:3]': of(x, dots, s(1, 3)),
  'v[tensor([3, 1, 1])]': of(v, int(3, 1, 1)),
  'v[tensor([-1, 0])]': of(v, int(-1, 0)),
  'v[tensor([[0, 1], [2, 3]])]': of(v, int(0, 1, 2, 3).view([2, 2])),
  'v[tensor(3)]': of(v, tensor(3n)),
  'v[empty]': of(v, int()),
  'x[tensor([1, 0])]': of(x, int(1, 0)),
  'x[:, tensor([2, 0])]': of(x, s(), int(2, 0)),
  'x[..., tensor([3, 3, 0])]': of(x, dots, int(3, 3, 0)),
  'x[tensor([0, 1]), tensor([2, 1])]': of(x, int(0, 1), int(2, 1)),
  'x[tensor([0, 1]), :, tensor([2, 1])]': of(x, int(0, 1), s(), int(2, 1)),
  'x[tensor([[0], [1]]), tensor([0, 2])]': of(x, int(0, 1).view([2, 1]), int(0, 2)),
  'x[0, :, tensor([0, 1])]': of(x, 0, s(), int(0, 1)),
  'x[tensor(1), :, tensor([0, 1])]': of(x, tensor(1n), s(), int(0, 1)),
  'x[:, tensor([0, 1]), 1:3]': of(x, s(), int(0, 1), s(1, 3)),
  'x[tensor([0, 1]), None, 1]': of(x, int(0, 1), null, 1),
  'x[tensor([1]), ..., None]': of(x, int(1), dots, null),
  'x[1:, tensor([0, 2]), ::3]': of(x, s(1), int(0, 2), s(null, null, 3)),
  'v[v > 6]': of(v, v.gt(6)),
  'v[v > 100]': of(v, v.gt(100)),
  'x[mask]': of(x, mask),
  'x[rows]': of(x, rows),
  'x[rows, tensor([0, 1, 2])]': of(x, rows, int(0, 1, 2)),
  'x[tensor([True, False])]': of(x, bool(true, false)),
  'x[:, tensor([True, False, True])]': of(x, s(), bool(true, false, true)),
  'x[..., tensor([True, False, False, True])]': of(x, dots, bool(true, false, false, true)),
  'x[1, tensor([True, False, True]), 1:]': of(x, 1, bool(true, false, true), s(1)),
  'x[tensor([False, True]), :, tensor([3])]': of(x, bool(false, true), s(), int(3)),
  'x[tensor(True)]': of(x, tensor(true)),
  'x[tensor(False)]': of(x, tensor(false)),
  'x[:, tensor(True), 1]': of(x, s(), tensor(true), 1),
  'x[tensor([1, 0], dtype=torch.uint8)]': of(x, tensor([1, 0], { dtype: 'uint8' })),
};

interface Golden {
  python: string;
  shape: number[];
  values: number[];
}

testEach<Golden, () => Tensor>('indexing.jsonl', CASES, ({ shape, values }, make) => {
  const got = make();
  assert.deepEqual(got.shape, shape);
  assert.deepEqual(got.reshape([-1]).tolist(), values);
});

// PyTorch 1.13 refuses these, as it counts a mask of two dimensions as one; NumPy takes them.
test('what follows a mask of several dimensions indexes the dimension after them', () => {
  assert.deepEqual(x.index(rows, 0).tolist(), [0, 8, 16]);
  assert.deepEqual(x.index(rows, s(1, 3)).tolist(), [
    [1, 2],
    [9, 10],
    [17, 18],
  ]);
  assert.deepEqual(x.index(rows, null).shape, [3, 1, 4]);
});

test('numbers, slices and null give views: writing to them writes to the tensor', () => {
  const base = zeros([3, 4]);
  base.index(1, s(1, 3)).fill_(5);
  base.index(dots, -1, null).add_(1);
  assert.deepEqual(base.tolist(), [
    [0, 0, 0, 1],
    [0, 5, 5, 1],
    [0, 0, 0, 1],
  ]);
});

test('tensors give copies', () => {
  const base = zeros([3]);
  base.index(int(0, 1)).fill_(5);
  assert.deepEqual(base.tolist(), [0, 0, 0]);
  base.indexPut_([int(0, 2)], tensor([5, 6]));
  assert.deepEqual(base.tolist(), [5, 0, 6]);
});

test('an index that takes all is another tensor on the same memory', () => {
  const base = zeros([2]);
  const whole = base.index(dots);
  assert.notEqual(whole, base);
  whole.add_(1);
  whole.dispose();
  assert.deepEqual(base.tolist(), [1, 1]);
});

test('indexing is differentiable', () => {
  const leaf = tensor([1, 2, 3, 4], { requiresGrad: true });
  leaf
    .index(int(0, 0, 3))
    .sum()
    .add(leaf.index(s(1, 3)).sum().mul(10))
    .backward();
  assert.deepEqual(leaf.grad?.tolist(), [2, 10, 10, 1]);
});

test('wrong indices are refused with the reason', () => {
  const wrong = (indices: readonly unknown[], message: RegExp) =>
    assert.throws(() => x.index(...(indices as Index[])), { message });
  wrong([0, 0, 0, 0], /expected at most 3 indices, got 4/);
  wrong([dots, dots], /at most one '\.\.\.'/);
  wrong([undefined], /expected an integer, null, slice\(\), '\.\.\.' or a Tensor as an index, got undefined/);
  wrong([1.5], /got 1\.5/);
  wrong([[0]], /expected an integer/);
  wrong([2], /index out of range|out of range/i);
  wrong([int(5)], /index 5 is out of bounds/);
  wrong([s(0, 2, 0)], /step must be positive/);
  wrong([s(null, null, -1)], /step must be positive/);
  wrong([bool(true)], /shape of the mask \[1\]/);
  wrong([tensor([0.5])], /tensors used as indices must be long, (int, )?byte or bool/);
});
