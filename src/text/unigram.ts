/** Pieces of words by their probabilities (SentencePiece's unigram model, arXiv 1808.06226), as a `tokenizer.json` describes them. */
import * as library from '@huggingface/tokenizers';
import { isList, isNumber, isObject, isOneOf, isText, isWhole, leaf } from '../io/json-file.js';
import { DataError } from '../torch/index.js';
import type { PieceTokenizer } from './pieces.js';

/** What is used of the library, whose typings NodeNext cannot follow. */
interface Tokenizer {
  encode(text: string, options: { readonly add_special_tokens: boolean }): { ids: number[] };
}
const { Tokenizer } = library as unknown as { Tokenizer: new (description: object, config: object) => Tokenizer };

interface Description {
  readonly model: { readonly vocab: readonly (readonly [piece: string, log: number])[]; readonly unk_id: number };
  readonly added_tokens: readonly { readonly content: string; readonly id: number }[];
}

const isPiece = leaf(
  'a piece and its log probability',
  (value) => Array.isArray(value) && isText(value[0], '').length === 0 && isNumber(value[1], '').length === 0,
);
const isDescription = isObject({
  model: isObject({ type: isOneOf(['Unigram']), vocab: isList(isPiece), unk_id: isWhole(0) }),
  added_tokens: isList(isObject({ content: isText, id: isWhole(0) })),
});

/** How an emoji is to be drawn: its variant, skin and sex, what joins it to another. */
const drawing = /\ufe0e|\ufe0f|\u200d|\u2640|\u2642|[\u{1f3fb}-\u{1f3ff}]/gu;

/** The likeliest pieces of a text. Nothing stands before or after them. */
export class UnigramTokenizer implements PieceTokenizer {
  readonly tokens: readonly string[];
  readonly unknown: number;
  readonly frame = { start: [], end: [] };
  readonly #library: Tokenizer;

  /**
   * @param description - content of a tokenizer.json; @param where - names it in errors
   * @throws DataError when it describes no unigrams
   */
  constructor(description: unknown, where = 'tokenizer.json') {
    const faults = isDescription(description, '');
    if (faults.length > 0) throw new DataError(`${where}: expected ${faults.slice(0, 3).join('; ')}`);
    const { model, added_tokens } = description as Description;
    const tokens = model.vocab.map(([piece]) => piece);
    for (const { content, id } of added_tokens) tokens[id] = content;
    this.tokens = tokens;
    this.unknown = model.unk_id;
    const absent = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
    this.#library = new Tokenizer({ ...absent, ...(description as object) }, {});
  }

  bare(text: string): number[] {
    const plain = text.replace(drawing, '').trim();
    return plain === '' ? [] : this.#library.encode(plain, { add_special_tokens: false }).ids;
  }
}
