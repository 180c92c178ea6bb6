/** Smoothing without lag: a curve is fitted to what comes before and after each frame, and read in its middle. */
import { ConfigError, checkOptions, ShapeError } from '../../torch/index.js';
import { clamp } from './curves.js';
import { MotionTrack } from './track.js';

export interface SmoothingOptions {
  /** How many frames before and after count, those further away less: 0 and more, parts of a frame too. */
  readonly radius: number;
  /** Of the curve: 0 a mean, 1 a straight line, 2 a parabola, the default, which leaves peaks their height. */
  readonly degree?: 0 | 1 | 2;
}

interface Kernel {
  readonly before: number;
  readonly factors: Float64Array;
}

/**
 * Smooths rows as they come. The row of a frame is there once `lookAhead` more have been pushed, and belongs to that frame: its
 * time is the same, nothing is delayed against sound. It is the same whether it came from here or from {@link smoothRows}.
 */
export class RowSmoother {
  /** Frames that must have come after one before it is given back. */
  readonly lookAhead: number;
  readonly #width: number;
  readonly #radius: number;
  readonly #degree: number;
  readonly #kernels = new Map<string, Kernel>();
  /** The last rows, at most `2 lookAhead + 1`; the first of them is frame `#first`. */
  #rows: Float32Array[] = [];
  #first = 0;
  #given = 0;

  /** @param width - numbers a row @throws ConfigError */
  constructor(width: number, options: SmoothingOptions) {
    checkOptions('RowSmoother', options, ['radius', 'degree']);
    const { radius, degree = 2 } = options;
    if (!(radius >= 0 && radius <= 10_000))
      throw new ConfigError(`Expected radius from 0 to 10000 frames, got ${radius}`);
    if (![0, 1, 2].includes(degree)) throw new ConfigError(`Expected degree 0, 1 or 2, got ${degree}`);
    this.#width = width;
    this.#radius = radius;
    this.#degree = degree;
    this.lookAhead = Math.ceil(radius);
  }

  /** Takes the next row, and gives back that of `lookAhead` frames ago; null for the first few. @throws ShapeError */
  push(row: ArrayLike<number>): Float32Array | null {
    if (row.length !== this.#width) throw new ShapeError(`Expected a row of ${this.#width} numbers, got ${row.length}`);
    this.#rows.push(Float32Array.from(row));
    if (this.#rows.length > 2 * this.lookAhead + 1) {
      this.#rows.shift();
      this.#first++;
    }
    return this.#first + this.#rows.length > this.#given + this.lookAhead ? this.#next() : null;
  }

  /** The rows that are still to come: there is nothing after them. */
  end(): Float32Array[] {
    const rows: Float32Array[] = [];
    while (this.#given < this.#first + this.#rows.length) rows.push(this.#next());
    return rows;
  }

  #next(): Float32Array {
    const at = this.#given++ - this.#first;
    const before = Math.min(at, this.lookAhead);
    const after = Math.min(this.#rows.length - 1 - at, this.lookAhead);
    const rows = this.#rows.slice(at - before, at + after + 1);
    const { factors } = this.#kernel(before, after);
    return Float32Array.from({ length: this.#width }, (_, i) => {
      let [sum, least, most] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
      for (const [k, row] of rows.entries()) {
        const value = row[i]!;
        sum += factors[k]! * value;
        if (value < least) least = value;
        if (value > most) most = value;
      }
      return clamp(sum, least, most);
    });
  }

  /** Where frames lack, or there are but three, a parabola would follow noise: a straight line at most. */
  #kernel(before: number, after: number): Kernel {
    const key = `${before},${after}`;
    const known = this.#kernels.get(key);
    if (known) return known;
    const whole = this.lookAhead > 1 && Math.min(before, after) === this.lookAhead;
    const degree = Math.min(this.#degree, whole ? 2 : 1, before + after);
    const kernel = { before, factors: kernelOf(before, after, this.#radius, degree) };
    this.#kernels.set(key, kernel);
    return kernel;
  }
}

/**
 * What each frame from `-before` to `after` counts, so that the sum is the value at 0 of the curve that fits them best, each
 * weighed by `(1 - (k / (radius + 1))^2)^2` (Cleveland's local regression with a biweight).
 */
function kernelOf(before: number, after: number, radius: number, degree: number): Float64Array {
  const weight = (k: number): number => Math.max(0, 1 - (k / (radius + 1)) ** 2) ** 2;
  const moments = new Float64Array(2 * degree + 1);
  for (let k = -before; k <= after; k++) for (let p = 0; p < moments.length; p++) moments[p]! += weight(k) * k ** p;
  const [a, b, c] = firstRow(moments, degree);
  return Float64Array.from({ length: before + after + 1 }, (_, i) => {
    const k = i - before;
    return weight(k) * (a + b * k + c * k * k);
  });
}

/** The first row of the inverse of the normal equations' matrix, whose entry (i, j) is moment i + j. */
function firstRow(m: Float64Array, degree: number): [number, number, number] {
  if (degree === 0) return [1 / m[0]!, 0, 0];
  if (degree === 1) {
    const det = m[0]! * m[2]! - m[1]! ** 2;
    return [m[2]! / det, -m[1]! / det, 0];
  }
  const [p, q, r] = [m[2]! * m[4]! - m[3]! ** 2, m[2]! * m[3]! - m[1]! * m[4]!, m[1]! * m[3]! - m[2]! ** 2];
  const det = m[0]! * p + m[1]! * q + m[2]! * r;
  return [p / det, q / det, r / det];
}

/**
 * Smooths rows, `[frames * width]`, without lag: slopes, and with degree 2 peaks, stay where and as they are, and nothing goes
 * beyond what its surroundings have.
 * @throws ConfigError
 */
export function smoothRows(values: Float32Array, width: number, options: SmoothingOptions): Float32Array {
  const smoother = new RowSmoother(width, options);
  const result = new Float32Array(values.length);
  let at = 0;
  const put = (row: Float32Array | null): void => {
    if (row === null) return;
    result.set(row, at);
    at += width;
  };
  for (let i = 0; i < values.length; i += width) put(smoother.push(values.subarray(i, i + width)));
  for (const row of smoother.end()) put(row);
  return result;
}

/**
 * A track without its jitter and without lag.
 * @param seconds - before and after each frame that count; 0.1 by default
 * @throws ConfigError
 */
export function smoothTrack(track: MotionTrack, seconds = 0.1): MotionTrack {
  const options = { radius: seconds * track.fps };
  return new MotionTrack({
    fps: track.fps,
    weights: smoothRows(track.weights, track.weights.length / track.frames, options),
    pose: smoothRows(track.pose, 3, options),
    ...(track.position ? { position: smoothRows(track.position, 3, options) } : {}),
    ...(track.gaze ? { gaze: smoothRows(track.gaze, 2, options) } : {}),
  });
}
