import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Argument, arange, Generator, liveTensors, ones, ops, scope, Tensor, tensor, zeros } from 'headrace/torch';

const x = tensor([
  [1, 5, 3],
  [4, 2, 6],
]);
// Untyped, as JavaScript would call it.
const loose = ops as unknown as Record<string, (...args: Argument[]) => unknown>;

test('a number and a tensor choose their own overload', () => {
  assert.deepEqual(tensor([1, 2]).add(10).tolist(), [11, 12]);
  assert.deepEqual(
    tensor([1, 2])
      .add(tensor([3, 4]))
      .tolist(),
    [4, 6],
  );
  assert.deepEqual(ops.pow(2, tensor([1, 2, 3])).tolist(), [2, 4, 8]);
  assert.deepEqual(tensor([1, 2, 3]).pow(2).tolist(), [1, 4, 9]);
});

test('an integer stays an integer, a fraction a float, as in Python', () => {
  assert.equal(arange(3).add(1).dtype, 'int64');
  assert.equal(arange(3).add(0.5).dtype, 'float32');
  assert.equal(arange(3).mul(true).dtype, 'int64');
  assert.equal(tensor([1], { dtype: 'bfloat16' }).add(1.5).dtype, 'bfloat16');
  assert.deepEqual(arange(3).add(2n).tolist(), [2, 3, 4]);
  assert.deepEqual(
    arange(2)
      .add(2 ** 53 - 1)
      .data(),
    new BigInt64Array([2n ** 53n - 1n, 2n ** 53n]),
  );
  assert.deepEqual(tensor([1, 2]).clamp(-1e30, Number.POSITIVE_INFINITY).tolist(), [1, 2]);
  assert.throws(() => arange(2).add(2n ** 53n), { name: 'TorchError', message: /within ±2\^53, got 9007199254740992/ });
});

test('max: all, by dimension as [values, indices], against another tensor', () => {
  assert.equal(x.max().item(), 6);
  const [values, indices] = x.max(1);
  assert.deepEqual([values.tolist(), indices.tolist(), indices.dtype], [[5, 6], [1, 2], 'int64']);
  const [kept] = x.max(0, true);
  assert.deepEqual(kept.shape, [1, 3]);
  assert.deepEqual(
    tensor([1, 5])
      .max(tensor([3, 3]))
      .tolist(),
    [3, 5],
  );
});

test('a dimension, a list of them, none, or null', () => {
  assert.deepEqual(x.sum(1).tolist(), [9, 12]);
  assert.deepEqual(x.sum([0]).tolist(), [5, 7, 9]);
  assert.equal(x.sum([0, 1]).item(), 21);
  assert.equal(x.sum([]).item(), 21);
  assert.equal(x.sum(null).item(), 21);
  assert.deepEqual(x.sum([1], true).shape, [2, 1]);
  assert.deepEqual(x.mean(-1).tolist(), [3, 4]);
});

test('keyword arguments go by their camelCase names, alone or after positions', () => {
  assert.equal(x.sum({ dtype: 'float64' }).dtype, 'float64');
  assert.deepEqual(x.sum([1], { keepdim: true, dtype: 'int64' }).tolist(), [[9], [12]]);
  assert.deepEqual(
    tensor([1])
      .add(tensor([2]), { alpha: 10 })
      .tolist(),
    [21],
  );
  assert.deepEqual(tensor([7, -7]).div(2, { roundingMode: 'floor' }).tolist(), [3, -4]);
  assert.deepEqual((loose.add!({ self: tensor([1]), other: 2 } as Argument) as Tensor).tolist(), [3]);
  assert.equal(x.sum([1], undefined, { dtype: undefined }).dtype, 'float32');
});

test('keywords alone give a tensor of its own: the argument keeps its life', () => {
  const base = tensor([1]);
  const result = loose.add_!({ self: base, other: 1 } as Argument) as Tensor;
  assert.notEqual(result.handle, base.handle);
  result.dispose();
  assert.deepEqual(base.tolist(), [2]);
});

test('one overload by its name', () => {
  assert.deepEqual((ops['add.Scalar']!(tensor([1]), 2) as Tensor).tolist(), [3]);
  assert.throws(() => ops['add.Scalar']!(tensor([1]), tensor([2])), { code: 'ARGUMENTS', message: /add\.Scalar\(/ });
});

test('one number stands for int[2]; elsewhere a list is asked for', () => {
  const image = ones([1, 1, 4, 4]);
  const weight = ones([1, 1, 3, 3]);
  assert.deepEqual(
    ops.conv2d(image, weight, null, 1, 1).tolist(),
    ops.conv2d(image, weight, null, [1, 1], [1, 1]).tolist(),
  );
  assert.deepEqual(ops.maxPool2d(image, 2).shape, [1, 1, 2, 2]);
  assert.throws(() => loose.view!(arange(4), 4), { message: /view\(Tensor\(int64\[4\]\), 4\) fits no overload/ });
});

test('None is null or undefined, in place of a tensor, a number or a generator', () => {
  const weight = ones([2, 3]);
  assert.deepEqual(ops.linear(x, weight).tolist(), ops.linear(x, weight, null).tolist());
  assert.deepEqual(tensor([-1, 5]).clamp(null, 2).tolist(), [-1, 2]);
  assert.deepEqual(tensor([-1, 5]).clamp(0).tolist(), [0, 5]);
  assert.equal(ops.bernoulli(tensor([1]), { generator: null }).item(), 1);
});

test('lists of tensors, and lists with gaps', () => {
  assert.deepEqual(ops.cat([tensor([1]), tensor([2, 3])]).tolist(), [1, 2, 3]);
  assert.deepEqual(ops.index(x, [null, tensor([2n])]).tolist(), [[3], [6]]);
  assert.deepEqual(
    ops._foreachAdd([tensor([1]), tensor([2])], 1).map((t) => t.item()),
    [2, 3],
  );
  assert.equal(ops._foreachAdd_([tensor([1])], 1), null);
  assert.equal(ops.einsum('ij,kj->ik', [x, x]).index(0, 0).item(), 35);
});

test('a list of tensors comes back as a list, one result as itself, several as a tuple', () => {
  assert.deepEqual(
    x.unbind(0).map((row) => row.tolist()),
    [
      [1, 5, 3],
      [4, 2, 6],
    ],
  );
  assert.deepEqual(
    x.split(2, 1).map((part) => part.shape),
    [
      [2, 2],
      [2, 1],
    ],
  );
  assert.equal(ops.isFloatingPoint(x), true);
  assert.equal(x.size(1), 3);
  assert.equal(ops.item(tensor([2.5])), 2.5);
});

test('dtypes, devices, layouts and memory formats are strings; each only where it belongs', () => {
  assert.equal(ops.zeros([2], { dtype: 'bfloat16' }).dtype, 'bfloat16');
  assert.equal(ops.zeros([2], { device: 'meta' }).device, 'meta');
  assert.equal(zeros([1, 2, 2, 2]).contiguous({ memoryFormat: 'channelsLast' }).stride(1), 1);
  const refused = (make: () => unknown) => assert.throws(make, { code: 'ARGUMENTS' });
  refused(() => loose.zeros!([2], { dtype: 'channelsLast' }));
  refused(() => loose.zeros!([2], { dtype: 6 }));
  refused(() => loose.contiguous!(zeros([1, 2, 2, 2]), { memoryFormat: 'float32' }));
  refused(() => loose.sum!(x, 'float32'));
  refused(() => loose.sum!(x, ['float32']));
  assert.throws(() => ops.zeros([2], { device: 'nowhere' }), {
    code: 'ARGUMENTS',
    message: /argument 'device'.*nowhere/s,
  });
});

test('a generator passes by name', () => {
  const draw = () => ops.randn([3], { generator: new Generator(4) }).tolist();
  assert.deepEqual(draw(), draw());
});

test('an operator in place returns the same object, as does one that has nothing to do', () => {
  const y = tensor([1, 2]);
  assert.equal(y.add_(1), y);
  assert.equal(y.contiguous(), y);
  assert.deepEqual(y.tolist(), [2, 3]);
  const out = zeros([2]);
  assert.deepEqual(ops.add(y, y, { out } as never).tolist(), [4, 6]);
  assert.deepEqual(out.tolist(), [4, 6]);
});

test('arguments that fit no overload: the call as it was made, and what would fit', () => {
  assert.throws(
    () => loose.add!(tensor([1, 2]), 'two', { alpha: true, beta: [1, null, x] }),
    (error: Error & { code: string }) => {
      assert.equal(error.name, 'TorchError');
      assert.equal(error.code, 'ARGUMENTS');
      assert.match(
        error.message,
        /^add\(Tensor\(float32\[2\]\), 'two', alpha: true, beta: \[1, null, Tensor\(float32\[2, 3\]\)\]\)/,
      );
      assert.match(
        error.message,
        /fits no overload of the operator\. Expected one of:\n {2}aten::add\.Scalar\(Tensor self/,
      );
      assert.match(error.message, /\n {2}aten::add\.Tensor\(Tensor self, Tensor other, \*, Scalar alpha=1\) -> Tensor/);
      return true;
    },
  );
  for (const args of [
    [x, 1.5],
    [x, { dims: 1 }],
    [x, [1.5]],
    [x, 1, { dim: 1 }],
    [x, 1, false, 3],
    [],
  ] as Argument[][]) {
    assert.throws(() => loose.sum!(...args), { code: 'ARGUMENTS', message: /^sum\(/ });
  }
});

test('values that no operator takes', () => {
  const message = /expected a Tensor, number, boolean, string, list, Generator or null/;
  assert.throws(() => loose.add!(x, new Map() as never), { name: 'TorchError', message });
  assert.throws(() => loose.add!(x, (() => 1) as never), { message: /got Function/ });
  assert.throws(() => loose.view!(x, new Int32Array(2) as never), { message: /got Int32Array/ });
  assert.throws(() => loose.view!(x, [[3, 2]] as never), { message: /flat lists, got a list inside a list/ });
});

test('wrong shapes: the call with its shapes, and the reason of libtorch', () => {
  assert.throws(() => tensor([1, 2]).add(tensor([1, 2, 3])), {
    name: 'TorchError',
    code: 'TORCH',
    message: /^add\(Tensor\(float32\[2\]\), Tensor\(float32\[3\]\)\): The size of tensor a \(2\) must match/,
  });
  assert.throws(() => x.view([4, 4]), {
    message: /^view\(Tensor\(float32\[2, 3\]\), \[4, 4\]\): shape '\[4, 4\]' is invalid/,
  });
});

test('a freed tensor: the operator, the argument and what to do', () => {
  const freed = tensor([1]);
  freed.dispose();
  const message = /^add\(\), argument 'other': this tensor was freed: .*return it from the scope or keep\(\) it/;
  assert.throws(() => tensor([1]).add(freed), { name: 'TorchError', code: 'FREED', message });
  assert.throws(() => freed.add(1), { code: 'FREED', message: /^add\(\), argument 'self'/ });
  assert.throws(() => ops.cat([tensor([1]), freed]), { code: 'FREED', message: /^cat\(\), argument 'tensors'/ });
  for (const read of [
    () => freed.shape,
    () => freed.dtype,
    () => freed.item(),
    () => freed.tolist(),
    () => freed.grad,
  ]) {
    assert.throws(read, { name: 'TorchError', code: 'FREED' });
  }
});

test('a call that failed leaves the next ones as they were', () => {
  assert.throws(() => ops.cat([tensor([1]), new Map() as never]));
  assert.throws(() => loose.add!(x, 'two'));
  assert.deepEqual(tensor([1]).add(1).tolist(), [2]);
});

test('more values than a call holds are refused, in and out, and nothing is left behind', () => {
  const one = tensor([1]);
  const most = 65_536;
  assert.equal(
    ops.cat(
      Array.from({ length: most - 2 }, () => one),
      0,
    ).numel,
    most - 2,
  );
  assert.throws(() => ops.cat(Array.from({ length: most }, () => one)), {
    name: 'TorchError',
    message: /at most 65536 values/,
  });
  const long = arange(70_000);
  const before = liveTensors();
  assert.throws(() => long.unbind(), {
    name: 'TorchError',
    code: 'FRAME',
    message: /^unbind\(Tensor\(int64\[70000\]\)\): it returns 70001 values, more than the 65536/,
  });
  assert.equal(liveTensors(), before);
  assert.equal(
    scope(() => long.slice(0, 0, most - 1).unbind().length),
    most - 1,
  );
});

test('a result that has no counterpart is refused, and nothing is left behind', () => {
  const z = ops.complex(tensor(1), tensor(2));
  const before = liveTensors();
  assert.throws(() => ops.item(z), {
    name: 'TorchError',
    code: 'RESULT',
    message: /^item\(.*\): it returns a ComplexDouble/,
  });
  assert.equal(liveTensors(), before);
});

test('a tensor whose class was lost on the way from another thread is refused', () => {
  const cloned = structuredClone(x) as unknown as Argument;
  assert.throws(() => loose.relu!(cloned), { name: 'TorchError', code: 'ARGUMENTS' });
  assert.ok(!(cloned instanceof Tensor));
});

test("stft centres its frames as PyTorch's does, unless it is told not to", () => {
  const sound = arange(8).float();
  const sums = (spectra: Tensor) => spectra.select(0, 0).real().tolist();
  assert.deepEqual(sums(sound.stft(4, { returnComplex: true })), [4, 4, 6, 10, 14, 18, 22, 24, 24]);
  assert.deepEqual(sums(ops.stft(sound, 4, { hopLength: 2, center: false, returnComplex: true })), [6, 14, 22]);
  const padded = sound.stft(4, 2, 4, null, true, 'constant', false, true, true);
  assert.deepEqual(sums(padded), [1, 6, 14, 22, 13]);
});
