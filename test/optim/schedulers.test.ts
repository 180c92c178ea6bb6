import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Parameter } from 'headrace/nn';
import * as optim from 'headrace/optim';
import { ConfigError, zeros } from 'headrace/torch';
import { readGolden } from '../golden/golden.js';

const golden = readGolden<{ schedules: Record<string, number[][]> }>('optim.json').schedules;

function optimizer(): optim.SGD {
  const group = () => ({ params: [new Parameter(zeros([1]))] });
  return new optim.SGD([group(), { ...group(), lr: 0.02 }], { lr: 0.1, momentum: 0.9 });
}

const makers: Record<string, (o: optim.SGD) => optim.LRScheduler> = {
  lambda: (o) => new optim.LambdaLR(o, [(e) => 0.9 ** e, (e) => 1 / (1 + e)]),
  step: (o) => new optim.StepLR(o, { stepSize: 7, gamma: 0.3 }),
  multiStep: (o) => new optim.MultiStepLR(o, { milestones: [4, 11, 12, 25], gamma: 0.5 }),
  constant: (o) => new optim.ConstantLR(o, { factor: 0.25, totalIters: 6 }),
  linear: (o) => new optim.LinearLR(o, { startFactor: 0.1, totalIters: 10 }),
  exponential: (o) => new optim.ExponentialLR(o, { gamma: 0.93 }),
  polynomial: (o) => new optim.PolynomialLR(o, { totalIters: 20, power: 2 }),
  cosine: (o) => new optim.CosineAnnealingLR(o, { tMax: 12, etaMin: 0.001 }),
  restarts: (o) => new optim.CosineAnnealingWarmRestarts(o, { t0: 4, tMult: 2, etaMin: 0.001 }),
  sequential: (o) => {
    const warmUp = new optim.LinearLR(o, { startFactor: 0.1, totalIters: 5 });
    return new optim.SequentialLR(o, [warmUp, new optim.CosineAnnealingLR(o, { tMax: 25 })], [5]);
  },
  oneCycle: (o) => new optim.OneCycleLR(o, { maxLr: [0.5, 0.1], totalSteps: 30 }),
  'oneCycle linear, three phases': (o) =>
    new optim.OneCycleLR(o, {
      maxLr: 0.5,
      totalSteps: 30,
      pctStart: 0.4,
      annealStrategy: 'linear',
      threePhase: true,
      divFactor: 10,
    }),
};

function assertRow(actual: readonly number[], expected: readonly number[], what: string): void {
  for (const [i, value] of expected.entries()) {
    const got = actual[i] as number;
    assert.ok(Math.abs(got - value) <= 1e-12 + 1e-9 * Math.abs(value), `${what}: expected ${expected}, got ${actual}`);
  }
}

test('every stored schedule is tested', () => {
  assert.deepEqual([...Object.keys(makers), 'plateau'].sort(), Object.keys(golden).sort());
});

for (const [name, make] of Object.entries(makers)) {
  test(`${name} gives PyTorch's rates over 30 steps`, () => {
    const o = optimizer();
    const scheduler = make(o);
    for (const [step, expected] of golden[name]!.entries()) {
      if (step > 0) scheduler.step();
      // OneCycleLR also moves the momentum, stored third.
      assertRow([...scheduler.getLastLr(), o.paramGroups[0]!.momentum], expected, `step ${step}`);
    }
  });

  test(`${name} is a function of the step: a loaded state gives the same rate as stepping there`, () => {
    const scheduler = make(optimizer());
    scheduler.loadStateDict({ lastEpoch: 17 });
    assertRow(scheduler.getLastLr(), golden[name]![17]!.slice(0, 2), 'step 17');
    scheduler.step();
    assertRow(scheduler.getLastLr(), golden[name]![18]!.slice(0, 2), 'step 18');
  });
}

test("a plateau lowers the rate as PyTorch's does, and resumes", () => {
  const options = { factor: 0.5, patience: 2, cooldown: 1 };
  const metric = (step: number) => Math.max(1 - 0.1 * step, 0.5);
  const o = optimizer();
  let scheduler = new optim.ReduceLROnPlateau(o, options);
  for (const [step, expected] of golden.plateau!.entries()) {
    if (step > 0) scheduler.step(metric(step - 1));
    assertRow(scheduler.getLastLr(), expected, `step ${step}`);
    const state = scheduler.stateDict();
    scheduler = new optim.ReduceLROnPlateau(o, options);
    scheduler.loadStateDict(state);
  }
});

test('a second scheduler on the same optimizer starts from the first rate, not the current one', () => {
  const o = optimizer();
  const first = new optim.StepLR(o, { stepSize: 1 });
  first.step();
  assert.deepEqual(new optim.LambdaLR(o, () => 1).getLastLr(), [0.1, 0.02]);
});

test('schedules that do not fit are refused', () => {
  const o = optimizer();
  assert.throws(() => new optim.LambdaLR(o, [() => 1]), ConfigError);
  assert.throws(() => new optim.SequentialLR(o, [new optim.StepLR(o, { stepSize: 1 })], [3]), ConfigError);
  const cycle = new optim.OneCycleLR(o, { maxLr: 1, totalSteps: 3 });
  for (let step = 0; step < 3; step++) cycle.step();
  assert.throws(() => cycle.step(), /at most 3 steps of OneCycleLR, got 4/);
});
