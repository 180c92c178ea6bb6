/** Noise that fits on at its borders, as grain of skin, hair and walls. */
import { Random } from './random.js';

export const noiseSide = 256;

/** From 0 to 1, smooth over `cell` pixels, which divides 256; at 1 every pixel is its own. */
function smoothNoise(cell: number): Float32Array {
  const random = new Random(cell, 'noise');
  const side = noiseSide / cell;
  const knots = Float32Array.from({ length: side * side }, () => random.uniform());
  const result = new Float32Array(noiseSide * noiseSide);
  for (let y = 0; y < noiseSide; y++) {
    const [top, fy] = split(y / cell);
    for (let x = 0; x < noiseSide; x++) {
      const [left, fx] = split(x / cell);
      const knot = (i: number, j: number): number => knots[((top + j) % side) * side + ((left + i) % side)]!;
      const upper = knot(0, 0) + fx * (knot(1, 0) - knot(0, 0));
      const lower = knot(0, 1) + fx * (knot(1, 1) - knot(0, 1));
      result[y * noiseSide + x] = upper + fy * (lower - upper);
    }
  }
  return result;
}

function split(at: number): [number, number] {
  const whole = Math.floor(at);
  const part = at - whole;
  return [whole, part * part * (3 - 2 * part)];
}

const fields = new Map<number, Float32Array>();

/** The field of a cell size, made once. */
export function noiseField(cell: number): Float32Array {
  const known = fields.get(cell);
  if (known) return known;
  const made = smoothNoise(cell);
  fields.set(cell, made);
  return made;
}

/** A view on a field that begins elsewhere for each person: -1 to 1, at whole pixels. */
export class Noise {
  readonly #field: Float32Array;
  readonly #x: number;
  readonly #y: number;

  constructor(cell: number, random: Random) {
    this.#field = noiseField(cell);
    this.#x = random.whole(noiseSide);
    this.#y = random.whole(noiseSide);
  }

  at(x: number, y: number): number {
    const column = (Math.floor(x) + this.#x) & (noiseSide - 1);
    const row = (Math.floor(y) + this.#y) & (noiseSide - 1);
    return 2 * this.#field[row * noiseSide + column]! - 1;
  }
}

/** 0 below `from`, 1 above `to` (or the other way round), smooth between. */
export function smoothstep(from: number, to: number, value: number): number {
  const share = Math.min(Math.max((value - from) / (to - from), 0), 1);
  return share * share * (3 - 2 * share);
}

/** A bell of height 1. */
export function bell(distance: number, deviation: number): number {
  const share = distance / deviation;
  return Math.exp(-0.5 * share * share);
}

export const mix = (a: number, b: number, share: number): number => a + share * (b - a);
