/** What the tests of the models share: small settings, a text encoder that pads with garbage, hand-made batches. */
import { type FactoryOptions, Linear, Module, Parameter } from 'headrace/nn';
import {
  buildSentimentModel,
  type EncodedText,
  type Modality,
  type ModelContext,
  type ModelName,
  type RowShift,
  type SentimentBatch,
  type SentimentModel,
  TextEncoder,
} from 'headrace/sentiment';
import { Generator, type Tensor, tensor } from 'headrace/torch';

/** Small widths, so that numbers of parameters can be counted by hand. */
export const small: Readonly<Record<ModelName, Readonly<Record<string, unknown>>>> = {
  'shared-private': { hidden: { audio: 3, vision: 4 }, out: { audio: 5, vision: 6 }, post: { multimodal: 7 } },
  'self-mm': { hidden: { audio: 3, vision: 4 }, out: { audio: 5, vision: 6 }, post: { multimodal: 7 } },
  'text-only': { hidden: 7 },
  'ef-lstm': { hidden: 6, layers: 2 },
  'lf-dnn': { hidden: { text: 5, audio: 6, vision: 8 }, textOut: 6, post: { hidden: 7 } },
  tfn: { hidden: { text: 5, audio: 6, vision: 8 }, textOut: 2, post: { hidden: 7 } },
  lmf: { hidden: { text: 5, audio: 6, vision: 8 }, textOut: 6, rank: 3 },
  mult: { width: 8, heads: 2, layers: 2, memoryLayers: 1, kernel: { text: 1, audio: 3, vision: 4 } },
  misa: { width: 8, hidden: { audio: 3, vision: 2 }, feedForward: 16 },
  'bert-mag': { betaShift: 0.5 },
  tetfn: { width: 8, heads: 2, hidden: { audio: 3, vision: 2 }, kernel: { vision: 3 } },
  almt: {
    width: 8,
    hidden: 12,
    tokens: 3,
    heads: 2,
    headWidth: 5,
    depth: { embedding: 1, hyper: 2, fusion: 1 },
    positions: { text: 5, audio: 4, vision: 6 },
  },
  'tfr-net': {
    width: 8,
    heads: 2,
    layers: 1,
    hidden: { text: 3, audio: 4, vision: 5 },
    gatedLayers: 1,
    post: { hidden: 6 },
  },
  mmim: { hidden: { audio: 3, vision: 2 }, out: { audio: 4, vision: 5 }, width: 7 },
};

export const names = Object.keys(small) as ModelName[];
export const textWidth = 6;
export const rowWidths = { audio: 3, vision: 2 };

class Words extends Module {
  weight: Parameter;

  constructor(options: FactoryOptions = {}) {
    super();
    this.weight = new Parameter(tensor(new Float32Array(20 * textWidth), { shape: [20, textWidth] }));
    this.initSelf(options);
  }

  override resetParameters(generator: Generator): void {
    this.weight.normal_(0, 1, { generator });
  }

  forward(ids: Tensor): Tensor {
    return this.weight.indexSelect(0, ids.flatten()).unflatten(0, ids.shape);
  }
}

/** A vector a word, the padding's being nothing like zero; pooled by the mean and a linear layer. */
export class StubText extends TextEncoder {
  readonly width = textWidth;
  words = new Words();
  pool = new Linear(textWidth, textWidth);

  forward(batch: SentimentBatch, shift?: RowShift): EncodedText {
    const [ids, mask] = [batch.tokens!.select(1, 0), batch.tokens!.select(1, 1).ne(0)];
    const words = this.words.forward(ids).add(ids.eq(0).unsqueeze(2).mul(50));
    const sequence = shift ? shift(words, mask) : words;
    const real = mask.unsqueeze(2);
    const mean = sequence
      .mul(real)
      .sum([1])
      .div(real.sum([1]).clampMin(1));
    return { sequence, mask, pooled: this.pool.forward(mean) };
  }
}

export function contextOf(modalities: readonly Modality[], outputs = 1): ModelContext {
  const text = modalities.includes('text') ? new StubText().initialise(new Generator(5)) : null;
  const widths = Object.fromEntries(
    modalities.flatMap((name): [Modality, number][] => (name === 'text' ? [] : [[name, rowWidths[name]]])),
  );
  return { modalities, widths, outputs, text };
}

export function build(
  name: ModelName,
  modalities: readonly Modality[],
  options: { readonly outputs?: number; readonly seed?: number } = {},
): SentimentModel {
  const { outputs = 1, seed = 1 } = options;
  return buildSentimentModel(name, contextOf(modalities, outputs), small[name], seed);
}

/** How many words and rows an utterance has. */
export interface Lengths {
  readonly words: number;
  readonly audio: number;
  readonly vision: number;
}

/** Numbers that depend on the utterance and the place alone, not on the batch. */
function value(utterance: number, row: number, column: number, salt: number): number {
  return Math.sin(12.9898 * (utterance + 1) + 78.233 * row + 37.719 * column + salt);
}

/**
 * Utterances by their number, each with its own lengths, padded to `rows` where that is longer. Behind an utterance's rows
 * stands `padding`.
 */
export function batchOf(
  utterances: readonly (readonly [number, Lengths])[],
  { rows = 1, padding = 0 }: { readonly rows?: number; readonly padding?: number } = {},
): SentimentBatch {
  const count = utterances.length;
  const words = Math.max(rows, ...utterances.map(([, lengths]) => lengths.words));
  const tokens = utterances.flatMap(([utterance, lengths]) => {
    const places = Array.from({ length: words }, (_, i) => i);
    const real = places.map((i) => (i < lengths.words ? 1 : 0));
    const ids = places.map((i) => (real[i] ? 1 + (((utterance + 1) * 7 + i * 5) % 19) : 0));
    return [...ids, ...real, ...places.map(() => 0)];
  });
  const batch: Record<string, Tensor> = {
    index: tensor([...utterances.keys()], { dtype: 'int64' }),
    label: tensor(utterances.map(([utterance]) => value(utterance, 0, 0, 3))),
    class: tensor(
      utterances.map(([utterance]) => utterance % 3),
      { dtype: 'int64' },
    ),
    tokens: tensor(tokens, { dtype: 'int64' }).view([count, 3, words]),
  };
  for (const [salt, name] of (['audio', 'vision'] as const).entries()) {
    const longest = Math.max(rows, ...utterances.map(([, lengths]) => lengths[name]));
    const places = Array.from({ length: longest }, (_, i) => i);
    batch[name] = tensor(
      utterances.map(([utterance, lengths]) =>
        places.map((row) =>
          Array.from({ length: rowWidths[name] }, (_, column) =>
            row < lengths[name] ? value(utterance, row, column, salt) : padding,
          ),
        ),
      ),
    );
    batch[`${name}Lengths`] = tensor(
      utterances.map(([, lengths]) => lengths[name]),
      { dtype: 'int64' },
    );
    batch[`${name}Mask`] = tensor(utterances.map(([, lengths]) => places.map((row) => row < lengths[name])));
  }
  return batch as SentimentBatch;
}

export const uneven: readonly (readonly [number, Lengths])[] = [
  [0, { words: 3, audio: 7, vision: 2 }],
  [1, { words: 5, audio: 1, vision: 4 }],
  [2, { words: 1, audio: 4, vision: 1 }],
  [3, { words: 2, audio: 2, vision: 6 }],
];
