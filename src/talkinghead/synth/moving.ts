/** What changes from frame to frame beside the vertices: light in mouth and eyes, the lamp behind the nose, folds of the skin. */
import { arkitIndex, type FaceModel } from '../face/index.js';
import { smoothstep } from './noise.js';
import type { Visibility } from './visibility.js';

/** Directions whose cosine to the lamp is above this share its shadows: a lamp some 25 degrees wide. */
const lampEdge = 0.86;

/** For each of the first vertices, as many as `into` has, how much of the lamp arrives, 0 to 1. @param lamp - in the face's space */
export function lampArrives({ directions, arrives }: Visibility, lamp: readonly number[], into: Float32Array): void {
  const count = into.length;
  const every = (3 * arrives.length) / directions.length;
  const shares: [k: number, share: number][] = [];
  let total = 0;
  for (let k = 0; k < directions.length / 3; k++) {
    const cosine =
      directions[3 * k]! * lamp[0]! + directions[3 * k + 1]! * lamp[1]! + directions[3 * k + 2]! * lamp[2]!;
    if (cosine <= lampEdge) continue;
    const share = (cosine - lampEdge) ** 2;
    shares.push([k * every, share]);
    total += share;
  }
  into.fill(shares.length > 0 ? 0 : 1);
  for (const [from, share] of shares) {
    const weight = share / (255 * total);
    for (let i = 0; i < count; i++) into[i]! += weight * arrives[from + i]!;
  }
}

/** How far the lips are apart at most, in cm. */
export function mouthGap({ landmarks }: FaceModel, vertices: Float32Array): number {
  const gap = (a: number, b: number): number => {
    const [i, j] = [3 * landmarks[a]!, 3 * landmarks[b]!];
    return Math.hypot(
      vertices[i]! - vertices[j]!,
      vertices[i + 1]! - vertices[j + 1]!,
      vertices[i + 2]! - vertices[j + 2]!,
    );
  };
  return Math.max(gap(62, 66), gap(61, 67), gap(63, 65));
}

/** Light falls into a mouth as far as it is open, and less under the upper lip. */
export function lightMouth(face: FaceModel, vertices: Float32Array, gap: number, attributes: Float32Array): void {
  const lip = 3 * face.landmarks[62]!;
  const [lipY, lipZ] = [vertices[lip + 1]!, vertices[lip + 2]!];
  const reach = 0.5 + 0.7 * gap;
  for (const part of ['mouthSocket', 'gums', 'tongue', 'teeth'] as const) {
    const [first, end] = face.parts[part].vertices;
    for (let i = first; i < end; i++) {
      const deep = Math.max(0, lipZ - 0.3 - vertices[3 * i + 2]!);
      const light =
        Math.exp((-deep * deep) / (2 * reach * reach)) *
        (0.45 + 0.55 * smoothstep(-0.1, 0.5, lipY - vertices[3 * i + 1]!));
      attributes[4 * i + 2] = 0.75 * light;
      attributes[4 * i + 3] = 0.85 * light;
    }
  }
}

/** The upper lid and the corners keep light from the eyeball. */
export function lightEyes(face: FaceModel, vertices: Float32Array, attributes: Float32Array): void {
  for (const [side, lids, corners] of [
    ['Left', [43, 44], [42, 45]],
    ['Right', [37, 38], [36, 39]],
  ] as const) {
    const [first, end] = face.parts[`sclera${side}`].vertices;
    const height = (landmark: number): number => vertices[3 * face.landmarks[landmark]! + 1]!;
    const across = (landmark: number): number => vertices[3 * face.landmarks[landmark]!]!;
    const lid = (height(lids[0]) + height(lids[1])) / 2;
    const centre = (across(corners[0]) + across(corners[1])) / 2;
    const half = Math.abs(across(corners[0]) - across(corners[1])) / 2;
    for (let i = first; i < end; i++) {
      const out = Math.abs(vertices[3 * i]! - centre) / half;
      const curved = lid - 0.25 * out * out;
      const light = smoothstep(-0.12, 0.42, curved - vertices[3 * i + 1]!) * (1 - 0.45 * smoothstep(0.55, 1, out));
      attributes[4 * i + 2] = 0.25 + 0.75 * light;
      attributes[4 * i + 3] = 0.3 + 0.6 * light;
    }
  }
}

const at = (name: string): readonly number[] =>
  [arkitIndex(name), arkitIndex(`${name}Left`), arkitIndex(`${name}Right`)].filter((i) => i >= 0);
const mean = (weights: ArrayLike<number>, places: readonly number[]): number =>
  places.reduce((sum, i) => sum + weights[i]!, 0) / places.length;

const folding: readonly (readonly (readonly [places: readonly number[], share: number])[])[] = [
  [
    [at('browInnerUp'), 0.55],
    [at('browOuterUp'), 0.4],
  ],
  [
    [at('browDown'), 0.8],
    [at('noseSneer'), 0.35],
  ],
  [
    [at('mouthSmile'), 0.55],
    [at('noseSneer'), 0.5],
    [at('mouthUpperUp'), 0.3],
    [at('cheekSquint'), 0.15],
  ],
  [
    [at('cheekSquint'), 0.55],
    [at('eyeSquint'), 0.35],
  ],
];
const resting = [0.16, 0.12, 0.3, 0.25] as const;

/** How deep the four kinds of folds are, as shares of the light that they take. @param age - 0 to 1 */
export function creasesOf(weights: ArrayLike<number>, age: number): Float32Array {
  return Float32Array.from(folding, (terms, k) => {
    const moved = terms.reduce((sum, [places, share]) => sum + share * mean(weights, places), 0);
    return Math.min(0.6, 0.05 * resting[k]! + age * resting[k]! * 0.8 + (0.28 + 0.22 * age) * moved);
  });
}
