/** Random numbers by a seed, one by one: what augmentation of single clips draws from. */

export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to below 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** A whole number below `count`. */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  yes(probability: number): boolean {
    return this.next() < probability;
  }

  /** Of mean 0 and variance 1: the sum of four even ones, which is near enough for noise. */
  bell(): number {
    return (this.next() + this.next() + this.next() + this.next() - 2) * Math.sqrt(3);
  }

  /** A generator of its own, told apart by a number. */
  fork(key: number): Chance {
    return new Chance(Math.imul(this.#state ^ (key + 1), 0x9e3779b1) ^ (key * 0x85ebca6b));
  }
}
