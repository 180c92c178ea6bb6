/** Hair: a shell of strands that run from the parting to the hairline, or down to the shoulders. */
import { mix, Noise, smoothstep } from './noise.js';
import { Random } from './random.js';
import type { Hairline } from './skin.js';
import { direction, type Skull, skullCentre, unit } from './skull.js';
import type { AtlasRegion } from './surface.js';
import type { HairStyle, PersonTraits } from './traits.js';

/** A mesh of its own, in the face's space. */
export interface Shell {
  /** `[n * 3]` cm. */
  readonly vertices: Float32Array;
  /** `[n * 2]`: places in the atlas, in texels. */
  readonly places: Float32Array;
  readonly triangles: Uint32Array;
  /** How far each vertex follows the head (1) or the shoulders (0). */
  readonly follows: Float32Array;
}

const degrees = Math.PI / 180;

/** Azimuths and angles from straight up, in degrees, where hair ends: forehead, temple, sideburn, over the ear, nape. */
const line: readonly (readonly [azimuth: number, polar: number])[] = [
  [0, 50],
  [25, 51],
  [42, 54],
  [57, 65],
  [68, 84],
  [78, 84],
  [92, 74],
  [112, 84],
  [128, 104],
  [150, 122],
  [180, 128],
];

function endOf(azimuth: number): number {
  const a = Math.abs(azimuth) / degrees;
  let k = 0;
  while (k < line.length - 2 && a > line[k + 1]![0]) k++;
  const [from, to] = [line[k]!, line[k + 1]!];
  return mix(from[1], to[1], (a - from[0]) / (to[0] - from[0])) * degrees;
}

/** Where a person's hair ends: radians above the line, of a direction from the skull's centre. */
function aboveLine(traits: PersonTraits, azimuth: number, polar: number): number {
  const front = smoothstep(75, 30, Math.abs(azimuth) / degrees);
  const corner = smoothstep(14, 34, Math.abs(azimuth) / degrees) * front;
  const { hairline, style } = traits.hair;
  const end = endOf(azimuth) - (2.2 * hairline * front + 4 * Math.max(0, hairline) * corner) * degrees;
  return style === 'bald'
    ? Math.min(end - polar, polar - 70 * degrees, 3 * (Math.abs(azimuth) - 62 * degrees))
    : end - polar;
}

/** For places on the mean face. */
export function hairlineOf(traits: PersonTraits): Hairline {
  const [cx, cy, cz] = skullCentre;
  return (x, y, z) => {
    const [dx, dy, dz] = [x - cx, y - cy, z - cz];
    const radius = Math.hypot(dx, dy, dz);
    if (y < -8) return -3;
    return radius * aboveLine(traits, Math.atan2(dx, dz), Math.atan2(Math.hypot(dx, dz), dy));
  };
}

interface Cut {
  /** cm over the skin at the crown. */
  readonly thick: number;
  /** cm over the skin where hair ends. */
  readonly edge: number;
  /** Degrees beyond the hairline on the forehead. */
  readonly fringe: number;
  /** Height in cm to which hair falls beside and behind the face; null: it ends at the hairline. */
  readonly falls: number | null;
  /** cm by which it stands out here and there. */
  readonly rough: number;
  /** Where strands come from: forward of the crown. */
  readonly forward: number;
}

function cutOf({ hair }: PersonTraits): Cut | null {
  const { style, volume, length } = hair;
  const cuts: Readonly<Record<HairStyle, Cut | null>> = {
    bald: null,
    shaved: null,
    cropped: { thick: 0.5 * volume, edge: 0.08, fringe: 0, falls: null, rough: 0.1, forward: -0.5 },
    short: { thick: 1.7 * volume, edge: 0.15, fringe: 1, falls: null, rough: 0.25, forward: 0.1 },
    fringe: {
      thick: 1.5 * volume,
      edge: 0.45,
      fringe: 12 + 7 * length,
      falls: length > 0.5 ? -5 - 8 * length : null,
      rough: 0.2,
      forward: -0.3,
    },
    bob: { thick: 1.5 * volume, edge: 0.15, fringe: 0, falls: -3.5 - 4 * length, rough: 0.15, forward: 0.35 },
    long: { thick: 1.3 * volume, edge: 0.12, fringe: 0, falls: -10 - 10 * length, rough: 0.2, forward: 0.35 },
    tied: { thick: 0.7 * volume, edge: 0.08, fringe: 0, falls: null, rough: 0.05, forward: -0.2 },
    curly: {
      thick: (1.6 + 2.6 * length) * volume,
      edge: 0.3,
      fringe: 2,
      falls: length > 0.6 ? -4 - 5 * length : null,
      rough: 0.7,
      forward: 0,
    },
  };
  return cuts[style];
}

const columns = 96;
const rows = 28;

/** @returns null for those who have none */
export function growHair(traits: PersonTraits, skull: Skull, region: AtlasRegion): Shell | null {
  const cut = cutOf(traits);
  if (cut === null) return null;
  const noise = new Noise(16, new Random(traits.seed, 'hair'));
  const count = (columns + 1) * rows;
  const vertices = new Float32Array(3 * count);
  const places = new Float32Array(2 * count);
  for (let column = 0; column <= columns; column++) {
    const strand = new Strand(traits, cut, skull, ((column % columns) / columns + 0.5) * 2 * Math.PI);
    for (let row = 0; row < rows; row++) {
      const at = column * rows + row;
      const t = row / (rows - 1);
      const bump =
        cut.rough *
        noise.at((column % columns) * (256 / columns), row * 9) *
        smoothstep(0, 0.15, t) *
        smoothstep(1.02, 0.8, t);
      vertices.set(strand.at(t, bump), 3 * at);
      const inset = 1;
      places[2 * at] = region.x + inset + (column / columns) * (region.side - 2 * inset);
      places[2 * at + 1] = region.y + inset + t * (region.side - 2 * inset);
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
  const follows = Float32Array.from({ length: count }, (_, i) =>
    mix(0.3, 1, smoothstep(-18, -5, vertices[3 * i + 1]!)),
  );
  return { vertices, places, triangles: Uint32Array.from(triangles), follows };
}

/** One column of the shell. */
class Strand {
  readonly #axis;
  readonly #side;
  readonly #front;
  readonly #end: number;
  /** 1 where hair falls past the hairline. */
  readonly #falling: number;

  constructor(
    traits: PersonTraits,
    private readonly cut: Cut,
    private readonly skull: Skull,
    private readonly turn: number,
  ) {
    this.#axis = unit(0.7 * traits.hair.part, 1, cut.forward);
    const [ax, ay, az] = this.#axis;
    this.#side = unit(ay, -ax, 0);
    const [sx, sy, sz] = this.#side;
    this.#front = unit(sy * az - sz * ay, sz * ax - sx * az, sx * ay - sy * ax);
    let polar = 8 * degrees;
    for (; polar < 165 * degrees; polar += 1.5 * degrees) {
      const [azimuth, down] = this.#angles(polar);
      // Ragged tips end before the shell does.
      const extra = (4 + cut.fringe * smoothstep(62, 40, Math.abs(azimuth) / degrees)) * degrees;
      if (aboveLine(traits, azimuth, down) + extra <= 0) break;
    }
    this.#end = polar;
    const [azimuth] = this.#angles(Math.min(polar, 80 * degrees));
    this.#falling = cut.falls === null ? 0 : smoothstep(48, 70, Math.abs(azimuth) / degrees);
  }

  #direction(polar: number) {
    const [c, s] = [Math.cos(polar), Math.sin(polar)];
    const [f, g] = [s * Math.cos(this.turn), s * Math.sin(this.turn)];
    const [a, b, e] = [this.#axis, this.#front, this.#side];
    return [c * a[0] + f * b[0] + g * e[0], c * a[1] + f * b[1] + g * e[1], c * a[2] + f * b[2] + g * e[2]] as const;
  }

  #angles(polar: number): [azimuth: number, down: number] {
    const [x, y, z] = this.#direction(polar);
    return [Math.atan2(x, z), Math.atan2(Math.hypot(x, z), y)];
  }

  #over(polar: number, height: number): [number, number, number] {
    const [azimuth, down] = this.#angles(polar);
    const [x, y, z] = direction(azimuth, down);
    const radius = this.skull.radius(azimuth, down) + height;
    const [cx, cy, cz] = this.skull.centre;
    return [cx + radius * x, cy + radius * y, cz + radius * z];
  }

  /** The place at `t` from the root, 0, to the tip, 1. */
  at(t: number, bump: number): [number, number, number] {
    const { thick, edge } = this.cut;
    const height = mix(edge, thick, smoothstep(1.02, 0.55, t)) + bump;
    const short = this.#over(this.#end * t, height);
    if (this.#falling === 0 || this.cut.falls === null) return short;
    return this.#mixed(short, this.#fallen(t, thick, bump, this.cut.falls));
  }

  #mixed(short: readonly number[], long: readonly number[]): [number, number, number] {
    const share = this.#falling;
    return [mix(short[0]!, long[0]!, share), mix(short[1]!, long[1]!, share), mix(short[2]!, long[2]!, share)];
  }

  /** Round the head down to the ears, then straight down. */
  #fallen(t: number, thick: number, bump: number, lowest: number): [number, number, number] {
    const knee = 0.45;
    const widest = Math.min(this.#end, 92 * degrees);
    const height = thick * smoothstep(-0.2, 0.25, t) + bump;
    if (t <= knee) return this.#clear(this.#over((widest * t) / knee, height));
    const [x, y, z] = this.#clear(this.#over(widest, height));
    const share = (t - knee) / (1 - knee);
    const inwards = 1 - 0.13 * smoothstep(0.55, 1, share) + 0.05 * Math.sin(5 * share);
    return [
      x * inwards,
      mix(y, lowest + bump, share),
      z * inwards - 1.2 * share * Math.max(0, Math.cos(Math.atan2(x, z))),
    ];
  }

  /** Past the ears. */
  #clear([x, y, z]: [number, number, number]): [number, number, number] {
    const out = Math.hypot(x, z);
    const beside = smoothstep(7, 4, y) * smoothstep(5, 8, Math.abs(x));
    const least = mix(out, Math.max(out, 9.4), beside);
    return out < 1e-3 ? [x, y, z] : [(x / out) * least, y, (z / out) * least];
  }
}

/** Strands, with ragged tips: square roots of light and, as the fourth byte, how much covers. */
export function paintHair(traits: PersonTraits, region: AtlasRegion, atlas: Uint8Array, stride: number): void {
  const random = new Random(traits.seed, 'strands');
  const [fine, lock, wave, patch] = [
    new Noise(1, random),
    new Noise(8, random),
    new Noise(32, random),
    new Noise(16, random),
  ];
  const { style, colour } = traits.hair;
  const curls = style === 'curly';
  const ragged = style === 'fringe' ? 0.22 : style === 'long' || style === 'bob' ? 0.1 : style === 'curly' ? 0.3 : 0.16;
  const zoom = 256 / region.side;
  for (let j = 0; j < region.side; j++) {
    const t = j / (region.side - 1);
    for (let i = 0; i < region.side; i++) {
      const across = i * zoom * 2 + (curls ? 10 : 5) * wave.at(i * zoom, j * zoom);
      const strand =
        0.5 * fine.at(across, j * zoom * (curls ? 0.3 : 0.02)) + 0.6 * lock.at(across, j * zoom * (curls ? 0.9 : 0.06));
      const value = Math.max(0.25, 0.82 + 0.42 * strand + 0.12 * patch.at(i, j) + 0.15 * smoothstep(0.3, 1, t));
      const tip = 1 - t - ragged * (0.45 + 0.4 * strand);
      const at = 4 * ((region.y + j) * stride + region.x + i);
      for (let k = 0; k < 3; k++) atlas[at + k] = Math.min(255, 255 * Math.sqrt(colour[k]! * value) + 0.5);
      atlas[at + 3] = 255 * smoothstep(-0.02, 0.07, tip) + 0.5;
    }
  }
}
