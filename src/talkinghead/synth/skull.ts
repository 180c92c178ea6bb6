/** How far a person's skin is from the middle of the head, or of the neck, in every direction: what hair and clothes lie on. */
import type { FaceModel } from '../face/index.js';

type Point = readonly [number, number, number];

/** Azimuths, in radians: 0 is the front, positive the viewer's right. */
export const skullCentre: Point = [0, 3.5, 0];
export const neckAxis = -2.5;

const columns = 48;
const rows = 24;
/** Down from straight up, in radians. */
const lowestPolar = (150 * Math.PI) / 180;
const neckRows = 12;
const neckTop = -8;
const neckBottom = -19;

/** For each direction the skin vertex that lies there on the mean face: the same for all people. */
export interface SkinDirections {
  readonly skull: Uint32Array;
  readonly neck: Uint32Array;
}

const isEar = (x: number, y: number, z: number): boolean => Math.abs(x) > 7.6 && y > -3 && y < 6.5 && z > -5 && z < 3.5;

export function findDirections(face: FaceModel): SkinDirections {
  const { vertices } = face;
  const [first, end] = face.parts.skin.vertices;
  const heads: number[] = [];
  const necks: number[] = [];
  for (let i = first; i < end; i++) {
    const [x, y, z] = [vertices[3 * i]!, vertices[3 * i + 1]!, vertices[3 * i + 2]!];
    if (!isEar(x, y, z) && y > -7) heads.push(i);
    if (y < neckTop + 1.5 && Math.hypot(x, z) < 16) necks.push(i);
  }
  const [cx, cy, cz] = skullCentre;
  const units = heads.map((i) => unit(vertices[3 * i]! - cx, vertices[3 * i + 1]! - cy, vertices[3 * i + 2]! - cz));
  const skull = new Uint32Array(columns * rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [x, y, z] = direction(azimuthOf(column), (row / (rows - 1)) * lowestPolar);
      skull[row * columns + column] = heads[nearestOf(units, ([a, b, c]) => -(a * x + b * y + c * z))]!;
    }
  }
  const neck = new Uint32Array(columns * neckRows);
  for (let row = 0; row < neckRows; row++) {
    const y = neckTop + (row / (neckRows - 1)) * (neckBottom - neckTop);
    for (let column = 0; column < columns; column++) {
      const azimuth = azimuthOf(column);
      neck[row * columns + column] =
        necks[
          nearestOf(necks, (i) => {
            const turned = Math.atan2(vertices[3 * i]!, vertices[3 * i + 2]! - neckAxis) - azimuth;
            return (vertices[3 * i + 1]! - y) ** 2 + (12 * Math.sin(turned / 2)) ** 2;
          })
        ]!;
    }
  }
  return { skull, neck };
}

const azimuthOf = (column: number): number => (column / columns) * 2 * Math.PI - Math.PI;

function nearestOf<T>(items: readonly T[], cost: (item: T) => number): number {
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  for (const [i, item] of items.entries()) {
    const value = cost(item);
    if (value < least) [best, least] = [i, value];
  }
  return best;
}

/** From the azimuth and the angle from straight up. */
export function direction(azimuth: number, polar: number): Point {
  return [Math.sin(polar) * Math.sin(azimuth), Math.cos(polar), Math.sin(polar) * Math.cos(azimuth)];
}

export function unit(x: number, y: number, z: number): Point {
  const length = Math.hypot(x, y, z) || 1;
  return [x / length, y / length, z / length];
}

/** The same of one person. */
export class Skull {
  readonly centre: Point;
  readonly #radii: Float32Array;
  readonly #neck: Float32Array;

  /** @param vertices - the person's, at rest */
  constructor(face: FaceModel, directions: SkinDirections, vertices: Float32Array) {
    const shift = [0, 0, 0];
    for (const i of directions.skull)
      for (let k = 0; k < 3; k++)
        shift[k]! += (vertices[3 * i + k]! - face.vertices[3 * i + k]!) / directions.skull.length;
    const [cx, cy, cz] = skullCentre;
    this.centre = [cx, cy + shift[1]!, cz + shift[2]!];
    const [, y0, z0] = this.centre;
    const radii = Float32Array.from(directions.skull, (i) =>
      Math.hypot(vertices[3 * i]!, vertices[3 * i + 1]! - y0, vertices[3 * i + 2]! - z0),
    );
    this.#radii = smooth(smooth(radii, rows), rows);
    const neck = Float32Array.from(directions.neck, (i) =>
      Math.hypot(vertices[3 * i]!, vertices[3 * i + 2]! - neckAxis),
    );
    this.#neck = smooth(neck, neckRows);
  }

  /** cm from the centre to the skin. */
  radius(azimuth: number, polar: number): number {
    return lookUp(this.#radii, rows, azimuth, polar / lowestPolar);
  }

  /** cm from the neck's axis to the skin, at a height. */
  neckRadius(azimuth: number, y: number): number {
    return lookUp(this.#neck, neckRows, azimuth, (y - neckTop) / (neckBottom - neckTop));
  }
}

function lookUp(table: Float32Array, height: number, azimuth: number, down: number): number {
  const x = ((azimuth + Math.PI) / (2 * Math.PI)) * columns;
  const y = Math.min(Math.max(down, 0), 1) * (height - 1);
  const [left, top] = [Math.floor(x), Math.min(Math.floor(y), height - 2)];
  const at = (i: number, j: number): number => table[(top + j) * columns + ((left + i + columns) % columns)]!;
  const [a, b] = [x - left, y - top];
  return (1 - b) * ((1 - a) * at(0, 0) + a * at(1, 0)) + b * ((1 - a) * at(0, 1) + a * at(1, 1));
}

function smooth(table: Float32Array, height: number): Float32Array {
  return table.map((_, p) => {
    const [row, column] = [Math.floor(p / columns), p % columns];
    let sum = 0;
    for (let j = -1; j <= 1; j++) {
      const line = Math.min(Math.max(row + j, 0), height - 1) * columns;
      for (let i = -1; i <= 1; i++) sum += table[line + ((column + i + columns) % columns)]! / 9;
    }
    return sum;
  });
}
