/** Word vectors: `words.txt`, one word a line, and `vectors.f32`, a row of float32 for each. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FileReader, reason } from '../../io/file.js';
import { DataError } from '../../torch/errors.js';
import { type Tensor, tensorFromBytes } from '../../torch/index.js';
import { PackedSequences } from './sequences.js';
import type { Utterance } from './types.js';

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

  /** Share of the words of these texts that have vectors, and the most common ones that have none. */
  coverage(texts: readonly string[]): { readonly share: number; readonly missing: readonly string[] } {
    const missing = new Map<string, number>();
    let [known, all] = [0, 0];
    for (const word of texts.flatMap(splitWords)) {
      all++;
      if (this.index(word) !== null) known++;
      else missing.set(word, (missing.get(word) ?? 0) + 1);
    }
    const ordered = [...missing].sort((a, b) => b[1] - a[1]).map(([word]) => word);
    return { share: all === 0 ? 1 : known / all, missing: ordered.slice(0, 20) };
  }

  /** Text features: a row for each word of an utterance that has a vector; words without one are left out. */
  features(utterances: readonly Utterance[]): PackedSequences {
    const rows = utterances.map(({ text }) =>
      splitWords(text ?? '')
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

/** Words in small letters, and signs one by one, as word vectors have them: `It's good!` -> it 's good ! */
export function splitWords(text: string): string[] {
  const plain = text.toLowerCase().replaceAll('’', "'");
  return plain.match(/'(?:s|m|d|re|ve|ll)\b|n't\b|[\p{L}\p{N}]+?(?=n't\b)|[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu) ?? [];
}
