/** The LSTM whose steps are loops of this package's, against libtorch's operator in float64. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LSTM } from 'headrace/nn';
import {
  Generator,
  grad,
  liveTensors,
  noGrad,
  op,
  ops,
  randn,
  scope,
  type Tensor,
  type TorchError,
  tensor,
} from 'headrace/torch';

/** What both operators take, in an order of their own: {@link ours} and {@link theirs}. */
interface Case {
  /** Packed [rows, inputSize] where there are sizes, or [B, T, inputSize]. */
  readonly x: Tensor;
  readonly sizes: Tensor | null;
  readonly h: Tensor;
  readonly c: Tensor;
  readonly weights: readonly Tensor[];
  readonly layers: number;
  readonly bothWays: boolean;
  readonly bias: boolean;
  /** What comes back to the three outputs. */
  readonly gradients: readonly Tensor[];
}

interface Shape {
  /** Of the sequences, the longest first. */
  readonly lengths: readonly number[];
  readonly inputs: number;
  readonly hidden: number;
  readonly layers?: number;
  readonly bothWays?: boolean;
  readonly bias?: boolean;
  readonly packed?: boolean;
}

function drawn(shape: Shape): Case {
  const { lengths, inputs, hidden, layers = 1, bothWays = false, bias = true, packed = true } = shape;
  const generator = new Generator(lengths.length * 100 + hidden);
  const directions = bothWays ? 2 : 1;
  const leaf = (...size: number[]) => randn(size, { generator }).requiresGrad_();
  // Larger ones make a chaotic system of a wide layer, in which rounding errors grow.
  const weight = (...size: number[]) => randn(size, { generator }).div(Math.sqrt(hidden)).requiresGrad_();
  const longest = lengths[0]!;
  const sizes = Array.from({ length: longest }, (_, t) => lengths.filter((length) => length > t).length);
  const rows = sizes.reduce((a, b) => a + b);
  const weights = Array.from({ length: layers * directions }, (_, i) => {
    const width = i < directions ? inputs : directions * hidden;
    const matrices = [weight(4 * hidden, width), weight(4 * hidden, hidden)];
    return bias ? [...matrices, weight(4 * hidden), weight(4 * hidden)] : matrices;
  }).flat();
  const state = () => leaf(layers * directions, lengths.length, hidden);
  const outputs = packed ? [rows, directions * hidden] : [lengths.length, longest, directions * hidden];
  return {
    x: packed ? leaf(rows, inputs) : leaf(lengths.length, longest, inputs),
    sizes: packed ? tensor(sizes, { dtype: 'int64' }) : null,
    h: state(),
    c: state(),
    weights,
    layers,
    bothWays,
    bias,
    gradients: [randn(outputs, { generator }), state().detach(), state().detach()],
  };
}

/** The same numbers in leaves of their own. */
function copied(c: Case, dtype: 'float32' | 'float64' = 'float32'): Case {
  const copy = (t: Tensor) => t.detach().to({ dtype, copy: true });
  const leaf = (t: Tensor) => copy(t).requiresGrad_();
  const weights = c.weights.map(leaf);
  return { ...c, x: leaf(c.x), h: leaf(c.h), c: leaf(c.c), weights, gradients: c.gradients.map(copy) };
}

const ours = ({ x, sizes, h, c, weights, layers, bothWays, bias }: Case): Tensor[] =>
  op('headrace::lstm')(x, sizes, [h, c], weights, bias, layers, 0, true, bothWays, true) as Tensor[];

const theirs = ({ x, sizes, h, c, weights, layers, bothWays, bias }: Case): Tensor[] =>
  sizes
    ? ops.lstm(x, sizes, [h, c], weights, bias, layers, 0, true, bothWays)
    : ops.lstm(x, [h, c], weights, bias, layers, 0, true, bothWays, true);

const inputsOf = (c: Case): Tensor[] => [c.x, c.h, c.c, ...c.weights];

/** The outputs, and the gradients of all inputs. */
function everything(run: (c: Case) => Tensor[], c: Case): Map<string, Tensor> {
  const outputs = run(c);
  const gradients = grad(outputs, inputsOf(c), { gradOutputs: c.gradients });
  const name = (i: number) => ['x', 'h', 'c'][i] ?? `weight ${i - 3}`;
  return new Map([
    ...outputs.map((t, i) => [['output', 'last h', 'last c'][i]!, t.detach()] as const),
    ...gradients.map((t, i) => [`gradient of ${name(i)}`, t!] as const),
  ]);
}

/** @param tolerance - of the largest absolute value */
function assertSame(found: Map<string, Tensor>, expected: Map<string, Tensor>, tolerance: number): void {
  assert.deepEqual([...found.keys()], [...expected.keys()]);
  for (const [name, value] of expected) {
    const [a, b] = [found.get(name)!.double(), value.double()];
    assert.deepEqual(a.shape, b.shape, name);
    const error = a.sub(b).abs().max().item() / b.abs().max().item();
    assert.ok(error <= tolerance, `${name}: off by ${error} of the largest`);
  }
}

const isFused = (outputs: Tensor[]): boolean => outputs[0]!.gradFn === 'LstmDirection';

const ragged = [9, 7, 7, 4, 1];
const shapes: Record<string, Shape> = {
  'sequences of several lengths': { lengths: ragged, inputs: 3, hidden: 16 },
  'a width that is no whole number of vectors': { lengths: ragged, inputs: 5, hidden: 21 },
  'a width of one': { lengths: ragged, inputs: 1, hidden: 1 },
  'one sequence of one step': { lengths: [1], inputs: 4, hidden: 8 },
  'no biases': { lengths: ragged, inputs: 3, hidden: 6, bias: false },
  'both ways': { lengths: ragged, inputs: 3, hidden: 6, bothWays: true },
  'three layers, both ways': { lengths: ragged, inputs: 3, hidden: 5, bothWays: true, layers: 3 },
  'a padded batch': { lengths: [6, 6, 6], inputs: 3, hidden: 7, layers: 2, packed: false },
  'rows enough for several threads': { lengths: new Array<number>(70).fill(3), inputs: 8, hidden: 400 },
};
for (const [name, shape] of Object.entries(shapes)) {
  test(`values and gradients of ${name} are libtorch's`, () => {
    scope(() => {
      const c = drawn(shape);
      const expected = everything(theirs, copied(c, 'float64'));
      assertSame(everything(ours, copied(c)), expected, 3e-6);
      assertSame(everything(ours, copied(c, 'float64')), expected, 1e-14);
    });
  });
}

test('a direction of a layer is one node of the graph', () => {
  const c = drawn({ lengths: ragged, inputs: 3, hidden: 4 });
  assert.ok(isFused(ours(c)));
  assert.equal(isFused(theirs(c)), false);
});

test('gates may be open, shut, or no numbers', () => {
  const c = drawn({ lengths: [4, 4], inputs: 2, hidden: 5 });
  const scaled = (factor: number): Case => ({ ...copied(c), x: c.x.detach().mul(factor).requiresGrad_() });
  for (const factor of [30, 1e4, 1e30]) {
    const [found, expected] = [ours(scaled(factor)), theirs(scaled(factor))];
    for (const [i, output] of found.entries()) {
      assert.ok(output.sub(expected[i]!).abs().max().item() < 1e-5, `times ${factor}, output ${i}`);
    }
  }
  const bad = copied(c);
  noGrad(() => bad.x.select(0, 3).fill_(Number.NaN));
  const [found, expected] = [ours(bad), theirs(bad)];
  assert.deepEqual(found[0]!.isnan().tolist(), expected[0]!.isnan().tolist());
  assert.ok(found[0]!.isnan().any().item());
});

test('an output of which only a part is used gives the gradients of that part', () => {
  const c = drawn({ lengths: ragged, inputs: 3, hidden: 4 });
  for (const used of [0, 1, 2]) {
    const gradients = (run: (c: Case) => Tensor[], of: Case) => {
      const found = grad(run(of)[used]!.pow(2).sum(), inputsOf(of));
      return new Map(found.map((t, i) => [String(i), t!] as const));
    };
    assertSame(gradients(ours, copied(c)), gradients(theirs, copied(c, 'float64')), 3e-6);
  }
});

test('features that need no gradient get none, and weights the same', () => {
  const c = copied(drawn({ lengths: ragged, inputs: 3, hidden: 4 }));
  const all = grad(ours(c)[0]!.sum(), [...c.weights]);
  const features = { ...c, x: c.x.detach() };
  const found = grad(ours(features)[0]!.sum(), [...c.weights]);
  for (const [i, gradient] of found.entries()) assert.deepEqual(gradient!.bytes(), all[i]!.bytes());
});

test("gradients of gradients are libtorch's", () => {
  for (const bothWays of [false, true]) {
    const c = copied(drawn({ lengths: [5, 3, 3, 1], inputs: 3, hidden: 4, bothWays }), 'float64');
    const second = (run: (c: Case) => Tensor[]) => {
      const [output, h, cell] = run(c) as [Tensor, Tensor, Tensor];
      const loss = output.pow(2).mul(c.gradients[0]!).sum().add(h.sum()).add(cell.pow(3).sum());
      const first = grad(loss, inputsOf(c), { createGraph: true });
      const norm = first.map((g) => g!.pow(2).sum()).reduce((a, b) => a.add(b));
      return new Map(grad(norm, inputsOf(c)).map((g, i) => [String(i), g!] as const));
    };
    assertSame(second(ours), second(theirs), 1e-12);
  }
});

test('an input that was overwritten is refused in backward', () => {
  const c = drawn({ lengths: ragged, inputs: 3, hidden: 4 });
  const x = c.x.mul(1);
  const [output] = ours({ ...c, x });
  x.add_(1);
  assert.throws(() => output!.sum().backward(), /modified by an inplace operation/);
});

test('what the operator is not made for goes through libtorch, or is refused by it', () => {
  const c = drawn({ lengths: ragged, inputs: 3, hidden: 4 });
  const half = (t: Tensor) => t.detach().to({ dtype: 'bfloat16' }).requiresGrad_();
  const rounded = { ...c, x: half(c.x), h: half(c.h), c: half(c.c), weights: c.weights.map(half) };
  const outputs = ours(rounded);
  assert.equal(isFused(outputs), false);
  assert.deepEqual(outputs[0]!.bytes(), theirs(rounded)[0]!.bytes());

  const wrong: Record<string, Case> = {
    'a weight of another size': { ...c, weights: [c.weights[0]!, randn([16, 5]), ...c.weights.slice(2)] },
    'a state of another type': { ...c, h: c.h.double() },
    'too few states': { ...c, h: c.h.narrow(1, 0, 2) },
    'sizes of more rows than there are': { ...c, sizes: tensor(new Array(8).fill(5), { dtype: 'int64' }) },
    'a bias of another size': { ...c, weights: [...c.weights.slice(0, 3), randn([5])] },
  };
  for (const [name, of] of Object.entries(wrong)) {
    assert.throws(
      () => ours(of),
      (error: TorchError) => error.name === 'TorchError',
      name,
    );
  }
});

test('the module uses it, in training and without gradients alike, and leaves no tensors behind', () => {
  const generator = new Generator(0);
  const lstm = new LSTM(3, 4, { batchFirst: true });
  lstm.initialise(generator);
  const x = randn([2, 5, 3], { generator });
  const lengths = [3, 5];
  const counts = new Set<number>();
  for (let i = 0; i < 5; i++) {
    scope(() => {
      const trained = lstm.forward(x, null, { lengths })[0];
      trained.sum().backward();
      const read = noGrad(() => lstm.forward(x, null, { lengths })[0]);
      assert.equal(read.requiresGrad, false);
      assert.deepEqual(read.bytes(), trained.detach().bytes());
      lstm.zeroGrad();
    });
    counts.add(liveTensors());
  }
  assert.equal(counts.size, 1);
});
