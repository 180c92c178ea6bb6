/** The modules and functions of make_golden.py, by its names. */
import * as nn from 'headrace/nn';
import type { Tensor } from 'headrace/torch';

const F = nn.functional;

export interface Case {
  readonly make?: (o: nn.FactoryOptions) => nn.Module;
  /** Runs the module (undefined for functions); by default its forward on the inputs. */
  readonly call?: (module: nn.Module, ...inputs: Tensor[]) => Tensor | readonly (Tensor | null)[];
}

/** A module without options for where it is made. */
const plain = (build: () => nn.Module): Case => ({ make: build });

function recurrent(make: NonNullable<Case['make']>): Case {
  return {
    make,
    call: (module, x, h, c) => {
      const [output, state] = (module as nn.LSTM).forward(x as Tensor, h && c ? [h, c] : null);
      return [output, ...state];
    },
  };
}

function attention(
  make: NonNullable<Case['make']>,
  call: (m: nn.MultiheadAttention, ...inputs: Tensor[]) => [Tensor, Tensor | null],
): Case {
  return { make, call: (module, ...inputs) => call(module as nn.MultiheadAttention, ...inputs) };
}

/** Runs on the input without recording first, as some cases do to change the buffers. */
function twice(
  make: NonNullable<Case['make']>,
  first: (m: nn.UnaryModule, x: Tensor) => void,
  second = (x: Tensor) => x,
) {
  const call = (module: nn.Module, x: Tensor) => {
    first(module as nn.UnaryModule, x);
    return (module as nn.UnaryModule).forward(second(x));
  };
  return { make, call } as Case;
}

const linear: Record<string, Case> = {
  linear: { make: (o) => new nn.Linear(5, 3, o) },
  'linear no bias': { make: (o) => new nn.Linear(5, 3, { ...o, bias: false }) },
  bilinear: { make: (o) => new nn.Bilinear(3, 4, 2, o) },
  conv1d: { make: (o) => new nn.Conv1d(4, 6, 3, { ...o, stride: 2, padding: 1, groups: 2 }) },
  conv2d: { make: (o) => new nn.Conv2d(4, 6, 3, { ...o, stride: 2, padding: 1 }) },
  'conv2d dilated grouped': {
    make: (o) => new nn.Conv2d(4, 4, [3, 2], { ...o, padding: [2, 1], dilation: 2, groups: 4, bias: false }),
  },
  'conv2d same': { make: (o) => new nn.Conv2d(2, 3, 4, { ...o, padding: 'same' }) },
  'conv2d reflect': { make: (o) => new nn.Conv2d(2, 3, 3, { ...o, padding: 1, paddingMode: 'reflect' }) },
  'conv2d circular': { make: (o) => new nn.Conv2d(2, 3, [3, 5], { ...o, padding: [1, 2], paddingMode: 'circular' }) },
  conv3d: { make: (o) => new nn.Conv3d(2, 3, 2, { ...o, stride: [1, 2, 1] }) },
  convTranspose1d: { make: (o) => new nn.ConvTranspose1d(3, 2, 4, { ...o, stride: 2, padding: 1 }) },
  convTranspose2d: {
    make: (o) => new nn.ConvTranspose2d(4, 6, 3, { ...o, stride: 2, padding: 1, outputPadding: 1, groups: 2 }),
  },
  convTranspose3d: { make: (o) => new nn.ConvTranspose3d(2, 2, 2, { ...o, stride: 2 }) },
  'weight norm': { make: (o) => nn.weightNorm(new nn.Conv1d(2, 3, 2, o)) },
  'weight norm by position': { make: (o) => nn.weightNorm(new nn.Conv1d(2, 3, 2, o), { dim: 2 }) },
  embedding: { make: (o) => new nn.Embedding(7, 3, { ...o, paddingIdx: 2 }) },
  'spectral norm': twice(
    (o) => nn.spectralNorm(new nn.Linear(4, 3, o)),
    (m, x) => m.forward(x.detach()),
  ),
  'spectral norm, transposed': { make: (o) => nn.spectralNorm(new nn.ConvTranspose2d(3, 2, 2, o)) },
};

const norms: Record<string, Case> = {
  batchNorm1d: { make: (o) => new nn.BatchNorm1d(4, o) },
  batchNorm2d: { make: (o) => new nn.BatchNorm2d(3, o) },
  'batchNorm2d cumulative': twice(
    (o) => new nn.BatchNorm2d(3, { ...o, momentum: null }),
    (m, x) => m.forward(x),
    (x) => x.mul(2),
  ),
  'batchNorm2d eval': twice(
    (o) => new nn.BatchNorm2d(3, o),
    (m, x) => {
      m.forward(x.detach().mul(3).add(1));
      m.eval();
    },
  ),
  'batchNorm2d plain': { make: (o) => new nn.BatchNorm2d(3, { ...o, affine: false, trackRunningStats: false }) },
  instanceNorm2d: { make: (o) => new nn.InstanceNorm2d(3, o) },
  instanceNorm1d: { make: (o) => new nn.InstanceNorm1d(3, { ...o, affine: true }) },
  instanceNorm3d: { make: (o) => new nn.InstanceNorm3d(2, o) },
  'instanceNorm2d affine tracked': {
    make: (o) => new nn.InstanceNorm2d(3, { ...o, affine: true, trackRunningStats: true }),
  },
  layerNorm: { make: (o) => new nn.LayerNorm(5, o) },
  'layerNorm two dims': { make: (o) => new nn.LayerNorm([3, 4], { ...o, eps: 1e-3, elementwiseAffine: false }) },
  groupNorm: { make: (o) => new nn.GroupNorm(2, 6, o) },
};

const sequences: Record<string, Case> = {
  lstm: recurrent((o) => new nn.LSTM(3, 4, o)),
  'lstm two layers, both ways': recurrent(
    (o) => new nn.LSTM(3, 4, { ...o, numLayers: 2, bidirectional: true, batchFirst: true }),
  ),
  'lstm no bias': recurrent((o) => new nn.LSTM(3, 2, { ...o, bias: false })),
  'lstm of lengths': {
    make: (o) => new nn.LSTM(3, 2, { ...o, numLayers: 2, bidirectional: true, batchFirst: true }),
    call: (module, x, h, c) => {
      const [output, state] = (module as nn.LSTM).forward(x!, [h!, c!], { lengths: [2, 4, 1] });
      return [output, ...state];
    },
  },
  'gru of lengths': {
    make: (o) => new nn.GRU(3, 2, { ...o, bidirectional: true, batchFirst: true }),
    call: (module, x) => (module as nn.GRU).forward(x!, null, { lengths: [3, 1, 4] }),
  },
  gru: {
    make: (o) => new nn.GRU(3, 4, { ...o, numLayers: 2, bidirectional: true }),
    call: (module, x) => (module as nn.GRU).forward(x as Tensor),
  },
  attention: attention(
    (o) => new nn.MultiheadAttention(6, 2, o),
    (m, x) => m.forward(x!, x!, x!),
  ),
  'attention masked': attention(
    (o) => new nn.MultiheadAttention(6, 2, { ...o, batchFirst: true }),
    (m, x, keyPaddingMask, attnMask) => m.forward(x!, x!, x!, { keyPaddingMask, attnMask }),
  ),
  'attention without weights': attention(
    (o) => new nn.MultiheadAttention(6, 2, { ...o, batchFirst: true }),
    (m, x, attnMask) => m.forward(x!, x!, x!, { attnMask, needWeights: false }),
  ),
  'attention of other widths': attention(
    (o) => new nn.MultiheadAttention(6, 3, { ...o, kdim: 5, vdim: 4, batchFirst: true }),
    (m, q, k, v) => m.forward(q!, k!, v!, { averageAttnWeights: false }),
  ),
  'attention across': attention(
    (o) => new nn.MultiheadAttention(6, 3, { ...o, bias: false }),
    (m, q, k) => m.forward(q!, k!, k!),
  ),
  'encoder layer': { make: (o) => new nn.TransformerEncoderLayer(6, 2, { ...o, dimFeedforward: 8, dropout: 0 }) },
  'encoder layer, norm first': {
    make: (o) => {
      const options = { activation: 'gelu', batchFirst: true, normFirst: true } as const;
      return new nn.TransformerEncoderLayer(6, 2, { ...o, dimFeedforward: 8, dropout: 0, ...options });
    },
    call: (module, x, srcMask, srcKeyPaddingMask) =>
      (module as nn.TransformerEncoderLayer).forward(x!, { srcMask, srcKeyPaddingMask }),
  },
  encoder: {
    make: (o) => {
      const layer = () => new nn.TransformerEncoderLayer(6, 2, { ...o, dimFeedforward: 8, dropout: 0 });
      return new nn.TransformerEncoder(layer, 2, new nn.LayerNorm(6, o));
    },
  },
  'attention function': { call: (_, q, k, v) => F.scaledDotProductAttention(q!, k!, v!) },
  'attention function, causal': { call: (_, q, k, v) => F.scaledDotProductAttention(q!, k!, v!, { isCausal: true }) },
};

const activations: Record<string, Case> = {
  relu: plain(() => new nn.ReLU()),
  relu6: plain(() => new nn.ReLU6()),
  silu: plain(() => new nn.SiLU()),
  hardswish: plain(() => new nn.Hardswish()),
  leakyRelu: plain(() => new nn.LeakyReLU()),
  elu: plain(() => new nn.ELU()),
  selu: plain(() => new nn.SELU()),
  celu: plain(() => new nn.CELU(0.7)),
  gelu: plain(() => new nn.GELU()),
  'gelu tanh': plain(() => new nn.GELU({ approximate: 'tanh' })),
  mish: plain(() => new nn.Mish()),
  tanh: plain(() => new nn.Tanh()),
  sigmoid: plain(() => new nn.Sigmoid()),
  logSigmoid: plain(() => new nn.LogSigmoid()),
  hardsigmoid: plain(() => new nn.Hardsigmoid()),
  hardtanh: plain(() => new nn.Hardtanh()),
  softplus: plain(() => new nn.Softplus()),
  hardshrink: plain(() => new nn.Hardshrink()),
  softshrink: plain(() => new nn.Softshrink(0.8)),
  softsign: plain(() => new nn.Softsign()),
  tanhshrink: plain(() => new nn.Tanhshrink()),
  threshold: plain(() => new nn.Threshold(0.1, -2)),
  glu: plain(() => new nn.GLU()),
  softmax: plain(() => new nn.Softmax(1)),
  softmin: plain(() => new nn.Softmin(1)),
  logSoftmax: plain(() => new nn.LogSoftmax(-1)),
  prelu: { make: (o) => new nn.PReLU(4, o) },
};

const shapes: Record<string, Case> = {
  maxPool1d: plain(() => new nn.MaxPool1d(3, { stride: 2, padding: 1 })),
  maxPool2d: plain(() => new nn.MaxPool2d(3, { stride: 2, padding: 1, ceilMode: true })),
  avgPool1d: plain(() => new nn.AvgPool1d(2)),
  avgPool2d: plain(() => new nn.AvgPool2d(3, { stride: 2, padding: 1, countIncludePad: false })),
  adaptiveAvgPool1d: plain(() => new nn.AdaptiveAvgPool1d(2)),
  adaptiveAvgPool2d: plain(() => new nn.AdaptiveAvgPool2d([2, null])),
  adaptiveMaxPool2d: plain(() => new nn.AdaptiveMaxPool2d(2)),
  maxPool3d: plain(() => new nn.MaxPool3d(2)),
  avgPool3d: plain(() => new nn.AvgPool3d(2, { stride: 1 })),
  adaptiveAvgPool3d: plain(() => new nn.AdaptiveAvgPool3d([1, 2, null])),
  adaptiveMaxPool1d: plain(() => new nn.AdaptiveMaxPool1d(2)),
  'upsample nearest': plain(() => new nn.Upsample({ scaleFactor: 2 })),
  'upsample bilinear': plain(() => new nn.Upsample({ scaleFactor: 2, mode: 'bilinear' })),
  'upsample bicubic': plain(() => new nn.Upsample({ scaleFactor: 2, mode: 'bicubic' })),
  'upsample linear': plain(() => new nn.Upsample({ scaleFactor: 2, mode: 'linear' })),
  'upsample trilinear': plain(() => new nn.Upsample({ scaleFactor: 2, mode: 'trilinear' })),
  'upsample nearest-exact': plain(() => new nn.Upsample({ scaleFactor: 2, mode: 'nearest-exact' })),
  'upsample aligned': plain(() => new nn.Upsample({ size: [5, 7], mode: 'bilinear', alignCorners: true })),
  'interpolate area': { call: (_, x) => F.interpolate(x!, { size: [2, 3], mode: 'area' }) },
  'interpolate antialias': { call: (_, x) => F.interpolate(x!, { size: [3, 4], mode: 'bilinear', antialias: true }) },
  pixelShuffle: plain(() => new nn.PixelShuffle(2)),
  pixelUnshuffle: plain(() => new nn.PixelUnshuffle(2)),
  reflectionPad2d: plain(() => new nn.ReflectionPad2d([1, 2, 0, 1])),
  replicationPad2d: plain(() => new nn.ReplicationPad2d(1)),
  zeroPad2d: plain(() => new nn.ZeroPad2d([1, 0, -1, 2])),
  reflectionPad1d: plain(() => new nn.ReflectionPad1d(2)),
  replicationPad1d: plain(() => new nn.ReplicationPad1d([1, 2])),
  constantPad1d: plain(() => new nn.ConstantPad1d(1, 2.5)),
  constantPad2d: plain(() => new nn.ConstantPad2d(1, 0.5)),
  unfold: plain(() => new nn.Unfold(2, { stride: 2, padding: 1 })),
  fold: plain(() => new nn.Fold([4, 4], 2, { padding: 1, stride: 2 })),
  flatten: plain(() => new nn.Flatten(1, 2)),
  unflatten: plain(() => new nn.Unflatten(1, [2, 3])),
  gridSample: { call: (_, x, grid) => F.gridSample(x!, grid!, { paddingMode: 'border' }) },
  affineGrid: { call: (_, theta) => F.affineGrid(theta!, [1, 1, 3, 4]) },
  normalize: { call: (_, x) => F.normalize(x!, { dim: -1 }) },
  cosineSimilarity: plain(() => new nn.CosineSimilarity()),
  pairwiseDistance: plain(() => new nn.PairwiseDistance({ p: 3, keepdim: true })),
};

export const layerCases: Record<string, Case> = { ...linear, ...norms, ...sequences, ...activations, ...shapes };
