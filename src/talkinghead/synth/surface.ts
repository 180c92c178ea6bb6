/** The skin laid flat: where each vertex lies in the texture, and which place of the mean face each texel shows. */
import { scope, tensor } from '../../torch/index.js';
import type { FaceModel } from '../face/index.js';
import { Raster } from '../render/index.js';
import { bell, smoothstep } from './noise.js';

/** The texture of a person: `side` rows of twice as many texels. The skin is at the left; squares of half the side hold the rest. */
export interface AtlasRegion {
  readonly x: number;
  readonly y: number;
  readonly side: number;
}

export function atlasRegions(side: number): Record<'skin' | 'hair' | 'cloth' | 'eye' | 'mouth', AtlasRegion> {
  const half = side / 2;
  return {
    skin: { x: 0, y: 0, side },
    hair: { x: side, y: 0, side: half },
    cloth: { x: side + half, y: 0, side: half },
    eye: { x: side, y: half, side: half },
    mouth: { x: side + half, y: half, side: half },
  };
}

/** How much closer texels lie at the nose than at the back of the head. */
const frontal = 2.2;
/** Heights of the mean face, in cm, and their rows as shares: most rows are the face's. */
const heights = [14.8, 11, -9, -19.6] as const;
const rows = [0, 0.08, 0.88, 1] as const;

/** Where a place of the mean face lies in the skin's texture, both from 0 to 1: an unrolled cylinder. */
export function skinPlace(x: number, y: number, z: number): [u: number, v: number] {
  const u = 0.5 + Math.atan(frontal * Math.tan(Math.atan2(x, z + 1) / 2)) / Math.PI;
  let k = 0;
  while (k < 2 && y < heights[k + 1]!) k++;
  const share = (heights[k]! - y) / (heights[k]! - heights[k + 1]!);
  return [u, rows[k]! + Math.min(Math.max(share, 0), 1) * (rows[k + 1]! - rows[k]!)];
}

/** What each texel of the skin is, the same for all people. */
export interface SkinMap {
  readonly side: number;
  /** Places of the mean face, `[side * side * 3]`. */
  readonly places: Float32Array;
  /** cm inside of the lips' outline; negative outside. */
  readonly lips: Float32Array;
  /** Along the brow from its inner end, 0, to its outer one, 1; -9 where there is none. */
  readonly browAlong: Float32Array;
  /** cm above the brow's line. */
  readonly browAcross: Float32Array;
  /** cm from the edge of the upper and of the lower lid. */
  readonly upperLid: Float32Array;
  readonly lowerLid: Float32Array;
  /** Where expressions fold the skin: forehead, between the brows, beside the nose, beside the eyes, as bytes a texel. */
  readonly folds: Uint8Array;
}

type Point = readonly [number, number, number];

/** A smooth line through points, `steps` pieces between each two (Catmull-Rom). */
function spline(points: readonly Point[], steps: number, closed = false): Point[] {
  const count = points.length;
  const at = (i: number): Point =>
    closed ? points[(i + count) % count]! : points[Math.min(Math.max(i, 0), count - 1)]!;
  const line: Point[] = [];
  for (let i = 0; i < (closed ? count : count - 1); i++) {
    const [p, q, r, s] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
    for (let k = 0; k < steps; k++) {
      const t = k / steps;
      const value = (axis: 0 | 1 | 2): number =>
        0.5 *
        (2 * q[axis] +
          t * (r[axis] - p[axis]) +
          t * t * (2 * p[axis] - 5 * q[axis] + 4 * r[axis] - s[axis]) +
          t * t * t * (3 * q[axis] - p[axis] - 3 * r[axis] + s[axis]));
      line.push([value(0), value(1), value(2)]);
    }
  }
  if (!closed) line.push(at(count - 1));
  return line;
}

interface Nearest {
  readonly distance: number;
  /** 0 at the line's beginning, 1 at its end. */
  readonly along: number;
  /** > 0 above the line. */
  readonly above: number;
}

/** The nearest place of a line; with `depth` 0, as seen from the front. */
function nearestOn(line: readonly Point[], x: number, y: number, z: number, depth: number): Nearest {
  let best = Number.POSITIVE_INFINITY;
  let [along, above] = [0, 0];
  for (let i = 0; i + 1 < line.length; i++) {
    const [a, b] = [line[i]!, line[i + 1]!];
    const [dx, dy, dz] = [b[0] - a[0], b[1] - a[1], depth * (b[2] - a[2])];
    const [ex, ey, ez] = [x - a[0], y - a[1], depth * (z - a[2])];
    const share = Math.min(Math.max((ex * dx + ey * dy + ez * dz) / (dx * dx + dy * dy + dz * dz + 1e-9), 0), 1);
    const gap = (ex - share * dx) ** 2 + (ey - share * dy) ** 2 + (ez - share * dz) ** 2;
    if (gap >= best) continue;
    best = gap;
    along = (i + share) / (line.length - 1);
    above = ey - share * dy;
  }
  return { distance: Math.sqrt(best), along, above };
}

/** Whether a point is inside of a closed line, seen from the front. */
function isInside(line: readonly Point[], x: number, y: number): boolean {
  let inside = false;
  for (let i = 0, j = line.length - 1; i < line.length; j = i++) {
    const [a, b] = [line[i]!, line[j]!];
    if (a[1] > y !== b[1] > y && x < a[0] + ((y - a[1]) / (b[1] - a[1])) * (b[0] - a[0])) inside = !inside;
  }
  return inside;
}

/** The lines that are painted, of the mean face's left half, mirrored for the other. */
function linesOf(face: FaceModel, landmarks: Uint32Array) {
  const point = (landmark: number): Point => {
    const at = 3 * landmarks[landmark]!;
    return [face.vertices[at]!, face.vertices[at + 1]!, face.vertices[at + 2]!];
  };
  const points = (...numbers: number[]): Point[] => numbers.map(point);
  return {
    lips: spline(points(48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59), 6, true),
    brow: spline(points(22, 23, 24, 25, 26), 5),
    upperLid: spline(points(42, 43, 44, 45), 6),
    lowerLid: spline(points(42, 47, 46, 45), 6),
    nasolabial: spline(
      [
        [1.75, -0.6, 10],
        [2.6, -1.6, 10],
        [3.25, -2.9, 9.8],
        [3.3, -4, 9.6],
      ],
      5,
    ),
  };
}

/** Fills texels that no triangle shows from their neighbours, `passes` texels far. */
function spread(values: Float32Array, known: Uint8Array, side: number, width: number, passes: number): void {
  for (let pass = 0; pass < passes; pass++) {
    const found: number[] = [];
    for (let p = 0; p < side * side; p++) {
      if (known[p]) continue;
      const x = p % side;
      const from =
        x > 0 && known[p - 1]
          ? p - 1
          : x < side - 1 && known[p + 1]
            ? p + 1
            : known[p - side]
              ? p - side
              : known[p + side]
                ? p + side
                : -1;
      if (from < 0) continue;
      for (let k = 0; k < width; k++) values[p * width + k] = values[from * width + k]!;
      found.push(p);
    }
    for (const p of found) known[p] = 1;
  }
}

/** Places of the mean face for all texels. */
function texelPlaces(face: FaceModel, side: number): Float32Array {
  const count = face.parts.skin.vertices[1];
  const points = new Float32Array(face.vertices.length);
  for (let i = 0; i < count; i++) {
    const [x, y, z] = [face.vertices[3 * i]!, face.vertices[3 * i + 1]!, face.vertices[3 * i + 2]!];
    const [u, v] = skinPlace(x, y, z);
    points.set([u * side, v * side, Math.hypot(x, z + 1)], 3 * i);
  }
  const skin = face.trianglesOf('skin');
  // The seam at the back of the head: its triangles would lie across the whole texture.
  const flat = skin.filter((_, k) => {
    const t = k - (k % 3);
    const us = [0, 1, 2].map((c) => points[3 * skin[t + c]!]!);
    return Math.max(...us) - Math.min(...us) < side / 2;
  });
  return scope(() => {
    const raster = new Raster(side, side);
    raster.draw(points, flat);
    const attributes = tensor(face.vertices, { shape: [face.vertexCount, 3] });
    const places = raster.interpolate(attributes, flat).data() as Float32Array;
    const known = Uint8Array.from(raster.triangle.data() as Int32Array, (triangle) => (triangle >= 0 ? 1 : 0));
    raster.dispose();
    spread(places, known, side, 3, 4);
    return places;
  });
}

/**
 * @param landmarks - vertices of the 68
 * @param side - texels, a power of 2
 */
export function mapSkin(face: FaceModel, landmarks: Uint32Array, side: number): SkinMap {
  const places = texelPlaces(face, side);
  const lines = linesOf(face, landmarks);
  const plane = (fill: number): Float32Array => new Float32Array(side * side).fill(fill);
  const map = {
    side,
    places,
    lips: plane(-9),
    browAlong: plane(-9),
    browAcross: plane(9),
    upperLid: plane(9),
    lowerLid: plane(9),
    folds: new Uint8Array(4 * side * side),
  };
  for (let p = 0; p < side * side; p++) {
    const x = Math.abs(places[3 * p]!);
    const y = places[3 * p + 1]!;
    const z = places[3 * p + 2]!;
    if (z < 4) continue;
    if (x < 3.4 && y > -5.2 && y < -1.6) {
      const { distance } = nearestOn([...lines.lips, lines.lips[0]!], places[3 * p]!, y, z, 0.4);
      map.lips[p] = isInside(lines.lips, places[3 * p]!, y) ? distance : -distance;
    }
    if (x < 7.2 && y > 3.8 && y < 8) {
      const { along, above, distance } = nearestOn(lines.brow, x, y, z, 0);
      map.browAlong[p] = along;
      map.browAcross[p] = above < 0 ? -distance : distance;
    }
    if (x > 1.2 && x < 5.4 && y > 2.2 && y < 5) {
      map.upperLid[p] = nearestOn(lines.upperLid, x, y, z, 1).distance;
      map.lowerLid[p] = nearestOn(lines.lowerLid, x, y, z, 1).distance;
    }
    paintFolds(map.folds, 4 * p, x, y, nearestOn(lines.nasolabial, x, y, z, 0));
  }
  return map;
}

function paintFolds(folds: Uint8Array, at: number, x: number, y: number, nasolabial: Nearest): void {
  const wave = (phase: number, sharp: number): number => Math.max(0, Math.cos(2 * Math.PI * phase)) ** sharp;
  const forehead =
    smoothstep(6.2, 6.9, y) *
    smoothstep(10.4, 9.4, y) *
    smoothstep(5.2, 3.6, x) *
    wave((y - 7 + 0.06 * x * x * 0.3) / 0.95, 6);
  const frown =
    bell(x - 0.55, 0.16) * smoothstep(4.4, 5.1, y) * smoothstep(7, 6.3, y) +
    0.7 * bell(y - 3.6, 0.14) * smoothstep(1.3, 0.6, x);
  const smile =
    bell(nasolabial.distance, 0.2) * smoothstep(0, 0.15, nasolabial.along) * smoothstep(1, 0.75, nasolabial.along);
  const ray = Math.atan2(y - 3.2, x - 3.6);
  const away = Math.hypot(x - 4.4, y - 3.3);
  const crow =
    x > 4.5
      ? smoothstep(0.25, 0.6, away) * smoothstep(1.9, 1, away) * smoothstep(1, 0.6, Math.abs(ray)) * wave(ray / 0.38, 3)
      : 0;
  for (const [k, share] of [forehead, frown, smile, crow].entries())
    folds[at + k] = Math.round(255 * Math.min(1, share));
}
