/** Options of losses, convolutions, pooling, activations and attention against PyTorch: values and gradients. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as nn from 'headrace/nn';
import { ConfigError, DataError, ones, randn, ShapeError, scope, Tensor, tensor, zeros } from 'headrace/torch';
import { assertClose, type LayerCase, loadState, type Packed, readGolden, unpack, weighed } from '../golden/golden.js';

const golden = readGolden<{
  cases: Record<string, LayerCase>;
  masks: Record<'pad' | 'floatPad' | 'pairs' | 'each' | 'scores' | 'boolEach', Packed> &
    Record<'attention' | 'layer', Record<string, Packed>>;
}>('variants.json');
const F = nn.functional;

type Call = (...inputs: Tensor[]) => Tensor | readonly Tensor[];
const weight = tensor([0.5, 1, 2, 0.25], { dtype: 'float64' });
const calls: Record<string, Call> = {};

for (const reduction of ['none', 'mean', 'sum'] as const) {
  const losses: Record<string, (x: Tensor, t: Tensor, u: Tensor, v: Tensor) => Tensor> = {
    crossEntropy: (x, t) => F.crossEntropy(x, t, { reduction }),
    'crossEntropy weighted ignoring': (x, t) => F.crossEntropy(x, t, { weight, ignoreIndex: 1, reduction }),
    'crossEntropy smoothed': (x, t) =>
      new nn.CrossEntropyLoss({ weight, ignoreIndex: 3, labelSmoothing: 0.2, reduction }).forward(x, t),
    'crossEntropy of probabilities smoothed': (x, t) =>
      F.crossEntropy(x, t.softmax(1), { weight, labelSmoothing: 0.3, reduction }),
    nllLoss: (x, t) => F.nllLoss(x.logSoftmax(1), t, { weight, ignoreIndex: 2, reduction }),
    mseLoss: (x, t) => new nn.MSELoss({ reduction }).forward(x, t),
    l1Loss: (x, t) => new nn.L1Loss({ reduction }).forward(x, t),
    smoothL1Loss: (x, t) => F.smoothL1Loss(x, t, { beta: 0.5, reduction }),
    'smoothL1Loss of beta 0': (x, t) => F.smoothL1Loss(x, t, { beta: 0, reduction }),
    huberLoss: (x, t) => F.huberLoss(x, t, { delta: 0.7, reduction }),
    bce: (x, t, w) => F.binaryCrossEntropy(x.sigmoid(), t.detach(), { weight: w.detach(), reduction }),
    bceWithLogits: (x, t, w, p) =>
      F.binaryCrossEntropyWithLogits(x, t.detach(), { weight: w.detach(), posWeight: p.detach(), reduction }),
    klDiv: (x, t) => F.klDiv(x.logSoftmax(1), t.softmax(1), { reduction }),
    'klDiv of logarithms': (x, t) => F.klDiv(x.logSoftmax(1), t.logSoftmax(1), { reduction, logTarget: true }),
    cosineEmbedding: (a, b, t) => F.cosineEmbeddingLoss(a, b, t, { margin: 0.2, reduction }),
    marginRanking: (a, b, t) => F.marginRankingLoss(a, b, t, { margin: 0.5, reduction }),
    hingeEmbedding: (x, t) => F.hingeEmbeddingLoss(x, t, { margin: 0.8, reduction }),
    softMargin: (x, t) => F.softMarginLoss(x, t, { reduction }),
    tripletMargin: (a, b, c) => F.tripletMarginLoss(a, b, c, { margin: 0.8, p: 1, eps: 1e-3, swap: true, reduction }),
    gaussianNll: (x, t, v) => F.gaussianNllLoss(x, t, v, { full: true, reduction }),
    'gaussianNll of a variance per row': (x, t, v) => F.gaussianNllLoss(x, t, v, { reduction }),
    'gaussianNll of a variance per row, kept': (x, t, v) => F.gaussianNllLoss(x, t, v, { reduction }),
    'gaussianNll of small variances': (x, t, v) => F.gaussianNllLoss(x, t, v, { eps: 0.5, reduction }),
    poissonNll: (x, t) => F.poissonNllLoss(x, t.detach(), { reduction }),
    'poissonNll full': (x, t) =>
      F.poissonNllLoss(x.exp(), t.detach().mul(3), { logInput: false, full: true, eps: 1e-4, reduction }),
    ctc: (x, t) => F.ctcLoss(x.logSoftmax(2), t, [6, 5], [3, 2], { blank: 1, reduction, zeroInfinity: true }),
  };
  for (const [name, call] of Object.entries(losses)) calls[`${name} ${reduction}`] = call as Call;
}
calls['klDiv batchmean'] = (x, t) => F.klDiv(x!.logSoftmax(1), t!.softmax(1), { reduction: 'batchmean' });

for (const [n, convolve] of [F.conv1d, F.conv2d, F.conv3d].entries()) {
  for (const padding of ['same', 'valid'] as const) {
    for (const kernel of [3, 2]) {
      for (const dilation of [1, 2]) {
        calls[`conv${n + 1}d ${padding} kernel ${kernel} dilation ${dilation}`] = (x, w, b) =>
          convolve(x!, w!, b, { padding, dilation });
      }
    }
  }
}
calls['conv2d same grouped'] = (x, w) => F.conv2d(x!, w!, null, { padding: 'same', groups: 2, dilation: [2, 1] });
for (const paddingMode of ['zeros', 'reflect', 'replicate', 'circular'] as const) {
  calls[`Conv2d same ${paddingMode}`] = (x, w, b) => {
    const layer = new nn.Conv2d(2, 3, [4, 3], { padding: 'same', dilation: [1, 2], paddingMode, dtype: 'float64' });
    // The inputs themselves, so that the gradients are theirs.
    Object.assign(layer, { weight: w, bias: b });
    return layer.forward(x!);
  };
}

for (const [n, [pool, unpool, adaptive]] of (
  [
    [F.maxPool1d, F.maxUnpool1d, F.adaptiveMaxPool1d],
    [F.maxPool2d, F.maxUnpool2d, F.adaptiveMaxPool2d],
    [F.maxPool3d, F.maxUnpool3d, F.adaptiveMaxPool3d],
  ] as const
).entries()) {
  const d = `${n + 1}d`;
  calls[`maxPool${d} with indices`] = (x) => pool(x!, 2, { returnIndices: true });
  calls[`maxPool${d} padded with indices`] = (x) =>
    pool(x!, 3, { stride: 2, padding: 1, ceilMode: true, returnIndices: true });
  calls[`maxUnpool${d}`] = (x) => unpool(...pool(x!, 2, { returnIndices: true }), 2);
  calls[`maxUnpool${d} of a size`] = (x) =>
    unpool(...pool(x!, 2, { returnIndices: true }), 2, { outputSize: x!.shape });
  calls[`adaptiveMaxPool${d} with indices`] = (x) => adaptive(x!, 2, { returnIndices: true });
}

const activations: Record<string, readonly nn.UnaryModule[]> = {
  ELU: [new nn.ELU(2), new nn.ELU({ alpha: 2 })],
  CELU: [new nn.CELU(0.5), new nn.CELU({ alpha: 0.5 })],
  LeakyReLU: [new nn.LeakyReLU(0.3), new nn.LeakyReLU({ negativeSlope: 0.3 })],
  Softplus: [new nn.Softplus(2, 3), new nn.Softplus({ beta: 2, threshold: 3 })],
  Hardtanh: [new nn.Hardtanh(-0.5, 2), new nn.Hardtanh({ minVal: -0.5, maxVal: 2 })],
  Hardshrink: [new nn.Hardshrink(0.7), new nn.Hardshrink({ lambd: 0.7 })],
  Softshrink: [new nn.Softshrink(0.7), new nn.Softshrink({ lambd: 0.7 })],
  GELU: [new nn.GELU({ approximate: 'tanh' })],
  GLU: [new nn.GLU(0), new nn.GLU({ dim: 0 })],
  SELU: [new nn.SELU()],
  Mish: [new nn.Mish()],
  Hardsigmoid: [new nn.Hardsigmoid()],
  Threshold: [new nn.Threshold(0.2, -3)],
};
for (const [name, forms] of Object.entries(activations)) {
  calls[`activation ${name}`] = (x) => {
    const [first, ...others] = forms.map((form) => form.forward(x!.mul(2)));
    for (const other of others) assert.deepEqual(other.tolist(), first!.tolist());
    return first!;
  };
}

calls['embedding of short rows'] = (i, w) => F.embedding(i!, w!.clone(), null, { maxNorm: 0.8, normType: 1 });
calls['embedding scaled by frequency'] = (i, w) => {
  const layer = new nn.Embedding(6, 3, { paddingIdx: -1, scaleGradByFreq: true, dtype: 'float64' });
  Object.assign(layer, { weight: w });
  return layer.forward(i!);
};

const mask = (name: keyof typeof golden.masks): Tensor => unpack(golden.masks[name] as Packed);
const attnMasks = {
  none: null,
  bool: mask('pairs'),
  float: mask('scores'),
  'per head': mask('each'),
  'bool per head': mask('boolEach'),
};
const keyMasks = { none: null, bool: mask('pad'), float: mask('floatPad') };

function attention(): nn.MultiheadAttention {
  const layer = new nn.MultiheadAttention(6, 2, { dtype: 'float64' });
  loadState(layer, golden.masks.attention, 'float64');
  return layer;
}

function encoderLayer(): nn.TransformerEncoderLayer {
  const layer = new nn.TransformerEncoderLayer(6, 2, { dimFeedforward: 8, dropout: 0, dtype: 'float64' });
  loadState(layer, golden.masks.layer, 'float64');
  return layer;
}

for (const [a, attnMask] of Object.entries(attnMasks)) {
  for (const [k, keyPaddingMask] of Object.entries(keyMasks)) {
    calls[`attention ${a} ${k}`] = (x) =>
      attention().forward(x!, x!, x!, { attnMask, keyPaddingMask }) as [Tensor, Tensor];
  }
}
calls['attention of one sequence'] = (x) =>
  attention().forward(x!, x!, x!, { keyPaddingMask: mask('pad').select(0, 0), attnMask: mask('pairs') }) as [
    Tensor,
    Tensor,
  ];
calls['attention of one sequence and others'] = (x, y) =>
  attention().forward(x!, y!, y!, { attnMask: mask('each').narrow(0, 0, 2).narrow(1, 0, 3) }) as [Tensor, Tensor];
calls['encoder masked'] = (x) =>
  new nn.TransformerEncoder(encoderLayer, 2).forward(x!, { mask: mask('pairs'), srcKeyPaddingMask: mask('pad') });
calls['encoder layer of one sequence'] = (x) => encoderLayer().forward(x!, { srcMask: mask('scores') });

test('every stored case is tested, and no other', () => {
  assert.deepEqual(Object.keys(calls).sort(), Object.keys(golden.cases).sort());
});

for (const [name, stored] of Object.entries(golden.cases)) {
  test(`${name} gives PyTorch's values and gradients`, () => {
    scope(() => {
      const inputs = stored.inputs.map((packed) => unpack(packed));
      for (const x of inputs) x.requiresGrad = x.dtype === 'float64';
      const result = calls[name]!(...inputs);
      const outputs = result instanceof Tensor ? [result] : result;
      assert.equal(outputs.length, stored.outputs.length, 'number of outputs');
      for (const [i, out] of outputs.entries()) assertClose(out, stored.outputs[i]!, 1e-10, `output ${i}`);
      weighed(outputs.filter((out) => out.requiresGrad)).backward();
      stored.inputGrads?.forEach((grad, i) => {
        if (grad) assertClose(inputs[i]!.grad, grad, 1e-9, `gradient of input ${i}`);
      });
    });
  });
}

test('isCausal alone is the causal mask, and with a mask a hint', () => {
  const x = randn([4, 2, 6], { dtype: 'float64' });
  const [masked] = attention().forward(x, x, x, { attnMask: mask('pairs') });
  for (const o of [
    { isCausal: true },
    { isCausal: true, attnMask: mask('pairs') },
    { isCausal: true, needWeights: false },
  ]) {
    const [causal] = attention().forward(x, x, x, o);
    assert.ok(causal.sub(masked).abs().max().item() < 1e-12);
  }
  const stack = new nn.TransformerEncoder(encoderLayer, 2);
  const whole = stack.forward(x, { mask: mask('pairs') });
  for (const o of [{ isCausal: true }, { srcMask: mask('pairs') }]) {
    assert.ok(stack.forward(x, o).sub(whole).abs().max().item() < 1e-12);
  }
});

test('masks of whole numbers or of other shapes are refused', () => {
  const x = randn([4, 2, 6], { dtype: 'float64' });
  const m = attention();
  assert.throws(() => m.forward(x, x, x, { keyPaddingMask: zeros([2, 4], { dtype: 'int64' }) }), {
    name: 'ConfigError',
    message: /keyPaddingMask to be boolean, or floating .* got int64/,
  });
  assert.throws(() => m.forward(x, x, x, { attnMask: ones([4, 4], { dtype: 'uint8' }) }), ConfigError);
  assert.throws(() => m.forward(x, x, x, { keyPaddingMask: zeros([4, 2], { dtype: 'bool' }) }), {
    name: 'ShapeError',
    message: /keyPaddingMask of shape \[2,4\], got \[4,2\]/,
  });
  assert.throws(() => m.forward(x, x, x, { attnMask: zeros([2, 4, 4]) }), ShapeError);
  const [q, allowed] = [randn([2, 3, 4]), zeros([3, 3], { dtype: 'int64' })];
  assert.throws(() => F.scaledDotProductAttention(q, q, q, { attnMask: allowed }), ConfigError);
  const half = ones([3, 3], { dtype: 'bool' }).tril();
  const masked = F.scaledDotProductAttention(q, q, q, { attnMask: half });
  assert.deepEqual(masked.tolist(), F.scaledDotProductAttention(q, q, q, { mask: half }).tolist());
  assert.throws(() => F.scaledDotProductAttention(q, q, q, { attnMask: half, isCausal: true }), ConfigError);
});

test('losses refuse a target that would be stretched over all pairs', () => {
  const [x, t] = [zeros([4]), zeros([4, 1])];
  for (const loss of [
    F.mseLoss,
    F.l1Loss,
    F.smoothL1Loss,
    F.huberLoss,
    F.binaryCrossEntropy,
    F.binaryCrossEntropyWithLogits,
  ]) {
    assert.throws(() => loss(x, t), { name: 'ShapeError', message: /input's shape \[4\] in \w+, got \[4,1\]/ });
  }
  assert.throws(() => F.marginRankingLoss(x, x, t), ShapeError);
  assert.throws(() => F.gaussianNllLoss(zeros([3, 4]), zeros([3, 4]), ones([4])), ShapeError);
  assert.throws(() => F.gaussianNllLoss(zeros([]), zeros([]), ones([1])), ShapeError);
  // One variance for a vector: log(2)/2 + (1 + 4)/2 / (2 * 2).
  const vector = [zeros([2]), tensor([1, 2])] as const;
  for (const variance of [tensor([2]), tensor(2)]) {
    assert.ok(Math.abs(F.gaussianNllLoss(...vector, variance).item() - (Math.log(2) / 2 + 5 / 8)) < 1e-6);
  }
  assert.throws(() => F.gaussianNllLoss(zeros([3]), zeros([3]), tensor([1, -1, 1])), DataError);
});

test("padding 'same' with a stride is refused by functions as by layers", () => {
  const x = randn([1, 2, 5, 5]);
  assert.throws(() => new nn.Conv2d(2, 2, 3, { padding: 'same', stride: 2 }), ConfigError);
  assert.throws(() => F.conv2d(x, randn([2, 2, 3, 3]), null, { padding: 'same', stride: 2 }), {
    name: 'TorchError',
    message: /strided/,
  });
  assert.throws(() => F.conv2d(x, randn([2, 2, 3, 3]), null, { padding: 'full' as 'same' }), ConfigError);
  assert.throws(
    () => F.convTranspose2d(x, randn([2, 2, 3, 3]), null, { padding: 'same' as unknown as number }),
    ConfigError,
  );
});

test('one value per channel has no variance: refused in training, by layers and functions', () => {
  const refused = (call: () => unknown, message: RegExp): void =>
    assert.throws(call, (error) => error instanceof ShapeError && message.test(error.message));
  const several = /more than 1 value per channel when training, got input size \[/;
  const norms: readonly [nn.UnaryModule, number[]][] = [
    [new nn.BatchNorm1d(3), [1, 3]],
    [new nn.BatchNorm1d(3), [1, 3, 1]],
    [new nn.BatchNorm2d(3), [1, 3, 1, 1]],
    [new nn.BatchNorm3d(3), [1, 3, 1, 1, 1]],
  ];
  for (const [norm, shape] of norms) {
    refused(() => norm.forward(randn(shape)), several);
    assert.deepEqual(
      [...norm.buffers()].map((b) => b.sum().item()),
      [0, 3, 0],
      'nothing has changed',
    );
    norm.eval().forward(randn(shape));
    norm.train().forward(randn([2, ...shape.slice(1)]));
  }
  const norm = new nn.BatchNorm2d(3);
  refused(() => norm.forwardRelu(randn([1, 3, 1, 1])), several);
  refused(() => new nn.BatchNorm1d(3, { trackRunningStats: false }).eval().forward(randn([1, 3])), several);
  const [one, state] = [randn([1, 3, 1, 1]), [zeros([3]), ones([3])] as const];
  refused(() => F.batchNorm(one, ...state, null, null, { training: true }), several);
  refused(() => F.batchNormRelu(one, ...state, null, null, { training: true }), several);
  F.batchNorm(one, ...state);
  F.batchNormRelu(one, ...state);
  const places = /more than 1 spatial element when training, got input size \[/;
  refused(() => new nn.InstanceNorm1d(3).forward(randn([2, 3, 1])), places);
  refused(() => new nn.InstanceNorm2d(3).forward(randn([3, 1, 1])), places);
  refused(() => F.instanceNorm(randn([2, 3, 1])), places);
  const tracked = new nn.InstanceNorm1d(3, { trackRunningStats: true });
  refused(() => tracked.forward(randn([2, 3, 1])), places);
  tracked.eval().forward(randn([2, 3, 1]));
  // As PyTorch counts: [2, 4] in 4 groups passes, one image of as many groups as channels does not.
  refused(() => new nn.GroupNorm(4, 4).forward(randn([1, 4, 1, 1])), several);
  refused(() => F.groupNorm(randn([1, 4]), 4), several);
  assert.ok(
    new nn.GroupNorm(4, 4)
      .forward(randn([2, 4]))
      .abs()
      .max()
      .item() < 1e-2,
  );
});

test('an empty batch passes and leaves the running statistics alone', () => {
  const norm = new nn.BatchNorm2d(3);
  assert.deepEqual(norm.forward(zeros([0, 3, 2, 2])).shape, [0, 3, 2, 2]);
  assert.deepEqual(norm.forwardRelu(zeros([0, 3, 2, 2])).shape, [0, 3, 2, 2]);
  assert.deepEqual(
    [norm.running_mean!.tolist(), norm.running_var!.tolist()],
    [
      [0, 0, 0],
      [1, 1, 1],
    ],
  );
});
