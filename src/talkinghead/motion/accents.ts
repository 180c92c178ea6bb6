/** Nods and raised brows on stressed syllables. */
import { bump } from './curves.js';
import { RandomStream } from './random.js';

/** What a stressed syllable does to a face. */
export interface Accent {
  /** Degrees. */
  readonly pitch: number;
  readonly yaw: number;
  readonly roll: number;
  /** 0 to 1 */
  readonly brows: number;
}

/** A syllable counts as stressed from `on`, and the next one is looked for below `off`, or `apart` seconds later. */
const threshold = { on: 0.45, off: 0.25, apart: 0.4 } as const;
const shape = { nodUp: 0.14, nodDown: 0.34, browsUp: 0.18, browsDown: 0.45 } as const;

interface Beat extends Accent {
  readonly start: number;
}

/** Those that may last when another begins. */
const kept = 3;

export class Accents {
  readonly #random: RandomStream;
  #beats: readonly Beat[] = [];
  #armed = true;
  #free = 0;

  constructor(seed: number) {
    this.#random = new RandomStream(seed, 'accents');
  }

  /** @param stress - 0 to 1; times grow from call to call */
  at(time: number, stress: number): Accent {
    if (stress < threshold.off) this.#armed = true;
    if (this.#armed && stress >= threshold.on && time >= this.#free) this.#begin(time, stress);
    const nod = (beat: Beat): number => bump(time - beat.start, shape.nodUp, shape.nodDown);
    const sum = (part: (beat: Beat) => number): number => this.#beats.reduce((total, beat) => total + part(beat), 0);
    return {
      pitch: sum((beat) => beat.pitch * nod(beat)),
      yaw: sum((beat) => beat.yaw * nod(beat)),
      roll: sum((beat) => beat.roll * nod(beat)),
      brows: sum((beat) => beat.brows * bump(time - beat.start, shape.browsUp, shape.browsDown)),
    };
  }

  #begin(time: number, stress: number): void {
    const random = this.#random;
    const beat: Beat = {
      start: time,
      pitch: -stress * random.uniform(0.6, 2.6),
      yaw: stress * random.normal(0.5),
      roll: stress * random.normal(0.4),
      brows: random.happens(0.5) ? stress * random.uniform(0.12, 0.35) : 0,
    };
    this.#beats = [...this.#beats.slice(1 - kept), beat];
    this.#armed = false;
    this.#free = time + threshold.apart;
  }
}
