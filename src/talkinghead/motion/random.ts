/** Random numbers of motion: plain numbers, one stream for each purpose, so that one habit does not disturb another. */
import { deriveSeed } from '../../torch/index.js';

/** `sfc32` of Chris Doty-Humphrey's PractRand: quick, and the same on every machine. */
export class RandomStream {
  #a: number;
  #b: number;
  #c = 1;
  #count = 1;

  constructor(seed: number, purpose: string) {
    const bits = deriveSeed(seed, purpose);
    this.#a = bits | 0;
    this.#b = Math.floor(bits / 2 ** 32) | 0;
    for (let i = 0; i < 12; i++) this.uniform();
  }

  /** From 0 up to but not 1; or between two numbers. */
  uniform(from = 0, to = 1): number {
    const next = (((this.#a + this.#b) | 0) + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + next) | 0;
    return from + ((to - from) * (next >>> 0)) / 2 ** 32;
  }

  /** Of mean 0; never beyond three times the deviation. */
  normal(deviation: number): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const value = radius * Math.cos(2 * Math.PI * this.uniform());
    return deviation * Math.min(3, Math.max(-3, value));
  }

  /** Waiting times of what happens at any moment alike. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.uniform());
  }

  /** True in a share of the calls. */
  happens(share: number): boolean {
    return this.uniform() < share;
  }
}
