/** Tracks as what a head or a face follows. */
import { ConfigError, checkOptions } from '../../torch/index.js';
import { arkitCount } from '../face/index.js';
import { smoothRows } from './smoothing.js';
import { MotionTrack } from './track.js';

/** A track whose head is followed. One that is too short goes on backwards, and forwards again. */
export interface PoseSource {
  readonly track: MotionTrack;
  /** True: by how much the head has turned since the first frame. False, by default: where it points. */
  readonly relative?: boolean;
}

/** A track whose face is followed. One that is too short goes on backwards, and forwards again. */
export interface EmotionSource extends PoseSource {
  /** True: with all that its mouth does. False, by default: with what of it lasts, so that speech moves the lips. */
  readonly keepMouth?: boolean;
}

/** Seconds over which a mouth's movement is spread until speech is gone from it, and mood is left. */
const moodSeconds = 1.2;

/** Where a track of so many frames is at a time that may lie beyond its end: to and fro, in frames. */
export function toAndFro(frame: number, frames: number): number {
  if (frames === 1) return 0;
  const period = 2 * (frames - 1);
  const at = frame % period;
  return at <= frames - 1 ? at : period - at;
}

/** Rows that are looked up between frames. */
export class RowSource {
  readonly #rows: Float32Array;
  readonly #width: number;
  readonly #fps: number;

  constructor(rows: Float32Array, width: number, fps: number) {
    this.#rows = rows;
    this.#width = width;
    this.#fps = fps;
  }

  /** The row at a time, in seconds: straight between frames. */
  at(time: number, into: Float32Array = new Float32Array(this.#width)): Float32Array {
    const width = this.#width;
    const frames = this.#rows.length / width;
    // A frame's time in another's count of frames misses it by a rounding error: it is meant all the same.
    const counted = time * this.#fps;
    const near = Math.round(counted);
    const frame = toAndFro(Math.abs(counted - near) < 1e-6 ? near : counted, frames);
    const before = Math.floor(frame);
    const share = frame - before;
    for (let i = 0; i < width; i++) {
      const a = this.#rows[before * width + i]!;
      into[i] = share === 0 ? a : a + share * (this.#rows[(before + 1) * width + i]! - a);
    }
    return into;
  }

  /** The first row. */
  get first(): Float32Array {
    return this.#rows.subarray(0, this.#width);
  }
}

/** @throws ConfigError */
export function checkSource<Source extends PoseSource>(
  where: string,
  source: Source,
  known: readonly string[],
): Source {
  checkOptions(where, source, known);
  if (source.track instanceof MotionTrack) return source;
  throw new ConfigError(`${where}: expected track to be a MotionTrack`);
}

/** The weights of a track whose mouth shows what lasts: lips and jaw smoothed until no syllable is left. */
export function moodOf(track: MotionTrack, places: readonly number[]): Float32Array {
  const mouth = new Float32Array(track.frames * places.length);
  for (let frame = 0; frame < track.frames; frame++)
    for (const [i, at] of places.entries()) mouth[frame * places.length + i] = track.weights[frame * arkitCount + at]!;
  const smooth = smoothRows(mouth, places.length, { radius: (moodSeconds / 2) * track.fps, degree: 0 });
  const weights = track.weights.slice();
  for (let frame = 0; frame < track.frames; frame++)
    for (const [i, at] of places.entries()) weights[frame * arkitCount + at] = smooth[frame * places.length + i]!;
  return weights;
}
