/** The modules and functions of make_more_golden.py, by its names. */
import * as nn from 'headrace/nn';
import type { Tensor } from 'headrace/torch';
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

const small = { dimFeedforward: 8, dropout: 0 };
const decoderLayer = (o: nn.TransformerDecoderLayerOptions) => new nn.TransformerDecoderLayer(6, 2, { ...o, ...small });

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
    (o) => new nn.Transformer({ ...o, ...small, dModel: 6, nhead: 2, numEncoderLayers: 1, numDecoderLayers: 2 }),
    (m, x, y, tgtMask) => m.forward(x!, y!, { tgtMask }),
  ),
  'transformer, batch first': of(
    (o) => {
      const shape = { dModel: 6, nhead: 2, numEncoderLayers: 1, numDecoderLayers: 1 };
      return new nn.Transformer({ ...o, ...small, ...shape, batchFirst: true, normFirst: true });
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

export const moreCases: Record<string, Case> = { ...recurrent, ...transformers, ...bags() };
