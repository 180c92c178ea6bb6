/** Hyperparameters changed on the way, state saved and loaded in the middle, schedules to their end: PyTorch's numbers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Parameter } from 'headrace/nn';
import * as optim from 'headrace/optim';
import { ConfigError, DataError, ones, type Tensor, tensor, zeros } from 'headrace/torch';
import { assertClose, type Packed, readGolden, unpack } from '../golden/golden.js';

type Change = 'save' | Readonly<Record<string, unknown>>;
type Slot = Packed | number | null;

interface Run {
  readonly changes: Readonly<Record<string, Change>>;
  readonly after: readonly (readonly Packed[])[];
  readonly saved: {
    readonly param_groups: readonly Record<string, unknown>[];
    readonly state: Readonly<Record<string, Readonly<Record<string, Slot>>>>;
  };
}

const golden = readGolden<{
  optimizers: { start: Packed[]; grads: Packed[][]; runs: Record<string, Run> };
  schedules: { rates: Record<string, number[][]>; series: Record<string, string[]> };
}>('variants.json');

type AnyOptimizer = optim.Optimizer<{ lr: number }>;
type Make = (params: Iterable<readonly [string, Parameter]>) => AnyOptimizer;

const makers: Record<string, Make> = {
  'SGD, momentum later': (p) => new optim.SGD(p, { lr: 0.1 }),
  'SGD, damped momentum later': (p) => new optim.SGD(p, { lr: 0.1, dampening: 0.4 }),
  'SGD, momentum off and on': (p) => new optim.SGD(p, { lr: 0.1, momentum: 0.9 }),
  'SGD, nesterov later': (p) => new optim.SGD(p, { lr: 0.1 }),
  'SGD, saved before momentum': (p) => new optim.SGD(p, { lr: 0.1 }),
  'Adam, changed': (p) => new optim.Adam(p, { lr: 0.01 }),
  'Adam, amsgrad': (p) => new optim.Adam(p, { lr: 0.01, amsgrad: true }),
  'AdamW, changed': (p) => new optim.AdamW(p, { lr: 0.01, amsgrad: true }),
  'RMSprop, centered with momentum': (p) => new optim.RMSprop(p, { lr: 0.01, momentum: 0.9, centered: true }),
  'RMSprop, plain': (p) => new optim.RMSprop(p, { lr: 0.01, weightDecay: 0.1 }),
};

/** The names as they are in the middle of a program that reads JSON. */
const camel = (record: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(record).map(([k, v]) => [k.replace(/_(.)/g, (_, c: string) => c.toUpperCase()), v]),
  );

const throughOwnState = (optimizer: AnyOptimizer): optim.OptimizerState => {
  const { groups, state } = optimizer.stateDict();
  const copies = new Map<string, Tensor>([...state].map(([name, value]) => [name, value.clone()]));
  return { groups: JSON.parse(JSON.stringify(groups)) as Record<string, unknown>[], state: copies };
};

const throughTorchState = (saved: Run['saved']): optim.TorchOptimizerState => ({
  param_groups: saved.param_groups,
  state: Object.fromEntries(
    Object.entries(saved.state).map(([position, slots]) => [
      position,
      Object.fromEntries(
        Object.entries(slots).map(([slot, v]) => [slot, typeof v === 'object' && v !== null ? unpack(v) : v]),
      ),
    ]),
  ),
});

test('every stored run is tested', () => {
  assert.deepEqual(Object.keys(makers).sort(), Object.keys(golden.optimizers.runs).sort());
});

for (const [name, run] of Object.entries(golden.optimizers.runs)) {
  for (const how of ['its own state', "PyTorch's state"] as const) {
    test(`${name}: PyTorch's steps, resumed from ${how}`, () => {
      const params = golden.optimizers.start.map((packed) => new Parameter(unpack(packed)));
      const named = () => params.map((p, i) => [`layer.${i}`, p] as const);
      let optimizer = makers[name]!(named());
      for (const [step, expected] of run.after.entries()) {
        const change = run.changes[step];
        if (change === 'save') {
          const state = how === 'its own state' ? throughOwnState(optimizer) : throughTorchState(run.saved);
          optimizer = makers[name]!(named());
          optimizer.loadStateDict(state);
        } else if (change) Object.assign(optimizer.paramGroups[0]!, camel(change));
        for (const [i, p] of params.entries()) {
          p.grad = i === 1 && step < 2 ? null : unpack(golden.optimizers.grads[step]![i]!);
        }
        optimizer.step();
        for (const [i, p] of params.entries()) assertClose(p, expected[i]!, 1e-9, `parameter ${i} after step ${step}`);
      }
    });
  }
}

test('momentum that is switched on late begins with the gradient of that step', () => {
  const p = new Parameter(zeros([1]));
  const sgd = new optim.SGD([p], { lr: 1 });
  const values: number[] = [];
  for (let step = 1; step <= 4; step++) {
    if (step === 3) sgd.paramGroups[0]!.momentum = 0.5;
    p.grad = ones([1]);
    sgd.step();
    values.push(p.item());
  }
  assert.deepEqual(values, [-1, -2, -3, -4.5]);
});

test('state that PyTorch would lack is made when it is first needed', () => {
  for (const make of [
    (p: Parameter[]) => [new optim.RMSprop(p), { momentum: 0.9, centered: true }] as const,
    (p: Parameter[]) => [new optim.Adam(p), { amsgrad: true }] as const,
  ]) {
    const p = new Parameter(zeros([2]));
    const [optimizer, change] = make([p]);
    for (let step = 0; step < 4; step++) {
      if (step === 2) Object.assign(optimizer.paramGroups[0]!, change);
      p.grad = tensor([1, -2]);
      optimizer.step();
    }
    assert.ok(Number.isFinite(p.sum().item()));
  }
});

test('a parameter that is listed twice is refused, in a group and across groups', () => {
  const [p, q] = [new Parameter(zeros([1])), new Parameter(zeros([1]))];
  const twice = { name: 'ConfigError', message: /each parameter once, got '\w', which is '\w' too/ };
  assert.throws(() => new optim.SGD([p, q, p], { lr: 1 }), twice);
  assert.throws(() => new optim.Adam([{ params: [p] }, { params: [q, p], lr: 1 }]), twice);
  assert.throws(() => new optim.SGD([['a', p] as const, ['b', p] as const], { lr: 1 }), twice);
  const sgd = new optim.SGD([p], { lr: 1 });
  assert.throws(() => sgd.addParamGroup({ params: [p] }), twice);
  assert.equal(sgd.paramGroups.length, 1);
});

test('unknown and unsupported options are refused by name, in constructors, groups and saved states', () => {
  const p = () => [new Parameter(zeros([1]))];
  const refused = (make: () => unknown, message: RegExp): void =>
    assert.throws(make, (error) => error instanceof ConfigError && message.test(error.message));
  const loose = (options: object): never => options as never;
  refused(
    () => new optim.SGD(p(), loose({ lr: 1, weight_decay: 0.1 })),
    /options of SGD .* got weight_decay. Did you mean weightDecay/,
  );
  refused(() => new optim.SGD(p(), loose({ lr: 1, maximize: true })), /SGD does not support maximize/);
  refused(() => new optim.Adam(p(), loose({ fused: true })), /Adam does not support fused/);
  refused(() => new optim.AdamW(p(), loose({ beta: [0.9, 0.99] })), /got beta. Did you mean betas/);
  refused(() => new optim.RMSprop(p(), 0.1 as never), /options of RMSprop in an object.*got number 0.1/);
  refused(() => new optim.SGD(p(), loose({})), /lr of SGD to be a number >= 0, got undefined/);
  refused(() => new optim.SGD(p(), loose({ lr: '0.1' })), /lr of SGD to be a number >= 0, got '0.1'/);
  refused(
    () => new optim.SGD([loose({ params: p(), weight_decay: 1 })], { lr: 1 }),
    /a group of SGD .* Did you mean weightDecay/,
  );
  refused(() => new optim.Adam([loose({ params: p(), lr: '1' })]), /lr of Adam to be a number, got 1/);
  refused(
    () => new optim.Adam(p()).zeroGrad({ setToNone: false } as never),
    /zeroGrad\(true\) or zeroGrad\(false\), got object/,
  );
  const adam = new optim.Adam(p());
  const group = { lr: 0.5, betas: [0.9, 0.99], eps: 1e-8, weight_decay: 0.2, params: [0] };
  adam.loadStateDict({ state: {}, param_groups: [{ ...group, foreach: true, maximize: false, initial_lr: 2 }] });
  const { lr, weightDecay, initialLr } = adam.paramGroups[0]!;
  assert.deepEqual([lr, weightDecay, initialLr], [0.5, 0.2, 2]);
  refused(
    () => adam.loadStateDict({ state: {}, param_groups: [{ ...group, maximize: true }] }),
    /maximize: true, which is not supported/,
  );
  assert.throws(() => adam.loadStateDict({ state: {}, param_groups: [{ ...group, params: [0, 1] }] }), DataError);
});

const one = (): optim.SGD => new optim.SGD([new Parameter(zeros([1]))], { lr: 0.5, momentum: 0.9 });
const schedulers: Record<string, (o: optim.SGD) => optim.LRScheduler> = {
  'LinearLR of no steps': (o) => new optim.LinearLR(o, { startFactor: 0.5, totalIters: 0 }),
  'ConstantLR of no steps': (o) => new optim.ConstantLR(o, { factor: 0.5, totalIters: 0 }),
  'PolynomialLR of no steps': (o) => new optim.PolynomialLR(o, { totalIters: 0 }),
  'CosineAnnealingLR past its end': (o) => new optim.CosineAnnealingLR(o, { tMax: 3, etaMin: 0.1 }),
  'MultiStepLR twice at once': (o) => new optim.MultiStepLR(o, { milestones: [2, 2, 3], gamma: 0.5 }),
  'OneCycleLR of 5 steps, all of them': (o) => new optim.OneCycleLR(o, { maxLr: 1, totalSteps: 5 }),
  'OneCycleLR of 10 steps, all of them': (o) => new optim.OneCycleLR(o, { maxLr: 1, totalSteps: 10, threePhase: true }),
  'OneCycleLR of 4 steps, all of them': (o) =>
    new optim.OneCycleLR(o, { maxLr: 1, totalSteps: 4, annealStrategy: 'linear' }),
  'OneCycleLR of 1 steps, all of them': (o) => new optim.OneCycleLR(o, { maxLr: 1, totalSteps: 1 }),
  'OneCycleLR of 3 steps, all of them': (o) => new optim.OneCycleLR(o, { maxLr: 1, totalSteps: 3, pctStart: 0 }),
  'OneCycleLR of epochs': (o) => new optim.OneCycleLR(o, { maxLr: 1, epochs: 2, stepsPerEpoch: 3 }),
};

for (const [name, expected] of Object.entries(golden.schedules.rates)) {
  test(`${name}: PyTorch's rates, the last step of the loop included`, () => {
    const o = one();
    const found = [seen(o, expected[0]!.length)];
    const [, series, mode, thresholdMode] = /^plateau (.*) (\w+) (\w+)$/.exec(name) ?? [];
    if (series) {
      const plateau = new optim.ReduceLROnPlateau(o, {
        mode: mode as 'min',
        thresholdMode: thresholdMode as 'rel',
        factor: 0.5,
        patience: 1,
        threshold: 0.01,
        cooldown: 1,
      });
      for (const metric of golden.schedules.series[series]!) {
        plateau.step(Number(metric.replace('inf', 'Infinity')));
        found.push(seen(o, 1));
      }
    } else {
      const scheduler = schedulers[name]!(o);
      found[0] = seen(o, expected[0]!.length);
      for (let step = 1; step < expected.length; step++) {
        scheduler.step();
        found.push(seen(o, expected[0]!.length));
      }
    }
    assert.equal(found.length, expected.length);
    for (const [step, row] of expected.entries()) {
      for (const [i, value] of row.entries()) {
        assert.ok(Math.abs(found[step]![i]! - value) < 1e-12, `step ${step}: expected ${row}, got ${found[step]}`);
      }
    }
  });
}

function seen(o: optim.SGD, count: number): number[] {
  const { lr, momentum } = o.paramGroups[0]!;
  return [lr, momentum].slice(0, count);
}

test('schedules that make no sense are refused when they are made', () => {
  const o = one();
  for (const make of [
    () => new optim.CosineAnnealingLR(o, { tMax: 0 }),
    () => new optim.StepLR(o, { stepSize: 0 }),
    () => new optim.StepLR(o, 7 as never),
    () => new optim.StepLR(o, { stepSize: 1, last_epoch: 3 } as never),
    () => new optim.ExponentialLR(o, {} as never),
    () => new optim.CosineAnnealingWarmRestarts(o, { t0: 0 }),
    () => new optim.CosineAnnealingWarmRestarts(o, { t0: 2, tMult: 0 }),
    () => new optim.LinearLR(o, { startFactor: 0 }),
    () => new optim.LinearLR(o, { startFactor: 0.5, totalIters: -1 }),
    () => new optim.OneCycleLR(o, { maxLr: 1 }),
    () => new optim.OneCycleLR(o, { maxLr: [1, 2], totalSteps: 3 }),
    () => new optim.OneCycleLR(o, { maxLr: 1, totalSteps: 3, pctStart: 1.5 }),
    () => new optim.ReduceLROnPlateau(o, { factor: 1 }),
    () => new optim.ReduceLROnPlateau(o, { mode: 'lowest' as 'min' }),
    () => new optim.ReduceLROnPlateau(o, { minLr: [0, 0] }),
    () => new optim.ReduceLROnPlateau(o, { threshold_mode: 'abs' } as never),
  ]) {
    assert.throws(make, ConfigError);
  }
  const last = new optim.OneCycleLR(one(), { maxLr: 1, totalSteps: 2, pctStart: 1 });
  for (let step = 0; step < 2; step++) last.step();
  assert.ok(Number.isFinite(last.getLastLr()[0]));
});

test("a plateau's state survives JSON before its first metric, and loads by PyTorch's names", () => {
  const plateau = new optim.ReduceLROnPlateau(one(), { mode: 'max', patience: 0 });
  plateau.loadStateDict(JSON.parse(JSON.stringify(plateau.stateDict())) as object as Record<string, unknown>);
  assert.equal(plateau.stateDict().best, -Infinity);
  plateau.loadStateDict({ best: 3, num_bad_epochs: 1, cooldown_counter: 2, last_epoch: 7, mode: 'max' });
  assert.deepEqual(plateau.stateDict(), { best: 3, numBadEpochs: 1, cooldownCounter: 2, lastEpoch: 7 });
  assert.throws(() => plateau.loadStateDict({ best: 3 }), DataError);
  plateau.step(tensor(4));
  assert.equal(plateau.stateDict().best, 4);
  const step = new optim.StepLR(one(), { stepSize: 1 });
  step.loadStateDict({ last_epoch: 2 });
  assert.ok(Math.abs(step.getLastLr()[0]! - 0.005) < 1e-12);
  assert.throws(() => step.loadStateDict({} as never), DataError);
});

test('a group that joins after its scheduler keeps its own rate', () => {
  const o = one();
  const scheduler = new optim.ExponentialLR(o, { gamma: 0.5 });
  o.addParamGroup({ params: [['later', new Parameter(zeros([1]))]], lr: 0.3 });
  scheduler.step();
  assert.deepEqual(
    o.paramGroups.map((group) => group.lr),
    [0.25, 0.3],
  );
});
