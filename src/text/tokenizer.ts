/** Texts as numbers: what every tokenizer gives, and the one over whole words. */
import { ConfigError, DataError, type Tensor, tensor } from '../torch/index.js';
import { spellOut } from './contractions.js';
import { splitWords } from './word-vectors.js';

/** Makes the `tokens` of a data set, int64 [N, 3, L]: ids, attention mask (1 for real ones), segment ids. */
export interface TextTokenizer {
  /** Number of ids. */
  readonly size: number;
  /**
   * @param length - pads or cuts every text to it; by default all are as long as the longest
   * @returns int64 [N, 3, L], L at least 1
   */
  encode(texts: readonly string[], length?: number): Tensor;
  /** What of a text it knows, for reports: share of its tokens that have an id of their own. */
  coverage(texts: readonly string[]): number;
}

/** Ids of each text, padded into one table. */
export function tokenTable(ids: readonly (readonly number[])[], length?: number, padding = 0): Tensor {
  if (length !== undefined && !(Number.isInteger(length) && length >= 1)) {
    throw new ConfigError(`Expected a length of token lists from 1, got ${length}`);
  }
  const longest = length ?? Math.max(1, ...ids.map((list) => list.length));
  const table = new BigInt64Array(ids.length * 3 * longest);
  for (const [row, list] of ids.entries()) {
    const at = row * 3 * longest;
    table.fill(BigInt(padding), at, at + longest);
    for (const [place, id] of list.slice(0, longest).entries()) {
      table[at + place] = BigInt(id);
      table[at + longest + place] = 1n;
    }
  }
  return tensor(table, { shape: [ids.length, 3, longest] });
}

const PADDING = 0;
const UNKNOWN = 1;
const FIRST_WORD = 2;

/**
 * Words as {@link splitWords} cuts them, in small letters: id 0 is padding, 1 an unknown word, 2 the first of `words`.
 */
export class WordTokenizer implements TextTokenizer {
  readonly #ids: ReadonlyMap<string, number>;

  /** @throws DataError where a word comes twice */
  constructor(readonly words: readonly string[]) {
    this.#ids = new Map(words.map((word, place) => [word, place + FIRST_WORD]));
    if (this.#ids.size !== words.length) throw new DataError('Expected every word of a vocabulary once');
  }

  get size(): number {
    return this.words.length + FIRST_WORD;
  }

  ids(text: string): number[] {
    const known = (word: string): boolean => this.#ids.has(word);
    const words = spellOut(splitWords(text, known), known);
    return words.map((word) => this.#ids.get(word) ?? UNKNOWN);
  }

  /** The places in `words` of those that some texts have. */
  used(texts: readonly string[]): Set<number> {
    const ids = texts.flatMap((text) => this.ids(text)).filter((id) => id !== UNKNOWN);
    return new Set(ids.map((id) => id - FIRST_WORD));
  }

  encode(texts: readonly string[], length?: number): Tensor {
    return tokenTable(
      texts.map((text) => this.ids(text)),
      length,
      PADDING,
    );
  }

  coverage(texts: readonly string[]): number {
    const all = texts.flatMap((text) => this.ids(text));
    return all.length === 0 ? 1 : all.filter((id) => id !== UNKNOWN).length / all.length;
  }
}
