/** Optimizers beyond SGD and Adam against PyTorch, see make_more_golden.py. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Linear, Parameter } from 'headrace/nn';
import * as optim from 'headrace/optim';
import { ConfigError, isGradEnabled, liveTensors, ones, scope, type Tensor, tensor, zeros } from 'headrace/torch';
import { assertClose, type Packed, readGolden, unpack } from '../golden/golden.js';

interface Golden {
  readonly start: readonly Packed[];
  readonly grads: readonly (readonly Packed[])[];
  readonly runs: Readonly<Record<string, Readonly<Record<string, readonly Packed[]>>>>;
  readonly states: Readonly<Record<string, Readonly<Record<string, Packed>>>>;
}

const golden = readGolden<{ optimizers: Golden }>('more-optim.json').optimizers;
type Named = readonly (readonly [string, Parameter])[];
type Make = (params: Named) => optim.Optimizer<{ lr: number }>;
const TOLERANCE = 1e-6;

const makers: Record<string, Make> = {
  adagrad: (p) => new optim.Adagrad(p),
  'adagrad decayed': (p) =>
    new optim.Adagrad(p, { lr: 0.1, lrDecay: 0.05, weightDecay: 0.1, initialAccumulatorValue: 0.2 }),
  adadelta: (p) => new optim.Adadelta(p),
  'adadelta decayed': (p) => new optim.Adadelta(p, { lr: 0.5, rho: 0.8, eps: 1e-4, weightDecay: 0.1 }),
  adamax: (p) => new optim.Adamax(p),
  'adamax decayed': (p) => new optim.Adamax(p, { lr: 0.01, betas: [0.8, 0.95], weightDecay: 0.1 }),
  nadam: (p) => new optim.NAdam(p),
  'nadam decayed': (p) => new optim.NAdam(p, { lr: 0.01, betas: [0.8, 0.95], weightDecay: 0.1, momentumDecay: 0.05 }),
  radam: (p) => new optim.RAdam(p),
  'radam decayed': (p) => new optim.RAdam(p, { lr: 0.01, betas: [0.8, 0.9], weightDecay: 0.1 }),
  rprop: (p) => new optim.Rprop(p),
  'rprop bounded': (p) => new optim.Rprop(p, { lr: 0.05, etas: [0.6, 1.5], stepSizes: [0.01, 0.1] }),
  asgd: (p) => new optim.ASGD(p),
  'asgd averaged': (p) => new optim.ASGD(p, { lr: 0.1, lambd: 0.01, alpha: 0.6, t0: 3, weightDecay: 0.1 }),
};

function start(): Named {
  return golden.start.map((packed, i) => [`layer.${i}`, new Parameter(unpack(packed))] as const);
}

/** As in make_more_golden.py, the second parameter joins at the third step. */
function setGrads(params: Named, step: number): void {
  for (const [i, [, p]] of params.entries()) p.grad = i === 1 && step < 2 ? null : unpack(golden.grads[step]![i]!);
}

function run(optimizer: { step(): void }, params: Named, from: number, to: number): void {
  for (let step = from; step < to; step += 1) {
    scope(() => {
      setGrads(params, step);
      optimizer.step();
    });
  }
}

test('every stored optimizer is tested', () => {
  assert.deepEqual(Object.keys(makers).sort(), Object.keys(golden.runs).sort());
});

for (const [name, after] of Object.entries(golden.runs)) {
  test(`${name} makes PyTorch's steps, and holds its state`, () => {
    const params = start();
    const optimizer = makers[name]!(params);
    let done = 0;
    for (const [steps, expected] of Object.entries(after)) {
      run(optimizer, params, done, Number(steps));
      done = Number(steps);
      for (const [i, [, p]] of params.entries()) {
        assertClose(p, expected[i]!, TOLERANCE, `parameter ${i} after ${steps} steps`);
      }
    }
    const state = optimizer.stateDict().state;
    const own = new Map([...state].filter(([key]) => key.startsWith('layer.0.')));
    assert.deepEqual(
      [...own.keys()].sort(),
      Object.keys(golden.states[name]!)
        .map((key) => `layer.0.${key}`)
        .sort(),
    );
    for (const [key, expected] of Object.entries(golden.states[name]!)) {
      assertClose(own.get(`layer.0.${key}`), expected, TOLERANCE, key);
    }
  });

  test(`${name} goes on bit for bit from a saved state, each parameter by itself`, () => {
    const whole = start();
    run(makers[name]!(whole), whole, 0, 10);
    const params = start();
    const first = makers[name]!(params);
    run(first, params, 0, 5);
    const saved = first.stateDict();
    const copy = { groups: JSON.parse(JSON.stringify(saved.groups)), state: new Map<string, Tensor>(saved.state) };
    for (const [i, [key, p]] of params.entries()) {
      const own = makers[name]!([[key, p]]);
      own.loadStateDict(copy);
      for (let step = 5; step < 10; step += 1) {
        p.grad = unpack(golden.grads[step]![i]!);
        own.step();
      }
      assert.deepEqual(p.data(), whole[i]![1].data());
    }
  });
}

test('steps leave gradients as they are and the number of live tensors constant', () => {
  for (const make of Object.values(makers)) {
    const params = start();
    const optimizer = make(params);
    run(optimizer, params, 2, 4);
    const before = liveTensors();
    run(optimizer, params, 4, 12);
    assert.equal(liveTensors(), before);
    setGrads(params, 5);
    optimizer.step();
    for (const [i, [, p]] of params.entries()) assert.deepEqual(p.grad!.data(), unpack(golden.grads[5]![i]!).data());
  }
});

test('a scalar state of a wrong shape is refused', () => {
  const params = start();
  const optimizer = new optim.NAdam(params);
  run(optimizer, params, 0, 1);
  const { groups, state } = optimizer.stateDict();
  const wrong = new Map(state).set('layer.0.mu_product', zeros([3, 4]));
  assert.throws(
    () => optimizer.loadStateDict({ groups, state: wrong }),
    /layer\.0\.mu_product: expected \[\], got \[3,4\]/,
  );
});

test('options that do not exist or make no sense are refused', () => {
  const p = () => [new Parameter(zeros([1]))];
  const refused = (make: () => unknown, pattern: RegExp) =>
    assert.throws(make, (error) => error instanceof ConfigError && pattern.test(error.message));
  refused(() => new optim.Adagrad(p(), { lr_decay: 1 } as never), /Did you mean lrDecay/);
  refused(() => new optim.RAdam(p(), { weight_decay: 1 } as never), /Did you mean weightDecay/);
  refused(() => new optim.LBFGS(p(), { lineSearch: 'x' } as never), /Did you mean lineSearchFn/);
  refused(() => new optim.LBFGS(p(), { lineSearchFn: 'armijo' as never }), /'strong_wolfe' or null, got 'armijo'/);
  refused(() => new optim.Adadelta(p(), { rho: 1.5 }), /rho/);
  refused(
    () => new optim.Adamax(p(), { betas: [1, 0.9] }),
    /betas of Adamax to be two numbers >= 0 and < 1, got \[1, 0\.9\]/,
  );
  refused(() => new optim.NAdam(p(), { momentumDecay: -1 }), /momentumDecay/);
  refused(() => new optim.Rprop(p(), { etas: [1.5, 2] }), /etas below and above 1/);
});

test('a closure computes the gradients of a step, recording, and its result comes back', () => {
  const layer = new Linear(2, 1, { bias: false });
  const before = layer.weight.tolist() as number[][];
  const optimizer = new optim.SGD(layer.parameters(), { lr: 0.5 });
  const loss = optimizer.step(() => {
    assert.equal(isGradEnabled(), true);
    optimizer.zeroGrad();
    const sum = layer.forward(ones([1, 2])).sum();
    sum.backward();
    return sum;
  });
  assert.ok(Math.abs(loss.item() - before[0]![0]! - before[0]![1]!) < 1e-6);
  assert.deepEqual(
    layer.weight.tolist(),
    before.map((row) => row.map((w) => Math.fround(w - 0.5))),
  );
  assert.equal(optimizer.step(), undefined);
});

interface LbfgsGolden {
  readonly x: Packed;
  readonly y: Packed;
  readonly start: readonly Packed[];
  readonly runs: Readonly<
    Record<
      string,
      {
        readonly options: Readonly<Record<string, number | string>>;
        readonly keys: readonly string[];
        readonly steps: readonly {
          readonly loss: number;
          readonly params: readonly Packed[];
          readonly evaluations: number;
          readonly iterations: number;
        }[];
      }
    >
  >;
}

const lbfgs = readGolden<{ lbfgs: LbfgsGolden }>('more-optim.json').lbfgs;

/** The problem of make_more_golden.py. */
function leastSquares(options: Readonly<Record<string, unknown>>) {
  const [x, y] = [unpack(lbfgs.x), unpack(lbfgs.y)];
  const params = lbfgs.start.map((packed, i) => [`p${i}`, new Parameter(unpack(packed))] as const);
  const [w, b, v] = params.map(([, p]) => p) as [Parameter, Parameter, Parameter];
  const optimizer = new optim.LBFGS(params as never, options);
  let calls = 0;
  const closure = () => {
    calls += 1;
    optimizer.zeroGrad();
    const loss = x.matmul(w.t()).add(b).tanh().matmul(v.t()).sub(y).square().mean();
    loss.backward();
    return loss;
  };
  return { params: [w, b, v], optimizer, closure, calls: () => calls };
}

const camel = (options: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(
    Object.entries(options).map(([key, value]) => [key.replace(/_(\w)/g, (_, c: string) => c.toUpperCase()), value]),
  );

for (const [name, { options, steps, keys }] of Object.entries(lbfgs.runs)) {
  test(`L-BFGS, ${name}, makes PyTorch's steps with as many evaluations`, () => {
    const { params, optimizer, closure, calls } = leastSquares(camel(options));
    for (const [i, expected] of steps.entries()) {
      const loss = optimizer.step(closure);
      assert.ok(Math.abs(loss.item() - expected.loss) < 1e-7, `loss ${i}: ${loss.item()} for ${expected.loss}`);
      for (const [k, p] of params.entries())
        assertClose(p, expected.params[k]!, 1e-5, `parameter ${k} after step ${i}`);
      const { state } = optimizer.stateDict();
      assert.equal(state.get('p0.func_evals')?.item(), expected.evaluations);
      assert.equal(state.get('p0.n_iter')?.item(), expected.iterations);
      assert.equal(calls(), expected.evaluations);
    }
    assert.deepEqual([...optimizer.stateDict().state.keys()].map((key) => key.slice(3)).sort(), keys);
  });

  test(`L-BFGS, ${name}, goes on bit for bit from a saved state`, () => {
    const whole = leastSquares(camel(options));
    for (let i = 0; i < 4; i += 1) whole.optimizer.step(whole.closure);
    const first = leastSquares(camel(options));
    for (let i = 0; i < 2; i += 1) first.optimizer.step(first.closure);
    const saved = first.optimizer.stateDict();
    const second = leastSquares(camel(options));
    for (const [k, p] of second.params.entries()) p.detach().copy_(first.params[k]!.detach());
    second.optimizer.loadStateDict({ groups: JSON.parse(JSON.stringify(saved.groups)), state: saved.state });
    for (let i = 0; i < 2; i += 1) second.optimizer.step(second.closure);
    for (const [k, p] of second.params.entries()) assert.deepEqual(p.data(), whole.params[k]!.data());
  });
}

test('L-BFGS goes on from a state as PyTorch saves it', () => {
  const options = { lr: 0.5, maxIter: 3, lineSearchFn: 'strong_wolfe' } as const;
  const whole = leastSquares(options);
  for (let i = 0; i < 3; i += 1) whole.optimizer.step(whole.closure);
  const first = leastSquares(options);
  for (let i = 0; i < 2; i += 1) first.optimizer.step(first.closure);
  const own = (name: string) => first.optimizer.stateDict().state.get(`p0.${name}`)!;
  const numbers = Object.fromEntries(
    ['t', 'prev_loss', 'func_evals', 'n_iter'].map((name) => [name, own(name).item()]),
  );
  const lists = Object.fromEntries(['old_dirs', 'old_stps', 'ro'].map((name) => [name, own(name).unbind(0)]));
  const tensors = { d: own('d'), prev_flat_grad: own('prev_flat_grad'), H_diag: own('H_diag') };
  const hyper = { lr: 0.5, max_iter: 3, max_eval: 3, tolerance_grad: 1e-7, tolerance_change: 1e-9, history_size: 100 };
  const second = leastSquares(options);
  for (const [k, p] of second.params.entries()) p.detach().copy_(first.params[k]!.detach());
  second.optimizer.loadStateDict({
    state: { 0: { ...numbers, ...lists, ...tensors, al: [null, null] } },
    param_groups: [{ ...hyper, line_search_fn: 'strong_wolfe', params: [0, 1, 2] }],
  } as never);
  second.optimizer.step(second.closure);
  for (const [k, p] of second.params.entries()) assert.deepEqual(p.data(), whole.params[k]!.data());
});

test('L-BFGS finds the minimum of a quadratic, and then stays', () => {
  const p = new Parameter(tensor([3, -2], { dtype: 'float64' }));
  const optimizer = new optim.LBFGS([p], { lineSearchFn: 'strong_wolfe' });
  const closure = () => {
    optimizer.zeroGrad();
    const loss = p
      .sub(tensor([1, 2], { dtype: 'float64' }))
      .square()
      .mul(tensor([1, 10], { dtype: 'float64' }))
      .sum();
    loss.backward();
    return loss;
  };
  optimizer.step(closure);
  for (const [i, value] of [1, 2].entries()) assert.ok(Math.abs((p.tolist() as number[])[i]! - value) < 1e-6);
  const found = p.tolist();
  assert.ok(optimizer.step(closure).item() < 1e-12);
  assert.deepEqual(p.tolist(), found);
});

test('L-BFGS needs a closure that computes gradients and returns the loss, and one group', () => {
  const p = new Parameter(zeros([1]));
  const optimizer = new optim.LBFGS([p]);
  assert.throws(() => optimizer.step(), /step\(closure\) of LBFGS/);
  assert.throws(() => optimizer.step(() => p.sum()), /gradients after the closure of LBFGS, got none/);
  p.grad = ones([1]);
  assert.throws(() => optimizer.step(() => undefined), /return the loss, a number or a tensor of one, got undefined/);
  assert.throws(() => optimizer.step(() => zeros([2])), /got a tensor \[2\]/);
  assert.throws(() => new optim.LBFGS([{ params: [p] }, { params: [new Parameter(ones([1]))] }] as never), /one group/);
});

test('steps of L-BFGS leave the number of live tensors constant once its history is full', () => {
  const { optimizer, closure } = leastSquares({ lr: 0.1, maxIter: 4, historySize: 2, lineSearchFn: 'strong_wolfe' });
  const step = () => scope(() => void optimizer.step(closure));
  for (let i = 0; i < 3; i += 1) step();
  const before = liveTensors();
  for (let i = 0; i < 5; i += 1) step();
  assert.equal(liveTensors(), before);
});
