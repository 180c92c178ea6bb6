/** Sound to mel bands as it comes: the ear of the voice model, the same in training and in use. */
import { melFilters } from '../../media/index.js';
import { scope } from '../../torch/index.js';
import { PowerSpectrum } from './fourier.js';

/** Samples a second that the voice model hears. */
export const voiceRate = 16000;
/** Samples from one mel frame to the next: 10 ms. */
export const melHop = 160;
/** Samples of a mel frame: 25 ms. */
export const melWindow = 400;
export const melBands = 40;

const SIZE = 512;
const EMPHASIS = 0.97;
/** Energy below which there is nothing: -110 dB of a full wave. */
const FLOOR = 1e-8;

interface Filter {
  readonly first: number;
  readonly weights: Float64Array;
}

/**
 * Triangles on HTK's mel scale from 60 to 7,600 Hz, each with the peak 1; only the bins that are not 0.
 * @param warp - what all frequencies are divided by
 */
function filters(warp: number): Filter[] {
  return scope(() => {
    const options = { rate: voiceRate, nFft: SIZE, nMels: melBands, fMin: 60, fMax: 7600, htk: true, norm: null };
    const all = melFilters(options).data() as Float64Array;
    const bins = SIZE / 2 + 1;
    return Array.from({ length: melBands }, (_, band) => {
      const row = warped(all.subarray(band * bins, (band + 1) * bins), warp);
      const first = row.findIndex((weight) => weight > 0);
      const end = row.findLastIndex((weight) => weight > 0) + 1;
      return { first: Math.max(0, first), weights: row.slice(Math.max(0, first), end) };
    });
  });
}

/** A filter with its frequencies divided; what would lie above all bins is left out. */
function warped(row: Float64Array, warp: number): Float64Array {
  if (warp === 1) return row.slice();
  return row.map((_, bin) => {
    const place = bin * warp;
    const before = Math.floor(place);
    const [a, b] = [row[before] ?? 0, row[before + 1] ?? 0];
    return a + (place - before) * (b - a);
  });
}

/**
 * Natural logarithms of the energies in {@link melBands} bands. Frame `j` reads the {@link melWindow} samples around sample `j * 160`,
 * 200 of them behind it; before the beginning is silence. Memory does not grow, and a frame does not depend on how the sound was cut.
 */
export class MelStream {
  readonly #filters: readonly Filter[];
  readonly #spectrum = new PowerSpectrum(SIZE);
  readonly #window = Float64Array.from({ length: melWindow }, (_, i) => {
    return 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / melWindow);
  });
  readonly #ring = new Float64Array(melWindow);
  readonly #frame = new Float64Array(melWindow);
  readonly #energies = new Float64Array(SIZE / 2 + 1);
  #last = 0;
  /** Samples taken. */
  #count = 0;
  /** The sample after which the next frame is complete. */
  #due = melWindow / 2;

  /** @param warp - above 1 hears a voice as if its throat were so much shorter: for training */
  constructor(warp = 1) {
    this.#filters = filters(warp);
  }

  /** @param take - gets each frame that is complete; the array is used again */
  push(samples: Float32Array, take: (frame: Float64Array) => void): void {
    for (let i = 0; i < samples.length; i++) {
      const sample = Number.isFinite(samples[i]) ? samples[i]! : 0;
      this.#ring[this.#count % melWindow] = sample - EMPHASIS * this.#last;
      this.#last = sample;
      this.#count++;
      if (this.#count < this.#due) continue;
      this.#due += melHop;
      take(this.#bands());
    }
  }

  readonly #out = new Float64Array(melBands);

  #bands(): Float64Array {
    for (let i = 0; i < melWindow; i++) {
      this.#frame[i] = this.#ring[(this.#count + i) % melWindow]! * this.#window[i]!;
    }
    this.#spectrum.energies(this.#frame, this.#energies);
    this.#filters.forEach(({ first, weights }, band) => {
      let sum = FLOOR;
      for (let i = 0; i < weights.length; i++) sum += weights[i]! * this.#energies[first + i]!;
      this.#out[band] = Math.log(sum);
    });
    return this.#out;
  }
}
