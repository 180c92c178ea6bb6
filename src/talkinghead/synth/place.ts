/** Where a person is: light, camera and background, by seed. */

import { bell, Noise, smoothstep } from './noise.js';
import { Random } from './random.js';
import { blend, type Colour, mutedColour, scaled, srgb } from './traits.js';

export interface PlaceTraits {
  /** Towards the lamp, in the camera's space, of length 1. */
  readonly lamp: readonly [number, number, number];
  readonly lampColour: Colour;
  /** Light from all sides: nine harmonics of three colours, constants within. */
  readonly ambient: Float32Array;
  /** cm from the head. */
  readonly distance: number;
  /** cm from the upper to the lower border of the picture, at the head. */
  readonly view: number;
  /** Where the head's pivot is seen, in shares of the picture. */
  readonly centre: readonly [number, number];
  readonly gains: Colour;
  readonly contrast: number;
  /** 0 sharp to 1. */
  readonly blur: number;
  /** Of 255. */
  readonly grain: number;
}

/** Adds a matt surface's light from a far lamp. */
function addLamp(harmonics: Float32Array, [x, y, z]: readonly number[], colour: Colour): void {
  const row = [
    1 / 4,
    y! / 2,
    z! / 2,
    x! / 2,
    (15 / 16) * x! * y!,
    (15 / 16) * y! * z!,
    (5 / 64) * (3 * z! * z! - 1),
    (15 / 16) * x! * z!,
    (15 / 64) * (x! * x! - y! * y!),
  ];
  for (const [k, value] of row.entries()) for (let c = 0; c < 3; c++) harmonics[3 * k + c]! += value * colour[c]!;
}

/** Towards an azimuth (to the viewer's right) and a height, in degrees. */
function towards(azimuth: number, height: number): [number, number, number] {
  const [a, h] = [(azimuth * Math.PI) / 180, (height * Math.PI) / 180];
  return [Math.cos(h) * Math.sin(a), Math.sin(h), Math.cos(h) * Math.cos(a)];
}

export function drawPlace(seed: number): PlaceTraits {
  const random = new Random(seed, 'place');
  const warmth = random.normal(0, 1);
  const tint = (factor: number): Colour => [1 + 0.07 * warmth * factor, 1, 1 - 0.1 * warmth * factor];
  const key = random.uniform(0.25, 0.75);
  const lamp = towards(random.normal(0, 38), random.uniform(8, 58));
  const ambient = new Float32Array(27);
  const sky = (1 - key) * random.uniform(0.9, 1.4);
  addLamp(ambient, [0, 1, 0], scaled(tint(-0.6), 0.8 * sky));
  addLamp(ambient, [0, -1, 0], scaled([1, 0.92, 0.84], random.uniform(0.2, 0.5) * sky));
  addLamp(ambient, towards(0, 10), scaled(tint(0.3), 0.7 * sky));
  addLamp(
    ambient,
    towards(random.uniform(-120, 120), random.uniform(-10, 40)),
    scaled(tint(-1), random.uniform(0.2, 0.8) * sky),
  );
  addLamp(ambient, towards(random.chance(0.5) ? 130 : -130, 20), scaled(tint(0), random.uniform(0, 0.6) * sky));
  const bright = 2 ** random.normal(0, 0.24);
  return {
    lamp,
    lampColour: scaled(tint(1), 1.05 * key),
    ambient,
    distance: random.uniform(55, 140),
    view: random.uniform(31, 38),
    centre: [0.5 + random.normal(0, 0.015), 0.66 + random.normal(0, 0.012)],
    gains: [bright * (1 + random.normal(0, 0.025)), bright, bright * (1 + random.normal(0, 0.035))],
    contrast: random.uniform(0.05, 0.45),
    blur: random.uniform() ** 2,
    grain: random.uniform(0.4, 3.2),
  };
}

/** What a film makes of light from 0 to `curveEnd`: bytes, not rounded. */
export const curveEnd = 1.6;

export function toneCurve(contrast: number, count = 1024): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => {
    const light = (curveEnd * i) / (count - 1);
    // The brightest light is pressed together rather than cut.
    const soft = light < 0.7 ? light : 0.7 + 0.3 * (1 - Math.exp(-(light - 0.7) / 0.3));
    const value = soft <= 0.0031308 ? 12.92 * soft : 1.055 * soft ** (1 / 2.4) - 0.055;
    const curved = value * value * (3 - 2 * value);
    return 255 * (value + contrast * (curved - value));
  });
}

/** How much of a pixel's light comes from the four samples of an axis. */
export function blurTaps(blur: number): Float32Array {
  const deviation = 0.45 + 0.75 * blur;
  const taps = [-1.5, -0.5, 0.5, 1.5].map((at) => bell(at, deviation));
  const total = taps.reduce((sum, tap) => sum + tap, 0);
  return Float32Array.from(taps, (tap) => tap / total);
}

/** Something out of focus behind the person: `[height * width * 3]`, linear. */
export function paintBackground(seed: number, width: number, height: number): Float32Array {
  const random = new Random(seed, 'background');
  const kind = random.pick(['studio', 'wall', 'room', 'outdoors'] as const, [2, 2, 3, 3]);
  const [noise, broad] = [new Noise(32, random), new Noise(64, random)];
  const hue = (): Colour => mutedColour(random, 0.35);
  const grey = random.uniform(0.05, 0.8);
  const base = blend([grey, grey, grey], hue(), kind === 'studio' ? 0.15 : 0.3);
  const second =
    kind === 'outdoors'
      ? random.chance(0.5)
        ? srgb(120, 150, 90)
        : srgb(150, 180, 220)
      : blend(scaled(base, 0.5), hue(), 0.5);
  const [left, top] = [random.uniform(0.2, 0.8), random.uniform(0.1, 0.7)];
  const blobs = Array.from({ length: kind === 'room' || kind === 'outdoors' ? 4 + random.whole(8) : 0 }, () => ({
    x: random.uniform(-0.1, 1.1),
    y: random.uniform(-0.1, 1),
    wide: random.uniform(0.05, 0.3),
    high: random.uniform(0.05, 0.4),
    round: random.chance(kind === 'outdoors' ? 0.9 : 0.4),
    colour: scaled(blend(second, hue(), random.uniform()), random.uniform(0.3, 1.5)),
  }));
  const soft = random.uniform(0.04, 0.2);
  const pixels = new Float32Array(3 * width * height);
  for (let j = 0; j < height; j++) {
    for (let i = 0; i < width; i++) {
      const [x, y] = [(i + 0.5) / width, (j + 0.5) / height];
      const glow = kind === 'studio' ? bell(Math.hypot(x - left, y - top), 0.55) : y;
      let colour = blend(base, second, 0.65 * glow);
      for (const { x: bx, y: by, wide, high, round, colour: own } of blobs) {
        const out = round
          ? Math.hypot((x - bx) / wide, (y - by) / high)
          : Math.max(Math.abs(x - bx) / wide, Math.abs(y - by) / high);
        if (out < 1.5) colour = blend(colour, own, 0.85 * smoothstep(1 + soft / wide, 1 - soft / wide, out));
      }
      const value = 1 + 0.12 * noise.at(x * 256, y * 256) + 0.2 * broad.at(x * 256, y * 256);
      for (let c = 0; c < 3; c++) pixels[3 * (j * width + i) + c] = colour[c]! * value;
    }
  }
  return pixels;
}
