/** The signatures of layers and of the functions of the same names: one declaration for both. */
import type { MultiheadAttentionOptions } from './attention.js';
import type { ConvOptions, ConvTransposeOptions, PaddingMode, Size } from './conv.js';
import type { AttentionOptions } from './functional/attention.js';
import type { PairwiseDistanceOptions } from './functional/linear.js';
import type { AvgPoolArguments, MaxPoolArguments } from './functional/pooling.js';
import type { GridOptions, InterpolateMode, PadMode, UnfoldOptions } from './functional/vision.js';
import { generator } from './init-signatures.js';
import type { BatchNormOptions, GroupNormOptions, LayerNormOptions } from './norm.js';
import type { SpectralNormOptions } from './reparametrization.js';
import type { RnnOptions } from './rnn.js';
import {
  choice,
  factoryRules,
  flag,
  isSize,
  number,
  orNull,
  type RulesOf,
  rule,
  Signature,
  sizes,
  tensor,
  whole,
} from './signature.js';
import type { TransformerEncoderLayerOptions } from './transformer.js';

const inplace = { inplace: flag(false) };
const probability = (fallback?: number) => number(fallback, { min: 0, max: 1 });
const count = whole(undefined, 0);
const positive = whole(undefined, 1);
const numbers = rule<number | readonly number[]>(undefined, 'a whole number or a list of them', (value) =>
  isSize(value, -Infinity),
);

// Activations

export const overwriting = new Signature(
  'ReLU ReLU6 SiLU Hardswish SELU Mish Hardsigmoid relu relu6 silu hardswish selu mish hardsigmoid',
  {},
  inplace,
);
export const leakyRelu = new Signature('LeakyReLU leakyRelu', { negativeSlope: number(0.01) }, inplace);
export const elu = new Signature('ELU CELU elu celu', { alpha: number(1) }, inplace);
export const gelu = new Signature('GELU gelu', {}, { approximate: choice('none', 'none', 'tanh') });
export const hardtanh = new Signature('Hardtanh hardtanh', { minVal: number(-1), maxVal: number(1) }, inplace);
export const softplus = new Signature('Softplus softplus', { beta: number(1), threshold: number(20) }, {});
export const hardshrink = new Signature('Hardshrink hardshrink', { lambd: number(0.5) }, {});
export const softshrink = new Signature('Softshrink softshrink', { lambd: number(0.5, { min: 0 }) }, {});
export const threshold = new Signature('Threshold threshold', { threshold: number(), value: number() }, inplace);
export const glu = new Signature('GLU glu', { dim: whole(-1) }, {});
export const softmax = new Signature('Softmax Softmin LogSoftmax', { dim: whole() }, {});
export const softmaxOf = new Signature(
  'softmax softmin logSoftmax',
  { dim: whole() },
  { dtype: orNull(factoryRules.dtype) },
);
export const prelu = new Signature('PReLU', { numParameters: whole(1, 1) }, { init: number(0.25), ...factoryRules });

// Linear maps, embeddings, distances

export const linear = new Signature(
  'Linear',
  { inFeatures: count, outFeatures: count },
  { bias: flag(true), ...factoryRules },
);
export const bilinear = new Signature(
  'Bilinear',
  { in1Features: positive, in2Features: count, outFeatures: count },
  { bias: flag(true), ...factoryRules },
);
const paddingIdx = orNull(whole());
const renormed = { maxNorm: orNull(number()), normType: number(2), scaleGradByFreq: flag(false) };
export const embedding = new Signature(
  'Embedding',
  { numEmbeddings: count, embeddingDim: count },
  { paddingIdx, ...renormed, ...factoryRules },
  ['sparse'],
);
export const embeddingOf = new Signature('embedding', { paddingIdx }, renormed, ['sparse']);
export const cosineSimilarity = new Signature(
  'CosineSimilarity cosineSimilarity',
  { dim: whole(1), eps: number(1e-8) },
  {},
);
export const pairwiseDistance = new Signature('PairwiseDistance pairwiseDistance', {}, {
  p: number(2),
  eps: number(1e-6),
  keepdim: flag(false),
} satisfies RulesOf<PairwiseDistanceOptions>);
export const normalize = new Signature(
  'normalize',
  {},
  {
    p: number(2),
    dim: rule<number | readonly number[]>(1, numbers.expected, numbers.fits),
    eps: number(1e-12),
  },
);
export const oneHot = new Signature('oneHot', { numClasses: whole(-1, -1) }, {});

// Convolutions, pooling

const convolution = { stride: sizes(1, 1), dilation: sizes(1, 1), groups: whole(1, 1) };
const samePadding = rule<Size | 'same' | 'valid'>(
  0,
  "a whole number >= 0, a list of them, 'same' or 'valid'",
  (value) => value === 'same' || value === 'valid' || isSize(value, 0),
);
const channels = { inChannels: count, outChannels: count, kernelSize: sizes(undefined, 1) };

export const conv = new Signature('Conv1d Conv2d Conv3d', channels, {
  ...convolution,
  padding: samePadding,
  bias: flag(true),
  paddingMode: choice<PaddingMode>('zeros', 'zeros', 'reflect', 'replicate', 'circular'),
  ...factoryRules,
} satisfies RulesOf<ConvOptions>);
export const convTranspose = new Signature('ConvTranspose1d ConvTranspose2d ConvTranspose3d', channels, {
  ...convolution,
  padding: sizes(0),
  outputPadding: sizes(0),
  bias: flag(true),
  paddingMode: choice('zeros', 'zeros'),
  ...factoryRules,
} satisfies RulesOf<ConvTransposeOptions>);
export const convOf = new Signature('conv1d conv2d conv3d', {}, { ...convolution, padding: samePadding });
export const convTransposeOf = new Signature(
  'convTranspose1d convTranspose2d convTranspose3d',
  {},
  { ...convolution, padding: sizes(0), outputPadding: sizes(0) },
);

const kernelSize = { kernelSize: sizes(undefined, 1) };
const avgPoolRules = {
  stride: orNull(sizes(undefined, 1)),
  padding: sizes(0),
  ceilMode: flag(false),
  countIncludePad: flag(true),
};

export const maxPool = new Signature('MaxPool1d MaxPool2d MaxPool3d maxPool1d maxPool2d maxPool3d', kernelSize, {
  stride: orNull(sizes(undefined, 1)),
  padding: sizes(0),
  dilation: sizes(1, 1),
  ceilMode: flag(false),
  returnIndices: flag(false),
} satisfies RulesOf<MaxPoolArguments>);
export const avgPool1d = new Signature('AvgPool1d avgPool1d', kernelSize, avgPoolRules);
export const avgPool = new Signature('AvgPool2d AvgPool3d avgPool2d avgPool3d', kernelSize, {
  ...avgPoolRules,
  divisorOverride: orNull(rule<number>(undefined, 'a whole number but 0', (v) => Number.isInteger(v) && v !== 0)),
} satisfies RulesOf<AvgPoolArguments>);
export const maxUnpool = new Signature('MaxUnpool1d MaxUnpool2d MaxUnpool3d', kernelSize, {
  stride: orNull(sizes(undefined, 1)),
  padding: sizes(0),
});
export const maxUnpoolOf = new Signature('maxUnpool1d maxUnpool2d maxUnpool3d', kernelSize, {
  stride: orNull(sizes(undefined, 1)),
  padding: sizes(0),
  outputSize: orNull(rule<readonly number[]>(undefined, 'a list of sizes', (v) => Array.isArray(v) && isSize(v, 0))),
});
const outputSize = rule<number | null | readonly (number | null)[]>(
  undefined,
  'a whole number >= 0, null, or a list of them',
  (value) =>
    value === null || isSize(value, 0) || (Array.isArray(value) && value.every((v) => v === null || isSize(v, 0))),
);
export const adaptiveAvgPool = new Signature(
  'AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d adaptiveAvgPool1d adaptiveAvgPool2d adaptiveAvgPool3d',
  { outputSize },
  {},
);
export const adaptiveMaxPool = new Signature(
  'AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d adaptiveMaxPool1d adaptiveMaxPool2d adaptiveMaxPool3d',
  { outputSize },
  { returnIndices: flag(false) },
);

// Normalisation, dropout

const batchNormRules = {
  eps: number(1e-5, { min: 0 }),
  affine: flag(true),
  trackRunningStats: flag(true),
  ...factoryRules,
};
const momentum = orNull(number(), 0.1);

export const batchNorm = new Signature('BatchNorm1d BatchNorm2d BatchNorm3d', { numFeatures: count }, {
  ...batchNormRules,
  momentum,
} satisfies RulesOf<BatchNormOptions>);
export const instanceNorm = new Signature(
  'InstanceNorm1d InstanceNorm2d InstanceNorm3d',
  { numFeatures: count },
  {
    ...batchNormRules,
    momentum: number(0.1),
    affine: flag(false),
    trackRunningStats: flag(false),
  },
);
export const batchNormOf = new Signature(
  'batchNorm',
  {},
  {
    training: flag(false),
    momentum: number(0.1),
    eps: number(1e-5, { min: 0 }),
  },
);
export const batchNormRelu = new Signature('batchNormRelu', {}, { ...batchNormOf.options, residual: orNull(tensor) });
export const layerNorm = new Signature('LayerNorm', { normalizedShape: sizes(undefined, 0) }, {
  eps: number(1e-5, { min: 0 }),
  elementwiseAffine: flag(true),
  bias: flag(true),
  ...factoryRules,
} satisfies RulesOf<LayerNormOptions>);
export const groupNorm = new Signature('GroupNorm', { numGroups: positive, numChannels: positive }, {
  eps: number(1e-5, { min: 0 }),
  affine: flag(true),
  ...factoryRules,
} satisfies RulesOf<GroupNormOptions>);
export const dropout = new Signature('Dropout Dropout1d Dropout2d', { p: probability(0.5) }, inplace);
export const dropoutOf = new Signature(
  'dropout featureDropout dropout1d dropout2d dropout3d dropPath',
  { p: probability(0.5), training: flag(true), generator, inplace: flag(false) },
  {},
);
export const dropPath = new Signature('DropPath', { p: probability(0) }, {});

export const spectralNorm = new Signature('spectralNorm', {}, {
  name: rule<string>('weight', 'a name', (value) => typeof value === 'string'),
  nPowerIterations: whole(1, 1),
  eps: number(1e-12),
  dim: orNull(whole()),
  generator,
} satisfies RulesOf<SpectralNormOptions>);
export const weightNorm = new Signature(
  'weightNorm',
  {},
  {
    name: spectralNorm.options.name,
    dim: orNull(whole(), 0),
  },
);

// Shapes and images

export const flatten = new Signature('Flatten', { startDim: whole(1), endDim: whole(-1) }, {});
const integers = rule<readonly number[]>(
  undefined,
  'a list of whole numbers',
  (value) => Array.isArray(value) && isSize(value, -Infinity),
);
export const unflatten = new Signature('Unflatten', { dim: whole(), unflattenedSize: integers }, {});
export const padding = new Signature(
  'ReflectionPad1d ReflectionPad2d ReplicationPad1d ReplicationPad2d ZeroPad2d',
  { padding: numbers },
  {},
);
export const constantPadding = new Signature('ConstantPad1d ConstantPad2d', { padding: numbers, value: number() }, {});
export const pad = new Signature(
  'pad',
  {
    pad: integers,
    mode: choice<PadMode>('constant', 'constant', 'reflect', 'replicate', 'circular'),
    value: orNull(number()),
  },
  {},
);
export const shuffle = new Signature('PixelShuffle pixelShuffle', { upscaleFactor: positive }, {});
export const unshuffle = new Signature('PixelUnshuffle pixelUnshuffle', { downscaleFactor: positive }, {});
const mode = choice<InterpolateMode>(
  'nearest',
  'nearest',
  'nearest-exact',
  'linear',
  'bilinear',
  'bicubic',
  'trilinear',
  'area',
);
const scale = rule<number | readonly number[]>(
  undefined,
  'a number > 0 or a list of them',
  (value) => [value].flat().length > 0 && [value].flat().every((each) => typeof each === 'number' && each > 0),
);
const resized = {
  size: orNull(sizes(undefined, 1)),
  scaleFactor: orNull(scale),
  mode,
  alignCorners: orNull(flag(false)),
};
export const upsample = new Signature('Upsample', {}, resized, ['recomputeScaleFactor']);
export const interpolate = new Signature('interpolate', {}, { ...resized, antialias: flag(false) }, [
  'recomputeScaleFactor',
]);
export const unfold = new Signature('Unfold unfold', kernelSize, {
  dilation: sizes(1, 1),
  padding: sizes(0),
  stride: sizes(1, 1),
} satisfies RulesOf<UnfoldOptions>);
export const fold = new Signature('Fold fold', { outputSize: sizes(undefined, 1), ...kernelSize }, unfold.options);
export const grid = new Signature('gridSample', {}, {
  mode: choice('bilinear', 'bilinear', 'nearest', 'bicubic'),
  paddingMode: choice('zeros', 'zeros', 'border', 'reflection'),
  alignCorners: orNull(flag(false)),
} satisfies RulesOf<GridOptions>);
export const affineGrid = new Signature(
  'affineGrid',
  { size: sizes(undefined, 1), alignCorners: orNull(flag(false)) },
  {},
);

// Sequences

export const attention = new Signature(
  'MultiheadAttention',
  { embedDim: positive, numHeads: positive },
  {
    dropout: probability(0),
    bias: flag(true),
    kdim: orNull(positive),
    vdim: orNull(positive),
    batchFirst: flag(false),
    ...factoryRules,
  } satisfies RulesOf<MultiheadAttentionOptions>,
  ['addBiasKv', 'addZeroAttn'],
);
export const attend = new Signature(
  'MultiheadAttention.forward',
  {},
  {
    keyPaddingMask: orNull(tensor),
    attnMask: orNull(tensor),
    needWeights: flag(true),
    averageAttnWeights: flag(true),
    isCausal: flag(false),
  },
);
export const dotProduct = new Signature('scaledDotProductAttention', {}, {
  attnMask: orNull(tensor),
  mask: orNull(tensor),
  dropoutP: probability(0),
  isCausal: flag(false),
  scale: orNull(number()),
  generator,
} satisfies RulesOf<AttentionOptions>);
export const encoderLayer = new Signature('TransformerEncoderLayer', { dModel: positive, nhead: positive }, {
  dimFeedforward: whole(2048, 1),
  dropout: probability(0.1),
  activation: rule<'relu' | 'gelu' | ((x: import('../torch/index.js').Tensor) => import('../torch/index.js').Tensor)>(
    'relu',
    "'relu', 'gelu' or a function",
    (value) => value === 'relu' || value === 'gelu' || typeof value === 'function',
  ),
  layerNormEps: number(1e-5, { min: 0 }),
  batchFirst: flag(false),
  normFirst: flag(false),
  ...factoryRules,
} satisfies RulesOf<TransformerEncoderLayerOptions>);
export const encode = new Signature(
  'TransformerEncoderLayer.forward',
  {},
  {
    srcMask: orNull(tensor),
    srcKeyPaddingMask: orNull(tensor),
    isCausal: flag(false),
  },
);
export const encodeAll = new Signature('TransformerEncoder.forward', {}, { mask: orNull(tensor), ...encode.options });
export const sequence = new Signature(
  'LSTM.forward GRU.forward RNN.forward',
  {},
  {
    lengths: orNull(rule<readonly number[]>(undefined, 'a list of lengths', Array.isArray)),
  },
);
export const recurrent = new Signature(
  'LSTM GRU',
  { inputSize: positive, hiddenSize: positive },
  {
    numLayers: whole(1, 1),
    bias: flag(true),
    batchFirst: flag(false),
    dropout: probability(0),
    bidirectional: flag(false),
    ...factoryRules,
  } satisfies RulesOf<RnnOptions>,
  ['projSize'],
);
