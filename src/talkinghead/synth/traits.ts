/** Who is drawn: everything that a seed decides about a person and the place. Plain numbers. */
import { Random } from './random.js';

/** Light, red, green and blue, from 0 to 1 on a linear scale. */
export type Colour = readonly [red: number, green: number, blue: number];

export const hairStyles = ['bald', 'shaved', 'short', 'cropped', 'fringe', 'bob', 'long', 'tied', 'curly'] as const;
export type HairStyle = (typeof hairStyles)[number];

export interface PersonTraits {
  readonly seed: number;
  /** Coefficients of `FaceModel.identity`. */
  readonly identity: Float32Array;
  /** From 0, pale, to 1, dark. */
  readonly melanin: number;
  readonly skin: Colour;
  /** 0 to 1. */
  readonly blush: number;
  readonly freckles: number;
  readonly age: number;
  readonly lips: Colour;
  readonly iris: Colour;
  readonly hair: {
    readonly style: HairStyle;
    readonly colour: Colour;
    readonly part: number;
    readonly length: number;
    readonly volume: number;
    readonly hairline: number;
  };
  /** 0 to 1: how thick, how dark. */
  readonly brows: number;
  /** 0 none, 0.5 stubble, 1 a beard. */
  readonly beard: number;
  /** 0 none to 1: darker lashes and lids. */
  readonly makeUp: number;
  readonly clothes: {
    readonly colour: Colour;
    readonly second: Colour;
    readonly neck: number;
    readonly stripes: number;
  };
}

/** sRGB of 0 to 255 to light. */
export function srgb(red: number, green: number, blue: number): Colour {
  const linear = (byte: number): number => {
    const value = byte / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [linear(red), linear(green), linear(blue)];
}

/** Skins from pale to dark, as a camera sees them in full light. */
const skins = [
  srgb(241, 208, 188),
  srgb(228, 185, 158),
  srgb(208, 158, 125),
  srgb(178, 124, 90),
  srgb(134, 86, 60),
  srgb(92, 58, 42),
] as const;

const irises = [
  [srgb(74, 46, 27), 5],
  [srgb(52, 33, 22), 3],
  [srgb(112, 84, 48), 2],
  [srgb(98, 124, 148), 2],
  [srgb(108, 122, 84), 1.5],
  [srgb(122, 130, 134), 1],
] as const;

const hairs = [
  [srgb(22, 18, 16), 4],
  [srgb(46, 32, 23), 4],
  [srgb(84, 57, 36), 2.5],
  [srgb(128, 94, 58), 1.5],
  [srgb(180, 143, 92), 1.2],
  [srgb(128, 62, 32), 0.7],
  [srgb(142, 138, 134), 1],
] as const;

export function blend(a: Colour, b: Colour, share: number): Colour {
  return [a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]), a[2] + share * (b[2] - a[2])];
}

export const scaled = (colour: Colour, factor: number): Colour => [
  colour[0] * factor,
  colour[1] * factor,
  colour[2] * factor,
];

/** Colours of walls and clothes: mostly near grey. @param most - the most that a hue may count, 0 to 1 */
export function mutedColour(random: Random, most: number): Colour {
  const grey = random.uniform() ** 1.5 * 0.65 + 0.015;
  const hue: Colour = [random.uniform(0.2, 1.8), random.uniform(0.2, 1.6), random.uniform(0.2, 1.8)];
  return blend([grey, grey, grey], scaled(hue, grey), random.uniform(0, most));
}

/** A colour of the row of skins. */
function skinOf(melanin: number, random: Random): Colour {
  const at = melanin * (skins.length - 1);
  const below = Math.min(Math.floor(at), skins.length - 2);
  const [red, green, blue] = blend(skins[below]!, skins[below + 1]!, at - below);
  const warm = random.normal(0, 0.03);
  return [red * (1 + warm), green, blue * (1 - 1.5 * warm)];
}

/** Draws a person. @param count - how many identity coefficients there are */
export function drawTraits(seed: number, count: number): PersonTraits {
  const random = new Random(seed, 'person');
  const identity = Float32Array.from({ length: count }, () => Math.min(Math.max(random.normal(0, 0.85), -2.2), 2.2));
  const melanin = random.chance(0.6) ? random.uniform(0, 0.45) : random.uniform(0.2, 1);
  const skin = skinOf(melanin, random);
  const dark = melanin > 0.55;
  const rough = random.chance(0.5);
  const old = random.chance(0.2);
  const colour = random.pick(
    hairs.map(([hair]) => hair),
    hairs.map(([, weight], i) => (dark && i > 1 ? 0.03 : weight * (i === 6 && old ? 8 : 1))),
  );
  const style = random.pick(
    hairStyles,
    rough ? [0.6, 1, 3, 3, 1, 0.3, 0.5, 0.6, dark ? 2 : 0.8] : [0, 0.1, 0.6, 0.4, 1.5, 2.5, 4, 2, dark ? 2 : 1],
  );
  const lip = blend(
    [skin[0] * 0.82, skin[1] * 0.52, skin[2] * 0.5],
    srgb(150, 40, 50),
    rough ? 0.05 : random.uniform(0.05, 0.55),
  );
  return {
    seed,
    identity,
    melanin,
    skin,
    blush: random.uniform(0.1, 1) * (1 - 0.6 * melanin),
    freckles: melanin < 0.4 && random.chance(0.25) ? random.uniform(0.3, 1) : 0,
    age: old ? random.uniform(0.6, 1) : random.uniform(0, 0.5),
    lips: lip,
    iris: random.pick(
      irises.map(([iris]) => iris),
      irises.map(([, weight], i) => (melanin > 0.45 && i > 2 ? 0.05 : weight)),
    ),
    hair: {
      style,
      colour: scaled(colour, random.uniform(0.75, 1.25)),
      part: random.normal(0, 0.3),
      length: random.uniform(),
      volume: random.uniform(0.7, 1.4),
      hairline: random.normal(0, 0.5) + (rough && old ? 1 : 0),
    },
    brows: rough ? random.uniform(0.5, 1) : random.uniform(0.25, 0.8),
    beard: rough && random.chance(0.6) ? random.uniform(0.15, 1) : 0,
    makeUp: rough ? 0 : random.uniform(0, 1),
    clothes: {
      colour: mutedColour(random, 0.8),
      second: mutedColour(random, 0.8),
      neck: random.uniform(),
      stripes: random.chance(0.25) ? random.uniform(0.4, 1) : 0,
    },
  };
}
