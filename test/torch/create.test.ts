import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  arange,
  type DType,
  elementSize,
  empty,
  eye,
  full,
  linspace,
  liveTensors,
  ops,
  randint,
  randperm,
  type TypedArray,
  tensor,
  tensorFromBytes,
  where,
  zeros,
} from 'headrace/torch';

const ARRAYS: [TypedArray, DType][] = [
  [new Float32Array([1.5, -2, 3, 0, 5, 6]), 'float32'],
  [new Float64Array([1.1, -2, 3, 0, 5, 6]), 'float64'],
  [new BigInt64Array([1n, -2n, 2n ** 62n, 0n, 5n, 6n]), 'int64'],
  [new Int32Array([1, -2, 2 ** 31 - 1, 0, 5, 6]), 'int32'],
  [new Int16Array([1, -2, 32767, 0, 5, 6]), 'int16'],
  [new Int8Array([1, -2, 127, 0, 5, 6]), 'int8'],
  [new Uint8Array([1, 2, 255, 0, 5, 6]), 'uint8'],
];

for (const [array, dtype] of ARRAYS) {
  test(`a ${array.constructor.name} becomes ${dtype} and comes back`, () => {
    const x = tensor(array, { shape: [2, 3] });
    assert.equal(x.dtype, dtype);
    assert.deepEqual(x.shape, [2, 3]);
    assert.deepEqual(x.data(), array);
    assert.deepEqual(tensor(array).shape, [6]);
    const numbers = Array.from(array as ArrayLike<number | bigint>, Number);
    assert.deepEqual(x.tolist(), [numbers.slice(0, 3), numbers.slice(3)]);
  });
}

test('the data is copied both ways', () => {
  const array = new Float32Array([1, 2]);
  const x = tensor(array);
  array[0] = 9;
  (x.data() as Float32Array)[1] = 9;
  assert.deepEqual(x.tolist(), [1, 2]);
});

test('a view into a larger buffer gives only its own elements', () => {
  const buffer = new Float32Array([1, 2, 3, 4]);
  assert.deepEqual(tensor(buffer.subarray(1, 3)).tolist(), [2, 3]);
  assert.deepEqual(tensor(Buffer.from([7, 8])).tolist(), [7, 8]);
  assert.deepEqual(tensor(new Uint8ClampedArray([7]) as unknown as Uint8Array).tolist(), [7]);
});

test('data() walks views row by row', () => {
  const x = arange(6).view([2, 3]).t();
  assert.deepEqual(x.data(), new BigInt64Array([0n, 3n, 1n, 4n, 2n, 5n]));
  assert.deepEqual(ops.expand(tensor([[1], [2]]), [2, 2]).tolist(), [
    [1, 1],
    [2, 2],
  ]);
});

test('16-bit floats: bytes are the format, data() and tolist() the values', () => {
  const values = [1, -2, 0.5, 65504];
  const half = tensor(values, { dtype: 'float16' });
  assert.deepEqual(new Uint16Array(half.bytes().buffer), new Uint16Array([0x3c00, 0xc000, 0x3800, 0x7bff]));
  assert.deepEqual(half.data(), new Float32Array(values));
  const brain = tensor([1, -2, 0.5, Math.PI], { dtype: 'bfloat16' });
  assert.deepEqual(new Uint16Array(brain.bytes().buffer), new Uint16Array([0x3f80, 0xc000, 0x3f00, 0x4049]));
  assert.deepEqual(brain.tolist(), [1, -2, 0.5, 3.140625]);
  assert.equal(brain.index(3).item(), 3.140625);
});

test('data() of a 16-bit float leaves no tensor behind', () => {
  const x = tensor([1, 2], { dtype: 'bfloat16', requiresGrad: true });
  const before = liveTensors();
  x.data();
  assert.equal(liveTensors(), before);
});

for (const dtype of [
  'float32',
  'float64',
  'bfloat16',
  'float16',
  'int64',
  'int32',
  'int16',
  'int8',
  'uint8',
  'bool',
] as const) {
  test(`bytes() and tensorFromBytes() are inverse for ${dtype}`, () => {
    const x = tensor([0, 1, 1, 0, 1, 0], { dtype }).view([3, 2]);
    const bytes = x.bytes();
    assert.equal(bytes.length, 6 * elementSize(dtype));
    const y = tensorFromBytes(bytes, dtype, [3, 2]);
    assert.equal(y.dtype, dtype);
    assert.ok(ops.equal(x, y));
    assert.deepEqual(y.tolist(), [
      [0, 1],
      [1, 0],
      [1, 0],
    ]);
  });
}

test('numbers are float32, bigints int64, booleans bool; mixed lists take the widest', () => {
  const dtypes = (list: (number | bigint | boolean)[]) => tensor(list).dtype;
  assert.equal(dtypes([1, 2]), 'float32');
  assert.equal(dtypes([1n]), 'int64');
  assert.equal(dtypes([true]), 'bool');
  assert.equal(dtypes([true, 2n]), 'int64');
  assert.equal(dtypes([true, 2]), 'float32');
  assert.deepEqual(tensor([true, 2]).tolist(), [1, 2]);
  assert.deepEqual(tensor([1n, 2.5]).tolist(), [1, 2.5]);
  assert.equal(tensor([]).dtype, 'float32');
  assert.deepEqual(tensor([[], []]).shape, [2, 0]);
});

test('integers stay exact up to their dtype', () => {
  assert.equal(tensor([2 ** 53 - 1], { dtype: 'int64' }).item(), 2 ** 53 - 1);
  assert.deepEqual(tensor([2n ** 63n - 1n]).data(), new BigInt64Array([2n ** 63n - 1n]));
  assert.deepEqual(tensor([16777217], { dtype: 'float64' }).tolist(), [16777217]);
  assert.throws(() => tensor([2n ** 63n]), { name: 'TorchError', message: /int64 holds, got 9223372036854775808/ });
});

test('special values survive', () => {
  const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 2 ** -149, 3.4028234663852886e38];
  assert.deepEqual(tensor(values).tolist(), values);
  assert.deepEqual(tensor([5e-324, Number.POSITIVE_INFINITY], { dtype: 'float64' }).tolist(), [
    5e-324,
    Number.POSITIVE_INFINITY,
  ]);
});

test('a flat list takes a shape as a typed array does', () => {
  assert.deepEqual(tensor([1, 2, 3, 4], { shape: [2, 2] }).tolist(), [
    [1, 2],
    [3, 4],
  ]);
  assert.throws(() => tensor([1, 2, 3], { shape: [2, 2] }), { name: 'ShapeError', message: /expected 4 elements/ });
});

test('wrong shapes say what was expected and what came', () => {
  const shape = (make: () => unknown, message: RegExp) => assert.throws(make, { name: 'ShapeError', message });
  shape(() => tensor(new Float32Array(5), { shape: [2, 3] }), /expected 6 elements for shape \[2,3\], got 5/);
  shape(() => tensor([[1, 2], [3]]), /depth 1 to have 2 elements, got one of 1/);
  shape(() => tensor([[1], 2]), /expected a list of 1 at depth 1, got 2/);
  shape(() => tensor([1, [2]]), /depth 1 to have no elements, got one of 1/);
  assert.throws(() => tensorFromBytes(new Uint8Array(5), 'float32', [2]), {
    name: 'DataError',
    message: /expected 8 bytes for this shape and dtype, got 5/,
  });
  assert.throws(() => tensorFromBytes(new Uint8Array(4), 'preserve' as DType, [4]), {
    name: 'TorchError',
    message: /expected a dtype such as 'float32', got 'preserve'/,
  });
  assert.throws(() => tensor(new Uint16Array(2) as unknown as Uint8Array), {
    name: 'TorchError',
    message: /no dtype holds the elements of a Uint16Array/,
  });
  assert.throws(() => tensor([1, 2]).item(), { name: 'TorchError' });
});

test('conjugation and negation that are pending on a view reach the bytes', () => {
  const z = ops.complex(tensor([1, 2]), tensor([3, 4])).conj();
  assert.deepEqual(ops.imag(z).tolist(), [-3, -4]);
  assert.deepEqual(ops.imag(z).index(0).data(), new Float32Array([-3]));
  assert.deepEqual(new Float32Array(z.bytes().buffer), new Float32Array([1, -3, 2, -4]));
  assert.throws(() => z.data(), /viewAsReal\(\) first/);
});

test('the makers have the dtypes and values of PyTorch', () => {
  assert.deepEqual(arange(2, 8, 2).tolist(), [2, 4, 6]);
  assert.equal(arange(3).dtype, 'int64');
  assert.equal(arange(0, 1, 0.25).dtype, 'float32');
  assert.deepEqual(arange(5, undefined, 2).tolist(), [0, 2, 4]);
  assert.deepEqual(linspace(0, 1, 5).tolist(), [0, 0.25, 0.5, 0.75, 1]);
  assert.deepEqual(eye(2, 3).tolist(), [
    [1, 0, 0],
    [0, 1, 0],
  ]);
  assert.deepEqual(full([2], 7).tolist(), [7, 7]);
  assert.equal(full([2], 7).dtype, 'float32');
  assert.equal(full([2], true).dtype, 'bool');
  assert.deepEqual(zeros([0]).shape, [0]);
  const nhwc = empty([2, 4, 3, 3], { memoryFormat: 'channelsLast' });
  assert.deepEqual(
    [0, 1, 2, 3].map((dim) => nhwc.stride(dim)),
    [36, 1, 12, 4],
  );
  assert.deepEqual(where(tensor([true, false]), tensor([1, 2]), 0).tolist(), [1, 0]);
  assert.equal(randint(0, 5, [2]).dtype, 'int64');
  assert.equal(randperm(4).dtype, 'int64');
  assert.deepEqual([...(randperm(5).tolist() as number[])].sort(), [0, 1, 2, 3, 4]);
});

test('every maker takes requiresGrad', () => {
  const options = { dtype: 'float32', requiresGrad: true } as const;
  for (const made of [tensor([1], options), full([1], 2, options), randint(0, 5, [2], options), randperm(3, options)]) {
    assert.ok(made.requiresGrad && made.isLeaf);
  }
  assert.throws(() => tensor([1n], { requiresGrad: true }), /floating point/);
});

test('to() converts, and returns the tensor itself where nothing changes', () => {
  const x = tensor([1.7, -2.3]);
  assert.equal(x.to({ dtype: 'float32' }), x);
  assert.deepEqual(x.to({ dtype: 'int64' }).data(), new BigInt64Array([1n, -2n]));
  assert.notEqual(x.to({ dtype: 'float32', copy: true }), x);
  assert.equal(x.to({ device: 'meta' }).device, 'meta');
  assert.deepEqual(
    [x.double().dtype, x.long().dtype, x.long().float().dtype, x.cpu()],
    ['float64', 'int64', 'float32', x],
  );
});

test('a byte of a bool is true or false, whatever it is', () => {
  const flags = tensorFromBytes(new Uint8Array([7, 0, 1, 255]), 'bool', [4]);
  assert.deepEqual(flags.tolist(), [1, 0, 1, 1]);
  assert.deepEqual(flags.bytes(), new Uint8Array([1, 0, 1, 1]));
});
