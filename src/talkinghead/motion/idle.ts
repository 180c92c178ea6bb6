/** What heads do by themselves: they shift, sway and breathe. */
import { leastJerk, rise } from './curves.js';
import { RandomStream } from './random.js';

/** Degrees, and cm. */
export interface HeadShift {
  yaw: number;
  pitch: number;
  roll: number;
  x: number;
  y: number;
  z: number;
}

/** Deviations of where a head comes to rest, in degrees. */
const postures = { yaw: 2.4, pitch: 1.3, roll: 1.3 } as const;
/** Slow sway: degrees, and waves a second, which never meet again. */
const sways = {
  yaw: [
    [0.7, 0.127],
    [0.35, 0.311],
  ],
  pitch: [
    [0.45, 0.163],
    [0.22, 0.373],
  ],
  roll: [
    [0.4, 0.109],
    [0.2, 0.287],
  ],
} as const;
const turns = ['yaw', 'pitch', 'roll'] as const;
/** Breaths a second; how far they lift the head, in cm, and tilt it, in degrees. */
const breath = { rate: 0.25, lift: 0.06, tilt: 0.25 } as const;

interface Shift {
  readonly start: number;
  readonly seconds: number;
  readonly from: readonly [number, number, number];
  readonly to: readonly [number, number, number];
}

/** Starts from rest, so that the first frame is as photographed, and depends on nothing but seed and time. */
export class IdleHead {
  readonly #random: RandomStream;
  readonly #phases: Readonly<Record<(typeof turns)[number], readonly [number, number]>>;
  readonly #breath: number;
  #shift: Shift = { start: 0, seconds: 1, from: [0, 0, 0], to: [0, 0, 0] };
  #next: number;

  constructor(seed: number) {
    const random = new RandomStream(seed, 'idle');
    const phase = (): number => random.uniform(0, 2 * Math.PI);
    this.#phases = { yaw: [phase(), phase()], pitch: [phase(), phase()], roll: [phase(), phase()] };
    this.#breath = random.uniform(0, 1);
    this.#next = random.uniform(0.2, 1.2);
    this.#random = random;
  }

  /** How far the head is from where it was photographed; times grow from call to call. */
  at(time: number): HeadShift {
    while (time >= this.#next) this.#move(this.#next);
    const { start, seconds, from, to } = this.#shift;
    const way = leastJerk((time - start) / seconds);
    const begun = rise(time, 0, 1.2);
    const turn = (axis: (typeof turns)[number], i: number): number => {
      const sway = sways[axis].map(
        ([size, rate], k) => size * Math.sin(2 * Math.PI * rate * time + this.#phases[axis][k]!),
      );
      return from[i]! + (to[i]! - from[i]!) * way + begun * (sway[0]! + sway[1]!);
    };
    const lungs = begun * lungsAt(breath.rate * time + this.#breath);
    return {
      yaw: turn('yaw', 0),
      pitch: turn('pitch', 1) + breath.tilt * lungs,
      roll: turn('roll', 2),
      x: 0,
      y: breath.lift * lungs,
      z: 0,
    };
  }

  /** Another posture, some way back towards the middle and some way on to somewhere new. */
  #move(time: number): void {
    const random = this.#random;
    const from = this.#shift.to;
    const to = turns.map((axis, i) => 0.3 * from[i]! + random.normal(postures[axis]));
    this.#shift = {
      start: time,
      seconds: random.uniform(0.7, 1.3),
      from,
      to: to as unknown as [number, number, number],
    };
    this.#next = time + this.#shift.seconds + random.exponential(1.6);
  }
}

/** -1 to 1: in for two fifths of a breath, out for the rest. */
function lungsAt(breaths: number): number {
  const part = breaths - Math.floor(breaths);
  return part < 0.4 ? -Math.cos((Math.PI * part) / 0.4) : Math.cos((Math.PI * (part - 0.4)) / 0.6);
}
