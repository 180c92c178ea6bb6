import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { loadSafetensors, saveSafetensors } from 'headrace/io';
import { generateLabels, momentumLabels, multitaskLoss, relativeDistance, UnimodalLabels } from 'headrace/sentiment';
import { liveTensors, type Tensor, tensor } from 'headrace/torch';
import { assertNear, f64, golden, type UlgmStep } from './support.js';

const HEADS = ['multimodal', 'text', 'audio'];
const WIDTHS = { multimodal: 3, text: 2, audio: 2 };
/** Not in sorted order, so that rows of the state and rows of the golden tables differ. */
const IDS = ['v2$_$1', 'v10$_$0', 'v2$_$0', 'a$_$9', 'v1$_$3', 'é$_$0'];

type Run = (typeof golden.ulgm)[number];

function start({ original, excludeZero, warmup }: Run, dtype: 'float64' | 'float32' = 'float64'): UnimodalLabels {
  const samples = IDS.map((id, i) => [id, original[i]!] as const);
  return new UnimodalLabels(samples, { widths: WIDTHS, limit: 3, excludeZero, warmup, dtype });
}

function apply(labels: UnimodalLabels, step: UlgmStep): string[] {
  const features = Object.fromEntries(HEADS.map((name) => [name, f64(step.features[name]!)]));
  const ids = step.batch.map((i) => IDS[i]!);
  return labels.update(ids, features, step.epoch);
}

const bytesOf = (labels: UnimodalLabels) => [...labels.stateDict()].map(([key, t]) => [key, t.bytes()]);

const F_M = f64([
  [1, 0.5],
  [-0.4, 0.2],
]);
const F_S = f64([
  [0.3, 0.9],
  [-1, -0.2],
]);
const CENTRES_M = f64([
  [1.2, 0.8],
  [-0.6, -0.1],
]);
const CENTRES_S = f64([
  [0.7, 0.6],
  [-0.5, -0.9],
]);
const Y = f64([1.4, -0.8]);

test('distances, new labels and momentum are the golden ones', () => {
  const [m, s] = [relativeDistance(F_M, CENTRES_M), relativeDistance(F_S, CENTRES_S)];
  assertNear(m, [3.7393604504, -0.7890010666]);
  assertNear(s, [2.9395430619, -0.5421444216]);
  const made = generateLabels(s, m, Y, 3);
  assertNear(made, [0.8503672594, -0.5514227272]);
  const stored = [
    [1.033578173, -0.6342818181],
    [0.9419727162, -0.5928522727],
    [0.9053305335, -0.5762804545],
  ];
  let labels: Tensor = Y;
  for (const [i, expected] of stored.entries()) {
    labels = momentumLabels(labels, made, i + 2);
    assertNear(labels, expected);
  }
});

test('momentum gives epoch j the weight 2j / (e(e+1)), the first being the multimodal label', () => {
  const values = [0.7, -1.2, 2.5, 0.1, -0.4];
  let labels = f64([values[0]!]);
  for (let epoch = 2; epoch <= values.length; epoch++) {
    labels = momentumLabels(labels, f64([values[epoch - 1]!]), epoch);
    const expected = values.slice(0, epoch).reduce((sum, v, j) => sum + (2 * (j + 1) * v) / (epoch * (epoch + 1)), 0);
    assertNear(labels, expected, 1e-14);
  }
});

test('new labels stay within the limit, however far the ratio goes', () => {
  const made = generateLabels(f64([50, 50, 0]), f64([1e-9, -1e-7, 0]), f64([1, 1, 0]), 1);
  assertNear(made, [1, -1, 0], 0);
});

for (const run of golden.ulgm) {
  const { excludeZero, warmup, steps } = run;
  test(`four epochs give NumPy's labels and centres (excludeZero ${excludeZero}, warmup ${warmup})`, () => {
    const labels = start(run);
    for (const step of steps) {
      assert.deepEqual(apply(labels, step), []);
      const state = labels.stateDict();
      const now = labels.of(IDS);
      for (const name of HEADS) {
        assertNear(now[name]!, step.labels[name]!, 1e-11, `labels of ${name}, epoch ${step.epoch}`);
        assertNear(state.get(`centres.${name}`)!, step.centres[name]!, 1e-12, `centres of ${name}`);
        assert.ok(step.labels[name]!.every((label) => Math.abs(label) <= 3));
      }
      const moved = HEADS.slice(1).some((name) => step.labels[name]!.some((label, i) => label !== run.original[i]));
      assert.equal(moved, step.epoch > warmup, 'labels move after the warm-up only');
    }
    const drift = labels.drift();
    for (const name of HEADS.slice(1)) {
      const last = steps.at(-1)!.labels[name]!;
      assertNear(drift[name]!, last.reduce((sum, y, i) => sum + Math.abs(y - run.original[i]!), 0) / 6, 1e-11);
    }
  });
}

test('the unimodal loss is 0 exactly in epochs 1 and 2, and above 0 from epoch 3', () => {
  const run = golden.ulgm[0]!;
  const labels = start(run);
  for (const step of run.steps) {
    const current = labels.of(step.batch.map((i) => IDS[i]!));
    const task = (name: string) => ({ prediction: f64([5, 5]), label: current[name]! });
    const { unimodal } = multitaskLoss(task('multimodal'), { text: task('text'), audio: task('audio') });
    for (const part of Object.values(unimodal)) assert.equal(part.item() > 0, step.epoch >= 3);
    apply(labels, step);
  }
});

test('the state does not depend on the order of the samples', () => {
  const run = golden.ulgm[0]!;
  const samples = IDS.map((id, i) => [id, run.original[i]!] as const);
  const options = { widths: WIDTHS, limit: 3, dtype: 'float64' } as const;
  const [one, other] = [new UnimodalLabels(samples, options), new UnimodalLabels(samples.reverse(), options)];
  for (const step of run.steps) for (const labels of [one, other]) apply(labels, step);
  assert.deepEqual(bytesOf(one), bytesOf(other));
});

test('a state saved in the middle and loaded goes on bit for bit', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'headrace-ulgm-'));
  try {
    const run = golden.ulgm[0]!;
    const whole = start(run, 'float32');
    const first = start(run, 'float32');
    for (const step of run.steps.slice(0, 7)) for (const labels of [whole, first]) apply(labels, step);
    const file = path.join(folder, 'labels.safetensors');
    saveSafetensors(file, first.stateDict());
    const second = start(run, 'float32');
    second.loadStateDict(loadSafetensors(file).tensors);
    assert.deepEqual(bytesOf(second), bytesOf(first));
    for (const step of run.steps.slice(7)) for (const labels of [whole, second]) apply(labels, step);
    assert.deepEqual(bytesOf(second), bytesOf(whole));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a state of other samples, labels or heads is refused, and nothing changes', () => {
  const run = golden.ulgm[0]!;
  const labels = start(run);
  const before = bytesOf(labels);
  const options = { widths: WIDTHS, limit: 3, dtype: 'float64' } as const;
  const load = (samples: [string, number][], changes: Partial<{ widths: Record<string, number> }> = {}) =>
    labels.loadStateDict(new UnimodalLabels(samples, { ...options, ...changes }).stateDict());
  const same = IDS.map((id, i): [string, number] => [id, run.original[i]!]);
  assert.throws(() => load([...same.slice(1), ['new', 1]]), /lacks 1 \(v2\$_\$1\) and has 1 others \(new\)/);
  assert.throws(() => load(same.slice(2)), /same 6 samples in sorted order, got one of 4 that lacks 2/);
  assert.throws(
    () => load(same.map(([id, y]): [string, number] => [id, y === 1 ? 0.5 : y])),
    /others for 1 of 6 samples \(é\$_\$0\)/,
  );
  assert.throws(() => load(same, { widths: { ...WIDTHS, text: 5 } }), /features.text: expected \[6,2\], got \[6,5\]/);
  assert.throws(() => load(same, { widths: { ...WIDTHS, vision: 5 } }), /labels.vision: expected nothing, got \[6\]/);
  const broken = labels.stateDict().set('ids', tensor(new Uint8Array([123, 34])));
  assert.throws(() => labels.loadStateDict(broken), /JSON list of strings, got no JSON/);
  assert.throws(() => labels.loadStateDict({}), /got one of 0 that lacks 6/);
  assert.deepEqual(bytesOf(labels), before);
});

test('ids outside the training set never enter, nor features that are not finite', () => {
  const labels = start(golden.ulgm[0]!);
  const before = bytesOf(labels);
  const features = (text: number, rows = 1) =>
    Object.fromEntries(HEADS.map((n) => [n, f64(new Array(rows).fill(n === 'multimodal' ? [1, 2, 3] : [text, 0]))]));
  assert.throws(() => labels.update(['test$_$0'], features(1), 1), /training samples, got 'test\$_\$0'.*among the 6/);
  assert.throws(() => labels.of(['test$_$0']), /training samples/);
  assert.throws(() => labels.update([IDS[0]!, IDS[0]!], features(1, 2), 1), /once in a batch, got 'v2\$_\$1' twice/);
  assert.throws(
    () => labels.update([IDS[3]!], features(Number.NaN), 1),
    /finite features of text, got NaN or infinity for sample 'a\$_\$9'/,
  );
  assert.throws(() => labels.update(IDS.slice(0, 2), features(1), 1), /\[2, 3\] of multimodal, got \[1,3\]/);
  assert.throws(
    () => labels.update([IDS[0]!], { multimodal: f64([[1, 2, 3]]) }, 1),
    /features of text, got multimodal/,
  );
  assert.throws(() => labels.update([IDS[0]!], features(1), 0), /epochs counted from 1, got 0/);
  assert.deepEqual(bytesOf(labels), before);
});

test('without samples of both signs labels are held, and said to be', () => {
  const positive = new UnimodalLabels([['a', 1], ['b', 2], ['c', 0]], { widths: WIDTHS, limit: 3, dtype: 'float64' }); // biome-ignore format: one line
  const features = {
    multimodal: f64([[1, 2, 3]]),
    text: f64([[1, 2]]),
    audio: f64([[1, 2]]),
  };
  assert.deepEqual(positive.update(['a'], features, 1), []);
  assert.deepEqual(positive.update(['a'], features, 2), ['text', 'audio']);
  assert.deepEqual([...positive.entries()][0], ['a', { multimodal: 1, text: 1, audio: 1 }]);
});

test('a batch of one moves its label, and no gradient passes', () => {
  const run = golden.ulgm[0]!;
  const labels = start(run);
  for (const step of run.steps.slice(0, 3)) apply(labels, step);
  const given = Object.fromEntries(
    Object.entries(WIDTHS).map(([name, width]) => [name, f64([new Array(width).fill(0.3)], true)]),
  );
  labels.update([IDS[0]!], given, 2);
  const moved = labels.of([IDS[0]!]);
  assert.notEqual(moved.text!.item(), run.original[0]);
  assert.equal(moved.multimodal!.item(), run.original[0]);
  assert.equal(moved.text!.requiresGrad, false);
});

test('options and samples that make no sense are named', () => {
  const options = { widths: WIDTHS, limit: 3 };
  const make = (samples: [string, number][], changes: Record<string, unknown> = {}) =>
    new UnimodalLabels(samples, { ...options, ...changes });
  assert.throws(() => make([]), /training samples with labels, got none/);
  assert.throws(() => make([['a', 1], ['a', 2]]), /every sample id once, got 'a' twice/); // biome-ignore format: one line
  assert.throws(() => make([['a', 3.5]]), /labels in \[-3, 3\], got 3.5 for sample 'a'/);
  assert.throws(() => make([['a', Number.NaN]]), /got NaN for sample 'a'/);
  assert.throws(() => make([['a', 1]], { widths: { text: 3 } }), /widths of 'multimodal' and of one modality/);
  assert.throws(() => make([['a', 1]], { widths: { multimodal: 3, text: 0 } }), /width of text from 1, got 0/);
  assert.throws(() => make([['a', 1]], { limit: 0 }), /limit above 0, got 0/);
  assert.throws(() => make([['a', 1]], { warmup: -1 }), /warmup epochs from 0, got -1/);
  assert.throws(() => make([['a', 1]], { dtype: 'int64' }), /'float32' or 'float64' for labels, got 'int64'/);
});

test('updates leave no tensors behind', () => {
  const labels = start(golden.ulgm[0]!);
  const step = golden.ulgm[0]!.steps[0]!;
  const features = Object.fromEntries(HEADS.map((name) => [name, f64(step.features[name]!)]));
  const ids = step.batch.map((i) => IDS[i]!);
  const before = liveTensors('thread');
  for (let epoch = 1; epoch <= 3; epoch++) labels.update(ids, features, epoch);
  assert.equal(liveTensors('thread'), before);
});
