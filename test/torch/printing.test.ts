import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { arange, type DType, liveTensors, ops, type Tensor, tensor, zeros } from 'headrace/torch';
import { testEach } from './golden.js';

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const int = (...values: number[]) => tensor(values, { dtype: 'int64' });
const typed = (values: number[], dtype: DType) => tensor(values, { dtype });
const float = (n: number, dtype: DType = 'float32') => arange(n).to({ dtype });
const complex = (real: Tensor, imaginary: Tensor) => ops.complex(real, imaginary);
const leaf = (dtype: DType = 'float32') => tensor([1, 2], { requiresGrad: true, dtype });
const MOST = 9223372036854775807n;

const CASES: Record<string, () => Tensor> = {
  'tensor(3.)': () => tensor(3),
  'tensor(-0.25)': () => tensor(-0.25),
  'tensor([1., 2., 3.])': () => tensor([1, 2, 3]),
  'tensor([1., -20., 300.])': () => tensor([1, -20, 300]),
  'tensor([0.5, -12.25, 3.])': () => tensor([0.5, -12.25, 3]),
  'tensor([0., -0.])': () => tensor([0, -0]),
  'tensor([0., -0., 0.5])': () => tensor([0, -0, 0.5]),
  'tensor([[0.1, 0.2], [10.5, -3.25]])': () =>
    tensor([
      [0.1, 0.2],
      [10.5, -3.25],
    ]),
  'tensor([0.03125, 0.09375, -0.03125])': () => tensor([0.03125, 0.09375, -0.03125]),
  'tensor([100005., 1000150.]) * 1000': () => tensor([100005, 1000150]).mul(1000),
  'tensor([1e10, 2.5])': () => tensor([1e10, 2.5]),
  'tensor([0.00001, 0.5])': () => tensor([0.00001, 0.5]),
  'tensor([0.0001, 0.05])': () => tensor([0.0001, 0.05]),
  'tensor([1., 10000.])': () => tensor([1, 10000]),
  'tensor([1., 1000.])': () => tensor([1, 1000]),
  'tensor([123456789.])': () => tensor([123456789]),
  'tensor(1e-20)': () => tensor(1e-20),
  'tensor([1e-40, 3e38])': () => tensor([1e-40, 3e38]),
  'tensor([1e-300, 1e300], dtype=torch.float64)': () => typed([1e-300, 1e300], 'float64'),
  'tensor([0.000123456])': () => tensor([0.000123456]),
  'tensor([nan, inf, -inf])': () => tensor([nan, inf, -inf]),
  'tensor([nan, 1., -inf])': () => tensor([nan, 1, -inf]),
  'tensor([0.5, nan, -inf])': () => tensor([0.5, nan, -inf]),
  'tensor([1e-6, inf, 1.])': () => tensor([1e-6, inf, 1]),
  'tensor([1, -20, 300])': () => int(1, -20, 300),
  'tensor(7)': () => tensor(7n),
  'tensor([9223372036854775807, -9223372036854775808])': () => tensor([MOST, -MOST - 1n]),
  'tensor([True, False])': () => tensor([true, false]),
  'tensor(True)': () => tensor(true),
  'tensor([[True, True], [False, True]])': () =>
    tensor([
      [true, true],
      [false, true],
    ]),
  'tensor([1.5, 2.], dtype=torch.float64)': () => typed([1.5, 2], 'float64'),
  'tensor([1.5, 2.], dtype=torch.float16)': () => typed([1.5, 2], 'float16'),
  'tensor([1.1, 2.], dtype=torch.bfloat16)': () => typed([1.1, 2], 'bfloat16'),
  'tensor([1, 200], dtype=torch.uint8)': () => typed([1, 200], 'uint8'),
  'tensor([1, -2], dtype=torch.int8)': () => typed([1, -2], 'int8'),
  'tensor([1, -2], dtype=torch.int16)': () => typed([1, -2], 'int16'),
  'tensor([1, -2], dtype=torch.int32)': () => typed([1, -2], 'int32'),
  'torch.complex(tensor([1., -2.]), tensor([-1., 0.5]))': () => complex(tensor([1, -2]), tensor([-1, 0.5])),
  'torch.complex(tensor([1.5, 2.], dtype=torch.float64), tensor([0., 3.], dtype=torch.float64))': () =>
    complex(typed([1.5, 2], 'float64'), typed([0, 3], 'float64')),
  'tensor([])': () => tensor([]),
  'torch.zeros(0, 3)': () => zeros([0, 3]),
  'torch.zeros(2, 0, 3)': () => zeros([2, 0, 3]),
  'torch.zeros(0, dtype=torch.int64)': () => zeros([0], { dtype: 'int64' }),
  'torch.zeros(0, 2, dtype=torch.bool)': () => zeros([0, 2], { dtype: 'bool' }),
  'torch.arange(24).view(2, 3, 4)': () => arange(24).view([2, 3, 4]),
  'torch.arange(8.).view(1, 2, 2, 2)': () => float(8).view([1, 2, 2, 2]),
  'torch.arange(40)': () => arange(40),
  'torch.arange(30) * 0.5': () => arange(30).mul(0.5),
  'torch.arange(60).view(2, 30)': () => arange(60).view([2, 30]),
  'torch.arange(1000.)': () => float(1000),
  'torch.arange(1001)': () => arange(1001),
  'torch.arange(2000.) - 1000': () => float(2000).sub(1000),
  'torch.arange(1200).view(40, 30)': () => arange(1200).view([40, 30]),
  'torch.arange(1200).view(300, 4) * 0.25': () => arange(1200).view([300, 4]).mul(0.25),
  'torch.arange(1200).view(4, 300)': () => arange(1200).view([4, 300]),
  'torch.arange(1210).view(10, 11, 11)': () => arange(1210).view([10, 11, 11]),
  'torch.arange(1400).view(7, 2, 100)': () => arange(1400).view([7, 2, 100]),
  'torch.zeros(1001, 2) == 0': () => zeros([1001, 2]).eq(0),
  'torch.arange(1001, dtype=torch.float64) / 1000 - 1': () => float(1001, 'float64').div(1000).sub(1),
  'torch.complex(torch.arange(1001.), -torch.arange(1001.))': () => complex(float(1001), float(1001).neg()),
  'tensor([1., 2.], requires_grad=True)': () => leaf(),
  'tensor([1., 2.], requires_grad=True).exp()': () => leaf().exp(),
  'tensor([1., 2.], requires_grad=True).clone()[0]': () => leaf().clone().index(0),
  'tensor([1., 2.], dtype=torch.float64, requires_grad=True)': () => leaf('float64'),
  'torch.arange(12.).view(1, 12).clone().requires_grad_()': () => float(12).view([1, 12]).requiresGrad_(),
  'torch.arange(11.).view(1, 11).mul(0.5).requires_grad_()': () => float(11).view([1, 11]).mul(0.5).requiresGrad_(),
  "torch.zeros(2, 3, device='meta')": () => zeros([2, 3], { device: 'meta' }),
  "torch.zeros(2, dtype=torch.int64, device='meta')": () => zeros([2], { dtype: 'int64', device: 'meta' }),
};

/** The three things that are spelled as in TypeScript. */
function spelledHere(text: string): string {
  return text
    .replace('requires_grad=True', 'requiresGrad=true')
    .replace('grad_fn=', 'gradFn=')
    .replace('dtype=torch.', 'dtype=');
}

testEach<{ python: string; text: string }, () => Tensor>('printing.jsonl', CASES, ({ text }, make) => {
  assert.equal(make().toString(), spelledHere(text));
});

test('String(), template strings and console.log show the same text', () => {
  const x = tensor([1, 2]);
  assert.equal(`${x}`, 'tensor([1., 2.])');
  assert.equal(inspect(x), 'tensor([1., 2.])');
  assert.equal(inspect([x]), '[ tensor([1., 2.]) ]');
});

test('a tensor without elements to show tells its size', () => {
  const sparse = tensor([
    [1, 0],
    [0, 0],
  ]).toSparse();
  assert.equal(sparse.toString(), 'tensor(..., size=(2, 2))');
});

test('a freed tensor is shown as such, and toString() refuses', () => {
  const x = tensor([1]);
  x.dispose();
  assert.equal(inspect(x), 'tensor(<freed>)');
  assert.throws(() => x.toString(), { name: 'TorchError', code: 'FREED' });
});

test('printing leaves no tensor behind', () => {
  const x = arange(2000).view([40, 50]);
  const before = liveTensors();
  x.toString();
  assert.equal(liveTensors(), before);
});
