/** Whole recordings as the network hears them, step by step. */
import { LevelTracker } from './level.js';
import { MelStream, melBands } from './mel-stream.js';
import { stepInputs } from './network.js';

/** Samples from one step of the model to the next: two mel frames, 20 ms. */
export const stepHop = 320;
/** The sample that step 0 tells of: the middle of its two mel frames. */
export const stepMiddle = 80;

/** What the network hears of a step, and how loud it is. */
export interface HeardStep {
  /** {@link stepInputs} numbers, in an array that is used again. */
  readonly input: Float32Array;
  readonly energy: number;
  readonly stress: number;
}

/** Sound to steps as it comes. */
export class Hearing {
  readonly #ear: MelStream;
  readonly #level: LevelTracker;
  readonly #input = new Float32Array(stepInputs);
  #frames = 0;

  /** @param usual - the mean spectrum of speech, which the model brings along @param warp - see `MelStream` */
  constructor(usual?: ArrayLike<number>, warp = 1) {
    this.#ear = new MelStream(warp);
    this.#level = new LevelTracker(usual);
  }

  /** The mean spectrum of the voice so far. */
  mean(): Float64Array {
    return this.#level.mean;
  }

  push(samples: Float32Array, take: (step: HeardStep) => void): void {
    this.#ear.push(samples, (frame) => {
      const half = this.#frames++ % 2;
      this.#level.next(frame, this.#input, half * melBands);
      if (half === 1) take({ input: this.#input, energy: this.#level.energy, stress: this.#level.stress });
    });
  }
}

/** The steps of a whole recording: `[steps, 80]`, and their energies. */
export function hear(
  samples: Float32Array,
  usual?: ArrayLike<number>,
  warp = 1,
): { inputs: Float32Array; energy: Float32Array } {
  const steps = Math.floor(samples.length / stepHop) + 1;
  const inputs = new Float32Array(steps * stepInputs);
  const energy = new Float32Array(steps);
  const hearing = new Hearing(usual, warp);
  let count = 0;
  const take = (step: HeardStep): void => {
    if (count >= steps) return;
    inputs.set(step.input, count * stepInputs);
    energy[count++] = step.energy;
  };
  hearing.push(samples, take);
  hearing.push(new Float32Array(2 * stepHop), take);
  return { inputs, energy };
}

/** The mean spectrum of the speech of recordings, relative to their level: what `LevelTracker` begins with. */
export function usualSpectrum(recordings: Iterable<Float32Array>): Float32Array {
  const sums = new Float64Array(melBands);
  let count = 0;
  for (const samples of recordings) {
    const hearing = new Hearing();
    hearing.push(samples, () => {});
    const mean = hearing.mean();
    for (let band = 0; band < melBands; band++) sums[band]! += mean[band]!;
    count++;
  }
  return Float32Array.from(sums, (sum) => sum / Math.max(1, count));
}
