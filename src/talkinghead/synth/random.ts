/** Random numbers by seed, one stream for each purpose. */
import { RandomStream } from '../motion/random.js';

export class Random {
  readonly #stream: RandomStream;

  constructor(seed: number, purpose: string) {
    this.#stream = new RandomStream(seed, purpose);
  }

  uniform(from = 0, to = 1): number {
    return this.#stream.uniform(from, to);
  }

  /** Never further than three deviations out. */
  normal(mean: number, deviation: number): number {
    return mean + this.#stream.normal(deviation);
  }

  chance(share: number): boolean {
    return this.#stream.happens(share);
  }

  /** 0 to `below` - 1. */
  whole(below: number): number {
    return Math.floor(this.#stream.uniform(0, below));
  }

  /** One of several, each as likely as its weight says; equally without weights. */
  pick<T>(choices: readonly T[], weights?: readonly number[]): T {
    const total = weights ? weights.reduce((sum, weight) => sum + weight, 0) : choices.length;
    let left = this.#stream.uniform(0, total);
    for (const [i, choice] of choices.entries()) {
      left -= weights ? weights[i]! : 1;
      if (left < 0) return choice;
    }
    return choices[choices.length - 1]!;
  }
}
