/**
 * Learns a vocabulary of word pieces from texts: pairs of neighbouring pieces that occur most often become one, again and
 * again (Sennrich et al., arXiv 1508.07909), which is how Hugging Face's trainer of WordPiece does it.
 */
import { ConfigError, DataError } from '../torch/index.js';
import { checkOptions } from '../torch/options.js';

export interface WordPieceTraining {
  /** Number of tokens, the special ones among them. */
  readonly size: number;
  /** Characters that occur less often are unknown. Default 20. */
  readonly least?: number;
}

/** What a tokenizer.json of BERT's holds: what `WordPieceTokenizer` takes, and Hugging Face's libraries. */
export interface WordPieceDescription {
  readonly model: { readonly vocab: Readonly<Record<string, number>> };
}

/** BERT's, in the order of their ids. */
const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] as const;

/** Emoji and other symbols stand alone, as punctuation does: written together they would be one unknown word. */
const SYMBOL = '\\p{So}|\\p{Sk}';
const parts = /\p{So}|\p{Sk}|[\p{P}$+<=>^`|~]|[^\s\p{So}\p{Sk}\p{P}$+<=>^`|~]+/gu;
const unseen = /[\p{Mn}\p{Cc}\p{Cf}\ufffd]/gu;
const spaces = /[\t\n\r]/g;

/** The words of a text, as the normaliser and the cuts of the description give them. */
function* wordsOf(text: string): Iterable<string> {
  const plain = text.replace(spaces, ' ').normalize('NFD').replace(unseen, '').toLowerCase();
  for (const [word] of plain.matchAll(parts)) yield word;
}

/**
 * Texts are read in small letters and without accents. Words of more than 100 characters are left out.
 * @returns the content of a tokenizer.json
 * @throws ConfigError for a size that leaves no room for the characters of the texts, DataError without any text
 */
export function trainWordPieces(texts: Iterable<string>, options: WordPieceTraining): WordPieceDescription {
  checkOptions('trainWordPieces', options, ['size', 'least']);
  const { size, least = 20 } = options;
  const counts = new Map<string, number>();
  for (const text of texts) for (const word of wordsOf(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  if (counts.size === 0) throw new DataError('Expected texts to learn word pieces from, got none');
  const merging = new Merging(counts, least);
  if (!(Number.isInteger(size) && size >= merging.pieces.length + special.length)) {
    throw new ConfigError(
      `Expected a size of at least ${merging.pieces.length + special.length}, for the special tokens and the characters ` +
        `that occur ${least} times, got ${size}`,
    );
  }
  while (merging.pieces.length + special.length < size && merging.next());
  return describe([...special, ...merging.pieces]);
}

function describe(tokens: readonly string[]): WordPieceDescription {
  const description = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'BertPreTokenizer' },
        { type: 'Split', pattern: { Regex: SYMBOL }, behavior: 'Isolated', invert: false },
      ],
    },
    post_processor: {
      type: 'BertProcessing',
      sep: ['[SEP]', special.indexOf('[SEP]')],
      cls: ['[CLS]', special.indexOf('[CLS]')],
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    },
  };
  return description;
}

interface Word {
  /** Numbers of its pieces. */
  parts: number[];
  readonly count: number;
}

/** A pair of pieces and how often it occurred when it was noted: it may occur less often by now. */
interface Candidate {
  readonly pair: number;
  readonly count: number;
}

/** Pairs as one number: there are fewer than this many pieces. */
const MOST = 2 ** 24;

/** Words cut into pieces, of which the most frequent neighbours are joined, one pair at a time. */
class Merging {
  readonly pieces: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #counts = new Map<number, number>();
  /** The words that have, or had, a pair. */
  readonly #places = new Map<number, Set<Word>>();
  /** A heap, the most frequent first. */
  readonly #heap: Candidate[] = [];

  constructor(words: ReadonlyMap<string, number>, least: number) {
    const characters = new Map<string, number>();
    for (const [word, count] of words) {
      for (const character of word) characters.set(character, (characters.get(character) ?? 0) + count);
    }
    const known = new Set([...characters].filter(([, count]) => count >= least).map(([character]) => character));
    const cuts = [...words].flatMap(([word, count]) => {
      const letters = [...word];
      if (letters.length > 100 || !letters.every((letter) => known.has(letter))) return [];
      return [{ letters: letters.map((letter, i) => (i === 0 ? letter : `##${letter}`)), count }];
    });
    for (const piece of [...new Set(cuts.flatMap(({ letters }) => letters))].sort()) this.#add(piece);
    for (const { letters, count } of cuts) {
      const word = { parts: letters.map((letter) => this.#numbers.get(letter)!), count };
      this.#note(word, 1);
    }
    for (const [pair, count] of this.#counts) this.#push({ pair, count });
  }

  /** Joins the most frequent pair. @returns whether there was one that occurs twice */
  next(): boolean {
    for (let best = this.#pop(); best !== undefined; best = this.#pop()) {
      const count = this.#counts.get(best.pair) ?? 0;
      if (count < 2) continue;
      if (count === best.count) {
        this.#join(best.pair);
        return true;
      }
      this.#push({ pair: best.pair, count });
    }
    return false;
  }

  #add(piece: string): number {
    const known = this.#numbers.get(piece);
    if (known !== undefined) return known;
    this.#numbers.set(piece, this.pieces.length);
    return this.pieces.push(piece) - 1;
  }

  #join(pair: number): void {
    const [left, right] = [Math.floor(pair / MOST), pair % MOST];
    const joined = this.#add(this.pieces[left]! + this.pieces[right]!.slice(2));
    const made = new Set<number>();
    for (const word of this.#places.get(pair)!) {
      this.#note(word, -1);
      const parts: number[] = [];
      for (let i = 0; i < word.parts.length; i++) {
        const fits = word.parts[i] === left && word.parts[i + 1] === right;
        parts.push(fits ? joined : word.parts[i]!);
        if (fits) i++;
      }
      word.parts = parts;
      for (const changed of this.#note(word, 1)) made.add(changed);
    }
    this.#counts.delete(pair);
    this.#places.delete(pair);
    for (const other of made) {
      if (Math.floor(other / MOST) !== joined && other % MOST !== joined) continue;
      this.#push({ pair: other, count: this.#counts.get(other)! });
    }
  }

  /** Counts a word's pairs in, or out. @returns the pairs */
  #note(word: Word, sign: 1 | -1): number[] {
    const { parts } = word;
    const pairs = parts.slice(1).map((right, i) => parts[i]! * MOST + right);
    for (const pair of pairs) this.#counts.set(pair, (this.#counts.get(pair) ?? 0) + sign * word.count);
    if (sign === -1) return pairs;
    for (const pair of pairs) {
      const places = this.#places.get(pair);
      if (places) places.add(word);
      else this.#places.set(pair, new Set([word]));
    }
    return pairs;
  }

  #push(candidate: Candidate): void {
    const heap = this.#heap;
    let at = heap.push(candidate) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!comesFirst(candidate, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = candidate;
  }

  #pop(): Candidate | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && comesFirst(heap[child + 1]!, heap[child]!)) child++;
      if (!comesFirst(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function comesFirst(a: Candidate, b: Candidate): boolean {
  return a.count > b.count || (a.count === b.count && a.pair < b.pair);
}
