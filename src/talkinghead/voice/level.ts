/** How loud a voice is against itself: what makes the model deaf to a recording's level, its microphone and its noise. */
import { melBands } from './mel-stream.js';

/** Mel frames a second. */
const RATE = 100;
/** Nats of mean log energy: the level that speech is taken to have before any is heard, and the lowest that it is taken to have. */
const USUAL = -3;
const LEAST = -8;
/**
 * Nats a second that the level sinks: before anything has reached it, where something is heard beneath it all the same, as in a quiet
 * recording, and where nothing is; and once something has. And the share of the way that it rises a frame.
 */
const SINK_TO_FIRST = 40;
const SINK_AT_FIRST = 2.5;
const SINK = 0.5;
const RISE = 0.2;
/** Nats that speech is taken to be above the quietest heard of late, at least, and nats a second that the quietest rises. */
const CLEAR = 4.5;
const FORGET = 0.3;
/** Nats below the level: where a sound counts as silence, and from where as speech. */
const DEPTH = 8;
const SPEECH = 3;
/** Frames of the memory of the voice's mean spectrum, and those that the usual spectrum counts as. */
const MEMORY = 10 * RATE;
const PRIOR = 0.7 * RATE;
const SLOW = 0.6 * RATE;

/** Follows the level of speech and its mean spectrum, causally, frame by frame of `MelStream`. */
export class LevelTracker {
  #level = USUAL;
  #reached = false;
  #quietest = USUAL - CLEAR;
  /** Mean over speech of each band above the level. */
  readonly mean: Float64Array;
  #seen = PRIOR;
  #slow = 0;
  /** 0 in silence, 1 for loud speech. */
  energy = 0;
  /** 0 to 1: how far a syllable rises above what came before. */
  stress = 0;

  /** @param usual - the mean spectrum of speech above its level, `melBands` numbers */
  constructor(usual: ArrayLike<number> = new Float64Array(melBands)) {
    this.mean = Float64Array.from(usual);
  }

  /** @param frame - of `MelStream` @param into - that frame, relative to the voice: about -2 to 2 */
  next(frame: Float64Array, into: Float32Array, at: number): void {
    let loudness = 0;
    for (let band = 0; band < melBands; band++) loudness += frame[band]! / melBands;
    this.#quietest = Math.min(loudness, this.#quietest + FORGET / RATE);
    const least = Math.max(LEAST, this.#quietest + CLEAR);
    const heard = loudness > this.#quietest + CLEAR;
    const sink = this.#reached ? SINK : heard ? SINK_TO_FIRST : SINK_AT_FIRST;
    if (this.#level > least) this.#level = Math.max(least, this.#level - sink / RATE);
    if (loudness > this.#level) {
      this.#reached = true;
      this.#level += RISE * (loudness - this.#level);
    }
    const above = loudness - this.#level;
    if (above > -SPEECH) this.#seen = Math.min(MEMORY, this.#seen + 1);
    for (let band = 0; band < melBands; band++) {
      const value = Math.max(-DEPTH, frame[band]! - this.#level);
      if (above > -SPEECH) this.mean[band]! += (value - this.mean[band]!) / this.#seen;
      into[at + band] = (value - this.mean[band]!) / 3;
    }
    this.#hear(above);
  }

  #hear(above: number): void {
    const energy = Math.min(1, Math.max(0, 1 + above / (DEPTH - SPEECH)));
    this.energy += 0.35 * (energy - this.energy);
    this.stress = Math.min(1, Math.max(0, 2.5 * (this.energy - this.#slow) - 0.2));
    this.#slow += (this.energy - this.#slow) / SLOW;
  }
}
