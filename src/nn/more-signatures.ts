/** The signatures of recurrent cells, decoders, bags, and of layers and losses that few models need. */
import type { BagMode, BagOptions, EmbeddingBagOptions } from './embedding-bag.js';
import type { Reduction } from './functional/loss.js';
import type * as M from './functional/margin.js';
import type * as P from './functional/power.js';
import type { SyncBatchNormOptions } from './norm.js';
import type { RnnCellOptions, RnnNonlinearity } from './rnn-cells.js';
import {
  choice,
  factoryRules,
  flag,
  number,
  orNull,
  type RulesOf,
  rule,
  Signature,
  sizes,
  tensor,
  whole,
} from './signature.js';
import { batchNorm, encoderLayer, recurrent } from './signatures.js';
import type { SumGroup } from './sync-norm.js';
import type { DecodeOptions, TransformerOptions, TranslateOptions } from './transformer-decoder.js';

const positive = whole(undefined, 1);
const count = whole(undefined, 0);
const nonlinearity = choice<RnnNonlinearity>('tanh', 'tanh', 'relu');

export const rnn = new Signature('RNN', recurrent.args, { ...recurrent.options, nonlinearity }, recurrent.unsupported);
const cellRules = { bias: flag(true), ...factoryRules } satisfies RulesOf<RnnCellOptions>;
export const cell = new Signature('LSTMCell GRUCell', recurrent.args, cellRules);
export const rnnCell = new Signature('RNNCell', recurrent.args, { ...cellRules, nonlinearity });

export const decoderLayer = new Signature('TransformerDecoderLayer', encoderLayer.args, encoderLayer.options);
const masks = {
  tgtMask: orNull(tensor),
  memoryMask: orNull(tensor),
  tgtKeyPaddingMask: orNull(tensor),
  memoryKeyPaddingMask: orNull(tensor),
} satisfies RulesOf<DecodeOptions>;
export const decode = new Signature('TransformerDecoderLayer.forward TransformerDecoder.forward', {}, masks);
export const transformer = new Signature(
  'Transformer',
  {},
  {
    dModel: whole(512, 1),
    nhead: whole(8, 1),
    numEncoderLayers: whole(6, 0),
    numDecoderLayers: whole(6, 0),
    ...encoderLayer.options,
  } satisfies RulesOf<TransformerOptions>,
  ['customEncoder', 'customDecoder'],
);
export const translate = new Signature('Transformer.forward', {}, {
  srcMask: orNull(tensor),
  srcKeyPaddingMask: orNull(tensor),
  ...masks,
} satisfies RulesOf<TranslateOptions>);
export const causalMask = new Signature('Transformer.generateSquareSubsequentMask', { size: positive }, factoryRules);

export const embeddingBag = new Signature(
  'EmbeddingBag',
  { numEmbeddings: count, embeddingDim: count },
  {
    mode: choice<BagMode>('mean', 'sum', 'mean', 'max'),
    paddingIdx: orNull(whole()),
    includeLastOffset: flag(false),
    ...factoryRules,
  } satisfies RulesOf<EmbeddingBagOptions>,
  ['maxNorm', 'normType', 'scaleGradByFreq', 'sparse'],
);
export const bagForward = new Signature('EmbeddingBag.forward', {}, {
  perSampleWeights: orNull(tensor),
} satisfies RulesOf<BagOptions>);

const reduced = { reduction: choice<Reduction>('mean', 'none', 'mean', 'sum') };
/** What PyTorch took before there was `reduction`. */
const old = ['sizeAverage', 'reduce'];
export const multiMargin = new Signature(
  'MultiMarginLoss multiMarginLoss',
  {},
  {
    p: rule<number>(1, '1 or 2', (value) => value === 1 || value === 2),
    margin: number(1),
    weight: orNull(tensor),
    ...reduced,
  } satisfies RulesOf<M.MultiMarginOptions>,
  old,
);
export const multilabelMargin = new Signature('MultiLabelMarginLoss multilabelMarginLoss', {}, reduced, old);
export const multilabelSoftMargin = new Signature(
  'MultiLabelSoftMarginLoss multilabelSoftMarginLoss',
  {},
  { weight: orNull(tensor), ...reduced } satisfies RulesOf<M.MultilabelSoftMarginOptions>,
  old,
);
export const tripletDistance = new Signature('TripletMarginWithDistanceLoss tripletMarginWithDistanceLoss', {}, {
  distanceFunction: orNull(
    rule<NonNullable<M.TripletDistanceOptions['distanceFunction']>>(undefined, 'a function or a module', isDistance),
  ),
  margin: number(1),
  swap: flag(false),
  ...reduced,
} satisfies RulesOf<M.TripletDistanceOptions>);

const lpArgs = { normType: number(), kernelSize: sizes(undefined, 1) };
export const lpPool = new Signature('LPPool1d LPPool2d lpPool1d lpPool2d', lpArgs, {
  stride: orNull(sizes(undefined, 1)),
  ceilMode: flag(false),
} satisfies RulesOf<P.LpPoolArguments>);
export const responseNorm = new Signature('LocalResponseNorm localResponseNorm', { size: positive }, {
  alpha: number(1e-4),
  beta: number(0.75),
  k: number(1),
} satisfies RulesOf<P.LocalResponseNormOptions>);
export const gumbel = new Signature('gumbelSoftmax', {}, {
  tau: number(1, { above: 0 }),
  hard: flag(false),
  dim: whole(-1),
  generator: orNull(rule<NonNullable<P.GumbelOptions['generator']>>(undefined, 'a Generator', isGenerator)),
} satisfies RulesOf<P.GumbelOptions>);
export const rrelu = new Signature('RReLU', { lower: number(1 / 8), upper: number(1 / 3) }, {}, ['inplace']);
export const channelShuffle = new Signature('ChannelShuffle', { groups: positive }, {});
export const softmax2d = new Signature('Softmax2d', {}, {});

export const syncBatchNorm = new Signature('SyncBatchNorm', batchNorm.args, {
  ...batchNorm.options,
  processGroup: orNull(rule<SumGroup>(undefined, 'a group, whose sum(tensors) adds up over all of it', isGroup)),
} satisfies RulesOf<SyncBatchNormOptions>);

const sixSides = rule<number | readonly number[]>(
  undefined,
  'a whole number or 6 of them',
  (value) => Number.isInteger(value) || (Array.isArray(value) && value.length === 6 && value.every(Number.isInteger)),
);
export const padding3d = new Signature('ReflectionPad3d ReplicationPad3d', { padding: sixSides }, {});
export const constantPadding3d = new Signature('ConstantPad3d', { padding: sixSides, value: number() }, {});

function isDistance(value: unknown): boolean {
  return typeof value === 'function' || (typeof value === 'object' && value !== null && 'forward' in value);
}

function isGenerator(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'manualSeed' in value;
}

function isGroup(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'sum' in value && typeof value.sum === 'function';
}
