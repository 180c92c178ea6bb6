// Functions with a backward of their own, against the gradients of the same formulas by autograd, and finite differences.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  backward,
  customFunction,
  enableGrad,
  type FunctionContext,
  Generator,
  grad,
  gradcheck,
  liveTensors,
  noGrad,
  randn,
  scope,
  type Tensor,
  tensor,
} from 'headrace';

const square = customFunction({
  name: 'square',
  forward(context, x: Tensor) {
    context.saveForBackward(x);
    return x.mul(x);
  },
  backward(context, g) {
    return g.mul(context.savedTensors[0]!).mul(2);
  },
});

const leaf = (...values: number[]): Tensor => tensor(values, { requiresGrad: true });
const draw = (shape: number[], seed: number): Tensor =>
  randn(shape, { dtype: 'float64', generator: new Generator(seed), requiresGrad: true });

test('its backward gives the gradient, within the graph of other operators', () => {
  const x = leaf(1, -2, 3);
  const y = square(x.mul(2));
  assert.deepEqual(y.tolist(), [4, 16, 36]);
  assert.equal(y.requiresGrad, true);
  y.sum().backward();
  assert.deepEqual(x.grad?.tolist(), [8, -16, 24]); // d(4x²)/dx = 8x
});

test('gradcheck and a second derivative pass where backward is made of differentiable operations', () => {
  assert.ok(gradcheck(square, [draw([3], 0)]));
  const x = leaf(3);
  const [first] = grad(square(square(x)).sum(), x, { createGraph: true }); // x⁴
  assert.equal(first?.item(), 108);
  assert.equal(grad(first!.sum(), x)[0]?.item(), 108); // 12 x²
});

test('several inputs and outputs, arguments that are no tensors, gradients that are not wanted', () => {
  const wanted: boolean[][] = [];
  const linear = customFunction({
    forward(context, x: Tensor, scale: number, w: Tensor) {
      context.saveForBackward(x, w);
      context.values.scale = scale;
      return [x.matmul(w).mul(scale), x.sum()] as const;
    },
    backward(context, product, sum) {
      wanted.push([...context.needsInputGrad]);
      const [x, w] = context.savedTensors as [Tensor, Tensor];
      const g = product!.mul(context.values.scale as number);
      return [g.matmul(w.t()).add(sum!), null, x.t().matmul(g)];
    },
  });
  const [x, w] = [draw([4, 3], 1), draw([3, 2], 2)];
  assert.ok(
    gradcheck(
      (a, b) =>
        linear(a, 3, b)[0]
          .sum()
          .add(linear(a, 3, b)[1]),
      [x, w],
    ),
  );
  wanted.length = 0;
  const [, sum] = linear(x, 3, w.detach()); // the product is not used: its gradient is zeros
  sum.backward();
  assert.deepEqual(x.grad?.tolist(), Array(4).fill([1, 1, 1]));
  assert.deepEqual(wanted, [[true, false, false]]);
});

test('what was saved lives as long as the graph, and no longer', () => {
  const x = leaf(1, 2);
  const before = liveTensors();
  const loss = scope(() => square(x.mul(3)).sum());
  assert.equal(liveTensors() - before, 1);
  scope(() => backward([loss]));
  assert.deepEqual(x.grad?.tolist(), [18, 36]);
  assert.throws(() => loss.backward(), /second time/);
  loss.dispose();
  for (let i = 0; i < 50; i++) scope(() => square(x).sum().backward());
  assert.equal(liveTensors() - before, 1); // the handle of the gradient that was asked for
});

test('a backward outside of scopes leaves nothing, whatever it gives back, save what it keeps', () => {
  const passed = customFunction({ forward: (_, x: Tensor) => x.mul(1), backward: (_, g) => g });
  const wasted = customFunction({
    forward(context, x: Tensor) {
      context.saveForBackward(x, x.exp());
      return x.mul(1);
    },
    backward(context, g) {
      g.mul(context.savedTensors[1]!);
      if (g.shape[0] === 3) throw new RangeError('three');
      return null;
    },
  });
  const [x, three] = [leaf(1, 2), leaf(1, 2, 3)];
  for (const f of [square, passed, wasted]) {
    const before = liveTensors();
    for (const from of [x, three]) {
      const y = f(from);
      const loss = y.sum();
      if (f === wasted && from === three) assert.throws(() => loss.backward(), /three/);
      else loss.backward();
      for (const each of [y, loss]) each.dispose();
    }
    assert.equal(liveTensors(), before);
  }
  let kept: Tensor[] = [];
  const keeping = customFunction({
    forward: (_, x: Tensor) => x.mul(1),
    backward(_, g) {
      kept = [g.keep(), g.mul(2).keep()];
      return g;
    },
  });
  keeping(x).sum().backward();
  assert.deepEqual(
    kept.map((each) => each.tolist()),
    [
      [1, 1],
      [2, 2],
    ],
  );
});

test('arguments that a call leaves out may have their null', () => {
  const times = customFunction({
    forward(context, x: Tensor, scale?: number) {
      context.values.scale = scale ?? 2;
      return x.mul(scale ?? 2);
    },
    backward: (context, g) => [g.mul(context.values.scale as number), null],
  });
  const x = leaf(1);
  times(x).add(times(x, 5)).backward();
  assert.equal(x.grad?.item(), 7);
});

test('a backward that is differentiable once gives first derivatives, and refuses second ones', () => {
  const product = customFunction({
    name: 'product',
    onceDifferentiable: true,
    forward(context, a: Tensor, b: Tensor) {
      context.saveForBackward(a, b);
      return a.mul(b);
    },
    backward(context, g) {
      const [a, b] = context.savedTensors as [Tensor, Tensor];
      return [tensor(g.mul(b).tolist()), b.requiresGrad ? g.mul(a) : null]; // the first leaves the graph
    },
  });
  const [a, b] = [leaf(2, 3), leaf(5, 7)];
  const loss = () => product(a, b).sum();
  assert.deepEqual(
    grad(loss(), [a, b]).map((g) => [g?.tolist(), g?.requiresGrad]),
    [
      [[5, 7], false],
      [[2, 3], false],
    ],
  );
  const [first] = grad(loss(), a, { createGraph: true });
  assert.deepEqual(first?.tolist(), [5, 7]);
  assert.throws(
    () => grad(first!.sum(), b),
    /product: Its backward is onceDifferentiable, and was to be differentiated/,
  );
  const constant = product(a, b.detach()).sum();
  assert.throws(() => grad(grad(constant, a, { createGraph: true })[0]!.sum(), a), /product: Its backward/);
});

test('an output may be saved, and be an input', () => {
  const exp = customFunction({
    forward(context, x: Tensor) {
      const y = x.exp();
      context.saveForBackward(y);
      return y;
    },
    backward: (context, g) => g.mul(context.savedTensors[0]!),
  });
  assert.ok(gradcheck(exp, [draw([2, 2], 3)]));
  const reversed = customFunction({ forward: (_, x: Tensor) => x, backward: (_, g) => g.neg() });
  const x = leaf(2);
  reversed(x).mul(5).backward();
  assert.equal(x.grad?.item(), -5);
  assert.equal(x.isLeaf, true);
});

test('nothing is recorded where nothing is wanted, nor in forward itself', () => {
  let recording: boolean | null = null;
  const f = customFunction({
    forward(_, x: Tensor) {
      recording = x.mul(2).requiresGrad;
      return x.mul(2);
    },
    backward: (_, g) => g.mul(2),
  });
  assert.equal(f(tensor([1])).requiresGrad, false);
  assert.equal(noGrad(() => f(leaf(1))).requiresGrad, false);
  assert.equal(noGrad(() => enableGrad(() => f(leaf(1)))).requiresGrad, true);
  assert.equal(recording, false);
});

test('indices and what is marked have no gradient', () => {
  const sorted = customFunction({
    forward(context, x: Tensor) {
      const [values, order] = x.sort(0) as [Tensor, Tensor];
      const copy = values.clone();
      context.saveForBackward(order);
      context.markNonDifferentiable(copy);
      return [values, order, copy] as const;
    },
    backward(context, g) {
      return g.scatter(0, context.savedTensors[0]!, g) as Tensor;
    },
  });
  const x = leaf(3, 1, 2);
  const [values, order, copy] = sorted(x);
  assert.deepEqual([values.requiresGrad, order.requiresGrad, copy.requiresGrad], [true, false, false]);
  values
    .mul(tensor([10, 20, 30]))
    .sum()
    .backward();
  assert.deepEqual(x.grad?.tolist(), [30, 10, 20]);
});

test('a half that does not give what it must is named, with what was expected', () => {
  const x = leaf(1, 2);
  const failing = (forward: unknown, backwards: unknown) =>
    customFunction({ name: 'mine', forward, backward: backwards } as Parameters<typeof customFunction>[0])(x) as Tensor;
  const double = (_: unknown, y: Tensor) => y.mul(2);
  assert.throws(() => failing(() => 3, double), /mine: Expected forward to return a tensor/);
  assert.throws(
    () => failing((_: unknown, y: Tensor) => y.detach().add_(1), double),
    /mine: Expected forward to leave/,
  );
  assert.throws(
    () =>
      failing(double, () => [])
        .sum()
        .backward(),
    /mine: .*1 gradients, .*got 0/,
  );
  assert.throws(
    () =>
      failing(double, () => tensor([1, 2, 3]))
        .sum()
        .backward(),
    /shape \[2\] for argument 0, got \[3\]/,
  );
  assert.throws(
    () =>
      failing(double, () => 7)
        .sum()
        .backward(),
    /got number/,
  );
  const error = new RangeError('mine alone');
  const throwing = () => {
    throw error;
  };
  assert.throws(
    () => failing(double, throwing).sum().backward(),
    (caught) => caught === error,
  );
  assert.throws(
    () => customFunction({ forward: double } as never),
    /Expected backward of customFunction to be a function/,
  );
  assert.deepEqual(
    failing(double, () => tensor([[1, 2]]))
      .sum()
      .backward(),
    undefined,
  ); // summed to the shape, as PyTorch does
  assert.deepEqual(x.grad?.tolist(), [1, 2]);
});

test('what cannot be kept, marked, awaited or given twice is refused by name', () => {
  const x = leaf(1, 2);
  const failing = (forward: (context: FunctionContext, y: Tensor) => unknown, back: unknown = () => null) =>
    customFunction({ name: 'mine', forward, backward: back } as unknown as Parameters<typeof customFunction>[0])(
      x,
    ) as Tensor;
  const refused = (message: RegExp, forward: (context: FunctionContext, y: Tensor) => unknown) =>
    assert.throws(() => failing(forward), message);
  refused(/mine: Expected tensors in saveForBackward\(...\), got 5/, (context) => context.saveForBackward(5 as never));
  refused(/got a list/, (context, y) => context.saveForBackward([y] as never));
  refused(/mine: Expected markNonDifferentiable to be given what forward returns/, (context, y) => {
    context.markNonDifferentiable(y);
    return y.mul(2);
  });
  refused(/mine: Expected context.values without tensors/, (context, y) => {
    context.values.all = [y.mul(3)];
    return y.mul(2);
  });
  refused(/mine: .* one stands twice/, (_, y) => {
    const twice = y.mul(2);
    return [twice, twice];
  });
  refused(/mine: Expected forward to be a synchronous function/, async (_, y) => y);
  const rejecting = async () => {
    throw new Error('nobody hears this');
  };
  assert.throws(
    () =>
      failing((_, y) => y.mul(2), rejecting)
        .sum()
        .backward(),
    /mine: Expected backward to be a synchronous function/,
  );
  const tooMany = () => [x, x];
  assert.throws(
    () =>
      failing((_, y) => y.mul(2), tooMany)
        .sum()
        .backward(),
    /mine: Expected backward to return 1 gradients, .* got 2/,
  );
});
