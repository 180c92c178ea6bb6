/** Energies of short spectra, in plain arrays: a stream of sound has no use for tensors of one frame. */

/** The energies `|X|^2` of the bins 0 to size / 2 of real sound. */
export class PowerSpectrum {
  readonly #cosines: Float64Array;
  readonly #sines: Float64Array;
  readonly #places: Uint32Array;
  readonly #real: Float64Array;
  readonly #imaginary: Float64Array;

  /** @param size - samples of a transform, a power of two */
  constructor(readonly size: number) {
    const turn = (-2 * Math.PI) / size;
    this.#cosines = Float64Array.from({ length: size / 2 }, (_, i) => Math.cos(turn * i));
    this.#sines = Float64Array.from({ length: size / 2 }, (_, i) => Math.sin(turn * i));
    const bits = Math.log2(size);
    this.#places = Uint32Array.from({ length: size }, (_, i) => reversed(i, bits));
    this.#real = new Float64Array(size);
    this.#imaginary = new Float64Array(size);
  }

  /** @param frame - at most `size` samples; those that lack are 0 @param into - `size / 2 + 1` energies */
  energies(frame: Float64Array, into: Float64Array): void {
    const [real, imaginary] = [this.#real, this.#imaginary];
    imaginary.fill(0);
    for (let i = 0; i < this.size; i++) real[this.#places[i]!] = i < frame.length ? frame[i]! : 0;
    for (let half = 1; half < this.size; half *= 2) this.#pass(half);
    for (let bin = 0; bin <= this.size / 2; bin++) into[bin] = real[bin]! ** 2 + imaginary[bin]! ** 2;
  }

  /** Joins spectra of `half` samples to spectra of twice as many. */
  #pass(half: number): void {
    const [real, imaginary] = [this.#real, this.#imaginary];
    const stride = this.size / (2 * half);
    for (let from = 0; from < this.size; from += 2 * half) {
      for (let i = 0; i < half; i++) {
        const [cosine, sine] = [this.#cosines[i * stride]!, this.#sines[i * stride]!];
        const [a, b] = [from + i, from + i + half];
        const x = real[b]! * cosine - imaginary[b]! * sine;
        const y = real[b]! * sine + imaginary[b]! * cosine;
        real[b] = real[a]! - x;
        imaginary[b] = imaginary[a]! - y;
        real[a]! += x;
        imaginary[a]! += y;
      }
    }
  }
}

function reversed(value: number, bits: number): number {
  let result = 0;
  for (let bit = 0; bit < bits; bit++) if (value & (1 << bit)) result |= 1 << (bits - 1 - bit);
  return result;
}
