/** Whether a mouth moves when something is heard: curves over time, and the shift at which they agree best. */

/** Decibels below the loudest frame at which sound counts as silence. */
const silence = 30;

/** The loudness of each frame of a video, fed with samples in order: memory does not grow with their number. */
export class Loudness {
  readonly #energy: number[] = [];
  #position = 0;

  /** @param rate - samples a second @param fps - frames a second */
  constructor(
    private readonly rate: number,
    private readonly fps: number,
  ) {}

  push(samples: Float32Array): void {
    for (const sample of samples) {
      const frame = Math.floor((this.#position++ * this.fps) / this.rate);
      this.#energy[frame] = (this.#energy[frame] ?? 0) + sample * sample;
    }
  }

  /**
   * The mean energy of what is heard while each of `frames` frames is shown, in decibels below the loudest one (0), -30 for silence.
   * Null where all is silent.
   */
  curve(frames: number): Float64Array | null {
    const energy = Float64Array.from({ length: frames }, (_, i) => this.#energy[i] ?? 0);
    const most = Math.max(...energy);
    if (!(most > 0)) return null;
    return energy.map((value) => Math.max(-silence, 10 * Math.log10(Math.max(value, Number.MIN_VALUE) / most)));
  }
}

/**
 * The changes of a curve from frame to frame, each frame evened out with its neighbours (1, 2, 1): over a sentence loudness and mouths
 * rise and fall slowly and not together, but they move together.
 */
export function movement(curve: ArrayLike<number>): Float64Array {
  const last = curve.length - 1;
  const even = (i: number): number => (curve[Math.max(0, i - 1)]! + 2 * curve[i]! + curve[Math.min(last, i + 1)]!) / 4;
  return Float64Array.from({ length: Math.max(0, last) }, (_, i) => even(i + 1) - even(i));
}

/** Where two curves agree best. */
export interface Offset {
  /** Frames by which the first comes later; fractions by a parabola through the three best. */
  readonly frames: number;
  /** The correlation there. */
  readonly correlation: number;
  /** The correlation where neither is moved. */
  readonly unmoved: number;
}

/** Frames that must overlap at the furthest shift, for a correlation to say anything. */
const leastOverlap = 10;

/**
 * The shift at which two curves have the highest correlation.
 * @param reach - frames to either side that are tried
 * @returns null where a curve does not move or is too short
 */
export function bestOffset(a: ArrayLike<number>, b: ArrayLike<number>, reach: number): Offset | null {
  const count = Math.min(a.length, b.length);
  const most = Math.min(reach, count - leastOverlap);
  if (most < 0) return null;
  const tried = Array.from({ length: 2 * most + 1 }, (_, i) => correlation(a, b, count, i - most));
  if (tried[most] === Number.NEGATIVE_INFINITY) return null;
  const best = tried.indexOf(Math.max(...tried));
  const [before, here, after] = [tried[best - 1], tried[best]!, tried[best + 1]];
  const bend = before === undefined || after === undefined ? 0 : before - 2 * here + after;
  const part = bend < 0 && Number.isFinite(bend) ? (0.5 * (before! - after!)) / bend : 0;
  return { frames: best - most + part, correlation: here, unmoved: tried[most]! };
}

/**
 * Pearson's, of `a` from `shift` on with `b` from its beginning (or the other way round where `shift` is below 0). The means and the
 * spreads are those of the whole curves, so that a shift gains nothing by what it leaves out. Minus infinity where one stands still.
 */
function correlation(a: ArrayLike<number>, b: ArrayLike<number>, count: number, shift: number): number {
  const [ma, mb] = [meanOf(a, count), meanOf(b, count)];
  let [saa, sbb, sab, most] = [0, 0, 0, 0];
  for (let i = 0; i < count; i++) {
    const [x, y] = [a[i]! - ma, b[i]! - mb];
    saa += x * x;
    sbb += y * y;
    most = Math.max(most, Math.abs(ma), Math.abs(mb));
    const other = i - shift;
    if (other >= 0 && other < count) sab += x * (b[other]! - mb);
  }
  // What rounding leaves of a curve that stands still is no movement.
  const nothing = count * (1e-7 * most) ** 2;
  return saa <= nothing || sbb <= nothing ? Number.NEGATIVE_INFINITY : sab / Math.sqrt(saa * sbb);
}

function meanOf(values: ArrayLike<number>, count: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += values[i]!;
  return sum / count;
}

/** A curve turned by half of its length: the same sound at the wrong time. */
export function turnedByHalf(curve: Float64Array): Float64Array {
  const half = Math.floor(curve.length / 2);
  return curve.map((_, i) => curve[(i + half) % curve.length]!);
}
