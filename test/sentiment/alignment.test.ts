import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  alignmentLoss,
  alignmentNoiseFloor,
  alignmentReport,
  alignmentTerms,
  canonicalLoss,
  contrastiveLoss,
  coral,
  correlation,
  covariance,
  SharedProjections,
} from 'headrace/sentiment';
import { cat, Generator, gradcheck, liveTensors, randn, scope, type Tensor, tensor } from 'headrace/torch';
import { assertNear, f64, golden } from './support.js';

const A = [
  [1, 2, 0],
  [0, 1, -1],
  [2, 0, 1],
  [1, -1, 3],
];
const B = [
  [0, 1, 1],
  [1, 0, 2],
  [-1, 2, 0],
  [2, 1, -1],
];
const LOSS = 0.23630401234567897;

const drawn = (shape: number[], seed: number) =>
  randn(shape, { dtype: 'float64', generator: new Generator(seed), requiresGrad: true });

test('covariance and loss of the golden matrices', () => {
  assertNear(covariance(f64(A)), [
    [0.6666666667, -0.3333333333, 0.6666666667],
    [-0.3333333333, 1.6666666667, -1.8333333333],
    [0.6666666667, -1.8333333333, 2.9166666667],
  ]);
  assertNear(covariance(f64(B)), [
    [1.6666666667, -0.6666666667, -0.3333333333],
    [-0.6666666667, 0.6666666667, -0.6666666667],
    [-0.3333333333, -0.6666666667, 1.6666666667],
  ]);
  assertNear(coral(f64(A), f64(B)), LOSS, 1e-15);
});

test('the gradient is the golden one, and the one derived by hand', () => {
  const [a, b] = [f64(A, true), f64(B, true)];
  alignmentLoss({ audio: a, vision: b }).backward();
  assertNear(a.grad!.select(0, 0), [-0.0092592593, 0.087962963, -0.099537037]);
  assertNear(a.grad!.select(0, 3), [0.0648148148, -0.1527777778, 0.1689814815]);
  const byHand = (x: Tensor, y: Tensor) =>
    x
      .sub(x.mean([0], true))
      .matmul(covariance(x).sub(covariance(y)))
      .div(9 * 3)
      .tolist() as number[][];
  assertNear(a.grad!, byHand(a.detach(), b.detach()), 1e-12);
  assertNear(b.grad!, byHand(b.detach(), a.detach()), 1e-12);
});

test('every pair has the loss that NumPy gives, whichever the normalisation', () => {
  const features = Object.fromEntries(Object.entries(golden.alignment.matrices).map(([name, m]) => [name, f64(m)]));
  for (const [normalise, stored] of [
    ['none', golden.alignment.covariance],
    ['correlation', golden.alignment.correlation],
  ] as const) {
    const terms = alignmentTerms(features, { normalise });
    assert.deepEqual(
      terms.map(({ pair, weight }) => [pair, weight]),
      [
        ['a-b', 1],
        ['a-c', 1],
        ['b-c', 1],
      ],
    );
    for (const { pair, loss } of terms) assertNear(loss, stored[pair]!, 1e-12, `${normalise} ${pair}`);
    const weights = { 'b-a': 2, 'b-c': -0.25 };
    const expected = 2 * stored['a-b']! - 0.25 * stored['b-c']!;
    assertNear(alignmentLoss(features, { weights, normalise }), expected, 1e-12);
  }
});

test('gradients are those of the values, for both normalisations and shared modalities', () => {
  const inputs = [drawn([5, 3], 1), drawn([5, 3], 2), drawn([4, 3], 3)];
  const weights = { 'text-audio': 0.5, 'audio-vision': 2, 'text-vision': -1 };
  for (const normalise of ['none', 'correlation'] as const) {
    const loss = (text: Tensor, audio: Tensor, vision: Tensor) =>
      alignmentLoss({ text, audio, vision }, { weights, normalise });
    assert.ok(gradcheck(loss, inputs, { atol: 1e-8, rtol: 1e-6 }));
  }
});

test('the loss sees no shift and no order of rows, grows with the fourth power of scale, and is 0 between equals', () => {
  const [a, b] = [f64(A), f64(B)];
  const shuffled = b.indexSelect(0, tensor([2, 0, 3, 1], { dtype: 'int64' }));
  assertNear(coral(a.add(f64([5, -3, 100])), b), LOSS, 1e-11);
  assertNear(coral(a, shuffled), LOSS, 1e-14);
  assertNear(coral(a.mul(2), b.mul(2)), 16 * LOSS, 1e-13);
  assert.equal(coral(a, a).item(), 0);
  const scales = f64([3, 0.2, 40]);
  assertNear(coral(a.mul(scales), b, 'correlation'), coral(a, b, 'correlation').item(), 1e-12);
});

test('a pair of weight 0 is not computed, nor any pair of a batch of one', () => {
  const features = { text: drawn([4, 7], 1), audio: drawn([4, 3], 2), vision: drawn([4, 3], 3) };
  const only = alignmentTerms(features, { weights: { 'vision-audio': 3, 'text-audio': 0 } });
  assert.deepEqual(
    only.map(({ pair, weight }) => [pair, weight]),
    [['audio-vision', 3]],
  );
  const one = { audio: drawn([1, 3], 1), vision: drawn([1, 3], 2) };
  assert.equal(alignmentLoss(one).item(), 0);
  assert.equal(alignmentLoss(one).requiresGrad, false);
  assert.equal(alignmentLoss(one).dtype, 'float64');
  assert.equal(alignmentLoss(features, { weights: {} }).item(), 0);
  assert.throws(() => coral(one.audio, one.vision), /two rows or more for a covariance, got \[1,3\]/);
});

test('half precision is computed in float32', () => {
  const [a, b] = [tensor(A), tensor(B)];
  const loss = alignmentLoss({ a: a.to({ dtype: 'bfloat16' }), b: b.to({ dtype: 'bfloat16' }) });
  assert.equal(loss.dtype, 'float32');
  assertNear(loss, LOSS, 1e-7);
});

test('a constant column has no correlation and no gradient, whatever its value rounds to', () => {
  const x = cat([drawn([6, 2], 4).detach(), tensor(new Array(6).fill([0.1]), { dtype: 'float64' })], 1);
  x.requiresGrad = true;
  const found = correlation(x);
  assertNear(found.select(0, 2), [0, 0, 0], 0);
  assertNear(found.diagonal(), [1, 1, 0], 1e-12);
  coral(x, drawn([6, 3], 5), 'correlation').backward();
  assertNear(x.grad!.select(1, 2), [0, 0, 0, 0, 0, 0], 0);
  assert.ok(x.grad!.isfinite().all().item());
  const single = tensor(new Array(300).fill([0.1, 1e4]));
  assertNear(correlation(single), [0, 0, 0, 0], 0);
});

test('the noise floor is the mean loss of independent normal batches', () => {
  const generator = new Generator(6);
  const [rows, width, rounds] = [16, 8, 400];
  let sum = 0;
  for (let i = 0; i < rounds; i++) {
    sum += scope(() => coral(randn([rows, width], { generator }), randn([rows, width], { generator })).item());
  }
  assertNear(sum / rounds, alignmentNoiseFloor(rows, width), 0.0015);
  assertNear(alignmentNoiseFloor(16, 32), 0.034, 0.001);
});

test('the report has norms and every comparable pair, weighted or not', () => {
  const features = { audio: f64(A), vision: f64(B), text: f64([[3, 4]]) };
  const { norms, pairs } = alignmentReport(features, { weights: { 'audio-vision': 10 } });
  const norm = (rows: number[][]) => rows.reduce((total, row) => total + Math.hypot(...row), 0) / rows.length;
  assertNear([norms.audio!, norms.vision!, norms.text!], [norm(A), norm(B), 5], 1e-12);
  assert.deepEqual(Object.keys(pairs), ['audio-vision']);
  assertNear(pairs['audio-vision']!.loss, LOSS, 1e-14);
  assertNear(pairs['audio-vision']!.weighted, 10 * LOSS, 1e-13);
  assert.equal(alignmentReport({ audio: f64(A), vision: f64(B) }, { weights: {} }).pairs['audio-vision']!.weight, 0);
});

test('alignment by pairs: canonical correlation and contrast have the values of NumPy and PyTorch, and their gradients', () => {
  // A row more than above, so that the covariances are not singular; the values are of formulas in NumPy and of torch 1.13.
  const a = f64([...A, [-1, 0.5, 0.2]]);
  const b = f64([
    [0, 1],
    [1, 0],
    [-1, 2],
    [2, 1],
    [0.5, -2],
  ]);
  assertNear(canonicalLoss(a, b), 0.4533926115256679, 1e-12);
  assertNear(contrastiveLoss(a.narrow(1, 0, 2), b), 9.20014405544169, 1e-12);
  for (const loss of ['cca', 'contrastive'] as const) {
    const [x, y] = [drawn([7, 3], 1), drawn([7, 3], 2)];
    assert.ok(
      gradcheck((audio, vision) => alignmentLoss({ audio: audio!, vision: vision! }, { loss }), [x, y]),
      loss,
    );
  }
  // Unlike covariances they know which row goes with which; the canonical one sees through any linear map.
  const rows = drawn([40, 3], 3).detach();
  const shuffled = rows.indexSelect(
    0,
    tensor(
      Array.from({ length: 40 }, (_, i) => (7 * i + 3) % 40),
      { dtype: 'int64' },
    ),
  );
  const turned = rows.matmul(
    f64([
      [0, 2, 0],
      [-2, 0, 0],
      [0, 0, 2],
    ]),
  );
  const [paired, other] = [canonicalLoss(rows, turned).item(), canonicalLoss(shuffled, turned).item()];
  assert.ok(paired < 0.25 && other > 0.6, `${paired}, ${other}`);
  assert.ok(contrastiveLoss(rows, rows).item() < contrastiveLoss(rows, shuffled).item());
  assertNear(coral(rows, shuffled), 0, 1e-12);
  assert.throws(() => canonicalLoss(a, b.narrow(0, 0, 4)), /rows in pairs, two or more, got \[5,3\] and \[4,2\]/);
  assert.throws(
    () => alignmentLoss({ a, b }, { loss: 'cka' as 'cca' }),
    /loss to be covariance, cca, contrastive, got 'cka'/,
  );
  assert.throws(
    () => alignmentLoss({ a, b: a }, { loss: 'contrastive', normalise: 'correlation' }),
    /with the loss covariance alone/,
  );
});

test('mistakes are named', () => {
  const [a, b] = [f64(A), f64(B)];
  const wide = drawn([4, 5], 1);
  assert.throws(() => alignmentLoss({ a, wide }), /a and wide of equal width.*\[4,3\] and \[4,5\].*SharedProjections/);
  assert.throws(() => alignmentLoss({ a }), /two modalities or more to align, got a/);
  assert.throws(() => alignmentLoss({ a, b }, { weights: { 'a-c': 1 } }), /pairs among a-b, got a-c/);
  assert.throws(() => alignmentLoss({ a, b }, { weights: { 'a-b': 1, 'b-a': 1 } }), /got two: a-b and b-a/);
  assert.throws(() => alignmentLoss({ a, b }, { weights: { 'a-b': Number.NaN } }), /finite weight of a-b, got NaN/);
  assert.throws(() => alignmentLoss({ a, b: b.unsqueeze(0) }), /\[batch, width\] of b, got \[1,4,3\]/);
  assert.throws(() => alignmentLoss({ a, b: b.long() }), /floating-point features of b, got int64/);
  assert.throws(() => alignmentLoss({ a, b }, { normalise: 'corr' as 'none' }), /'none' or 'correlation', got 'corr'/);
});

test('the loss leaves no temporaries behind', () => {
  const features = { a: drawn([4, 3], 1), b: drawn([4, 3], 2), c: drawn([4, 3], 3) };
  const before = liveTensors('thread');
  const loss = alignmentLoss(features, { normalise: 'correlation' });
  assert.equal(liveTensors('thread') - before, 1);
  loss.dispose();
});

test('projections bring modalities to one width, orthogonal and frozen unless told otherwise', () => {
  const shared = new SharedProjections({ audio: 3, vision: 6 }, 4, { dtype: 'float64' });
  shared.initialise(new Generator(7));
  assert.deepEqual([...shared.stateDict().keys()], ['audio.weight', 'vision.weight']);
  assert.ok([...shared.parameters()].every(({ requiresGrad }) => !requiresGrad));
  const weights = shared.stateDict();
  const eye = (n: number) => Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => Number(i === j)));
  const audio = weights.get('audio.weight')!;
  const vision = weights.get('vision.weight')!;
  assertNear(audio.t().matmul(audio), eye(3), 1e-6);
  assertNear(vision.matmul(vision.t()), eye(4), 1e-6);

  const features = { audio: drawn([5, 3], 1), vision: drawn([5, 6], 2) };
  const common = shared.forward(features);
  assert.deepEqual(
    [common.audio!.shape, common.vision!.shape],
    [
      [5, 4],
      [5, 4],
    ],
  );
  assertNear(common.vision!, features.vision.matmul(vision.t()).tolist() as number[][], 1e-12);
  alignmentLoss(common).backward();
  assert.ok(features.audio.grad && features.vision.grad);

  const free = new SharedProjections({ audio: 3, vision: 6 }, 4, { frozen: false });
  assert.ok([...free.parameters()].every(({ requiresGrad }) => requiresGrad));
  assert.throws(() => shared.forward({ text: features.audio }), /audio, vision to project, got those of 'text'/);
  assert.throws(() => new SharedProjections({ training: 3 }, 4), /another name for a modality, 'training' is taken/);
});
