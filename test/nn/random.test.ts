/** What draws: initial values and dropout. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as nn from 'headrace/nn';
import { empty, Generator, ones, ops, type Tensor, tensor } from 'headrace/torch';

const { init, functional: F } = nn;

function moments(t: Tensor): { mean: number; std: number; min: number; max: number } {
  return { mean: t.mean().item(), std: t.std().item(), min: t.min().item(), max: t.max().item() };
}

function assertNear(actual: number, expected: number, tolerance: number): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `expected ${expected} within ${tolerance}, got ${actual}`);
}

/** A uniform distribution on -bound..bound: nothing outside, something near both ends, the right spread. */
function assertUniform(t: Tensor, bound: number): void {
  const { mean, std, min, max } = moments(t.detach());
  assert.ok(min >= -bound && max <= bound, `expected values in ±${bound}, got ${min}..${max}`);
  assert.ok(min < -0.9 * bound && max > 0.9 * bound, `expected values up to ±${bound}, got ${min}..${max}`);
  assertNear(mean, 0, 0.1 * bound);
  assertNear(std, bound / Math.sqrt(3), 0.06 * bound);
}

test('layers start with the bounds of PyTorch', () => {
  const g = new Generator(11);
  const made = <M extends nn.Module>(module: M): M => module.initialise(g);
  const linear = made(new nn.Linear(64, 400));
  assertUniform(linear.weight, 1 / 8);
  assertUniform(linear.bias!, 1 / 8);
  const conv = made(new nn.Conv2d(8, 64, 3, { groups: 2 }));
  assertUniform(conv.weight, 1 / 6);
  const transposed = made(new nn.ConvTranspose2d(64, 16, 3));
  assertUniform(transposed.weight, 1 / 12);
  const lstm = made(new nn.LSTM(30, 49));
  for (const p of lstm.parameters()) assertUniform(p, 1 / 7);
  const attention = made(new nn.MultiheadAttention(48, 4));
  assertUniform(attention.in_proj_weight!, Math.sqrt(6 / (4 * 48)));
  assert.equal(attention.in_proj_bias!.abs().max().item(), 0);
  assert.equal(attention.out_proj.bias!.abs().max().item(), 0);
  const embedding = made(new nn.Embedding(200, 50, { paddingIdx: 3 }));
  assertNear(moments(embedding.weight.detach()).std, 1, 0.03);
  assert.equal(embedding.weight.detach().select(0, 3).abs().max().item(), 0);
  const norm = made(new nn.BatchNorm2d(4));
  assert.deepEqual(norm.weight!.tolist(), [1, 1, 1, 1]);
  assert.deepEqual(norm.running_var!.tolist(), [1, 1, 1, 1]);
});

test('init functions draw their distributions', () => {
  const generator = new Generator(5);
  const t = empty([64, 32, 3, 3]);
  const fanIn = 32 * 9;
  const fanOut = 64 * 9;
  assertUniform(init.uniform_(t, -2, 2, { generator }), 2);
  assertUniform(init.kaimingUniform_(t, { generator, a: Math.sqrt(5) }), 1 / Math.sqrt(fanIn));
  assertUniform(init.xavierUniform_(t, { generator, gain: 2 }), 2 * Math.sqrt(6 / (fanIn + fanOut)));
  assertNear(moments(init.normal_(t, 1, 3, { generator })).std, 3, 0.05);
  assertNear(
    moments(init.kaimingNormal_(t, { generator, mode: 'fanOut', nonlinearity: 'relu' })).std,
    Math.sqrt(2 / fanOut),
    1e-3,
  );
  assertNear(moments(init.xavierNormal_(t, { generator })).std, Math.sqrt(2 / (fanIn + fanOut)), 1e-3);
  assert.equal(init.constant_(t, 0.5).sum().item(), 0.5 * t.numel);
});

test('a truncated normal distribution keeps within its ends and has the right spread', () => {
  const t = init.truncNormal_(empty([200, 200]), 0.5, 2, -1.5, 2.5, { generator: new Generator(1) });
  const { mean, std, min, max } = moments(t);
  assert.ok(min >= -1.5 && max <= 2.5);
  assertNear(mean, 0.5, 0.02);
  // Of a normal distribution cut at one deviation: sqrt(1 - 2 φ(1) / (2 Φ(1) - 1)) = 0.539560 deviations.
  assertNear(std, 2 * 0.53956, 0.01);
});

test('an orthogonal matrix is orthogonal, whichever side is longer', () => {
  for (const shape of [
    [6, 4],
    [4, 6],
    [4, 3, 2],
  ]) {
    const t = init.orthogonal_(empty(shape), { generator: new Generator(2), gain: 2 }).flatten(1);
    const [rows, columns] = t.shape as [number, number];
    const gram = rows < columns ? t.mm(t.t()) : t.t().mm(t);
    const error = gram
      .sub(ops.eye(Math.min(rows, columns)).mul(4))
      .abs()
      .max()
      .item();
    assertNear(error, 0, 1e-5);
  }
});

test("an orthogonal float64 matrix is so to its last digits, and PyTorch's of that seed", () => {
  const t = init.orthogonal_(empty([2, 3], { dtype: 'float64' }), { generator: new Generator(5) });
  const expected = [
    [-0.5094381771884091, -0.6319267321652228, -0.584073068029963],
    [-0.012964818711991446, -0.6730407546061161, 0.7394917552718187],
  ];
  assertNear(
    t
      .sub(tensor(expected, { dtype: 'float64' }))
      .abs()
      .max()
      .item(),
    0,
    1e-14,
  );
});

test('a weight without elements is left alone', () => {
  for (const fill of [init.kaimingUniform_, init.kaimingNormal_, init.orthogonal_, init.xavierUniform_]) {
    const t = empty([0, 3]);
    assert.equal((fill as (t: Tensor) => Tensor)(t), t);
  }
});

test('a reparametrised layer draws its initial values as the plain one does', () => {
  const plain = new nn.Linear(4, 3).initialise(new Generator(6));
  const split = nn.weightNorm(new nn.Linear(4, 3)).initialise(new Generator(6));
  const spectral = nn.spectralNorm(new nn.Linear(4, 3)).initialise(new Generator(6));
  const x = ones([2, 4]);
  assertNear(plain.forward(x).sub(split.forward(x)).abs().max().item(), 0, 1e-6);
  assert.deepEqual(spectral.stateDict().get('weight_orig')?.tolist(), plain.weight.tolist());
});

test('a spectrally normalised weight has greatest singular value 1', () => {
  const layer = nn.spectralNorm(new nn.Linear(6, 5, { bias: false }), { nPowerIterations: 50 });
  layer.forward(ones([1, 6]));
  const weight = layer.eval().forward(ops.eye(6)).t();
  assertNear(ops.linalgMatrixNorm(weight, 2).item(), 1, 1e-4);
});

test('init draws the same values inside and outside a scope, and records nothing', () => {
  const layer = new nn.Linear(3, 3);
  init.normal_(layer.weight, 0, 1, { generator: new Generator(1) });
  assert.ok(layer.weight.isLeaf && layer.weight.requiresGrad);
});

test('dropout zeroes the given share, scales the rest, and passes gradients through the same mask', () => {
  const x = ones([200, 100], { requiresGrad: true });
  const y = F.dropout(x, 0.3, true, new Generator(7));
  const kept = y.detach().ne(0).to({ dtype: 'float32' });
  assertNear(kept.mean().item(), 0.7, 0.01);
  assertNear(y.max().item(), 1 / 0.7, 1e-6);
  y.sum().backward();
  assert.deepEqual(x.grad?.tolist(), y.tolist());
});

test('dropout repeats with its generator, and does nothing in evaluation', () => {
  const layer = new nn.Dropout(0.5);
  const x = ones([50]);
  const drawn = (seed: number) => layer.setGenerator(new Generator(seed)).forward(x).tolist();
  assert.deepEqual(drawn(1), drawn(1));
  assert.notDeepEqual(drawn(1), drawn(2));
  layer.eval();
  assert.equal(layer.forward(x), x);
  assert.equal(F.dropout(x, 1, true, new Generator(1)).sum().item(), 0);
});

test('setGenerator reaches the dropout of attention, LSTM and nested layers', () => {
  const encoder = new nn.TransformerEncoderLayer(8, 2, { dimFeedforward: 16, dropout: 0.4, batchFirst: true });
  const lstm = new nn.LSTM(8, 4, { numLayers: 3, dropout: 0.5, bidirectional: true });
  const x = ones([2, 5, 8]);
  const run = (seed: number) => {
    encoder.setGenerator(new Generator(seed));
    lstm.setGenerator(new Generator(seed));
    return [encoder.forward(x).tolist(), lstm.forward(x)[0].tolist()];
  };
  assert.deepEqual(run(1), run(1));
  const [[encodedA, hiddenA], [encodedB, hiddenB]] = [run(1), run(2)];
  assert.notDeepEqual(encodedA, encodedB);
  assert.notDeepEqual(hiddenA, hiddenB);
});

test('an LSTM with its own dropout off gives what libtorch gives for all layers at once', () => {
  const lstm = new nn.LSTM(3, 4, {
    numLayers: 3,
    dropout: 1e-12,
    bidirectional: true,
    batchFirst: true,
    dtype: 'float64',
  });
  const x = ops.randn([2, 5, 3], { dtype: 'float64', generator: new Generator(0) });
  for (const lengths of [null, [3, 5]]) {
    const [layerwise, [h, c]] = lstm.train().setGenerator(new Generator(0)).forward(x, null, { lengths });
    const [whole, [hWhole, cWhole]] = lstm.eval().forward(x, null, { lengths });
    for (const [a, b] of [
      [layerwise, whole],
      [h, hWhole],
      [c, cWhole],
    ] as const) {
      assertNear(a.sub(b).abs().max().item(), 0, 1e-10);
    }
  }
});

test('dropout of channels and of samples zeroes whole ones', () => {
  const x = ones([40, 30, 4, 4]);
  const channels = new nn.Dropout2d(0.5).setGenerator(new Generator(3)).forward(x).mean([2, 3]);
  assert.deepEqual([...new Set(channels.data() as Float32Array)].sort(), [0, 2]);
  const samples = new nn.DropPath(0.5).setGenerator(new Generator(3)).forward(x).mean([1, 2, 3]);
  assert.deepEqual([...new Set(samples.data() as Float32Array)].sort(), [0, 2]);
});

test('a weight may have one length for all of it', () => {
  const layer = nn.weightNorm(new nn.Linear(3, 2, { bias: false }), { dim: null });
  const state = layer.stateDict();
  assert.deepEqual(state.get('weight_g')!.shape, []);
  const weight = layer.forward(ops.eye(3)).t();
  const expected = state.get('weight_v')!;
  assertNear(weight.sub(expected).abs().max().item(), 0, 1e-6);
  assertNear(state.get('weight_g')!.item(), expected.norm().item(), 1e-6);
});
