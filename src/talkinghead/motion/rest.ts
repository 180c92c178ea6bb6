/** What a photograph's own expression becomes while its person speaks. */
import { arkitNames } from '../face/index.js';
import { lipGap, shareForGap } from './lips.js';

/** What parts lips, and `mouthClose`, which goes with the jaw. */
export const openingPlaces: readonly number[] = arkitNames.flatMap((name, at) =>
  /^(jawOpen|mouth(Close|Funnel|LowerDown|UpperUp|ShrugUpper))/.test(name) ? [at] : [],
);

/** cm: lips further apart than this do not rest. In pauses of free speech, those of people who were filmed are as far apart. */
const RESTING = 0.4;

/**
 * The photograph's expression as it is until somebody speaks; from then on its lips rest in pauses, no further apart than lips at
 * rest are: a mouth that was photographed wide open does not go back to that after each phrase.
 */
export class PhotographedMouth {
  readonly #now: Float32Array;
  /** The share of what parts the lips that resting lips keep. */
  readonly #kept: number;
  #begun = 0;

  constructor(private readonly rest: Float32Array) {
    this.#now = rest.slice();
    const parting = new Float32Array(rest.length);
    for (const at of openingPlaces) parting[at] = rest[at]!;
    this.#kept = lipGap(rest) > RESTING ? shareForGap(rest, parting, RESTING) : 1;
  }

  /** @param speaking - 0 to 1: how much is being said now @returns `[52]`, in an array that is used again */
  next(speaking: number): Float32Array {
    if (speaking > this.#begun) {
      this.#begun = speaking;
      const share = 1 - this.#begun * (1 - this.#kept);
      for (const at of openingPlaces) this.#now[at] = share * this.rest[at]!;
    }
    return this.#now;
  }
}
