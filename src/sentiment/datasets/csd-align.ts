/**
 * Alignment of computational sequences, as the CMU-MultimodalSDK does it: everything to the words (frames of a word become their mean),
 * then to the labelled segments.
 */

/** Rows in time: `intervals` [rows, 2] seconds, `features` [rows, dims]. */
export interface Timed {
  readonly intervals: Float64Array;
  readonly features: Float32Array;
  readonly dims: number;
}

export type Interval = readonly [start: number, end: number];

/** Overlaps shorter than this are rounding. The SDK drops entries shorter than it. */
const least = 1e-5;

/** Intervals in the order of their starts, to find what overlaps a stretch of time. */
export class TimeIndex {
  private readonly order: Int32Array;
  private readonly starts: Float64Array;
  private readonly longest: number;

  constructor(private readonly intervals: Float64Array) {
    const count = intervals.length / 2;
    const start = (i: number): number => intervals[2 * i] as number;
    this.order = Int32Array.from({ length: count }, (_, i) => i).sort((a, b) => start(a) - start(b) || a - b);
    this.starts = Float64Array.from(this.order, start);
    let longest = 0;
    for (let i = 0; i < count; i++) longest = Math.max(longest, (intervals[2 * i + 1] as number) - start(i));
    this.longest = longest;
  }

  /** The rows that overlap the interval, in the order of their starts. */
  overlapping([from, to]: Interval): number[] {
    const rows: number[] = [];
    for (let i = this.firstAfter(from - this.longest); i < this.order.length; i++) {
      if ((this.starts[i] as number) >= to) break;
      const row = this.order[i] as number;
      const [start, end] = [this.intervals[2 * row] as number, this.intervals[2 * row + 1] as number];
      if (Math.min(end, to) - Math.max(start, from) > least) rows.push(row);
    }
    return rows;
  }

  private firstAfter(time: number): number {
    let [low, high] = [0, this.starts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.starts[middle] as number) < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The rows of a sequence that overlap the interval, as they are. */
export function cut(sequence: Timed, index: TimeIndex, interval: Interval): Float32Array {
  const rows = index.overlapping(interval);
  const out = new Float32Array(rows.length * sequence.dims);
  rows.forEach((row, i) => {
    out.set(rowOf(sequence, row), i * sequence.dims);
  });
  return out;
}

/** One row for each interval: the mean of the sequence's rows that overlap it, or zeros where none does. */
export function collapse(sequence: Timed, index: TimeIndex, intervals: readonly Interval[]): Float32Array {
  const { dims } = sequence;
  const out = new Float32Array(intervals.length * dims);
  const sum = new Float64Array(dims);
  intervals.forEach((interval, i) => {
    const rows = index.overlapping(interval);
    sum.fill(0);
    for (const row of rows) {
      for (const [d, value] of rowOf(sequence, row).entries()) sum[d] = (sum[d] as number) + value;
    }
    if (rows.length > 0) for (let d = 0; d < dims; d++) out[i * dims + d] = (sum[d] as number) / rows.length;
  });
  return out;
}

function rowOf({ features, dims }: Timed, row: number): Float32Array {
  return features.subarray(row * dims, (row + 1) * dims);
}
