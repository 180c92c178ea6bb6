/** Hooks on modules: when they run, what they see and change, in PyTorch's order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as nn from 'headrace/nn';
import { ConfigError, liveTensors, noGrad, scope, type Tensor, tensor, zeros } from 'headrace/torch';

const made = { dtype: 'float64' } as const;
const input = (...values: number[]) => tensor(values, { ...made, requiresGrad: true });

/** y = w x, element by element. */
class Scale extends nn.Module {
  w: nn.Parameter;

  constructor(...w: number[]) {
    super();
    this.w = new nn.Parameter(tensor(w, made));
  }

  forward(x: Tensor): Tensor {
    return x.mul(this.w);
  }
}

/** A parent that calls its children by their forward. */
class Pair extends nn.Module {
  first = new Scale(2, 3);
  second = new Scale(5, 7);

  forward(x: Tensor): Tensor {
    return this.second.forward(this.first.forward(x));
  }
}

test('hooks run when a parent calls its child, and see what goes in and out', () => {
  const model = new Pair();
  const seen: unknown[] = [];
  model.second.registerForwardPreHook((module, inputs) => {
    seen.push(['before', module === model.second, inputs.map((x) => x.tolist())]);
  });
  model.second.registerForwardHook((module, inputs, output) => {
    seen.push(['after', module === model.second, inputs[0]?.tolist(), output.tolist()]);
  });
  assert.deepEqual(model.forward(tensor([1, 1], made)).tolist(), [10, 21]);
  assert.deepEqual(seen, [
    ['before', true, [[2, 3]]],
    ['after', true, [2, 3], [10, 21]],
  ]);
});

test('what forward hooks return takes the place of inputs and outputs, one after another', () => {
  const layer = new Scale(2, 2);
  layer.registerForwardPreHook((_, [x]) => x!.add(1));
  layer.registerForwardPreHook((_, [x]) => [x!.mul(10)]);
  layer.registerForwardPreHook(() => null);
  layer.registerForwardHook((_, [x], y) => y.add(x!));
  layer.registerForwardHook((_, __, y) => y.neg());
  layer.registerForwardHook(() => undefined);
  assert.deepEqual(layer.forward(tensor([0, 1], made)).tolist(), [-30, -60]); // x = 10, 20; 2x + x
});

test('backward hooks see the gradients of outputs and inputs', () => {
  const model = new Pair();
  const seen: unknown[] = [];
  model.second.registerFullBackwardHook((module, gradInputs, gradOutputs) => {
    seen.push([module === model.second, gradInputs.map((g) => g?.tolist()), gradOutputs.map((g) => g?.tolist())]);
  });
  const x = input(1, 1);
  model
    .forward(x)
    .mul(tensor([1, 10], made))
    .sum()
    .backward();
  assert.deepEqual(seen, [[true, [[5, 70]], [[1, 10]]]]);
  assert.deepEqual(x.grad?.tolist(), [10, 210]);
  assert.deepEqual(model.second.w.grad?.tolist(), [2, 30]);
});

test("backward hooks change the inputs' gradients, each seeing what the one before returned", () => {
  const layer = new Scale(2, 3);
  const seen: unknown[] = [];
  layer.registerFullBackwardHook((_, [g]) => [g!.mul(10)]);
  layer.registerFullBackwardHook((_, [g]) => {
    seen.push(g?.tolist());
    return [null];
  });
  const x = input(1, 1);
  layer.forward(x).sum().backward();
  assert.deepEqual(seen, [[20, 30]]);
  assert.deepEqual(x.grad?.tolist(), [20, 30]);
  assert.deepEqual(layer.w.grad?.tolist(), [1, 1]);
});

test('where no input requires grad, backward hooks see the gradients of the outputs, and can return nothing', () => {
  const layer = new Scale(2, 3);
  const seen: unknown[] = [];
  const handle = layer.registerFullBackwardHook((_, gradInputs, gradOutputs) => {
    seen.push([gradInputs, gradOutputs.map((g) => g?.tolist())]);
  });
  layer
    .forward(tensor([1, 1], made))
    .sum()
    .backward();
  assert.deepEqual(seen, [[[null], [[1, 1]]]]);
  handle.remove();
  layer.registerFullBackwardHook(() => [tensor([1, 1], made)]);
  assert.throws(
    () =>
      layer
        .forward(tensor([1, 1], made))
        .sum()
        .backward(),
    ConfigError,
  );
});

test('a backward hook must return as many gradients as there are inputs', () => {
  const layer = new Scale(2);
  layer.registerFullBackwardHook(() => []);
  assert.throws(() => layer.forward(input(1)).sum().backward(), /nothing or 1 gradients in an array, got 0/);
});

test('several inputs and outputs count tensor by tensor, in lists too', () => {
  class Swap extends nn.Module {
    forward(x: Tensor, none: null, [a, b]: [Tensor, Tensor], o: { scale: number }): [Tensor, { b: Tensor; n: number }] {
      assert.equal(none, null);
      return [x.mul(a).mul(o.scale), { b: b.mul(3), n: 4 }];
    }
  }
  const [x, a, b] = [input(2), input(5), input(7)];
  const module = new Swap();
  const seen: unknown[] = [];
  module.registerFullBackwardHook((_, gradInputs, gradOutputs) => {
    seen.push([gradInputs, gradOutputs].map((grads) => grads.map((g) => g?.item() ?? null)));
    return [null, null, null, gradInputs[3]!.mul(100)];
  });
  const [first, second] = module.forward(x, null, [a, b], { scale: 10 });
  assert.equal(second.n, 4);
  first.add(second.b).sum().backward();
  assert.deepEqual(seen, [
    [
      [50, null, 20, 3],
      [1, 1],
    ],
  ]);
  assert.deepEqual(
    [x.grad, a.grad, b.grad].map((g) => g?.item()),
    [50, 20, 300],
  );
});

test('without recording backward hooks leave forward alone', () => {
  const layer = new Scale(2);
  layer.registerFullBackwardHook(() => assert.fail('there is no backward'));
  assert.equal(noGrad(() => layer.forward(input(3))).gradFn, null);
});

test('removal leaves the other hooks, and the last one gives the module its own forward back', () => {
  const layer = new Scale(2);
  const plain = layer.forward;
  const double = layer.registerForwardHook((_, __, y) => y.mul(2));
  const add = layer.registerForwardHook((_, __, y) => y.add(1));
  assert.equal(layer.forward(input(1)).item(), 5);
  double.remove();
  double.remove();
  assert.equal(layer.forward(input(1)).item(), 3);
  assert.equal(layer.hasHooks, true);
  add.dispose();
  assert.equal(layer.forward(input(1)).item(), 2);
  assert.equal(layer.hasHooks, false);
  assert.equal(layer.forward, plain);
  assert.deepEqual(Object.getOwnPropertyNames(layer), ['training', 'w']);
});

test('a hook may remove itself while it runs', () => {
  const layer = new Scale(2);
  let runs = 0;
  const handle = layer.registerForwardHook(() => {
    runs += 1;
    handle.remove();
  });
  layer.registerForwardHook(() => {
    runs += 10;
  });
  layer.forward(input(1));
  layer.forward(input(1));
  assert.equal(runs, 21);
});

test('hooks change neither keys nor children nor the printed form', () => {
  const model = nn.Sequential.named({ a: new nn.Linear(2, 3), b: new nn.ReLU() });
  const [keys, printed] = [[...model.stateDict().keys()], String(model)];
  model.registerForwardHook(() => null);
  model.at(0).registerFullBackwardHook(() => null);
  assert.deepEqual([...model.stateDict().keys()], keys);
  assert.deepEqual([...model.namedChildren()].length, 2);
  assert.equal(String(model), printed);
  model
    .forward(zeros([1, 2]))
    .sum()
    .backward();
});

test('hooks go with spectral norm, whichever came first', () => {
  for (const hookFirst of [true, false]) {
    const layer = new nn.Linear(2, 2, made);
    let runs = 0;
    const hook = () => {
      runs += 1;
    };
    let handle = hookFirst ? layer.registerForwardHook(hook) : null;
    nn.spectralNorm(layer).eval();
    handle ??= layer.registerForwardHook(hook);
    const hooked = layer.forward(tensor([1, 2], made)).tolist();
    handle.remove();
    assert.deepEqual(layer.forward(tensor([1, 2], made)).tolist(), hooked);
    assert.equal(runs, 1);
    const again = layer.registerForwardHook(hook);
    layer.forward(tensor([1, 2], made));
    assert.equal(runs, 2);
    again.remove();
  }
});

test('the shortcut of batch normalisation is not taken past a hook', () => {
  const norm = new nn.BatchNorm2d(2, made).eval();
  const x = tensor([-1, 1], { ...made, shape: [1, 2, 1, 1] });
  const plain = norm.forwardRelu(x, x).tolist();
  let runs = 0;
  norm.registerForwardHook(() => {
    runs += 1;
  });
  assert.deepEqual(norm.forwardRelu(x, x).tolist(), plain);
  assert.equal(runs, 1);
});

test('an error in a hook is the error of the call', () => {
  const layer = new Scale(2);
  const thrown = new Error('stop');
  const handle = layer.registerForwardHook(() => {
    throw thrown;
  });
  assert.throws(
    () => layer.forward(input(1)),
    (error) => error === thrown,
  );
  handle.remove();
  layer.registerFullBackwardHook(() => {
    throw thrown;
  });
  assert.throws(
    () => layer.forward(input(1)).sum().backward(),
    (error) => error === thrown,
  );
  assert.throws(() => layer.registerForwardHook('no function' as never), /a hook to be a function, got string/);
});

test('hooked steps in scopes leave no tensors behind', () => {
  const model = new nn.Sequential(new nn.Linear(2, 3), new nn.Tanh());
  model.at(0).registerFullBackwardHook((_, [g]) => [g?.mul(2) ?? null]);
  model.at(1).registerForwardHook((_, __, y) => y.mul(2));
  const step = () =>
    scope(() => {
      const x = zeros([4, 2]).requiresGrad_();
      model.forward(x).sum().backward();
      model.zeroGrad();
    });
  step();
  const before = liveTensors();
  for (let i = 0; i < 50; i++) step();
  assert.equal(liveTensors(), before);
});
