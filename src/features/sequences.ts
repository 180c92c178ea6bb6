/** Features by utterance: sequences of rows, in memory or read from a file when asked for. */
import { type LazyArray, type NumberArray, type RawArray, viewNumbers } from '../io/index.js';
import { ConfigError, DataError, ShapeError } from '../torch/errors.js';
import { scope, type Tensor, tensor, tensorFromBytes } from '../torch/index.js';
import type { CleanCounts, FeatureSpec } from './specs.js';

/** One modality's features of every utterance. All values are finite: what was not is 0, and counted. */
export interface SequenceFeatures {
  readonly spec: FeatureSpec;
  /** Rows of each utterance, without padding; 0 where there is nothing. */
  readonly lengths: Int32Array;
  /** Row-major [length, dims]: a fresh copy. */
  rows(index: number): Float32Array;
  /** What was cleaned, in everything that was read so far. */
  readonly cleaned: CleanCounts;
  /** Frees memory or closes the file. Safe to call twice. */
  dispose(): void;
}

/** Rows of a modality as they come from a source, before they are cleaned. */
export interface SequenceSource {
  readonly spec: FeatureSpec;
  readonly lengths: Int32Array;
  /** [length, dims], in any dtype; only the first `length` rows are used. */
  read(index: number): Float32Array | RawArray;
}

/** Sets what is not finite to 0, in place. */
export class Cleaner {
  private nan = 0;
  private infinite = 0;
  private utterances = 0;

  /** Float32 values of the first `count` numbers. */
  clean(values: Float32Array | RawArray, count: number): Float32Array {
    const source = values instanceof Float32Array ? values : numbersOf(values);
    if (source.length < count) throw new ShapeError(`expected ${count} numbers of features, got ${source.length}`);
    const out = new Float32Array(count);
    out.set(source.subarray(0, count));
    let [nan, infinite] = [0, 0];
    for (let i = 0; i < count; i++) {
      const value = out[i] as number;
      if (value - value === 0) continue; // finite, and quicker than to ask
      if (Number.isNaN(value)) nan++;
      else infinite++;
      out[i] = 0;
    }
    this.nan += nan;
    this.infinite += infinite;
    if (nan + infinite > 0) this.utterances++;
    return out;
  }

  get counts(): CleanCounts {
    return { nan: this.nan, infinite: this.infinite, utterances: this.utterances };
  }
}

/** The numbers of an array of any kind. */
export function numbersOf(array: RawArray): NumberArray {
  if (array.dtype !== 'float16') return viewNumbers(array);
  return scope(() =>
    tensorFromBytes(array.bytes, 'float16', [array.bytes.length / 2])
      .to({ dtype: 'float32' })
      .data(),
  ) as Float32Array;
}

/** Numbers of a piece of `PackedSequences`. */
const pieceSize = 1 << 24;

/** What another thread needs besides the pieces, as plain JSON. */
export interface PackedLayout {
  readonly spec: FeatureSpec;
  readonly lengths: readonly number[];
  readonly pieces: number;
  readonly cleaned: CleanCounts;
}

/**
 * Sequences in memory, float32, without padding, in tensors of some 64 MiB: these pass to other threads by handle.
 */
export class PackedSequences implements SequenceFeatures {
  /** Which piece an utterance lies in, and at which row of it. */
  private readonly places: Int32Array;
  readonly spec: FeatureSpec;
  readonly lengths: Int32Array;

  private constructor(
    readonly pieces: readonly Tensor[],
    { spec, lengths }: Pick<SequenceSource, 'spec' | 'lengths'>,
    readonly cleaned: CleanCounts,
  ) {
    this.spec = spec;
    this.lengths = lengths;
    this.places = places(lengths, spec.dims);
    for (const piece of pieces) piece.keep();
  }

  /** Reads, cleans and packs every utterance, one at a time. */
  static from(source: SequenceSource): PackedSequences {
    const { spec, lengths } = source;
    const cleaner = new Cleaner();
    const builder = new PackedBuilder();
    lengths.forEach((length, i) => {
      builder.add(length === 0 ? new Float32Array(0) : cleaner.clean(source.read(i), length * spec.dims));
    });
    return builder.finish(spec, cleaner.counts);
  }

  /** The other end of `layout` and `pieces`. */
  static fromPieces(pieces: readonly Tensor[], layout: PackedLayout): PackedSequences {
    return new PackedSequences(pieces, { spec: layout.spec, lengths: Int32Array.from(layout.lengths) }, layout.cleaned);
  }

  get layout(): PackedLayout {
    return { spec: this.spec, lengths: [...this.lengths], pieces: this.pieces.length, cleaned: this.cleaned };
  }

  rows(index: number): Float32Array {
    const length = lengthOf(this.lengths, index);
    const piece = this.pieces[this.places[2 * index] as number];
    if (length === 0 || piece === undefined) return new Float32Array(0);
    return scope(() => piece.narrow(0, this.places[2 * index + 1] as number, length).data()) as Float32Array;
  }

  dispose(): void {
    for (const piece of this.pieces) piece.dispose();
  }
}

/** Puts sequences into pieces as they come, so that nothing is held twice. */
export class PackedBuilder {
  private readonly pieces: Tensor[] = [];
  private readonly counts: number[] = [];
  private waiting: Float32Array[] = [];
  private size = 0;
  private total = 0;

  /** @param values rows of one utterance, already clean; empty where there is nothing */
  add(values: Float32Array): void {
    if (this.size > 0 && this.size + values.length > pieceSize) this.flush();
    this.waiting.push(values);
    this.counts.push(values.length);
    this.size += values.length;
    this.total += values.length;
  }

  /** Bytes so far. */
  get bytes(): number {
    return 4 * this.total;
  }

  finish(spec: FeatureSpec, cleaned: CleanCounts): PackedSequences {
    if (this.waiting.length > 0) this.flush();
    const { dims } = spec;
    const pieces = this.pieces.map((piece) => {
      const rows = piece.view([piece.numel / dims, dims]);
      piece.dispose();
      return rows;
    });
    const lengths = this.counts.map((count) => count / dims);
    return PackedSequences.fromPieces(pieces, { spec, lengths, pieces: pieces.length, cleaned });
  }

  private flush(): void {
    const piece = new Float32Array(this.size);
    let at = 0;
    for (const values of this.waiting) {
      piece.set(values, at);
      at += values.length;
    }
    this.pieces.push(tensor(piece).keep());
    this.waiting = [];
    this.size = 0;
  }
}

/** The utterances of each piece, from and to. */
function* pieceBorders(lengths: Int32Array, dims: number): Generator<readonly [number, number]> {
  let [first, size] = [0, 0];
  for (let i = 0; i < lengths.length; i++) {
    const next = (lengths[i] as number) * dims;
    if (size > 0 && size + next > pieceSize) {
      yield [first, i];
      [first, size] = [i, 0];
    }
    size += next;
  }
  if (lengths.length > 0) yield [first, lengths.length];
}

function places(lengths: Int32Array, dims: number): Int32Array {
  const out = new Int32Array(2 * lengths.length);
  let piece = 0;
  for (const [first, end] of pieceBorders(lengths, dims)) {
    let row = 0;
    for (let i = first; i < end; i++) {
      out[2 * i] = piece;
      out[2 * i + 1] = row;
      row += lengths[i] as number;
    }
    piece++;
  }
  return out;
}

function lengthOf(lengths: Int32Array, index: number): number {
  const length = lengths[index];
  if (length === undefined) throw new DataError(`expected an utterance from 0 to ${lengths.length - 1}, got ${index}`);
  return length;
}

/** Sequences that stay in a file and are read, cleaned and counted when asked for: for sets larger than the memory. */
export class LazySequences implements SequenceFeatures {
  private readonly cleaner = new Cleaner();
  private readonly seen: Uint8Array;

  /** @param release closes the file */
  constructor(
    private readonly source: SequenceSource,
    private readonly release: () => void,
  ) {
    this.seen = new Uint8Array(source.lengths.length);
  }

  get spec(): FeatureSpec {
    return this.source.spec;
  }

  get lengths(): Int32Array {
    return this.source.lengths;
  }

  get cleaned(): CleanCounts {
    return this.cleaner.counts;
  }

  rows(index: number): Float32Array {
    const count = lengthOf(this.lengths, index) * this.spec.dims;
    if (count === 0) return new Float32Array(0);
    // Each utterance is counted once, however often it is read.
    const cleaner = this.seen[index] === 0 ? this.cleaner : new Cleaner();
    this.seen[index] = 1;
    return cleaner.clean(this.source.read(index), count);
  }

  dispose(): void {
    this.release();
  }
}

/** Some utterances of another sequence, in a new order. Disposing of it disposes of the other. */
export class SelectedSequences implements SequenceFeatures {
  readonly lengths: Int32Array;

  constructor(
    readonly base: SequenceFeatures,
    readonly indices: readonly number[],
  ) {
    this.lengths = Int32Array.from(indices, (index) => lengthOf(base.lengths, index));
  }

  get spec(): FeatureSpec {
    return this.base.spec;
  }

  get cleaned(): CleanCounts {
    return this.base.cleaned;
  }

  rows(index: number): Float32Array {
    lengthOf(this.lengths, index);
    return this.base.rows(this.indices[index] as number);
  }

  dispose(): void {
    this.base.dispose();
  }
}

/** How much of a data set is brought into memory. */
export interface MemoryOptions {
  /**
   * `packed`: everything, without padding, as float32. `lazy`: nothing; files stay open and rows are read when asked for. `auto` (the
   * default): packed where a modality takes at most `maxMemory`.
   */
  readonly memory?: 'auto' | 'packed' | 'lazy';
  /** Bytes of each modality for `auto`; 1 GiB by default. */
  readonly maxMemory?: number;
}

/** Packs a source or leaves it in its file, as the options say. @param release closes the file; it is called when nothing needs it */
export function storeSequences(source: SequenceSource, options: MemoryOptions, release: () => void): SequenceFeatures {
  const total = source.lengths.reduce((sum, length) => sum + length, 0) * source.spec.dims * 4;
  const { memory = 'auto', maxMemory = 2 ** 30 } = options;
  if (!['auto', 'packed', 'lazy'].includes(memory))
    throw new ConfigError(`Expected memory 'auto', 'packed' or 'lazy', got '${String(memory)}'`);
  if (memory === 'lazy' || (memory === 'auto' && total > maxMemory)) return new LazySequences(source, release);
  const packed = PackedSequences.from(source);
  release();
  return packed;
}

/** Rows of arrays [n, T, D], one after another, of which each utterance uses the first ones. */
export function arraySource(arrays: readonly LazyArray[], lengths: Int32Array, spec: FeatureSpec): SequenceSource {
  const starts = arrays.map((_, i) => arrays.slice(0, i).reduce((sum, array) => sum + array.length, 0));
  const read = (index: number): RawArray => {
    const part = starts.findLastIndex((start) => start <= index);
    const row = index - (starts[part] as number);
    return (arrays[part] as LazyArray).rows(row, row + 1);
  };
  return { spec, lengths, read };
}
