/** Several schedulers on one optimizer, and rates that a program changes: PyTorch's numbers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Parameter } from 'headrace/nn';
import * as optim from 'headrace/optim';
import { DataError, zeros } from 'headrace/torch';
import { readGolden } from '../golden/golden.js';

type Rows = Readonly<Record<string, readonly (readonly number[])[]>>;
const golden = readGolden<{ metrics: number[]; chained: Rows; changed: Rows }>('chained.json');

type Scheduler = optim.LRScheduler | optim.ReduceLROnPlateau;
type Make = (o: optim.SGD) => Scheduler[];

const chained: Record<string, Make> = {
  'linear, exponential': (o) => [
    new optim.LinearLR(o, { startFactor: 0.1, totalIters: 5 }),
    new optim.ExponentialLR(o, { gamma: 0.9 }),
  ],
  'constant, cosine, multiStep': (o) => [
    new optim.ConstantLR(o, { factor: 0.5, totalIters: 4 }),
    new optim.CosineAnnealingLR(o, { tMax: 6, etaMin: 0.001 }),
    new optim.MultiStepLR(o, { milestones: [3, 3, 9], gamma: 0.5 }),
  ],
  'polynomial, step': (o) => [
    new optim.PolynomialLR(o, { totalIters: 40, power: 2 }),
    new optim.StepLR(o, { stepSize: 6, gamma: 0.3 }),
  ],
  'linear, plateau': (o) => [
    new optim.LinearLR(o, { startFactor: 0.5, totalIters: 3 }),
    new optim.ReduceLROnPlateau(o, { factor: 0.5, patience: 4 }),
  ],
  'plateau, constant': (o) => [
    new optim.ReduceLROnPlateau(o, { factor: 0.1, patience: 2 }),
    new optim.ConstantLR(o, { factor: 0.1, totalIters: 9 }),
  ],
};

const changed: Record<string, Make> = {
  step: (o) => [new optim.StepLR(o, { stepSize: 4, gamma: 0.5 })],
  multiStep: (o) => [new optim.MultiStepLR(o, { milestones: [5, 20], gamma: 0.1 })],
  constant: (o) => [new optim.ConstantLR(o, { factor: 0.25, totalIters: 12 })],
  linear: (o) => [new optim.LinearLR(o, { startFactor: 0.1, endFactor: 0.8, totalIters: 20 })],
  exponential: (o) => [new optim.ExponentialLR(o, { gamma: 0.93 })],
  polynomial: (o) => [new optim.PolynomialLR(o, { totalIters: 25, power: 2 })],
  cosine: (o) => [new optim.CosineAnnealingLR(o, { tMax: 8, etaMin: 0.001 })],
  restarts: (o) => [new optim.CosineAnnealingWarmRestarts(o, { t0: 8 })],
};

function optimizer(): optim.SGD {
  const group = (name: string) => ({ params: [[name, new Parameter(zeros([1]))] as const] });
  return new optim.SGD([group('a'), { ...group('b'), lr: 0.02 }], { lr: 0.1 });
}

function assertRates(o: optim.SGD, expected: readonly number[], step: number): void {
  for (const [i, rate] of expected.entries()) {
    const got = o.paramGroups[i]!.lr;
    assert.ok(Math.abs(got - rate) <= 1e-12 + 1e-9 * rate, `step ${step}, group ${i}: expected ${rate}, got ${got}`);
  }
}

function step(schedulers: readonly Scheduler[], metric: number): void {
  for (const scheduler of schedulers) {
    if (scheduler instanceof optim.LRScheduler) scheduler.step();
    else scheduler.step(metric);
  }
}

/** A new optimizer and its schedulers at the saved step, loaded before the schedulers are made or after. */
function resumed(
  make: Make,
  old: optim.SGD,
  schedulers: readonly Scheduler[],
  first: boolean,
): [optim.SGD, Scheduler[]] {
  const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
  const states = schedulers.map((scheduler) => copy(scheduler.stateDict()));
  const saved = { groups: copy(old.stateDict().groups), state: new Map() };
  const o = optimizer();
  if (first) o.loadStateDict(saved);
  const made = make(o);
  if (!first) o.loadStateDict(saved);
  for (const [i, scheduler] of made.entries()) scheduler.loadStateDict(states[i] as never);
  return [o, made];
}

test('every stored run is tested', () => {
  assert.deepEqual(Object.keys(chained).sort(), Object.keys(golden.chained).sort());
  assert.deepEqual(Object.keys(changed).sort(), Object.keys(golden.changed).sort());
});

for (const [name, make] of Object.entries(chained)) {
  test(`${name} on one optimizer: each goes on from what the others leave`, () => {
    const o = optimizer();
    const schedulers = make(o);
    for (const [at, rates] of golden.chained[name]!.entries()) {
      if (at > 0) step(schedulers, golden.metrics[at - 1]!);
      assertRates(o, rates, at);
    }
  });

  for (const first of [true, false]) {
    test(`${name}, resumed at every step, the optimizer loaded ${first ? 'first' : 'after they are made'}`, () => {
      let o = optimizer();
      let schedulers = make(o);
      for (const [at, rates] of golden.chained[name]!.entries()) {
        if (at > 0) step(schedulers, golden.metrics[at - 1]!);
        assertRates(o, rates, at);
        [o, schedulers] = resumed(make, o, schedulers, first);
        assertRates(o, rates, at);
      }
    });
  }
}

for (const [name, make] of Object.entries(changed)) {
  test(`${name} goes on from a rate that the program has changed`, () => {
    const o = optimizer();
    const schedulers = make(o);
    const factors: Readonly<Record<number, number>> = { 6: 0.5, 17: 3 };
    for (const [at, rates] of golden.changed[name]!.entries()) {
      if (at > 0) {
        for (const group of o.paramGroups) group.lr *= factors[at - 1] ?? 1;
        step(schedulers, golden.metrics[at - 1]!);
      }
      assertRates(o, rates, at);
    }
  });
}

test('one schedule after another keeps a changed rate until the next begins', () => {
  const o = optimizer();
  const steady = () => new optim.ConstantLR(o, { factor: 1 });
  const sequence = new optim.SequentialLR(o, [steady(), new optim.StepLR(o, { stepSize: 2, gamma: 0.5 })], [3]);
  const rates: number[] = [];
  for (let at = 1; at <= 6; at += 1) {
    if (at === 2 || at === 5) o.paramGroups[0]!.lr *= 10;
    sequence.step();
    rates.push(Number(o.paramGroups[0]!.lr.toPrecision(12)));
  }
  assert.deepEqual(rates, [0.1, 1, 0.1, 0.1, 0.5, 0.5]);
});

test('saved rates of another number of groups are refused', () => {
  const schedule = new optim.StepLR(optimizer(), { stepSize: 1 });
  assert.throws(() => schedule.loadStateDict({ lastEpoch: 2, lastLr: [0.1] }), DataError);
  assert.throws(() => schedule.loadStateDict({ lastEpoch: 2, lastLr: [0.1, null as never] }), /2 saved rates/);
});
