/** Every layer, function and initialiser refuses options that it does not read, and values that make no sense. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as nn from 'headrace/nn';
import { ConfigError, ones, randn, type Tensor, tensor, zeros } from 'headrace/torch';

const F = nn.functional;
type Make = (...args: unknown[]) => unknown;

/** Required arguments of each class that takes options; none for those that take none. */
const classes: Readonly<Record<string, readonly unknown[]>> = {
  ...Object.fromEntries(
    `ReLU ReLU6 SiLU Hardswish SELU Mish Hardsigmoid LeakyReLU ELU CELU GELU Hardtanh Softplus Hardshrink Softshrink GLU
    PReLU CosineSimilarity PairwiseDistance Dropout Dropout1d Dropout2d DropPath Flatten Upsample CrossEntropyLoss NLLLoss
    BCELoss BCEWithLogitsLoss MSELoss L1Loss SmoothL1Loss HuberLoss KLDivLoss CosineEmbeddingLoss MarginRankingLoss
    HingeEmbeddingLoss SoftMarginLoss TripletMarginLoss GaussianNLLLoss PoissonNLLLoss CTCLoss
    MultiMarginLoss MultiLabelMarginLoss MultiLabelSoftMarginLoss TripletMarginWithDistanceLoss RReLU Transformer
    MinibatchStdDev PixelNorm`
      .split(/\s+/)
      .map((name) => [name, []]),
  ),
  Softmax: [],
  Softmin: [],
  LogSoftmax: [],
  Threshold: [0, 1],
  Linear: [2, 3],
  Bilinear: [2, 2, 3],
  EqualizedLinear: [2, 3],
  EqualizedConv2d: [2, 2, 1],
  ModulatedConv2d: [2, 2, 1, 2],
  Embedding: [4, 2],
  Conv1d: [2, 2, 1],
  Conv2d: [2, 2, 1],
  Conv3d: [2, 2, 1],
  ConvTranspose1d: [2, 2, 1],
  ConvTranspose2d: [2, 2, 1],
  ConvTranspose3d: [2, 2, 1],
  MaxPool1d: [2],
  MaxPool2d: [2],
  MaxPool3d: [2],
  MaxUnpool1d: [2],
  MaxUnpool2d: [2],
  MaxUnpool3d: [2],
  AvgPool1d: [2],
  AvgPool2d: [2],
  AvgPool3d: [2],
  AdaptiveMaxPool1d: [2],
  AdaptiveMaxPool2d: [2],
  AdaptiveMaxPool3d: [2],
  BatchNorm1d: [2],
  BatchNorm2d: [2],
  BatchNorm3d: [2],
  SyncBatchNorm: [2],
  InstanceNorm1d: [2],
  InstanceNorm2d: [2],
  InstanceNorm3d: [2],
  LayerNorm: [2],
  GroupNorm: [1, 2],
  Unfold: [2],
  Fold: [[4, 4], 2],
  LSTM: [2, 2],
  RNN: [2, 2],
  RNNCell: [2, 2],
  LSTMCell: [2, 2],
  GRUCell: [2, 2],
  EmbeddingBag: [4, 2],
  LPPool1d: [2, 2],
  LPPool2d: [2, 2],
  LocalResponseNorm: [2],
  TransformerDecoderLayer: [4, 2],
  GRU: [2, 2],
  MultiheadAttention: [4, 2],
  TransformerEncoderLayer: [4, 2],
};

/** Classes whose arguments are all required, or are modules and parameters. */
const plain = new Set(
  `Module Parameter StepGenerators Identity Sequential ModuleList ModuleDict ParameterList TransformerEncoder Tanh Sigmoid
  LogSigmoid Softsign Tanhshrink Unflatten PixelShuffle PixelUnshuffle AdaptiveAvgPool1d AdaptiveAvgPool2d
  AdaptiveAvgPool3d ReflectionPad1d ReflectionPad2d ReplicationPad1d ReplicationPad2d ConstantPad1d ConstantPad2d ZeroPad2d
  NonDynamicallyQuantizableLinear ParameterDict TransformerDecoder ChannelShuffle Softmax2d ReflectionPad3d
  ReplicationPad3d ConstantPad3d`.split(/\s+/),
);

const make = (name: string, ...args: unknown[]): unknown => {
  const Class = (nn as unknown as Record<string, new (...args: unknown[]) => unknown>)[name]!;
  return new Class(...args);
};

test('every exported class refuses an option that it does not read, by name', () => {
  for (const [name, exported] of Object.entries(nn)) {
    if (typeof exported !== 'function' || !/^class\b/.test(String(exported)) || plain.has(name)) continue;
    const args = classes[name];
    assert.ok(args, `${name}: add it to the table`);
    assert.throws(
      () => make(name, ...args, { bogus: 1 }),
      (error) =>
        error instanceof ConfigError && error.message.includes(`${name} among`) && error.message.includes('got bogus'),
      name,
    );
    if (!name.includes('oftm')) make(name, ...args, {});
  }
});

const x = zeros([2, 2, 4, 4]);
const line = zeros([2, 2, 4]);
const cube = zeros([1, 2, 4, 4, 4]);
const classesOf = tensor([0, 1], { dtype: 'int64' });
const pair = [zeros([2, 3]), zeros([2, 3])] as const;
const kernel = (n: number): Tensor => ones([2, 2, ...new Array<number>(n).fill(1)]);

/** Arguments of each function that takes options, up to them. */
const functions: Readonly<Record<string, readonly unknown[]>> = {
  ...Object.fromEntries(
    'relu relu6 silu hardswish selu mish hardsigmoid leakyRelu elu celu gelu hardtanh softplus hardshrink softshrink glu'
      .split(' ')
      .map((name) => [name, [x]]),
  ),
  ...Object.fromEntries(
    `mseLoss l1Loss smoothL1Loss huberLoss binaryCrossEntropy binaryCrossEntropyWithLogits klDiv hingeEmbeddingLoss
    softMarginLoss poissonNllLoss cosineSimilarity pairwiseDistance`
      .split(/\s+/)
      .map((name) => [name, pair]),
  ),
  multiMarginLoss: [pair[0], classesOf],
  multilabelMarginLoss: [pair[0], zeros([2, 3], { dtype: 'int64' })],
  multilabelSoftMarginLoss: pair,
  tripletMarginWithDistanceLoss: [...pair, pair[0]],
  lpPool1d: [line, 2, 2],
  lpPool2d: [x, 2, 2],
  localResponseNorm: [x, 2],
  gumbelSoftmax: [pair[0]],
  threshold: [x, 0, 1],
  softmax: [x, 1],
  upfirdn2d: [x, ones([2])],
  softmin: [x, 1],
  logSoftmax: [x, 1],
  crossEntropy: [pair[0], classesOf],
  nllLoss: [pair[0], classesOf],
  cosineEmbeddingLoss: [...pair, classesOf],
  marginRankingLoss: [...pair, pair[0]],
  tripletMarginLoss: [...pair, pair[0]],
  gaussianNllLoss: [...pair, pair[0]],
  ctcLoss: [zeros([2, 2, 3]), ones([2, 1], { dtype: 'int64' }), [2, 2], [1, 1]],
  conv1d: [line, kernel(1), null],
  conv2d: [x, kernel(2), null],
  conv3d: [cube, kernel(3), null],
  convTranspose1d: [line, kernel(1), null],
  convTranspose2d: [x, kernel(2), null],
  convTranspose3d: [cube, kernel(3), null],
  maxPool1d: [line, 2],
  maxPool2d: [x, 2],
  maxPool3d: [cube, 2],
  avgPool1d: [line, 2],
  avgPool2d: [x, 2],
  avgPool3d: [cube, 2],
  adaptiveMaxPool1d: [line, 2],
  adaptiveMaxPool2d: [x, 2],
  adaptiveMaxPool3d: [cube, 2],
  maxUnpool1d: [line, zeros([2, 2, 4], { dtype: 'int64' }), 2],
  maxUnpool2d: [x, zeros([2, 2, 4, 4], { dtype: 'int64' }), 2],
  maxUnpool3d: [cube, zeros([1, 2, 4, 4, 4], { dtype: 'int64' }), 2],
  batchNorm: [x, zeros([2]), ones([2]), null, null],
  batchNormRelu: [x, zeros([2]), ones([2]), null, null],
  normalize: [x],
  interpolate: [x],
  pad: [x, [1, 1]],
  gridSample: [x, zeros([2, 1, 1, 2])],
  affineGrid: [zeros([1, 2, 3]), [1, 1, 2, 2]],
  unfold: [x, 2],
  fold: [zeros([1, 4, 1]), [2, 2], 2],
  scaledDotProductAttention: [line, line, line],
  attentionWeights: [line, line],
  embedding: [classesOf, pair[0]],
};

/** Functions without options. */
const bare = new Set(
  `prelu tanh sigmoid logsigmoid softsign tanhshrink linear bilinear oneHot layerNorm groupNorm instanceNorm
  adaptiveAvgPool1d adaptiveAvgPool2d adaptiveAvgPool3d pixelShuffle pixelUnshuffle dropout dropout1d dropout2d dropout3d
  featureDropout dropPath upsampleFir downsampleFir squaredGradients pathLengths`.split(/\s+/),
);

test('every exported function refuses an option that it does not read, by name', () => {
  for (const [name, exported] of Object.entries(F)) {
    if (typeof exported !== 'function' || bare.has(name)) continue;
    const args = functions[name];
    assert.ok(args, `${name}: add it to the table`);
    assert.throws(
      () => (exported as Make)(...args, { bogus: 1 }),
      (error) =>
        error instanceof ConfigError && error.message.includes(`${name} among`) && error.message.includes('got bogus'),
      name,
    );
  }
});

test('initialisers, wrappers and module methods refuse options that they do not read', () => {
  const w = zeros([2, 2]);
  const init = nn.init as unknown as Record<string, Make>;
  for (const name of [
    'uniform_',
    'normal_',
    'truncNormal_',
    'xavierUniform_',
    'xavierNormal_',
    'kaimingUniform_',
    'kaimingNormal_',
    'orthogonal_',
  ]) {
    assert.throws(() => init[name]!(w, { bogus: 1 }), ConfigError, name);
  }
  const layer = new nn.Linear(2, 2);
  const refused = (call: () => unknown, message: RegExp): void =>
    assert.throws(call, (error) => error instanceof ConfigError && message.test(error.message), String(message));
  refused(() => nn.init.kaimingNormal_(w, { nonlinearity: 'leaky_relu' as 'relu' }), /nonlinearity of kaimingNormal_/);
  refused(() => nn.init.kaimingNormal_(w, { mode: 'fan_in' as 'fanIn' }), /mode of kaimingNormal_/);
  refused(() => nn.init.calculateGain('gelu' as 'relu'), /nonlinearity of calculateGain/);
  refused(() => nn.init.normal_(w, 0, -1), /std of normal_ to be a number >= 0, got -1/);
  refused(() => nn.weightNorm(layer, { axis: 1 } as object), /weightNorm among/);
  refused(() => nn.spectralNorm(layer, { n_power_iterations: 2 } as object), /Did you mean nPowerIterations/);
  refused(() => layer.to('cuda' as never), /Linear.to in an object, \{ device/);
  refused(() => layer.to({ memory_format: 'channelsLast' } as object), /Did you mean memoryFormat/);
  refused(() => layer.loadStateDict({}, { stric: false } as object), /Did you mean strict/);
  refused(() => layer.train('false' as never), /train\(true\) or train\(false\), got false/);
  refused(() => new nn.Parameter([1, 2] as never), /a tensor for a Parameter, got object/);
  const attention = new nn.MultiheadAttention(4, 2);
  const q = randn([3, 1, 4]);
  refused(() => attention.forward(q, q, q, { key_padding_mask: null } as object), /Did you mean keyPaddingMask/);
  refused(
    () => new nn.TransformerEncoderLayer(4, 2).forward(q, { mask: null } as object),
    /TransformerEncoderLayer.forward among srcMask/,
  );
  refused(() => new nn.LSTM(4, 2).forward(q, null, { length: [3] } as object), /Did you mean lengths/);
});

test('what PyTorch has and this has not is said to be so', () => {
  for (const [name, option] of [
    ['Embedding', 'sparse'],
    ['LSTM', 'projSize'],
    ['MultiheadAttention', 'add_zero_attn'],
    ['Upsample', 'recompute_scale_factor'],
    ['MSELoss', 'size_average'],
  ] as const) {
    const message = new RegExp(`^${name} does not support ${option}, which PyTorch has`);
    assert.throws(() => make(name, ...classes[name]!, { [option]: 1 }), { name: 'ConfigError', message });
  }
});

test('values that make no sense are refused when a layer is made, with what was expected', () => {
  const refused = (call: () => unknown, message: RegExp): void =>
    assert.throws(call, (error) => error instanceof ConfigError && message.test(error.message), String(message));
  refused(() => make('Linear', 2, 3, { bais: false }), /got bais. Did you mean bias/);
  refused(
    () => make('Linear', 2, 3, false),
    /options of Linear in an object, \{ bias, device, dtype \}, got boolean false/,
  );
  refused(() => make('Linear', 2, 3, { constructor: 1 }), /got constructor/);
  refused(() => make('Linear', -1, 3), /inFeatures of Linear to be a whole number >= 0, got -1/);
  refused(() => make('Linear', '2', 3), /inFeatures of Linear to be a whole number >= 0, got '2'/);
  refused(() => make('Linear', 2), /outFeatures of Linear to be a whole number >= 0, got undefined/);
  refused(() => make('Linear', 2.5, 3), /got 2.5/);
  refused(() => make('Linear', 2, 3, { bias: 'no' }), /bias of Linear to be true or false, got 'no'/);
  refused(() => make('Linear', 2, 3, { bias: 0 }), /bias of Linear to be true or false, got 0/);
  refused(() => make('Conv2d', 3, 8, 0), /kernelSize of Conv2d to be a whole number >= 1 or a list of them, got 0/);
  refused(() => make('Conv2d', 3, 8, [3, 0]), /got \[3, 0\]/);
  refused(() => make('Conv2d', 3, 8, [3, 3, 3]), /kernelSize as a number or 2 numbers/);
  refused(() => make('Conv2d', 3, 8, 3, 1, 1), /options of Conv2d in an object.*got number 1/);
  refused(() => make('Conv2d', 3, 8, 3, { stride: 0 }), /stride of Conv2d/);
  refused(() => make('Conv2d', 3, 8, 3, { padding: -1 }), /padding of Conv2d/);
  refused(() => make('Conv2d', 3, 8, 3, { padding: 'full' }), /'same' or 'valid', got 'full'/);
  refused(() => make('Conv2d', 3, 8, 3, { groups: 0 }), /groups of Conv2d to be a whole number >= 1, got 0/);
  refused(() => make('Conv2d', 3, 8, 3, { groups: 2 }), /groups that divide/);
  refused(() => make('Conv2d', 3, 8, 3, { paddingMode: 'mirror' }), /paddingMode of Conv2d to be 'zeros' or/);
  refused(() => make('MaxPool2d', 2, 2), /options of MaxPool2d in an object.*got number 2/);
  refused(() => make('MaxPool2d', 0), /kernelSize of MaxPool2d/);
  refused(() => make('AvgPool2d', 2, { divisorOverride: 0 }), /divisorOverride of AvgPool2d/);
  refused(() => make('Dropout', 1.5), /p of Dropout to be a number >= 0 and <= 1, got 1.5/);
  refused(() => make('Dropout', Number.NaN), /got NaN/);
  refused(() => make('Dropout', { p: -0.1 }), /got -0.1/);
  refused(() => make('BatchNorm2d', 3, 1e-3), /options of BatchNorm2d in an object/);
  refused(() => make('BatchNorm2d', 3, { eps: '1e-3' }), /eps of BatchNorm2d to be a number >= 0, got '1e-3'/);
  refused(() => make('GroupNorm', 3, 4), /groups that divide/);
  refused(() => make('GroupNorm', 0, 4), /numGroups of GroupNorm/);
  refused(() => make('Embedding', 4, 2, { paddingIdx: 4 }), /paddingIdx of Embedding within its 4 rows, got 4/);
  refused(() => make('MultiheadAttention', 4, 3), /numHeads that divides/);
  refused(() => make('LSTM', 2, 0), /hiddenSize of LSTM/);
  refused(() => make('LSTM', 2, 2, { numLayers: 0 }), /numLayers of LSTM/);
  refused(() => make('LSTM', 2, 2, { dropout: 2 }), /dropout of LSTM/);
  refused(() => make('Softmax'), /dim of Softmax to be a whole number, got undefined/);
  refused(() => make('ELU', 1, true), /options of ELU in an object.*got boolean true/);
  refused(() => make('Hardtanh', 1, -1), /maxVal above minVal/);
  refused(
    () => make('CrossEntropyLoss', tensor([1, 2])),
    /options of CrossEntropyLoss in an object.*got Tensor\(float32\[2\]\)/,
  );
  refused(
    () => make('CrossEntropyLoss', { weight: [1, 2] }),
    /weight of CrossEntropyLoss to be a tensor or null, got \[1, 2\]/,
  );
  refused(() => make('CrossEntropyLoss', { labelSmoothing: 2 }), /labelSmoothing of CrossEntropyLoss/);
  refused(
    () => make('MSELoss', { reduction: 'avg' }),
    /reduction of MSELoss to be 'none' or 'mean' or 'sum', got 'avg'/,
  );
  refused(() => make('ReflectionPad2d', [1, 2]), /a number or 4 numbers/);
  refused(() => make('ConstantPad2d', 1), /value of ConstantPad2d/);
  refused(() => make('Upsample', 2), /options of Upsample in an object/);
  refused(() => F.interpolate(x, { scaleFactor: 2, alignCorners: true }), /alignCorners with a mode that interpolates/);
  refused(() => F.pad(x, [1, 1], 'mirror' as 'reflect'), /mode of pad/);
});

test('all that may be left out may be named, and null and undefined stand for the default where PyTorch has None', () => {
  const same = (a: unknown, b: unknown): void => assert.equal(String(a), String(b));
  same(new nn.Dropout({ p: 0.2, inplace: true }), new nn.Dropout(0.2, { inplace: true }));
  same(new nn.Flatten({ startDim: 2 }), new nn.Flatten(2));
  same(new nn.Softmax({ dim: 1 }), new nn.Softmax(1));
  same(new nn.PReLU({ numParameters: 3, init: 0.1 }), new nn.PReLU(3, { init: 0.1 }));
  same(new nn.MaxPool2d(2, { stride: null }), new nn.MaxPool2d(2));
  same(new nn.Linear(2, 3, { bias: undefined } as object), new nn.Linear(2, 3));
  const y = F.pad(ones([1, 2, 2]), [1, 1], { mode: 'constant', value: 3 });
  assert.deepEqual(y.tolist(), F.pad(ones([1, 2, 2]), [1, 1], 'constant', 3).tolist());
  assert.equal(F.elu(tensor([-1]), { alpha: 2 }).item(), F.elu(tensor([-1]), 2).item());
  const a = new nn.Dropout(0.5, { inplace: true });
  const z = ones([100]);
  assert.deepEqual(a.forward(z).tolist(), z.tolist());
});

test('a variable of type Module can be called', () => {
  const m: nn.Module = new nn.Linear(2, 3);
  const many: nn.Module[] = [m, new nn.ReLU()];
  let y: unknown = ones([1, 2]);
  for (const layer of many) y = layer.forward(y);
  assert.deepEqual((y as Tensor).shape, [1, 3]);
  const precise: Tensor = new nn.Linear(2, 3).forward(ones([1, 2]));
  assert.deepEqual(precise.shape, [1, 3]);
  // @ts-expect-error a layer's own type still says what it takes
  assert.throws(() => new nn.Linear(2, 3).forward('no tensor'));
});

test('the last layer of a stack is a layer, not an object that names one', () => {
  for (const [Stack, Layer] of [
    [nn.TransformerEncoder, nn.TransformerEncoderLayer],
    [nn.TransformerDecoder, nn.TransformerDecoderLayer],
  ] as const) {
    const make = Stack as unknown as new (...args: unknown[]) => nn.Module;
    assert.throws(() => new make(new Layer(4, 2), 1, { norm: new nn.LayerNorm(4) }), {
      name: 'ConfigError',
      message: new RegExp(`Expected norm of ${Stack.name} to be a layer .* third argument, not in an object`),
    });
    assert.ok(new make(new Layer(4, 2), 1, new nn.LayerNorm(4)).stateDict().has('norm.weight'));
  }
});

test('options of layers that have none are refused by name', () => {
  const loose = nn as unknown as Record<string, new (...args: unknown[]) => nn.Module>;
  const made: Record<string, unknown[]> = {
    Sigmoid: [],
    Tanh: [],
    LogSigmoid: [],
    Softsign: [],
    Tanhshrink: [],
    Softmax: [1],
    Softmin: [1],
    LogSoftmax: [1],
    Softmax2d: [],
    AdaptiveAvgPool1d: [2],
    AdaptiveAvgPool2d: [2],
    AdaptiveAvgPool3d: [2],
    PixelShuffle: [2],
    PixelUnshuffle: [2],
    ChannelShuffle: [2],
    Unflatten: [1, [2, 3]],
    ZeroPad2d: [1],
    ...Object.fromEntries([1, 2, 3].map((n) => [`ConstantPad${n}d`, [1, 0.5]])),
    ...Object.fromEntries([1, 2, 3].map((n) => [`ReflectionPad${n}d`, [1]])),
    ...Object.fromEntries([1, 2, 3].map((n) => [`ReplicationPad${n}d`, [1]])),
  };
  for (const [name, args] of Object.entries(made)) {
    const Layer = loose[name]!;
    assert.ok(new Layer(...args) instanceof nn.Module);
    assert.throws(() => new Layer(...args, { inplace: true }), {
      name: 'ConfigError',
      message: `Expected no options of ${name}, which has none, got inplace.`,
    });
  }
});
