/** Word vectors: `words.txt`, one word a line, and `vectors.f32`, a row of float32 for each. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PackedSequences } from '../features/sequences.js';
import { FileReader, reason } from '../io/file.js';
import { DataError } from '../torch/errors.js';
import { type Tensor, tensorFromBytes } from '../torch/index.js';

/** Words with their vectors, in memory. */
export class WordVectors {
  private readonly places: ReadonlyMap<string, number>;

  private constructor(
    readonly words: readonly string[],
    readonly dims: number,
    private readonly values: Float32Array<ArrayBuffer>,
    private readonly source: string,
  ) {
    this.places = new Map(words.map((word, i) => [word, i]));
  }

  /** @throws DataError when a file is absent, a word comes twice, or the two do not fit */
  static open(folder: string): WordVectors {
    const path = join(folder, 'words.txt');
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      throw new DataError(`Cannot read ${path}: ${reason(error)}`, { cause: error });
    }
    const words = text.replace(/\r?\n$/, '').split(/\r?\n/);
    const vectors = join(folder, 'vectors.f32');
    const bytes = FileReader.with(vectors, (file) => file.read(0, file.size));
    const dims = bytes.length / 4 / words.length;
    if (!Number.isInteger(dims) || dims === 0) {
      throw new DataError(
        `${vectors}: expected a row of float32 for each of ${words.length} words, got ${bytes.length} bytes`,
      );
    }
    const values = new Float32Array(bytes.buffer as ArrayBuffer);
    const wrong = values.findIndex((value) => !Number.isFinite(value));
    if (wrong >= 0) throw new DataError(`${vectors}: the vector of '${words[Math.floor(wrong / dims)]}' is not finite`);
    const result = new WordVectors(words, dims, values, folder);
    if (result.places.size !== words.length) throw new DataError(`${path}: a word comes twice`);
    return result;
  }

  get size(): number {
    return this.words.length;
  }

  /** Those of some rows. */
  rows(places: readonly number[]): WordVectors {
    const values = new Float32Array(places.length * this.dims);
    for (const [row, place] of places.entries()) values.set(this.vector(place), row * this.dims);
    return new WordVectors(
      places.map((place) => this.words[place]!),
      this.dims,
      values,
      this.source,
    );
  }

  /** The word's row, as it is written or in small letters; null when it has none. */
  index(word: string): number | null {
    return this.places.get(word) ?? this.places.get(word.toLowerCase()) ?? null;
  }

  /** float32 [size, dims], a copy: the weight of an embedding. */
  tensor(): Tensor {
    return tensorFromBytes(new Uint8Array(this.values.buffer), 'float32', [this.size, this.dims]);
  }

  vector(index: number): Float32Array {
    return this.values.slice(index * this.dims, (index + 1) * this.dims);
  }

  private split(text: string): string[] {
    return splitWords(text, (word) => this.index(word) !== null);
  }

  /** Share of the words of these texts that have vectors, and the most common ones that have none. */
  coverage(texts: readonly string[]): { readonly share: number; readonly missing: readonly string[] } {
    const missing = new Map<string, number>();
    let [known, all] = [0, 0];
    for (const word of texts.flatMap((text) => this.split(text))) {
      all++;
      if (this.index(word) !== null) known++;
      else missing.set(word, (missing.get(word) ?? 0) + 1);
    }
    const ordered = [...missing].sort((a, b) => b[1] - a[1]).map(([word]) => word);
    return { share: all === 0 ? 1 : known / all, missing: ordered.slice(0, 20) };
  }

  /** Text features: a row for each word of an utterance that has a vector; words without one are left out. */
  features(utterances: readonly { readonly text: string | null }[]): PackedSequences {
    const rows = utterances.map(({ text }) =>
      this.split(text ?? '')
        .map((word) => this.index(word))
        .filter((place) => place !== null),
    );
    const lengths = Int32Array.from(rows, (places) => places.length);
    const spec = {
      name: 'word vectors',
      dims: this.dims,
      unit: 'word',
      rate: null,
      version: `${this.size} words of ${this.source}`,
    } as const;
    const read = (i: number): Float32Array => {
      const places = rows[i] as number[];
      const out = new Float32Array(places.length * this.dims);
      places.forEach((place, w) => {
        out.set(this.values.subarray(place * this.dims, (place + 1) * this.dims), w * this.dims);
      });
      return out;
    };
    return PackedSequences.from({ spec, lengths, read });
  }
}

/** Letters of scripts that put no blanks between words. */
const UNSPACED =
  /\p{sc=Han}|\p{sc=Hiragana}|\p{sc=Katakana}|\p{sc=Thai}|\p{sc=Lao}|\p{sc=Khmer}|\p{sc=Myanmar}|\p{sc=Bopomofo}|\p{sc=Tibetan}/u;
const unspaced = UNSPACED.source;
/** A letter or number with the marks upon it, of the scripts with blanks and of those without. */
const SPACED_LETTER = `(?:(?!${unspaced})[\\p{L}\\p{N}]\\p{M}*)`;
const UNSPACED_RUN = `(?:(?:${unspaced})\\p{M}*)+`;
const ONE_UNSPACED = new RegExp(`(?:${unspaced})\\p{M}*`, 'gu');
const WORDS = new RegExp(
  `'(?:s|m|d|re|ve|ll)\\b|n't\\b|${SPACED_LETTER}+?(?=n't\\b)|${SPACED_LETTER}+|${UNSPACED_RUN}|[^\\s\\p{L}\\p{N}]`,
  'gu',
);
/** Characters of the longest word that is looked for in a script without blanks. */
const LONGEST = 8;

/**
 * Words in small letters, and signs one by one, as word vectors have them: `It's good!` -> it 's good ! Scripts without blanks between words
 * (Chinese, Japanese, Thai, ...) are cut into single characters, or where `known` is given, into the longest words that it knows.
 */
export function splitWords(text: string, known?: (word: string) => boolean): string[] {
  const plain = text.normalize('NFC').toLowerCase().replaceAll('’', "'");
  const words = plain.match(WORDS) ?? [];
  return UNSPACED.test(plain) ? words.flatMap((word) => (UNSPACED.test(word) ? cutRun(word, known) : [word])) : words;
}

function cutRun(run: string, known?: (word: string) => boolean): string[] {
  const characters = run.match(ONE_UNSPACED) ?? [];
  if (known === undefined) return characters;
  const words: string[] = [];
  for (let from = 0; from < characters.length; from += 1) {
    let to = Math.min(characters.length, from + LONGEST);
    while (to > from + 1 && !known(characters.slice(from, to).join(''))) to--;
    words.push(characters.slice(from, to).join(''));
    from = to - 1;
  }
  return words;
}
