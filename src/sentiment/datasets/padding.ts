/** Where files pad their sequences: at the end, as is said of them, or at the start. */
import { Cleaner, type SequenceSource } from '../../features/sequences.js';
import type { LazyArray, RawArray } from '../../io/index.js';

/** Utterances of an array that are looked at: enough to tell, and little to read of a large file. */
const LOOKED_AT = 256;

/** Whether rows of an utterance [rows, dims] lie where its length says, counted from the start or from the end; null where both may be. */
type Side = 'end' | 'start' | null;

/**
 * On which side sequences are padded. An utterance tells by its zeros: rows beyond its length from the start, and none before its length
 * from the end, mean padding at the start.
 */
export function paddedSide(arrays: readonly LazyArray[], lengths: Int32Array): 'end' | 'start' {
  const votes = { start: 0, end: 0 };
  for (const { rows, dims, values, index } of sample(arrays)) {
    const length = lengths[index] as number;
    const side = length === 0 || length === rows ? null : sideOf(values(), rows, dims, length);
    if (side !== null) votes[side]++;
  }
  return votes.start > votes.end ? 'start' : 'end';
}

/**
 * Lengths of sequences for which a file has none, where zeros before them, and none after, show that they are padded at the start; null
 * where they are not.
 */
export function lengthsFromTheEnd(arrays: readonly LazyArray[]): Int32Array | null {
  const votes = { start: 0, other: 0 };
  for (const { rows, dims, values } of sample(arrays)) {
    const { first, last } = filledRows(values(), dims);
    if (last < rows - 1 && first !== null) votes.other++;
    else if (first !== null && first > 0) votes.start++;
  }
  if (votes.start <= votes.other) return null;
  const lengths: number[] = [];
  for (const { rows, dims, values } of sample(arrays, Number.POSITIVE_INFINITY)) {
    lengths.push(rows - (filledRows(values(), dims).first ?? rows));
  }
  return Int32Array.from(lengths);
}

interface Looked {
  readonly rows: number;
  readonly dims: number;
  /** Of the utterance, in all arrays. */
  readonly index: number;
  values(): Float32Array;
}

/** Some utterances of each array, evenly spread. */
function* sample(arrays: readonly LazyArray[], most = LOOKED_AT): Generator<Looked> {
  let before = 0;
  for (const array of arrays) {
    const [count, rows, dims] = array.shape as [number, number, number];
    const step = Math.max(1, Math.floor(count / most));
    for (let i = 0; i < count; i += step) {
      const values = (): Float32Array => new Cleaner().clean(array.rows(i, i + 1), rows * dims);
      yield { rows, dims, index: before + i, values };
    }
    before += count;
  }
}

/** The first and the last row that are not zeros; null and -1 where all are. */
function filledRows(values: Float32Array, dims: number): { first: number | null; last: number } {
  const first = values.findIndex((value) => value !== 0);
  if (first < 0) return { first: null, last: -1 };
  return { first: Math.floor(first / dims), last: Math.floor(values.findLastIndex((value) => value !== 0) / dims) };
}

function sideOf(values: Float32Array, rows: number, dims: number, length: number): Side {
  const { first, last } = filledRows(values, dims);
  if (first === null) return null;
  const [fromStart, fromEnd] = [last < length, first >= rows - length];
  if (fromStart === fromEnd) return null;
  return fromStart ? 'end' : 'start';
}

/** The same source, each utterance's rows taken from the end of what is read. */
export function fromTheEnd(source: SequenceSource): SequenceSource {
  const { spec, lengths } = source;
  const read = (index: number): RawArray | Float32Array => {
    const all = source.read(index);
    const count = (lengths[index] as number) * spec.dims;
    if (all instanceof Float32Array) return all.subarray(all.length - count);
    const total = all.shape.reduce((product, size) => product * size, 1);
    const width = total === 0 ? 0 : all.bytes.length / total;
    return { dtype: all.dtype, shape: [count], bytes: all.bytes.slice((total - count) * width) };
  };
  return { spec, lengths, read };
}
