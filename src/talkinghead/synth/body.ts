/** Clothes on shoulders, and what else is painted: eyes, teeth, tongue. */

import type { Shell } from './hair.js';
import { bell, mix, Noise, smoothstep } from './noise.js';
import { Random } from './random.js';
import { neckAxis, type Skull } from './skull.js';
import type { AtlasRegion } from './surface.js';
import { blend, type Colour, type PersonTraits, scaled, srgb } from './traits.js';

const columns = 64;
const rows = 16;
const lowest = -44;

/** Half width and half depth of a clothed body, in cm, by height. */
const torso: readonly (readonly [y: number, width: number, depth: number])[] = [
  [-10, 5.2, 5],
  [-13, 7, 6],
  [-15, 11.5, 7.2],
  [-17, 16, 8.4],
  [-19.5, 19, 9.4],
  [-23, 20.5, 10.5],
  [-32, 21.5, 12],
  [-44, 20.5, 12],
];

function torsoRadius(azimuth: number, y: number): number {
  let k = 0;
  while (k < torso.length - 2 && y < torso[k + 1]![0]) k++;
  const [from, to] = [torso[k]!, torso[k + 1]!];
  const share = Math.min(Math.max((y - from[0]) / (to[0] - from[0]), 0), 1);
  const [width, depth] = [mix(from[1], to[1], share), mix(from[2], to[2], share)];
  return 1 / Math.hypot(Math.sin(azimuth) / width, Math.cos(azimuth) / depth);
}

/** The height at which clothes begin. */
export function collarHeight(traits: PersonTraits, azimuth: number): number {
  const { neck } = traits.clothes;
  const front = 0.5 + 0.5 * Math.cos(azimuth);
  const round = -10.6 - (1.6 + 2.4 * neck) * front;
  const cleft = neck > 0.65 ? 5.5 * smoothstep(0.75, 0, Math.abs(azimuth)) : 0;
  return round - cleft;
}

export function dress(traits: PersonTraits, skull: Skull, region: AtlasRegion): Shell {
  const count = (columns + 1) * rows;
  const vertices = new Float32Array(3 * count);
  const places = new Float32Array(2 * count);
  for (let column = 0; column <= columns; column++) {
    const azimuth = (column / columns) * 2 * Math.PI - Math.PI;
    const top = collarHeight(traits, azimuth);
    for (let row = 0; row < rows; row++) {
      const s = row / (rows - 1);
      const y = row === 0 ? top - 0.25 : mix(top, lowest, ((row - 1) / (rows - 2)) ** 1.7);
      const off = row === 0 ? 0.1 : row === 1 ? 0.35 : 0.5 + 0.9 * smoothstep(-12, -16, y);
      const skin = y > -19 ? skull.neckRadius(azimuth, y) + off : 0;
      const radius = Math.max(skin, row < 2 ? 0 : torsoRadius(azimuth, y) * smoothstep(0, 0.12, s));
      const at = column * rows + row;
      vertices.set([radius * Math.sin(azimuth), y, neckAxis + radius * Math.cos(azimuth)], 3 * at);
      places[2 * at] = region.x + 1 + (column / columns) * (region.side - 2);
      places[2 * at + 1] = region.y + 1 + s * (region.side - 2);
    }
  }
  const triangles: number[] = [];
  for (let column = 0; column < columns; column++) {
    for (let row = 0; row + 1 < rows; row++) {
      const a = column * rows + row;
      const b = a + rows;
      triangles.push(a, a + 1, b, b, a + 1, b + 1);
    }
  }
  return { vertices, places, triangles: Uint32Array.from(triangles), follows: new Float32Array(count) };
}

type Painter = (u: number, v: number, i: number, j: number) => readonly [Colour, gloss: number];

/** Fills a region; u and v run from 0 to 1. */
function paint(region: AtlasRegion, atlas: Uint8Array, stride: number, painter: Painter): void {
  for (let j = 0; j < region.side; j++) {
    for (let i = 0; i < region.side; i++) {
      const [colour, gloss] = painter((i + 0.5) / region.side, (j + 0.5) / region.side, i, j);
      const at = 4 * ((region.y + j) * stride + region.x + i);
      for (let k = 0; k < 3; k++) atlas[at + k] = 255 * Math.sqrt(Math.min(Math.max(colour[k]!, 0), 1)) + 0.5;
      atlas[at + 3] = 255 * gloss + 0.5;
    }
  }
}

export function paintCloth(traits: PersonTraits, region: AtlasRegion, atlas: Uint8Array, stride: number): void {
  const random = new Random(traits.seed, 'cloth');
  const [weave, crease] = [new Noise(1, random), new Noise(32, random)];
  const { colour, second, stripes } = traits.clothes;
  const zoom = 256 / region.side;
  paint(region, atlas, stride, (_u, v, i, j) => {
    const band =
      v < 0.1 ? (stripes > 0 ? 1 : 0.25) : stripes > 0 ? smoothstep(0.2, 0.5, Math.sin(70 * stripes * v)) : 0;
    const value = 1 + 0.12 * weave.at(i, j) + 0.25 * crease.at(i * zoom * 2, j * zoom);
    return [scaled(blend(colour, second, band), value), 0.2];
  });
}

/** cm from the eye's axis at the border of its region. */
export const eyeReach = 1.5;

export function paintEye(traits: PersonTraits, region: AtlasRegion, atlas: Uint8Array, stride: number): void {
  const random = new Random(traits.seed, 'eyes');
  const [fibre, cloud] = [new Noise(4, random), new Noise(16, random)];
  const [iris, pupil] = [random.uniform(0.57, 0.62), random.uniform(0.16, 0.27)];
  const white = blend(srgb(232, 224, 218), srgb(214, 190, 170), 0.5 * traits.age);
  const light = scaled(traits.iris, 1.7);
  paint(region, atlas, stride, (u, v) => {
    const [x, y] = [(2 * u - 1) * eyeReach, (2 * v - 1) * eyeReach];
    const radius = Math.hypot(x, y);
    const angle = Math.atan2(y, x) / (2 * Math.PI);
    const rays = fibre.at(angle * 256, radius * 12);
    const vein = 0.1 * Math.max(0, cloud.at(u * 256, v * 256)) + 0.16 * smoothstep(0.9, 1.4, radius);
    let colour: Colour = [white[0], white[1] * (1 - vein), white[2] * (1 - vein)];
    const ring = smoothstep(iris - 0.13, iris - 0.01, radius);
    const inner = bell(radius - pupil - 0.06, 0.09);
    const shade = scaled(blend(traits.iris, light, 0.35 + 0.4 * rays + 0.3 * inner), 1 - 0.72 * ring);
    colour = blend(shade, colour, smoothstep(iris - 0.03, iris + 0.035, radius));
    return [blend([0.004, 0.004, 0.004], colour, smoothstep(pupil - 0.025, pupil + 0.025, radius)), 1];
  });
}

/** Where teeth, gums, tongue and the rest of the mouth lie in their region: the middles of its quarters. */
export const mouthPlaces = {
  teeth: [0.25, 0.25],
  gums: [0.75, 0.25],
  tongue: [0.25, 0.75],
  socket: [0.75, 0.75],
} as const;

export function paintMouth(traits: PersonTraits, region: AtlasRegion, atlas: Uint8Array, stride: number): void {
  const stain = 0.3 * traits.age + 0.1;
  const teeth = blend(srgb(236, 230, 216), srgb(214, 196, 152), stain);
  const gums = blend(srgb(196, 108, 104), scaled(traits.skin, 0.5), 0.25);
  paint(region, atlas, stride, (u, v) => {
    if (v < 0.5) return u < 0.5 ? [teeth, 0.9] : [gums, 0.8];
    return u < 0.5 ? [srgb(188, 102, 100), 0.5] : [srgb(116, 48, 46), 0.4];
  });
}
