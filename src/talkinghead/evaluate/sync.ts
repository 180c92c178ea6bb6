/** Whether a mouth moves when something is heard: curves over time, and the shift at which they agree best. */

/** Decibels below the loudest frame at which sound counts as silence. */
const silence = 50;

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
   * The mean energy of what is heard while each of `frames` frames is shown, in decibels below the loudest one (0), -50 for silence.
   * Null where all is silent.
   */
  curve(frames: number): Float64Array | null {
    const energy = Float64Array.from({ length: frames }, (_, i) => this.#energy[i] ?? 0);
    const most = Math.max(...energy);
    if (!(most > 0)) return null;
    return energy.map((value) => Math.max(-silence, 10 * Math.log10(Math.max(value, Number.MIN_VALUE) / most)));
  }
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
 * Pearson's, of `a` from `shift` on with `b` from its beginning (or the other way round where `shift` is below 0); minus infinity where
 * one of them stands still.
 */
function correlation(a: ArrayLike<number>, b: ArrayLike<number>, count: number, shift: number): number {
  const [from, to, length] = [Math.max(0, shift), Math.max(0, -shift), count - Math.abs(shift)];
  let [sa, sb, saa, sbb, sab] = [0, 0, 0, 0, 0];
  for (let i = 0; i < length; i++) {
    const [x, y] = [a[from + i]!, b[to + i]!];
    sa += x;
    sb += y;
    saa += x * x;
    sbb += y * y;
    sab += x * y;
  }
  const [va, vb] = [saa - (sa * sa) / length, sbb - (sb * sb) / length];
  // What rounding leaves of a curve that stands still is no movement.
  if (va <= 1e-12 * saa || vb <= 1e-12 * sbb) return Number.NEGATIVE_INFINITY;
  return (sab - (sa * sb) / length) / Math.sqrt(va * vb);
}

/** A curve turned by half of its length: the same sound at the wrong time. */
export function turnedByHalf(curve: Float64Array): Float64Array {
  const half = Math.floor(curve.length / 2);
  return curve.map((_, i) => curve[(i + half) % curve.length]!);
}
