// Values of which PyTorch makes no tensor make none here: no number comes out of nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  arange,
  type DType,
  elementSize,
  eye,
  full,
  Generator,
  linspace,
  ops,
  randint,
  type Tensor,
  tensor,
  tensorFromBytes,
  where,
  zeros,
} from 'headrace/torch';

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const anything = (value: unknown): never => value as never;

/** Checks that `make` throws an error of this package's whose message has `words` in it. */
function refused(make: () => unknown, words: string | RegExp, name = 'TorchError'): void {
  assert.throws(make, (error: Error) => {
    assert.equal(error.name, name, error.message);
    if (typeof words === 'string') assert.ok(error.message.includes(words), error.message);
    else assert.match(error.message, words);
    return true;
  });
}

test('what is no number, bigint or boolean is refused, with its place', () => {
  const cases: [unknown, string][] = [
    [['1.5'], 'at [0], got the string "1.5"'],
    ['3', 'got the string "3"'],
    [[1, null], 'at [1], got null'],
    [
      [
        [1, 2],
        [3, undefined],
      ],
      'at [1][1], got undefined',
    ],
    [[[1], [2, 3].slice(0, 1), new Array(1)], 'at [2][0], got undefined'],
    [[tensor([1]).sum()], 'at [0], got an object (Tensor)'],
    [tensor([1]), 'got an object (Tensor)'],
    [undefined, 'got undefined'],
    [null, 'got null'],
    [{}, 'got an object (Object)'],
    [[new Date(0)], 'got an object (Date)'],
    [new Set([1]), 'got an object (Set)'],
    [[() => 1], 'got a function'],
    [[Symbol('x')], 'got Symbol(x)'],
    [[new Float32Array(2)], 'of several arrays make one, with a shape'],
  ];
  for (const [data, words] of cases) refused(() => tensor(anything(data)), words);
});

test('integers that the dtype does not hold are refused; a fraction is cut off, as in PyTorch', () => {
  const cases: [number | bigint, DType][] = [
    [nan, 'int64'],
    [inf, 'int32'],
    [-inf, 'uint8'],
    [300, 'uint8'],
    [-1, 'uint8'],
    [128, 'int8'],
    [40_000, 'int16'],
    [2 ** 31, 'int32'],
    [2 ** 63, 'int64'],
    [2n ** 63n, 'int64'],
    [1e300, 'int64'],
    [256n, 'uint8'],
  ];
  for (const [value, dtype] of cases) {
    refused(() => tensor([0, value], { dtype }), `an integer that ${dtype} holds, got ${value} at [1]`);
  }
  refused(() => tensor(new Float32Array([1, nan]), { dtype: 'int64' }), 'int64 holds, got NaN at [1]');
  refused(() => tensor(new Uint8Array([200]), { dtype: 'int8' }), 'int8 holds, got 200');
  assert.deepEqual(tensor([1.5, -1.5, 0.9], { dtype: 'int64' }).tolist(), [1, -1, 0]);
  assert.deepEqual(tensor([255.9, -0.5], { dtype: 'uint8' }).tolist(), [255, 0]);
  assert.deepEqual(tensor([127, -128], { dtype: 'int8' }).tolist(), [127, -128]);
  assert.deepEqual(
    tensor([2n ** 63n - 1n, -(2n ** 63n), true], { dtype: 'int64' }).data(),
    new BigInt64Array([2n ** 63n - 1n, -(2n ** 63n), 1n]),
  );
  assert.deepEqual(tensor(new Float64Array([2.7]), { dtype: 'int32' }).tolist(), [2]);
  assert.deepEqual(tensor(new Uint8Array([200]), { dtype: 'int64' }).tolist(), [200]);
});

test('bool takes what is not zero, NaN too; floats take infinities', () => {
  assert.deepEqual(tensor([nan, 0, -0, 2.5, 0n, 3n, false], { dtype: 'bool' }).tolist(), [1, 0, 0, 1, 0, 1, 0]);
  assert.deepEqual(tensor([1e39, -inf], { dtype: 'float32' }).tolist(), [inf, -inf]);
  assert.deepEqual(tensor([true, 2.5, 3n]).tolist(), [1, 2.5, 3]);
});

test('ragged lists say where', () => {
  refused(() => tensor([[1, 2], [3]]), 'depth 1 to have 2 elements, got one of 1', 'ShapeError');
  refused(() => tensor([[1], 2]), 'expected a list of 1 at depth 1, got 2', 'ShapeError');
  refused(() => tensor([1, 2], { shape: [2.5] }), 'shape of whole numbers', 'ShapeError');
  refused(() => tensor([1, 2], { shape: [-1, -2] }), 'shape of whole numbers', 'ShapeError');
  refused(() => tensorFromBytes(new Uint8Array(4), 'float32', [1.5]), 'shape of whole numbers', 'ShapeError');
  refused(() => tensorFromBytes(anything([1]), 'uint8', [1]), 'Uint8Array', 'DataError');
});

test('a dtype of another name is told what it is called here', () => {
  const float = anything('float');
  refused(() => tensor([1], { dtype: float }), "got 'float', which is 'float32' here");
  refused(() => zeros([1], { dtype: anything('torch.float64') }), "which is 'float64' here");
  refused(() => zeros([1]).to({ dtype: anything('long') }), "which is 'int64' here");
  refused(() => tensor([1], { dtype: anything('f16') }), "which is 'float16' here");
  refused(() => zeros([1], { dtype: anything(5) }), /one of float32, float64, .*; got 5$/);
  refused(() => elementSize(float), "which is 'float32' here");
  refused(() => ops.zeros([1], { dtype: float }), "'float' is no dtype: there are float32, float64, bfloat16");
});

test('devices that are not here, options that nobody reads, and options of another kind are refused', () => {
  refused(() => zeros([1], { device: 'gpu' }), /Expected one of cpu, cuda/);
  refused(() => zeros([1], { device: 'cuda:99' }), /no device 'cuda:99' here/);
  refused(() => zeros([1]).to({ device: 'xla' }), /no device 'xla' here/);
  refused(() => new Generator(0, 'cuda:99'), /no device 'cuda:99' here/);
  refused(() => zeros([1]).to(anything('float64')), 'options of to in an object', 'ConfigError');
  refused(() => zeros([1]).to(anything(undefined)), 'options of to in an object', 'ConfigError');
  refused(() => zeros([1], anything({ requires_grad: true })), 'Did you mean requiresGrad?', 'ConfigError');
  refused(() => zeros([1], anything({ requiresGrad: 'no' })), 'requiresGrad true or false, got no', 'ConfigError');
  refused(() => tensor([1], anything({ generator: new Generator(0) })), 'got generator', 'ConfigError');
});

test('flags and gradients are not guessed', () => {
  const x = tensor([1, 2], { requiresGrad: true });
  refused(() => x.sum().backward(null, { retainGraph: anything(1) }), 'retainGraph true or false', 'ConfigError');
  refused(() => x.sum().backward(null, anything({ retain_graph: true })), 'retainGraph?', 'ConfigError');
  refused(() => x.sum().backward(anything(2)), 'expected tensors, or null for none');
  refused(() => {
    x.grad = anything(5);
  }, 'expected a tensor or null, got 5'); // prettier-ignore
  refused(() => {
    x.requiresGrad = anything('no');
  }, 'expected true or false, got no'); // prettier-ignore
  assert.equal(x.grad, null);
});

test('the makers and the scalars of operators take numbers only', () => {
  const none = 'fits no overload';
  const int = zeros([2], { dtype: 'int64' });
  const makes: [() => unknown, string][] = [
    [() => zeros([1.5]), none],
    [() => zeros([nan]), none],
    [() => zeros(anything(['2'])), none],
    [() => zeros([-1]), 'negative dimension'],
    [() => full([1], nan, { dtype: 'int64' }), 'without overflow'],
    [() => full([1], 300, { dtype: 'uint8' }), 'without overflow'],
    [() => full([1], anything('3')), none],
    [() => full([1], anything(null)), none],
    [() => arange(nan), 'unsupported range'],
    [() => arange(anything('3')), none],
    [() => linspace(0, 1, 2.5), none],
    [() => linspace(0, 1, -1), 'non-negative'],
    [() => eye(2.5), none],
    [() => randint(0, 5.5, [2]), none],
    [() => where(tensor([true]), anything('1'), 2), none],
    [() => int.fill_(nan), 'without overflow'],
    [() => int.fill_(anything('3')), none],
    [() => int.fill_(anything(null)), none],
    [() => int.add_(1.5), "can't be cast"],
    [() => int.maskedFill_(tensor([true, false]), nan), 'without overflow'],
    [() => int.sum(anything([0.5])), none],
    [() => int.sum([0], anything(1)), none],
    [() => int.sum([0], anything('true')), none],
    [() => int.softmax(1.5), none],
    [() => int.add(anything('1')), none],
    [() => int.add(anything(undefined)), none],
    [() => int.index(anything(true)), 'as an index, got true'],
    [() => int.index(1.5), 'as an index, got 1.5'],
    [() => int.index(tensor([0.5])), 'must be long'],
  ];
  for (const [make, words] of makes) {
    assert.throws(make, (error: Error) => error.name.endsWith('Error') && error.message.includes(words), String(make));
  }
  assert.deepEqual(full([1], 1.5, { dtype: 'int64' }).tolist(), [1]);
  assert.deepEqual((int.fill_(2.9) as Tensor).tolist(), [2, 2]);
});
