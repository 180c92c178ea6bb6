/** Where eyes look: at the viewer, with small movements, as the head turns under them. */
import { arkitIndex, type EyeAngles, eyeAngles, eyeTravel } from '../face/index.js';
import type { HeadTurn } from '../render/index.js';
import { clamp, rise } from './curves.js';
import { RandomStream } from './random.js';

/** How much of the head's turn the eyes make good, and how far, in degrees, they go in the head. */
const reflex = { gain: 0.9, yaw: 24, pitch: 14 } as const;
/** Degrees and seconds of what eyes do while they rest on something; and of now and then a glance aside. */
const fixation = { yaw: 0.9, pitch: 0.5, least: 0.3, mean: 1.3, move: 0.045 } as const;
const glance = { share: 0.1, yaw: [4, 8], pitch: 2.5, least: 0.4, mean: 0.5 } as const;

/** Eyes that rest on the viewer. */
export class Gaze {
  readonly #random: RandomStream;
  readonly #rest: EyeAngles;
  #from: EyeAngles = { yaw: 0, pitch: 0 };
  #to: EyeAngles = { yaw: 0, pitch: 0 };
  #start = 0;
  #next: number;
  #glanced = false;

  /** @param rest - where the eyes look in the head as photographed */
  constructor(seed: number, rest: EyeAngles) {
    this.#random = new RandomStream(seed, 'gaze');
    this.#rest = rest;
    this.#next = 0.5 + this.#random.exponential(fixation.mean);
  }

  /** True where the last call began a glance aside. */
  get glanced(): boolean {
    return this.#glanced;
  }

  /** Where the eyes look in the head. @param turn - of the head, from where it was photographed; times grow from call to call */
  at(time: number, turn: Required<HeadTurn>): EyeAngles {
    this.#glanced = false;
    while (time >= this.#next) this.#move(this.#next);
    const way = rise(time - this.#start, 0, fixation.move);
    const eye = (axis: 'yaw' | 'pitch'): number => {
      const aside = this.#from[axis] + (this.#to[axis] - this.#from[axis]) * way;
      const most = reflex[axis];
      return clamp(
        this.#rest[axis] - reflex.gain * turn[axis] + aside,
        Math.min(-most, this.#rest[axis]),
        Math.max(most, this.#rest[axis]),
      );
    };
    return { yaw: eye('yaw'), pitch: eye('pitch') };
  }

  #move(time: number): void {
    const random = this.#random;
    const aside = random.happens(glance.share);
    const side = random.happens(0.5) ? 1 : -1;
    this.#glanced = aside;
    this.#from = this.#to;
    this.#to = aside
      ? { yaw: side * random.uniform(...glance.yaw), pitch: random.normal(glance.pitch) }
      : { yaw: random.normal(fixation.yaw), pitch: random.normal(fixation.pitch) };
    const { least, mean } = aside ? glance : fixation;
    this.#start = time;
    this.#next = time + fixation.move + least + random.exponential(mean);
  }
}

const looks = (['Left', 'Right'] as const).map((side) => ({
  inwards: arkitIndex(`eyeLookIn${side}`),
  outwards: arkitIndex(`eyeLookOut${side}`),
  up: arkitIndex(`eyeLookUp${side}`),
  down: arkitIndex(`eyeLookDown${side}`),
  outwardSign: side === 'Left' ? 1 : -1,
}));

/** Where the weights let the eyes look: the mean of both. */
export function gazeOf(weights: ArrayLike<number>): EyeAngles {
  const [left, right] = [eyeAngles(weights, 'left'), eyeAngles(weights, 'right')];
  return { yaw: (left.yaw + right.yaw) / 2, pitch: (left.pitch + right.pitch) / 2 };
}

/** Turns, in place, where weights let both eyes look by some degrees: the lids follow them. */
export function lookAside(weights: Float32Array, { yaw, pitch }: EyeAngles): void {
  for (const { inwards, outwards, up, down, outwardSign } of looks) {
    turn(weights, outwards, inwards, outwardSign * yaw, eyeTravel.sideways, eyeTravel.sideways);
    turn(weights, up, down, pitch, eyeTravel.up, eyeTravel.down);
  }
}

/** Two weights of one axis, of which only one is not 0. */
function turn(weights: Float32Array, to: number, back: number, by: number, travel: number, backTravel: number): void {
  if (by === 0) return;
  const angle = weights[to]! * travel - weights[back]! * backTravel + by;
  weights[to] = clamp(angle / travel, 0, 1);
  weights[back] = clamp(-angle / backTravel, 0, 1);
}
