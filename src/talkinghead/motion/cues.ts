/** What is read off speech and turns as they come: how much is said, where a phrase ends, where a quick turn begins. */
import { type Expressions, expressionNames } from '../../media/index.js';
import { clamp, rise } from './curves.js';
import type { SpeechFrame } from './frame.js';
import { lipGap } from './lips.js';

/** Seconds in which a value follows by 63 %, growing and falling. */
const speakingTimes = { grow: 0.04, fall: 0.2 } as const;
const heardTime = 0.35;
const phrase = { loud: 0.15, quiet: 0.08, least: 0.4, pause: 0.12 } as const;
/** Degrees a second. */
const turning = { begins: 25, ends: 10 } as const;

/** What counts as speech, from where it begins to where it is all there: by its loudness, and by the lips' gap in cm. */
const spoken = { energy: [0.05, 0.25], gap: [0.1, 0.25] } as const;

/** 0 to 1: how much is being said. A mouth begins to speak before it is heard. */
export class Speaking {
  readonly #shares: { readonly grow: number; readonly fall: number };
  #value = 0;

  constructor(fps: number) {
    const share = (seconds: number): number => 1 - Math.exp(-1 / (fps * seconds));
    this.#shares = { grow: share(speakingTimes.grow), fall: share(speakingTimes.fall) };
  }

  next({ energy, mouth, closure }: Pick<SpeechFrame, 'energy' | 'mouth' | 'closure'>): number {
    const goal = Math.max(rise(energy, ...spoken.energy), rise(lipGap(mouth), ...spoken.gap), clamp(closure, 0, 1));
    this.#value += (goal > this.#value ? this.#shares.grow : this.#shares.fall) * (goal - this.#value);
    return this.#value;
  }
}

/** The emotion heard in a voice, steadied; it comes up from nothing, and stays in pauses. */
export class HeardEmotion {
  /** What is heard of somebody who is silent. */
  static readonly nothing = Object.fromEntries(expressionNames.map((name) => [name, 0])) as Expressions;

  readonly #share: number;
  #near: Float64Array | null = null;
  #value = new Float64Array(expressionNames.length);

  constructor(fps: number) {
    this.#share = 1 - Math.exp(-2 / (fps * heardTime));
  }

  /** Two low-passes, one after the other. @returns null before any was heard */
  next(heard: Expressions | null): Expressions | null {
    if (heard !== null) {
      this.#near ??= new Float64Array(expressionNames.length);
      for (const [i, name] of expressionNames.entries()) {
        this.#near[i]! += this.#share * (heard[name] - this.#near[i]!);
        this.#value[i]! += this.#share * (this.#near[i]! - this.#value[i]!);
      }
    }
    if (this.#near === null) return null;
    return Object.fromEntries(expressionNames.map((name, i) => [name, this.#value[i]!])) as Expressions;
  }
}

/** True once where a phrase has ended. */
export class PhraseEnds {
  #loudSince: number | null = null;
  #quietSince: number | null = null;

  next(time: number, energy: number): boolean {
    if (energy > phrase.loud) {
      this.#loudSince ??= time;
      this.#quietSince = null;
    } else if (energy < phrase.quiet && this.#loudSince !== null) {
      this.#quietSince ??= time;
      if (time - this.#quietSince < phrase.pause) return false;
      const long = this.#quietSince - this.#loudSince >= phrase.least;
      this.#loudSince = this.#quietSince = null;
      return long;
    }
    return false;
  }
}

/** True once where a quick turn of the head begins. */
export class TurnBegins {
  readonly #fps: number;
  #last: readonly [yaw: number, pitch: number] | null = null;
  #turning = false;

  constructor(fps: number) {
    this.#fps = fps;
  }

  next({ yaw, pitch }: { readonly yaw: number; readonly pitch: number }): boolean {
    const speed = this.#last === null ? 0 : Math.hypot(yaw - this.#last[0], pitch - this.#last[1]) * this.#fps;
    this.#last = [yaw, pitch];
    const began = !this.#turning && speed > turning.begins;
    if (began) this.#turning = true;
    else if (speed < turning.ends) this.#turning = false;
    return began;
  }
}
