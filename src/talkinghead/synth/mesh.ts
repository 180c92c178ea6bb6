/** The mesh of a person: face, clothes and hair in one list of vertices, with what each vertex and triangle has. */
import type { FaceModel } from '../face/index.js';
import { collarHeight, dress, eyeReach, mouthPlaces } from './body.js';
import { growHair, type Shell } from './hair.js';
import { mix, smoothstep } from './noise.js';
import { neckAxis, Skull } from './skull.js';
import type { FaceStage } from './stage.js';
import { atlasRegions, skinPlace } from './surface.js';
import type { PersonTraits } from './traits.js';

/** Rows: highlight, its exponent, how far light creeps round, strands, lit inside, light that grazes. */
export const materials = {
  skin: [0.22, 14, 0.32, 0, 0, 0.12],
  eye: [1.6, 90, 0.25, 0, 0, 0.05],
  mouth: [0.5, 40, 0.3, 0, 0, 0],
  cloth: [0.02, 8, 0.2, 0, 1, 0.1],
  hair: [0.07, 18, 0.5, 1, 1, 0],
} as const;

export type Material = keyof typeof materials;
export const materialNames = Object.keys(materials) as Material[];

export interface PersonMesh {
  /** The face's vertices come first, then those of clothes and hair. */
  readonly count: number;
  /** Clothes and hair, `[n * 3]`, which expressions do not move. */
  readonly fixed: Float32Array;
  /** `[count * 4]`: place in the atlas, and how much of the lamp and of the light around arrives: what does not change. */
  readonly attributes: Float32Array;
  /** `[count]`: how far each vertex follows the head rather than the shoulders. */
  readonly follows: Float32Array;
  /** Skin and eyes; then clothes and the mouth's hollow; then gums, tongue and teeth; then hair. */
  readonly triangles: Uint32Array;
  readonly materialOf: Uint8Array;
  /** Where the runs of triangles end. */
  readonly ends: { readonly skin: number; readonly outside: number; readonly mouth: number; readonly hair: number };
}

export function buildMesh(stage: FaceStage, traits: PersonTraits, rest: Float32Array): PersonMesh {
  const { face } = stage;
  const skull = new Skull(face, stage.directions, rest);
  const regions = atlasRegions(stage.texels);
  const body = dress(traits, skull, regions.cloth);
  const hair = growHair(traits, skull, regions.hair);
  const shells = hair ? [body, hair] : [body];
  const own = face.vertexCount;
  const count = own + shells.reduce((sum, shell) => sum + shell.follows.length, 0);
  const attributes = new Float32Array(4 * count);
  const follows = new Float32Array(count).fill(1);
  placeFace(stage, attributes);
  for (let i = 0; i < face.parts.skin.vertices[1]; i++) follows[i] = faceFollows(face.vertices, i);
  shadeByHair(traits, face, attributes, hair !== null);
  const fixed: number[] = [];
  const runs: [Material, Uint32Array][] = [
    ['skin', visibleSkin(face, traits)],
    ['eye', face.trianglesOf('scleraLeft')],
    ['eye', face.trianglesOf('scleraRight')],
  ];
  let first = own;
  const shifted: Uint32Array[] = [];
  for (const shell of shells) {
    attach(shell, first, attributes, follows);
    shifted.push(shell.triangles.map((vertex) => vertex + first));
    fixed.push(...shell.vertices);
    first += shell.follows.length;
  }
  const skin = size(runs);
  runs.push(['cloth', shifted[0]!], ['mouth', face.trianglesOf('mouthSocket')]);
  const outside = size(runs);
  for (const part of ['gums', 'tongue', 'teeth'] as const) runs.push(['mouth', face.trianglesOf(part)]);
  const mouth = size(runs);
  if (shifted[1]) runs.push(['hair', shifted[1]]);
  const total = size(runs);
  const triangles = new Uint32Array(3 * total);
  const materialOf = new Uint8Array(total);
  let at = 0;
  for (const [material, run] of runs) {
    triangles.set(run, 3 * at);
    materialOf.fill(materialNames.indexOf(material), at, at + run.length / 3);
    at += run.length / 3;
  }
  return {
    count,
    fixed: Float32Array.from(fixed),
    attributes,
    follows,
    triangles,
    materialOf,
    ends: { skin, outside, mouth, hair: total },
  };
}

const size = (runs: readonly (readonly [Material, Uint32Array])[]): number =>
  runs.reduce((sum, [, run]) => sum + run.length / 3, 0);

function attach(shell: Shell, first: number, attributes: Float32Array, follows: Float32Array): void {
  follows.set(shell.follows, first);
  for (let i = 0; i < shell.follows.length; i++) {
    attributes[4 * (first + i)] = shell.places[2 * i]!;
    attributes[4 * (first + i) + 1] = shell.places[2 * i + 1]!;
    attributes[4 * (first + i) + 2] = 1;
    attributes[4 * (first + i) + 3] = 0.9;
  }
}

/** The neck bends; what carries landmarks follows the head alone. */
function faceFollows(mean: Float32Array, i: number): number {
  const [y, z] = [mean[3 * i + 1]!, mean[3 * i + 2]!];
  const start = mix(-6, -8.2, smoothstep(0, 5, z));
  return smoothstep(-15.5, start, y);
}

/** Skin that clothes do not cover. */
function visibleSkin(face: FaceModel, traits: PersonTraits): Uint32Array {
  const { vertices } = face;
  const covered = (i: number): boolean => {
    const [x, y, z] = [vertices[3 * i]!, vertices[3 * i + 1]!, vertices[3 * i + 2]!];
    return y < -9 && y < collarHeight(traits, Math.atan2(x, z - neckAxis)) - 0.8;
  };
  const skin = face.trianglesOf('skin');
  return skin.filter((_, k) => {
    const t = k - (k % 3);
    return !(covered(skin[t]!) && covered(skin[t + 1]!) && covered(skin[t + 2]!));
  });
}

/** Places in the atlas and openness of the face's own vertices. */
function placeFace({ face, texels, visibility }: FaceStage, attributes: Float32Array): void {
  const regions = atlasRegions(texels);
  const { vertices, parts } = face;
  for (let i = 0; i < face.vertexCount; i++) {
    const [x, y, z] = [vertices[3 * i]!, vertices[3 * i + 1]!, vertices[3 * i + 2]!];
    const [u, v] = skinPlace(x, y, z);
    attributes.set([u * texels, v * texels, 1, 0.25 + 0.75 * visibility.open[i]!], 4 * i);
  }
  for (const side of ['Left', 'Right'] as const) {
    const [first, end] = parts[`sclera${side}`].vertices;
    const [cx, cy] = middle(vertices, first, end);
    const { x, y, side: width } = regions.eye;
    for (let i = first; i < end; i++) {
      const u = 0.5 + (vertices[3 * i]! - cx) / (2 * eyeReach);
      const v = 0.5 - (vertices[3 * i + 1]! - cy) / (2 * eyeReach);
      attributes.set([x + u * width, y + v * width, 1, 0.8], 4 * i);
    }
  }
  const { x, y, side: width } = regions.mouth;
  for (const [part, place] of [
    ['mouthSocket', 'socket'],
    ['gums', 'gums'],
    ['tongue', 'tongue'],
    ['teeth', 'teeth'],
  ] as const) {
    const [first, end] = parts[part].vertices;
    const [u, v] = mouthPlaces[place];
    for (let i = first; i < end; i++) attributes.set([x + u * width, y + v * width, 1, 1], 4 * i);
  }
}

/** The middle of a run of vertices, seen from the front. */
export function middle(vertices: Float32Array, first: number, end: number): [number, number, number] {
  const sum: [number, number, number] = [0, 0, 0];
  for (let i = first; i < end; i++) for (let k = 0; k < 3; k++) sum[k]! += vertices[3 * i + k]! / (end - first);
  return sum;
}

/** Hair keeps light from the skin under and beside it. */
function shadeByHair(traits: PersonTraits, face: FaceModel, attributes: Float32Array, grown: boolean): void {
  if (!grown) return;
  const { style, length } = traits.hair;
  const falls = style === 'long' || style === 'bob' || (style === 'fringe' && length > 0.5);
  for (let i = 0; i < face.parts.skin.vertices[1]; i++) {
    const [x, y, z] = [face.vertices[3 * i]!, face.vertices[3 * i + 1]!, face.vertices[3 * i + 2]!];
    const beside = falls ? smoothstep(4.5, 7.5, Math.abs(x)) * smoothstep(7, 3, z) : 0;
    const neck = falls ? smoothstep(-7, -9, y) * 0.5 : 0;
    const brow = smoothstep(8.5, 10.5, y) * (style === 'fringe' ? 0.5 : 0.25);
    const lost = Math.min(0.75, 0.55 * beside + neck + brow);
    attributes[4 * i + 2]! *= 1 - lost;
    attributes[4 * i + 3]! *= 1 - 0.8 * lost;
  }
}
