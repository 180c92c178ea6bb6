/** Word pieces: BERT's tokens, as a `tokenizer.json` describes them. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as library from '@huggingface/tokenizers';
import { ConfigError, DataError, type Tensor } from '../torch/index.js';
import { checkOptions } from '../torch/options.js';
import type { PieceTokenizer } from './pieces.js';
import { type TextTokenizer, tokenTable } from './tokenizer.js';

/** What is used of the library, whose typings NodeNext cannot follow. */
interface Tokenizer {
  encode(text: string, options: { readonly add_special_tokens: boolean }): { ids: number[]; tokens: string[] };
}
const { Tokenizer } = library as unknown as { Tokenizer: new (description: object, config: object) => Tokenizer };

export interface WordPieceOptions {
  /** The most tokens of a text, `[CLS]` and `[SEP]` among them: longer ones are cut. Default 512. */
  readonly maxLength?: number;
}

/** The parts of a tokenizer.json that are read here; the library reads the rest. */
interface Description {
  readonly model: { readonly unk_token: string; readonly vocab: Readonly<Record<string, number>> };
  readonly added_tokens: readonly { readonly content: string; readonly id: number }[];
  readonly normalizer: { readonly handle_chinese_chars?: boolean; readonly lowercase?: boolean } | null;
}

// Where the library differs from Hugging Face's `BertNormalizer` in Rust, whose tokens models were trained on.
/** Chinese characters beyond the first plane are not set apart. */
const rareChinese = [
  /[\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu,
  ' $& ',
] as const;
/** A sigma at the end of a word becomes its final form. */
const capitalSigma = [/Σ/g, 'σ'] as const;

/** `[CLS]`, the pieces of a text, `[SEP]`. */
export class WordPieceTokenizer implements TextTokenizer, PieceTokenizer {
  readonly size: number;
  readonly tokens: readonly string[];
  readonly maxLength: number;
  readonly #library: Tokenizer;
  readonly #special: Readonly<Record<'start' | 'end' | 'padding' | 'unknown', number>>;
  readonly #corrections: readonly (readonly [RegExp, string])[];

  /**
   * @param description - content of a tokenizer.json
   * @param where - names it in errors
   * @throws DataError when it describes no word pieces of BERT's, ConfigError for a length below 2
   */
  constructor(description: unknown, options: WordPieceOptions = {}, where = 'tokenizer.json') {
    checkOptions('WordPieceTokenizer', options, ['maxLength']);
    const { model, added_tokens, normalizer } = checked(description, where);
    const ids = new Map(Object.entries(model.vocab));
    for (const { content, id } of added_tokens) ids.set(content, id);
    const idOf = (token: string): number => {
      const id = ids.get(token);
      if (id === undefined) throw new DataError(`${where}: expected the token ${token}, which BERT needs, got none`);
      return id;
    };
    this.#special = {
      start: idOf('[CLS]'),
      end: idOf('[SEP]'),
      padding: idOf('[PAD]'),
      unknown: idOf(model.unk_token),
    };
    this.size = 1 + [...ids.values()].reduce((greatest, id) => Math.max(greatest, id), 0);
    const tokens: string[] = [];
    for (const [token, id] of ids) tokens[id] = token;
    this.tokens = tokens;
    this.maxLength = lengthOf(options.maxLength ?? 512);
    this.#corrections = [
      ...(normalizer?.handle_chinese_chars ? [rareChinese] : []),
      ...(normalizer?.lowercase ? [capitalSigma] : []),
    ];
    const absent = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, added_tokens: [] };
    try {
      const named = { continuing_subword_prefix: '##', ...model, type: 'WordPiece' };
      this.#library = new Tokenizer({ ...absent, ...(description as object), model: named }, {});
    } catch (cause) {
      throw new DataError(`${where}: ${(cause as Error).message}`, { cause });
    }
  }

  /** @param folder - with a tokenizer.json. @throws DataError when there is none, or not of a BERT */
  static fromFolder(folder: string, options: WordPieceOptions = {}): WordPieceTokenizer {
    const path = join(folder, 'tokenizer.json');
    if (!existsSync(path)) {
      throw new DataError(
        `Expected tokenizer.json in ${folder}, got none. Make it from vocab.txt, in Python with transformers:\n` +
          `  from transformers import BertTokenizerFast\n  BertTokenizerFast.from_pretrained('${folder}').save_pretrained('${folder}')`,
      );
    }
    let description: unknown;
    try {
      description = JSON.parse(readFileSync(path, 'utf8'));
    } catch (cause) {
      throw new DataError(`${path}: ${(cause as Error).message}`, { cause });
    }
    return new WordPieceTokenizer(description, options, path);
  }

  /** The pieces of a text, uncut, without `[CLS]` and `[SEP]`. */
  pieces(text: string): string[] {
    return this.#encode(text).tokens;
  }

  get unknown(): number {
    return this.#special.unknown;
  }

  get frame(): { readonly start: readonly number[]; readonly end: readonly number[] } {
    return { start: [this.#special.start], end: [this.#special.end] };
  }

  bare(text: string): number[] {
    return this.#encode(text).ids;
  }

  /** @param limit - the most ids; `[SEP]` is the last one all the same */
  ids(text: string, limit = this.maxLength): number[] {
    const { start, end } = this.#special;
    return [start, ...this.#encode(text).ids.slice(0, lengthOf(limit) - 2), end];
  }

  encode(texts: readonly string[], length?: number): Tensor {
    const limit = Math.min(length ?? this.maxLength, this.maxLength);
    const ids = texts.map((text) => this.ids(text, limit));
    return tokenTable(ids, length, this.#special.padding);
  }

  coverage(texts: readonly string[]): number {
    const all = texts.flatMap((text) => this.#encode(text).ids);
    return all.length === 0 ? 1 : all.filter((id) => id !== this.#special.unknown).length / all.length;
  }

  #encode(text: string): { ids: number[]; tokens: string[] } {
    const corrected = this.#corrections.reduce((made, [pattern, by]) => made.replace(pattern, by), text);
    return this.#library.encode(corrected, { add_special_tokens: false });
  }
}

function lengthOf(length: number): number {
  if (Number.isInteger(length) && length >= 2) return length;
  throw new ConfigError(`Expected a length of texts from 2, for [CLS] and [SEP], got ${length}`);
}

/** The parts that are read here, known to be what they should. */
function checked(description: unknown, where: string): Description {
  const wrong = (expected: string, got: unknown): never => {
    throw new DataError(`${where}: expected ${expected}, got ${JSON.stringify(got) ?? 'nothing'}`);
  };
  const root = objectOf(description) ?? wrong('the description of a tokenizer, an object', description);
  const model = objectOf(root.model) ?? wrong('a model, an object', root.model);
  // Files of before 2020 do not name the kind.
  if ((model.type ?? 'WordPiece') !== 'WordPiece') wrong('a model of type WordPiece, as BERT has', model.type);
  const vocab = objectOf(model.vocab) ?? wrong('a vocabulary, an object of ids by token', typeof model.vocab);
  const odd = Object.entries(vocab).find(([, id]) => !isId(id));
  if (odd) wrong(`an id of ${JSON.stringify(odd[0])}, a whole number from 0`, odd[1]);
  if (typeof model.unk_token !== 'string') wrong('unk_token, a string', model.unk_token);
  const added = root.added_tokens ?? [];
  const known = (token: unknown): boolean => typeof objectOf(token)?.content === 'string' && isId(objectOf(token)?.id);
  if (!Array.isArray(added) || !added.every(known)) wrong('added_tokens, a list of tokens with content and id', added);
  return { ...root, added_tokens: added } as unknown as Description;
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> | null {
  const plain = typeof value === 'object' && value !== null && !Array.isArray(value);
  return plain ? (value as Readonly<Record<string, unknown>>) : null;
}

function isId(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
