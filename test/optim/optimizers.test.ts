import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Linear, Parameter, Sequential } from 'headrace/nn';
import { Adam, AdamW, type Optimizer, RMSprop, SGD } from 'headrace/optim';
import { ConfigError, DataError, liveTensors, ones, scope, type Tensor, tensor, zeros } from 'headrace/torch';
import { assertClose, type Packed, readGolden, unpack } from '../golden/golden.js';

interface Golden {
  readonly start: readonly Packed[];
  readonly grads: readonly (readonly Packed[])[];
  readonly runs: Readonly<Record<string, Readonly<Record<string, readonly Packed[]>>>>;
}

/**
 * On the machine and libtorch that made the values, SGD agrees to the bit: it does PyTorch's operations in PyTorch's
 * order. Elsewhere multiply-adds may be fused or not, which moves the last bit at each of the 20 steps.
 */
const TOLERANCE = 1e-6;

const golden = readGolden<{ optimizers: Golden }>('optim.json').optimizers;
type Make = (params: Parameter[]) => Optimizer<{ lr: number }>;

const makers: Record<string, Make> = {
  sgd: (p) => new SGD(p, { lr: 0.1 }),
  'sgd momentum': (p) => new SGD(p, { lr: 0.1, momentum: 0.9, weightDecay: 5e-4 }),
  'sgd damped': (p) => new SGD(p, { lr: 0.05, momentum: 0.8, dampening: 0.3 }),
  'sgd nesterov': (p) => new SGD(p, { lr: 0.1, momentum: 0.9, weightDecay: 1e-3, nesterov: true }),
  adam: (p) => new Adam(p, { lr: 0.01 }),
  'adam decayed': (p) => new Adam(p, { lr: 0.01, betas: [0.8, 0.95], weightDecay: 0.1 }),
  'adam amsgrad': (p) => new Adam(p, { lr: 0.01, amsgrad: true }),
  adamw: (p) => new AdamW(p, { lr: 0.01, weightDecay: 0.05 }),
  rmsprop: (p) => new RMSprop(p, { lr: 0.01 }),
  'rmsprop centered': (p) => new RMSprop(p, { lr: 0.01, momentum: 0.9, centered: true, weightDecay: 0.1 }),
};

function start(): Parameter[] {
  return golden.start.map((packed) => new Parameter(unpack(packed)));
}

/** Gives the gradients of a stored step; as in make_golden.py, the second parameter joins at the third step. */
function setGrads(params: readonly Parameter[], step: number): void {
  for (const [i, p] of params.entries()) p.grad = i === 1 && step < 2 ? null : unpack(golden.grads[step]![i]!);
}

function run(make: Make, steps: number): Parameter[] {
  const params = start();
  const optimizer = make(params);
  for (let step = 0; step < steps; step += 1) {
    scope(() => {
      setGrads(params, step);
      optimizer.step();
    });
  }
  return params;
}

test('every stored optimizer is tested', () => {
  assert.deepEqual(Object.keys(makers).sort(), Object.keys(golden.runs).sort());
});

for (const [name, after] of Object.entries(golden.runs)) {
  test(`${name} makes PyTorch's steps`, () => {
    for (const [steps, expected] of Object.entries(after)) {
      const params = run(makers[name]!, Number(steps));
      for (const [i, p] of params.entries())
        assertClose(p, expected[i]!, TOLERANCE, `parameter ${i} after ${steps} steps`);
    }
  });
}

test('two runs give the same bits', () => {
  for (const make of Object.values(makers)) {
    const [a, b] = [run(make, 5), run(make, 5)];
    for (const [i, p] of a.entries()) assert.deepEqual(p.data(), b[i]!.data());
  }
});

test('a step leaves the gradients as they are', () => {
  for (const make of Object.values(makers)) {
    const params = start();
    const optimizer = make(params);
    for (let step = 2; step < 5; step += 1) {
      setGrads(params, step);
      optimizer.step();
      for (const [i, p] of params.entries()) assert.deepEqual(p.grad!.data(), unpack(golden.grads[step]![i]!).data());
    }
  }
});

test('saved state continues the run bit for bit, whatever the grouping, ignoring parameters that live elsewhere', () => {
  for (const make of Object.values(makers)) {
    const whole = run(make, 8);
    const params = start();
    const named = (list: Parameter[]) => list.map((p, i) => [`layer.${i}`, p] as unknown as Parameter);
    const first = make(named(params));
    for (let step = 0; step < 4; step += 1) {
      setGrads(params, step);
      first.step();
    }
    const saved = first.stateDict();
    const copy = { groups: JSON.parse(JSON.stringify(saved.groups)), state: new Map<string, Tensor>(saved.state) };
    // Each parameter continues in an optimizer of its own, as the stages of a pipeline do.
    params.forEach((p, i) => {
      const own = make([[`layer.${i}`, p] as unknown as Parameter]);
      own.loadStateDict(copy);
      for (let step = 4; step < 8; step += 1) {
        p.grad = unpack(golden.grads[step]![i]!);
        own.step();
      }
      assert.deepEqual(p.data(), whole[i]!.data());
    });
  }
});

test('state is keyed by parameter names and holds what PyTorch holds', () => {
  const model = new Sequential(new Linear(2, 2, { bias: false }));
  const step = (optimizer: Optimizer<{ lr: number }>) => {
    scope(() =>
      model
        .forward(ones([1, 2]))
        .sum()
        .backward(),
    );
    optimizer.step();
    return [...optimizer.stateDict().state.keys()];
  };
  assert.deepEqual(step(new SGD(model.namedParameters(), { lr: 0.1 })), []);
  assert.deepEqual(step(new SGD(model.namedParameters(), { lr: 0.1, momentum: 0.9 })), ['0.weight.momentum_buffer']);
  assert.deepEqual(step(new AdamW(model.namedParameters())), [
    '0.weight.exp_avg',
    '0.weight.exp_avg_sq',
    '0.weight.step',
  ]);
  const { groups } = new SGD(model.namedParameters(), { lr: 0.1, momentum: 0.9 }).stateDict();
  assert.deepEqual(groups, [
    { lr: 0.1, momentum: 0.9, dampening: 0, weightDecay: 0, nesterov: false, params: ['0.weight'] },
  ]);
});

test('loading refuses a state that lacks a parameter, or has a wrong shape', () => {
  const named = (name: string, size: number) => [[name, new Parameter(zeros([size]))]] as const;
  const a = new SGD(named('a', 2), { lr: 0.1, momentum: 0.9 });
  a.paramGroups[0]!.params[0]!.grad = ones([2]);
  a.step();
  assert.throws(
    () => new SGD(named('b', 2), { lr: 0.1 }).loadStateDict(a.stateDict()),
    (error) => error instanceof DataError && /none of:\s+b/.test(error.message),
  );
  assert.throws(
    () => new SGD(named('a', 3), { lr: 0.1, momentum: 0.9 }).loadStateDict(a.stateDict()),
    /a\.momentum_buffer: expected \[3\], got \[2\]/,
  );
});

test('groups have their own hyperparameters, and the optimizer fills the rest', () => {
  const [a, b] = [new Parameter(ones([1])), new Parameter(ones([1]))];
  const optimizer = new SGD([{ params: [a] }, { params: [b], lr: 0.5 }], { lr: 0.25 });
  for (const p of [a, b]) p.grad = ones([1]);
  optimizer.step();
  assert.deepEqual([a.item(), b.item()], [0.75, 0.5]);
  optimizer.paramGroups[0]!.lr = 1;
  optimizer.step();
  assert.deepEqual([a.item(), b.item()], [-0.25, 0]);
  optimizer.zeroGrad(false);
  assert.equal(a.grad?.item(), 0);
  optimizer.zeroGrad();
  assert.equal(a.grad, null);
});

test('hyperparameters that make no sense are refused', () => {
  const p = () => [new Parameter(zeros([1]))];
  const refused = (make: () => unknown) => assert.throws(make, ConfigError);
  refused(() => new SGD([], { lr: 0.1 }));
  refused(() => new SGD(p(), { lr: -1 }));
  refused(() => new SGD(p(), { lr: Number.NaN }));
  refused(() => new SGD(p(), { lr: 0.1, nesterov: true }));
  refused(() => new Adam(p(), { betas: [0.9, 1] }));
  refused(() => new SGD([tensor([1])] as unknown as Parameter[], { lr: 0.1 }));
  refused(() => {
    const [shared] = p();
    return new SGD([['a', shared!] as const, ['a', shared!] as const], { lr: 0.1 });
  });
});

test('steps in scopes leave the number of live tensors constant', () => {
  const model = new Sequential(new Linear(3, 4), new Linear(4, 2));
  for (const optimizer of [
    new SGD(model.namedParameters(), { lr: 0.01, momentum: 0.9, weightDecay: 0.1, nesterov: true }),
    new AdamW(model.namedParameters(), { amsgrad: true }),
    new RMSprop(model.namedParameters(), { centered: true, momentum: 0.5 }),
  ]) {
    const step = () =>
      scope(() => {
        optimizer.zeroGrad();
        model
          .forward(ones([2, 3]))
          .square()
          .sum()
          .backward();
        optimizer.step();
      });
    step();
    const before = liveTensors();
    for (let i = 0; i < 100; i += 1) step();
    assert.equal(liveTensors(), before);
  }
});
