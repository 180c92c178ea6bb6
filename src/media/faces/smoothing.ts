/** The one-euro filter (Casiez, Roussel and Vogel, CHI 2012): steady where little moves, quick where much does. */

export interface OneEuroOptions {
  /** Samples a second. */
  readonly rate: number;
  /** Hertz: what is slower passes even at rest. */
  readonly minCutoff: number;
  /** Hertz that a speed of 1 a second adds. */
  readonly beta: number;
}

/** Cutoff of the speed's own filter, in hertz. */
const speedCutoff = 1;

export class OneEuroFilter {
  readonly #options: OneEuroOptions;
  #last: { value: Float32Array; speed: Float32Array } | null = null;

  constructor(options: OneEuroOptions) {
    this.#options = options;
  }

  /** Forgets what was, so that the next values pass unchanged. */
  reset(): void {
    this.#last = null;
  }

  /** The next values, filtered; `scale` is what counts as 1 of them. */
  next(values: Float32Array, scale = 1): Float32Array {
    const { rate, minCutoff, beta } = this.#options;
    if (this.#last === null) {
      this.#last = { value: values.slice(), speed: new Float32Array(values.length) };
      return values.slice();
    }
    const { value, speed } = this.#last;
    const keep = share(speedCutoff, rate);
    for (let i = 0; i < values.length; i++) {
      const change = values[i]! - value[i]!;
      speed[i]! += keep * (change * rate - speed[i]!);
      value[i]! += share(minCutoff + (beta * Math.abs(speed[i]!)) / scale, rate) * change;
    }
    return value.slice();
  }
}

/** What a new sample counts in a first-order low-pass. */
function share(cutoff: number, rate: number): number {
  const step = (2 * Math.PI * cutoff) / rate;
  return step / (step + 1);
}
