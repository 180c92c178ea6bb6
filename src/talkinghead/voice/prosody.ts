/** How somebody speaks, over the last seconds: spectrum, pitch, loudness and how they vary. What emotions are heard by. */
import { PowerSpectrum } from './fourier.js';
import { Hearing, stepHop } from './hearing.js';
import { melBands, voiceRate } from './mel-stream.js';

const SIZE = 1024;
/** Samples that a pitch is read from: 50 ms. */
const WINDOW = 800;
/** Periods in samples that count as a voice's: 400 to 70 Hz. */
const SHORTEST = 40;
const LONGEST = 228;
/** Share of the energy that must come again a period later for a sound to be voiced. */
const VOICED = 0.45;
/** Hz: pitches are told in octaves above it. */
const MIDDLE = 140;

/** The pitch of a window of sound. */
class Pitch {
  readonly #spectrum = new PowerSpectrum(SIZE);
  readonly #energies = new Float64Array(SIZE / 2 + 1);
  readonly #frame = new Float64Array(WINDOW);
  readonly #cosines = Float64Array.from({ length: SIZE }, (_, i) => Math.cos((2 * Math.PI * i) / SIZE));
  readonly #window = Float64Array.from({ length: WINDOW }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / WINDOW));

  /** @returns octaves above {@link MIDDLE}, and how periodic the sound is, 0 to 1 */
  of(ring: Float32Array, from: number): { octaves: number; periodic: number } {
    for (let i = 0; i < WINDOW; i++) this.#frame[i] = ring[(from + i) % WINDOW]! * this.#window[i]!;
    this.#spectrum.energies(this.#frame, this.#energies);
    const whole = this.#correlation(0) + 1e-9;
    let [best, period] = [0, LONGEST];
    for (let lag = SHORTEST; lag <= LONGEST; lag++) {
      // A Hann window's own share at the lag, so that long periods are not at a loss.
      const share = 1 - lag / WINDOW;
      const value = this.#correlation(lag) / whole / share;
      if (value > best + 0.02) [best, period] = [value, lag];
    }
    return { octaves: Math.log2(voiceRate / period / MIDDLE), periodic: Math.min(1, best) };
  }

  /** Only bins up to 1 kHz tell of the pitch. */
  #correlation(lag: number): number {
    let sum = 0;
    for (let bin = 1; bin <= 64; bin++) sum += this.#energies[bin]! * this.#cosines[(bin * lag) % SIZE]!;
    return sum;
  }
}

/** Merged bands, loudness, change of loudness. */
const GROUPS = 10;
const TRAITS = GROUPS + 2;
/** Means and deviations of these, mean and deviation of the pitch, its change, how much is voiced, how much is speech. */
export const prosodyWidth: number = 2 * TRAITS + 5;

/** Steps over which the past is forgotten: 4 s. */
const MEMORY = 200;

/** Follows how somebody speaks, step by step, in constant memory. */
export class Prosody {
  readonly #pitch = new Pitch();
  readonly #ring = new Float32Array(WINDOW);
  readonly #hearing: Hearing;
  readonly #sums = new Float64Array(TRAITS);
  readonly #squares = new Float64Array(TRAITS);
  readonly #traits = new Float64Array(TRAITS);
  #count = 0;
  #lastEnergy = 0;
  #lastOctaves: number | null = null;
  #speech = 0;
  #steps = 0;
  readonly #tone = { weight: 0, sum: 0, square: 0, change: 0 };

  constructor(usual?: ArrayLike<number>) {
    this.#hearing = new Hearing(usual);
  }

  /** Seconds of speech that are remembered. */
  get seconds(): number {
    return (this.#speech * stepHop) / voiceRate;
  }

  push(samples: Float32Array): void {
    for (let at = 0; at < samples.length; ) {
      const part = samples.subarray(at, at + stepHop - (this.#count % stepHop));
      for (const sample of part) this.#ring[this.#count++ % WINDOW] = Number.isFinite(sample) ? sample : 0;
      at += part.length;
      this.#hearing.push(part, ({ input, energy }) => this.#step(input, energy));
    }
  }

  #step(input: Float32Array, energy: number): void {
    const keep = 1 - 1 / MEMORY;
    this.#steps = keep * this.#steps + 1;
    const weight = energy > 0.25 ? 1 : 0;
    const rise = energy - this.#lastEnergy;
    this.#lastEnergy = energy;
    if (weight === 0) {
      this.#lastOctaves = null;
      return;
    }
    this.#speech = keep * this.#speech + 1;
    this.#traits.fill(0);
    for (let i = 0; i < input.length; i++) {
      this.#traits[Math.floor(((i % melBands) * GROUPS) / melBands)]! += (input[i]! * GROUPS) / input.length;
    }
    this.#traits[GROUPS] = energy;
    this.#traits[GROUPS + 1] = rise;
    for (let i = 0; i < TRAITS; i++) {
      this.#sums[i] = keep * this.#sums[i]! + this.#traits[i]!;
      this.#squares[i] = keep * this.#squares[i]! + this.#traits[i]! ** 2;
    }
    this.#hearTone(keep);
  }

  #hearTone(keep: number): void {
    const { octaves, periodic } = this.#pitch.of(this.#ring, this.#count);
    const tone = this.#tone;
    for (const name of ['weight', 'sum', 'square', 'change'] as const) tone[name] *= keep;
    if (periodic < VOICED) {
      this.#lastOctaves = null;
      return;
    }
    tone.weight += 1;
    tone.sum += octaves;
    tone.square += octaves ** 2;
    if (this.#lastOctaves !== null) tone.change += Math.min(0.3, Math.abs(octaves - this.#lastOctaves));
    this.#lastOctaves = octaves;
  }

  /** {@link prosodyWidth} numbers. */
  vector(): Float32Array {
    const count = Math.max(1, this.#speech);
    const out = new Float32Array(prosodyWidth);
    for (let i = 0; i < TRAITS; i++) {
      const mean = this.#sums[i]! / count;
      out[i] = mean;
      out[TRAITS + i] = Math.sqrt(Math.max(0, this.#squares[i]! / count - mean ** 2));
    }
    const { weight, sum, square, change } = this.#tone;
    const voiced = Math.max(1, weight);
    const mean = sum / voiced;
    const deviation = Math.sqrt(Math.max(0, square / voiced - mean ** 2));
    out.set([mean, deviation, change / voiced, weight / count, count / Math.max(1, this.#steps)], 2 * TRAITS);
    return out;
  }
}
