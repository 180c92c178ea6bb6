/** Skin, painted: tone, blotches, blush, freckles, lips, brows, lashes, beard, and the scalp under the hair. */
import { bell, mix, Noise, smoothstep } from './noise.js';
import { Random } from './random.js';
import type { SkinMap } from './surface.js';
import type { PersonTraits } from './traits.js';

/** cm inside of the hairline, of a place on the mean face; negative outside. */
export type Hairline = (x: number, y: number, z: number) => number;

/** What a person adds to the skin everywhere: drawn once, then read for each texel. */
class Grain {
  readonly blotch: Noise;
  readonly patch: Noise;
  readonly fine: Noise;
  readonly spots: Noise;
  readonly hair: Noise;
  readonly moles: readonly (readonly [x: number, y: number, size: number])[];

  constructor(
    seed: number,
    readonly scale: number,
  ) {
    const random = new Random(seed, 'skin');
    this.patch = new Noise(32, random);
    this.blotch = new Noise(8, random);
    this.fine = new Noise(1, random);
    this.spots = new Noise(2, random);
    this.hair = new Noise(2, random);
    this.moles = Array.from(
      { length: random.whole(5) },
      () => [random.uniform(-6, 6), random.uniform(-7, 8), random.uniform(0.05, 0.12)] as const,
    );
  }
}

/** A texel while it is painted: light that the skin returns, and its gloss. */
interface Texel {
  red: number;
  green: number;
  blue: number;
  gloss: number;
}

function tint(texel: Texel, red: number, green: number, blue: number, share: number): void {
  texel.red = mix(texel.red, red, share);
  texel.green = mix(texel.green, green, share);
  texel.blue = mix(texel.blue, blue, share);
}

function multiply(texel: Texel, red: number, green: number, blue: number): void {
  texel.red *= red;
  texel.green *= green;
  texel.blue *= blue;
}

/** Paints the skin into an atlas of rows of `stride` texels: square roots of light, and the gloss. */
export function paintSkin(
  map: SkinMap,
  traits: PersonTraits,
  hairline: Hairline,
  atlas: Uint8Array,
  stride: number,
): void {
  const { side, places } = map;
  const grain = new Grain(traits.seed, 512 / side);
  const texel: Texel = { red: 0, green: 0, blue: 0, gloss: 0 };
  for (let p = 0; p < side * side; p++) {
    const [i, j] = [p % side, Math.floor(p / side)];
    const [x, y, z] = [places[3 * p]!, places[3 * p + 1]!, places[3 * p + 2]!];
    paintTone(texel, traits, grain, i, j, x, y, z);
    paintBeard(texel, traits, grain, i, j, x, y, z);
    paintLips(texel, traits, grain, map.lips[p]!, i, j);
    paintBrow(texel, traits, grain, map.browAlong[p]!, map.browAcross[p]!, i, j);
    paintLids(texel, traits, map.upperLid[p]!, map.lowerLid[p]!, x);
    paintScalp(texel, traits, grain, hairline(x, y, z), i, j);
    const at = 4 * (j * stride + i);
    atlas[at] = 255 * Math.sqrt(Math.min(Math.max(texel.red, 0), 1)) + 0.5;
    atlas[at + 1] = 255 * Math.sqrt(Math.min(Math.max(texel.green, 0), 1)) + 0.5;
    atlas[at + 2] = 255 * Math.sqrt(Math.min(Math.max(texel.blue, 0), 1)) + 0.5;
    atlas[at + 3] = 255 * Math.min(Math.max(texel.gloss, 0), 1) + 0.5;
  }
}

function paintTone(
  texel: Texel,
  traits: PersonTraits,
  grain: Grain,
  i: number,
  j: number,
  x: number,
  y: number,
  z: number,
): void {
  const [red, green, blue] = traits.skin;
  const s = grain.scale;
  const value =
    1 +
    0.05 * grain.patch.at(i * s * 0.5, j * s * 0.5) +
    0.05 * grain.blotch.at(i * s, j * s) +
    0.05 * grain.fine.at(i, j);
  texel.red = red * value;
  texel.green = green * value;
  texel.blue = blue * value;
  const side = Math.abs(x);
  const front = smoothstep(2, 6, z);
  const cheek = bell(Math.hypot(side - 4.3, 0.8 * (y + 0.2)), 1.7) * front;
  const nose = bell(Math.hypot(side, y - 0.2), 1.2) * front;
  const ear = smoothstep(7.1, 8, side) * smoothstep(-2, 0, y) * smoothstep(6.5, 5, y);
  const rosy = traits.blush * (0.5 * cheek + 0.4 * nose + 0.5 * ear + 0.12 * grain.patch.at(j, i));
  multiply(texel, 1 + 0.06 * rosy, 1 - 0.26 * rosy, 1 - 0.22 * rosy);
  const socket = bell(Math.hypot(0.75 * (side - 3.1), 1.15 * (y - 3)), 1.15) * front;
  const under = bell(Math.hypot(0.6 * (side - 3), 2 * (y - 2.15)), 0.75) * front;
  const dark = (0.1 + 0.16 * traits.age) * socket + (0.06 + 0.16 * traits.age) * under;
  multiply(texel, 1 - dark, 1 - 1.15 * dark, 1 - 1.05 * dark);
  const nostril = bell(Math.hypot(1.2 * (side - 0.75), 1.7 * (y + 1.05)), 0.3) * smoothstep(9.5, 10.5, z);
  multiply(texel, 1 - 0.6 * nostril, 1 - 0.7 * nostril, 1 - 0.7 * nostril);
  texel.gloss = 0.55 + 0.3 * nose + 0.2 * bell(Math.hypot(side, y - 8), 2.4) + 0.1 * grain.blotch.at(j * s, i * s);
  if (traits.freckles > 0) {
    const freckled = (0.9 * cheek + 0.8 * nose + 0.15 * front) * traits.freckles;
    const spot = smoothstep(0.35, 0.75, grain.spots.at(i * s, j * s)) * freckled;
    multiply(texel, 1 - 0.25 * spot, 1 - 0.42 * spot, 1 - 0.5 * spot);
  }
  for (const [mx, my, size] of grain.moles) {
    if (z < 3) break;
    const mole = smoothstep(size * 1.4, size * 0.8, Math.hypot(x - mx, y - my));
    if (mole > 0) tint(texel, red * 0.3, green * 0.22, blue * 0.2, 0.85 * mole);
  }
}

function paintBeard(
  texel: Texel,
  traits: PersonTraits,
  grain: Grain,
  i: number,
  j: number,
  x: number,
  y: number,
  z: number,
): void {
  if (traits.beard === 0 || z < -1) return;
  const side = Math.abs(x);
  const moustache =
    smoothstep(-1.2, -1.7, y) *
    smoothstep(-3.2, -2.6, y) *
    smoothstep(3.3, 2.5, side) *
    (0.75 + 0.25 * smoothstep(0, 0.4, side));
  const jaw = smoothstep(-3.1, -4.6, y - 0.42 * Math.max(0, side - 2.6)) * smoothstep(-11.5, -8.5, y);
  const cheek =
    smoothstep(5.4, 6.6, side) * smoothstep(4, 1.5, y) * smoothstep(0.4, 1.6, z) * smoothstep(7.9, 7.2, side);
  const clear = smoothstep(0.6, 1.1, Math.hypot(0.65 * side, y + 5)) * 0.6 + 0.4;
  const area = Math.min(1, moustache + Math.max(jaw * clear, cheek * smoothstep(0.3, 0.8, traits.beard)));
  const noise = 0.5 + 0.5 * grain.hair.at(i * grain.scale, j * grain.scale * 0.5);
  const cover =
    area *
    (traits.beard < 0.6
      ? 0.55 * traits.beard * (0.5 + noise)
      : Math.min(1, 0.45 + 0.5 * traits.beard) * smoothstep(-0.2, 0.5, noise));
  const [red, green, blue] = traits.hair.colour;
  const value = 0.8 + 0.5 * noise;
  tint(texel, red * value, green * value, blue * value, 0.9 * cover);
  texel.gloss *= 1 - 0.6 * cover;
}

function paintLips(texel: Texel, traits: PersonTraits, grain: Grain, inside: number, i: number, j: number): void {
  if (inside < -1) return;
  const cover = smoothstep(-0.06, 0.12, inside);
  const [red, green, blue] = traits.lips;
  const value =
    1 + 0.1 * grain.fine.at(i * 0.5, 0) + 0.08 * grain.blotch.at(i, j) - 0.12 * smoothstep(0.5, 0.9, inside);
  tint(texel, red * value, green * value, blue * value, 0.9 * cover);
  texel.gloss = mix(texel.gloss, 0.75 + 0.25 * traits.makeUp, cover);
}

function paintBrow(
  texel: Texel,
  traits: PersonTraits,
  grain: Grain,
  along: number,
  across: number,
  i: number,
  j: number,
): void {
  if (along < -1) return;
  const half = (0.24 + 0.24 * traits.brows) * (1 - 0.6 * along * along);
  const centre = -0.24 - 0.1 * traits.brows;
  const edge = Math.abs(across - centre) / half;
  const ends = smoothstep(-0.001, 0.14, along) * smoothstep(1.001, 0.8, along);
  const strand = 0.5 + 0.5 * grain.hair.at(i * grain.scale + 2 * across, j * grain.scale * 0.7);
  const cover =
    smoothstep(1.25, 0.55, edge + 0.35 * (strand - 0.5)) * ends * (0.55 + 0.4 * traits.brows) * (0.7 + 0.4 * strand);
  const [red, green, blue] = traits.hair.colour;
  const dark = 0.75;
  tint(
    texel,
    Math.min(red, 0.18) * dark,
    Math.min(green, 0.13) * dark,
    Math.min(blue, 0.1) * dark,
    Math.min(cover, 0.95),
  );
  texel.gloss *= 1 - 0.6 * cover;
}

function paintLids(texel: Texel, traits: PersonTraits, upper: number, lower: number, x: number): void {
  if (upper > 2) return;
  const outer = smoothstep(1.7, 3.6, Math.abs(x));
  const lash =
    smoothstep(0.16 + 0.06 * traits.makeUp, 0.05, upper) * (0.75 + 0.2 * traits.makeUp) * (0.6 + 0.4 * outer);
  const rim = smoothstep(0.22, 0.06, lower) * (0.4 + 0.35 * traits.makeUp * outer);
  const crease = bell(upper - 0.5, 0.09) * (0.28 + 0.12 * traits.age);
  const shadow = bell(upper - 0.35, 0.3) * 0.25 * traits.makeUp * (1 - lash);
  multiply(texel, 1 - crease - shadow, 1 - crease - 1.2 * shadow, 1 - crease - shadow);
  tint(texel, 0.018, 0.012, 0.01, Math.min(1, lash));
  tint(texel, texel.red * 0.45, texel.green * 0.32, texel.blue * 0.3, Math.min(1, rim));
  if (Math.min(upper, lower) < 0.2) texel.gloss = 0.8;
}

function paintScalp(texel: Texel, traits: PersonTraits, grain: Grain, inside: number, i: number, j: number): void {
  const { style, colour } = traits.hair;
  const noise = grain.hair.at(i * grain.scale, j * grain.scale);
  const cover = smoothstep(-0.5, 1, inside + 0.4 * noise) * (style === 'bald' ? 0.3 : style === 'shaved' ? 0.82 : 0.9);
  if (cover <= 0) return;
  const value = 0.75 + 0.2 * noise;
  tint(texel, colour[0] * value, colour[1] * value, colour[2] * value, cover);
  texel.gloss *= 1 - 0.8 * cover;
}
