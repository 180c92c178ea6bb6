/** The modules and functions of make_more_golden.py, by its names. */
import * as nn from 'headrace/nn';
import { ops, type Tensor, tensor } from 'headrace/torch';
import type { Case } from './cases.js';

type Of<M extends nn.Module> = (o: nn.FactoryOptions) => M;

/** A module and how it is run; by default its forward on the inputs. */
function of<M extends nn.Module>(
  make: Of<M>,
  call: (module: M, ...x: Tensor[]) => Tensor | readonly (Tensor | null)[],
): Case {
  return { make, call: (module, ...x) => call(module as M, ...x) };
}

const recurrent: Record<string, Case> = {
  rnn: of(
    (o) => new nn.RNN(3, 4, o),
    (m, x) => m.forward(x!),
  ),
  'rnn of relu, two layers, both ways': of(
    (o) => new nn.RNN(3, 4, { ...o, numLayers: 2, nonlinearity: 'relu', bidirectional: true, batchFirst: true }),
    (m, x, h) => m.forward(x!, h),
  ),
  'rnn no bias': of(
    (o) => new nn.RNN(3, 2, { ...o, bias: false }),
    (m, x) => m.forward(x!),
  ),
  'rnn of lengths': of(
    (o) => new nn.RNN(3, 2, { ...o, bidirectional: true, batchFirst: true }),
    (m, x, h) => m.forward(x!, h, { lengths: [3, 1, 4] }),
  ),
  rnnCell: { make: (o) => new nn.RNNCell(3, 4, o) },
  'rnnCell of relu': { make: (o) => new nn.RNNCell(3, 4, { ...o, nonlinearity: 'relu' }) },
  'rnnCell no bias, one row': { make: (o) => new nn.RNNCell(3, 4, { ...o, bias: false }) },
  lstmCell: of(
    (o) => new nn.LSTMCell(3, 4, o),
    (m, x) => m.forward(x!),
  ),
  'lstmCell with states': of(
    (o) => new nn.LSTMCell(3, 4, { ...o, bias: false }),
    (m, x, h, c) => m.forward(x!, [h!, c!]),
  ),
  'lstmCell, one row': of(
    (o) => new nn.LSTMCell(3, 4, o),
    (m, x, h, c) => m.forward(x!, [h!, c!]),
  ),
  gruCell: { make: (o) => new nn.GRUCell(3, 4, o) },
  'gruCell with a state': { make: (o) => new nn.GRUCell(3, 4, { ...o, bias: false }) },
};

const sizes = { dimFeedforward: 8, dropout: 0 };
const decoderLayer = (o: nn.TransformerDecoderLayerOptions) => new nn.TransformerDecoderLayer(6, 2, { ...o, ...sizes });

const transformers: Record<string, Case> = {
  'decoder layer': { make: (o) => decoderLayer(o) },
  'decoder layer, masked': of(
    (o) => decoderLayer({ ...o, activation: 'gelu', batchFirst: true, normFirst: true }),
    (m, x, y, tgtMask, memoryMask, tgtKeyPaddingMask, memoryKeyPaddingMask) =>
      m.forward(x!, y!, { tgtMask, memoryMask, tgtKeyPaddingMask, memoryKeyPaddingMask }),
  ),
  decoder: of(
    (o) => new nn.TransformerDecoder(decoderLayer(o), 2, new nn.LayerNorm(6, o)),
    (m, x, y, tgtMask) => m.forward(x!, y!, { tgtMask }),
  ),
  transformer: of(
    (o) => new nn.Transformer({ ...o, ...sizes, dModel: 6, nhead: 2, numEncoderLayers: 1, numDecoderLayers: 2 }),
    (m, x, y, tgtMask) => m.forward(x!, y!, { tgtMask }),
  ),
  'transformer, batch first': of(
    (o) => {
      const shape = { dModel: 6, nhead: 2, numEncoderLayers: 1, numDecoderLayers: 1 };
      return new nn.Transformer({ ...o, ...sizes, ...shape, batchFirst: true, normFirst: true });
    },
    (m, x, y, srcKeyPaddingMask, tgtMask, memoryKeyPaddingMask) =>
      m.forward(x!, y!, { srcKeyPaddingMask, tgtMask, memoryKeyPaddingMask }),
  ),
};

function bags(): Record<string, Case> {
  const cases: Record<string, Case> = {};
  for (const mode of ['sum', 'mean', 'max'] as const) {
    const bag =
      (given: nn.EmbeddingBagOptions = {}): Of<nn.EmbeddingBag> =>
      (o) =>
        new nn.EmbeddingBag(7, 3, { ...o, ...given, mode });
    cases[`embeddingBag, ${mode}`] = { make: bag() };
    cases[`embeddingBag of offsets, ${mode}`] = { make: bag() };
    cases[`embeddingBag with padding, ${mode}`] = { make: bag({ paddingIdx: 2 }) };
    cases[`embeddingBag with the last offset, ${mode}`] = { make: bag({ includeLastOffset: true }) };
  }
  cases['embeddingBag, weighed'] = of(
    (o) => new nn.EmbeddingBag(7, 3, { ...o, mode: 'sum', paddingIdx: -1 }),
    (m, indices, offsets, perSampleWeights) => m.forward(indices!, offsets, { perSampleWeights }),
  );
  cases['embeddingBag of rows, weighed'] = of(
    (o) => new nn.EmbeddingBag(7, 3, { ...o, mode: 'sum' }),
    (m, indices, perSampleWeights) => m.forward(indices!, null, { perSampleWeights }),
  );
  return cases;
}

const classWeights = (o: nn.FactoryOptions) => tensor([0.5, 1, 2, 0.25], { dtype: o.dtype });
const cosine = (a: Tensor, b: Tensor) => ops.rsub(ops.cosineSimilarity(a, b), 1);
const dirac = (groups: number): Case => ({ call: (_, x) => nn.init.dirac_(x!.detach().clone(), groups).mul(x!) });

const small: Record<string, Case> = {
  channelShuffle: { make: () => new nn.ChannelShuffle(2) },
  lpPool1d: { make: () => new nn.LPPool1d(3, 2, { stride: 1 }) },
  lpPool2d: { make: () => new nn.LPPool2d(2, [2, 3], { ceilMode: true }) },
  localResponseNorm: { make: () => new nn.LocalResponseNorm(3, { alpha: 0.5, beta: 0.6, k: 2 }) },
  'localResponseNorm of volumes': { make: () => new nn.LocalResponseNorm(2) },
  softmax2d: { make: () => new nn.Softmax2d() },
  rrelu: { make: () => new nn.RReLU({ lower: 0.1, upper: 0.3 }).eval() },
  reflectionPad3d: { make: () => new nn.ReflectionPad3d([1, 0, 1, 1, 0, 1]) },
  replicationPad3d: { make: () => new nn.ReplicationPad3d(1) },
  constantPad3d: { make: () => new nn.ConstantPad3d([1, 0, 0, 2, -1, 1], 0.5) },
  multiMargin: { make: () => new nn.MultiMarginLoss() },
  'multiMargin squared, weighted': {
    make: (o) => new nn.MultiMarginLoss({ p: 2, margin: 0.5, weight: classWeights(o), reduction: 'sum' }),
  },
  multiLabelMargin: { make: () => new nn.MultiLabelMarginLoss() },
  'multiLabelMargin, each': { make: () => new nn.MultiLabelMarginLoss({ reduction: 'none' }) },
  multiLabelSoftMargin: { make: () => new nn.MultiLabelSoftMarginLoss() },
  'multiLabelSoftMargin, weighted': {
    make: (o) => new nn.MultiLabelSoftMarginLoss({ weight: classWeights(o), reduction: 'sum' }),
  },
  tripletMarginWithDistance: { make: () => new nn.TripletMarginWithDistanceLoss({ margin: 0.7, swap: true }) },
  'tripletMarginWithDistance of cosines': {
    make: () => new nn.TripletMarginWithDistanceLoss({ reduction: 'none', distanceFunction: cosine }),
  },
  'dirac [3, 4, 3]': dirac(1),
  'dirac [4, 2, 3, 2]': dirac(2),
  'dirac [2, 3, 1, 3, 3]': dirac(1),
};

export const moreCases: Record<string, Case> = { ...recurrent, ...transformers, ...bags(), ...small };
