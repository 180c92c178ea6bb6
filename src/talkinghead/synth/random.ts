/** Random numbers by seed: the same on every machine. */

/** Mixes two whole numbers to a seed, so that neighbours have nothing in common (SplitMix32's finisher). */
export function mixSeed(seed: number, purpose: number): number {
  let x = (seed ^ Math.imul(purpose + 1, 0x9e3779b9)) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}

/** Chris Doty-Humphrey's sfc32, seeded by a whole number below 2^53. */
export class Random {
  #a: number;
  #b: number;
  #c = 0x2545f491;
  #counter = 1;

  constructor(seed: number, purpose = 0) {
    this.#a = mixSeed(seed >>> 0, purpose);
    this.#b = mixSeed(Math.floor(seed / 2 ** 32) >>> 0, purpose + 0x51ed);
    for (let i = 0; i < 12; i++) this.next();
  }

  /** 32 bits. */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter++) >>> 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) >>> 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) >>> 0;
    return sum;
  }

  uniform(from = 0, to = 1): number {
    return from + ((to - from) * this.next()) / 2 ** 32;
  }

  /** Nearly normal: the sum of twelve, which is never further than 6 deviations out. */
  normal(mean = 0, deviation = 1): number {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += this.uniform();
    return mean + deviation * sum;
  }

  chance(share: number): boolean {
    return this.uniform() < share;
  }

  /** One of several, each as likely as its weight says; equally without weights. */
  pick<T>(choices: readonly T[], weights?: readonly number[]): T {
    const total = weights ? weights.reduce((sum, weight) => sum + weight, 0) : choices.length;
    let left = this.uniform(0, total);
    for (const [i, choice] of choices.entries()) {
      left -= weights ? weights[i]! : 1;
      if (left < 0) return choice;
    }
    return choices[choices.length - 1]!;
  }
}
