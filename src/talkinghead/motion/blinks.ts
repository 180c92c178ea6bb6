/** When eyes blink, and how. */
import { clamp, rise } from './curves.js';
import { RandomStream } from './random.js';

/** What a blink may follow. */
export interface BlinkCues {
  /** A phrase has just ended. */
  readonly pause: boolean;
  /** Head or eyes have just begun a large turn. */
  readonly turn: boolean;
}

/** Seconds: none begins within `apart` of the last one's end, another comes `between` later in the mean; and chances at a cue. */
export const blinkHabits = { first: 0.8, apart: 0.6, between: 3.4, atPause: 0.45, atTurn: 0.6 } as const;

interface Blink {
  readonly start: number;
  /** Seconds of falling, of being shut, and of opening. */
  readonly down: number;
  readonly shut: number;
  readonly up: number;
}

/**
 * Blinks without a cause come as a Poisson process does, at any moment alike, but for a while after each; others come at pauses
 * and large turns. Lids fall in some 80 ms and open in some 200 (VanderWerf and others, J. Neurophysiol. 89, 2003), and are
 * shut in one frame at least.
 */
export class Blinks {
  readonly #random: RandomStream;
  readonly #shut: number;
  #blink: Blink | null = null;
  #free: number = blinkHabits.first;
  #due: number;

  /** @param fps - frames a second */
  constructor(seed: number, fps: number) {
    this.#random = new RandomStream(seed, 'blinks');
    this.#shut = Math.max(0.035, 1.001 / fps);
    this.#due = this.#free + this.#random.exponential(blinkHabits.between);
  }

  /** How far the lids are closed at a time, 0 to 1; times grow from call to call. */
  at(time: number, { pause, turn }: BlinkCues): number {
    const caused =
      (pause && this.#random.happens(blinkHabits.atPause)) || (turn && this.#random.happens(blinkHabits.atTurn));
    if (time >= this.#due || (caused && time >= this.#free)) this.#begin(Math.min(time, this.#due));
    return this.#blink === null ? 0 : lidsAt(this.#blink, time);
  }

  #begin(start: number): void {
    const some = (mean: number): number => mean * (1 + clamp(this.#random.normal(0.15), -0.3, 0.4));
    const blink = { start, down: some(0.08), shut: this.#shut, up: some(0.2) };
    this.#blink = blink;
    this.#free = start + blink.down + blink.shut + blink.up + blinkHabits.apart;
    this.#due = this.#free + this.#random.exponential(blinkHabits.between);
  }
}

function lidsAt({ start, down, shut, up }: Blink, time: number): number {
  const since = time - start;
  if (since < down) return rise(since, 0, down);
  const opening = clamp((since - down - shut) / up, 0, 1);
  // Quick at first, then slower and slower.
  return (1 - opening) ** 2 * (1 + 0.6 * opening);
}
