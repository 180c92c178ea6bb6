/** Rows of word pieces of which some are hidden, to be guessed: what BERT learns from (arXiv 1810.04805). */
import type { BatchDataset, SharedDataset, TensorBatch, ThreadShareable } from '../../data/index.js';
import { loadSafetensors } from '../../io/index.js';
import type { RunData } from '../../pipeline/index.js';
import { DataError, deriveSeed, Generator, ops, type Tensor } from '../../torch/index.js';

/** Of the pieces of a row, as in BERT. */
const HIDDEN = 0.15;
/** Of the hidden ones: shown as [MASK], and shown as another piece; the others are shown as they are. */
const [AS_MASK, AS_OTHER] = [0.8, 0.1];
/** Rows that are held out: one of so many. */
const HELD_OUT = 200;

export interface MaskedOptions {
  /** Tokens that there are. */
  readonly vocabulary: number;
  /** Ids below it are of special tokens, the last one that of [MASK]. */
  readonly special: number;
}

/**
 * Gives `tokens` int64 [B, L] as shown, `places` int64 [B, K] of what is hidden, and `hidden` int64 [B, K], which was there. What
 * is hidden depends on which rows are in the batch, so it changes from epoch to epoch, and a run that goes on does the same.
 */
export class MaskedTokens implements BatchDataset<TensorBatch>, ThreadShareable {
  readonly #rows: Tensor;

  /** @param rows - int16 or int32 [N, L] */
  constructor(
    rows: Tensor,
    private readonly options: MaskedOptions,
  ) {
    this.#rows = rows.keep();
  }

  get length(): number {
    return this.#rows.shape[0]!;
  }

  batch(indices: Tensor): TensorBatch {
    const { vocabulary, special } = this.options;
    const tokens = this.#rows.indexSelect(0, indices).to({ dtype: 'int64' });
    const [rows, length] = tokens.shape as [number, number];
    const generator = new Generator(deriveSeed(0, 'masked', ...(indices.slice(0, 0, 4).tolist() as number[])));
    const draw = (shape: readonly number[]): Tensor => ops.rand(shape, { generator });
    const order = draw([rows, length]).maskedFill(tokens.lt(special), -1);
    const places = order.topk(Math.max(1, Math.round(length * HIDDEN)), 1)[1];
    const hidden = tokens.gather(1, places);
    const others = ops.randint(special, vocabulary, places.shape, { generator, dtype: 'int64' });
    const choice = draw(places.shape);
    const shown = ops.where(choice.lt(AS_MASK + AS_OTHER), others, hidden).maskedFill(choice.lt(AS_MASK), special - 1);
    return { tokens: tokens.scatter(1, places, shown), places, hidden };
  }

  share(): SharedDataset {
    return { module: import.meta.url, export: 'maskedFromShared', options: this.options, tensors: [this.#rows] };
  }
}

/** The other end of `share`. */
export function maskedFromShared(options: MaskedOptions, [rows]: readonly [Tensor]): MaskedTokens {
  return new MaskedTokens(rows, options);
}

/** The rows that a preparation left in a file, one of 200 held out. */
export function maskedData({ corpus, ...options }: MaskedOptions & { readonly corpus: string }): RunData {
  const rows = loadSafetensors(corpus).tensors.get('rows');
  if (!rows) throw new DataError(`Expected rows of tokens in ${corpus}, found none`);
  const all = ops.arange(rows.shape[0]!);
  const held = all.remainder(HELD_OUT).eq(0);
  const part = (mask: Tensor): MaskedTokens =>
    new MaskedTokens(rows.indexSelect(0, all.maskedSelect(mask).to({ dtype: 'int64' })), options);
  const data = {
    train: part(held.logicalNot()),
    test: part(held),
    trainTransforms: [],
    testTransforms: [],
    inputs: 2,
    name: 'masked',
  };
  rows.dispose();
  return data;
}
