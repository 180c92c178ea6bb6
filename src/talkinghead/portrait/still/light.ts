/** The light of a photograph, from the skin that it shows. */

import type { RgbImage } from '../../../media/frames.js';
import { checkOptions, ShapeError } from '../../../torch/index.js';
import { basis } from '../../render/shading.js';
import { blur, valueAt } from './planes.js';
import { solve } from './solve.js';
import { checkNumbers, checkPicture, luma, planesOf, type Rgb } from './types.js';

export interface LightOptions {
  /** `[V]`: not 0 for vertices that the photograph shows; by default all whose normal points to the camera and that lie inside. */
  readonly visible?: Uint8Array;
}

export interface PhotographLight {
  /** `[9]`: what `shade(normals, tensor(light))` makes of skin in this light, 0 to 1 as the picture's numbers are coded. */
  readonly light: Float32Array;
  /** The median colour of the skin. */
  readonly skin: Rgb;
  /** How bright the well-lit skin is, 0 to 1: the 92nd percentile. */
  readonly bright: number;
  /** How far the skin is from what the light says, median, 0 to 1: pores, freckles, beards, make-up, shadows. */
  readonly residual: number;
}

/**
 * Light as spherical harmonics up to order 2, such that they tell how bright skin is that faces any way: least squares over
 * visible vertices, in which brows, lips, shadows and shine lose their say (Cauchy weights), and held to be smooth where the
 * photograph shows no skin that faces there.
 * @param points - `[V * 3]` as `Camera.project` gives them: only x and y count
 * @param normals - `[V * 3]` of length 1, as `Camera.turn` gives them: x to the viewer's right, y up, z to the viewer
 * @throws ConfigError, ShapeError; also where fewer than 16 vertices are visible
 */
export function lightOf(
  picture: RgbImage,
  points: Float32Array,
  normals: Float32Array,
  options: LightOptions = {},
): PhotographLight {
  const where = 'lightOf';
  checkPicture(where, picture);
  checkOptions(where, options, ['visible']);
  checkNumbers(where, 'points', points, 3);
  checkNumbers(where, 'normals', normals, 3, points.length / 3);
  const seen = visibleVertices(where, picture, points, normals, options.visible);
  const { width, height } = picture;
  const brightness = blur(luma(picture), width, height, 0.7);
  const values = Float64Array.from(
    seen,
    (v) => valueAt(brightness, width, height, points[3 * v]!, points[3 * v + 1]!) / 255,
  );
  const rows = Array.from(seen, (v) => basis(normals[3 * v]!, normals[3 * v + 1]!, normals[3 * v + 2]!));
  const { light, residual } = robustFit(rows, values);
  const planes = planesOf(picture);
  const skin = planes.map((plane) =>
    quantile(
      Float64Array.from(seen, (v) => valueAt(plane, width, height, points[3 * v]!, points[3 * v + 1]!)),
      0.5,
    ),
  ) as unknown as Rgb;
  return { light: Float32Array.from(light), skin, bright: quantile(values, 0.92), residual };
}

function visibleVertices(
  where: string,
  { width, height }: RgbImage,
  points: Float32Array,
  normals: Float32Array,
  visible: Uint8Array | undefined,
): number[] {
  const count = points.length / 3;
  if (visible !== undefined && visible.length !== count)
    throw new ShapeError(`${where}: expected visible of ${count} numbers, one a vertex, got ${visible.length}`);
  const seen: number[] = [];
  for (let v = 0; v < count; v++) {
    const [x, y] = [points[3 * v]!, points[3 * v + 1]!];
    if (x < 0 || y < 0 || x >= width || y >= height) continue;
    if (visible ? visible[v]! !== 0 : normals[3 * v + 2]! > 0.15) seen.push(v);
  }
  if (seen.length >= 16) return seen;
  throw new ShapeError(`${where}: expected at least 16 visible vertices in the picture, got ${seen.length}`);
}

/** Of 0 to 1. */
export function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  if (sorted.length === 0) return 0;
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low]! + (at - low) * ((sorted[low + 1] ?? sorted[low]!) - sorted[low]!);
}

/** How much each harmonic is held back, as a share of the vertices: what is seen of order 2 from one side is little. */
const hold = [0, 0.001, 0.001, 0.001, 0.004, 0.004, 0.004, 0.004, 0.004];

function robustFit(rows: readonly number[][], values: Float64Array): { light: Float64Array; residual: number } {
  const [dark, glare] = [quantile(values, 0.08), quantile(values, 0.995)];
  const inRange = Float64Array.from(values, (value) => (value >= dark && value <= glare ? 1 : 0));
  let weights = inRange;
  let light = new Float64Array(9);
  let spread = 0;
  for (let round = 0; round < 12; round++) {
    const matrix = new Float64Array(81);
    const right = new Float64Array(9);
    let total = 0;
    for (const [i, row] of rows.entries()) {
      const weight = weights[i]!;
      total += weight;
      for (let a = 0; a < 9; a++) {
        right[a]! += weight * row[a]! * values[i]!;
        for (let b = 0; b < 9; b++) matrix[9 * a + b]! += weight * row[a]! * row[b]!;
      }
    }
    for (let a = 0; a < 9; a++) matrix[10 * a]! += hold[a]! * total + 1e-9;
    light = solve(matrix, right);
    const errors = Float64Array.from(rows, (row, i) =>
      Math.abs(values[i]! - row.reduce((sum, value, k) => sum + value * light[k]!, 0)),
    );
    spread = quantile(errors, 0.5);
    const scale = Math.max(2 * spread, 0.01);
    weights = errors.map((error, i) => inRange[i]! / (1 + (error / scale) ** 2));
  }
  return { light, residual: spread };
}
