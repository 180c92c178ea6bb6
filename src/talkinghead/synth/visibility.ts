/** What of the light around reaches each vertex of a head: its own nose, chin and brow stand in the way. */
import { scope } from '../../torch/index.js';
import type { FaceModel } from '../face/index.js';
import { Camera, Raster, vertexNormals } from '../render/index.js';

/** Far away, so that all rays are nearly parallel. */
const distance = 4000;
const side = 224;
/** cm by which a surface does not hide itself. */
const margin = 0.35;

export interface Visibility {
  /** Directions from which light was looked at, `[count * 3]`. */
  readonly directions: Float32Array;
  /** `[count * V]`: 255 where light from there arrives. */
  readonly arrives: Uint8Array;
  /** `[V]`: the share of the light from all sides that arrives, weighted as matt skin weighs it. */
  readonly open: Float32Array;
}

/** Evenly over the half of the sphere with x >= 0 (Fibonacci's spiral): the other half is the mirror image. */
function halfSphere(count: number): [number, number, number][] {
  const golden = Math.PI * (3 - Math.sqrt(5));
  return Array.from({ length: count }, (_, k) => {
    const y = 1 - (2 * k + 1) / count;
    const ring = Math.sqrt(1 - y * y);
    return [Math.abs(ring * Math.cos(golden * k)), y, ring * Math.sin(golden * k)];
  });
}

/** On the mean face at rest. @param half - directions on one half of the sphere */
export function lookAround(face: FaceModel, half = 36): Visibility {
  const { vertices, vertexCount: count } = face;
  const skin = face.trianglesOf('skin');
  const normals = scope(() => vertexNormals(vertices, face.triangles).data() as Float32Array);
  const camera = new Camera({ width: side, height: side, distance, pixelsPerCm: side / 42, pivot: [0, -2, 0] });
  const raster = new Raster(side, side);
  const found = halfSphere(half);
  const directions = new Float32Array(6 * half);
  const arrives = new Uint8Array(2 * half * count);
  const [sums, totals] = [new Float32Array(count), new Float32Array(count)];
  for (const [k, [x, y, z]] of found.entries()) {
    directions.set([x, y, z], 3 * k);
    directions.set([-x, y, z], 3 * (half + k));
    // The head is turned until what looks there looks at the camera.
    const pose = turnTowards(x, y, z);
    const points = camera.project(vertices, { pose });
    raster.clear().draw(points, skin);
    const depth = raster.depth.data() as Float32Array;
    for (let i = 0; i < count; i++) {
      const cosine = normals[3 * i]! * x + normals[3 * i + 1]! * y + normals[3 * i + 2]! * z;
      const other = face.mirror[i]!;
      if (cosine <= -0.2) continue;
      const lit = cosine > 0 && !isHidden(points, depth, i);
      if (lit) arrives[k * count + i] = arrives[(half + k) * count + other] = 255;
      if (cosine <= 0) continue;
      for (const v of [i, other]) {
        totals[v]! += cosine;
        if (lit) sums[v]! += cosine;
      }
    }
  }
  raster.dispose();
  return { directions, arrives, open: sums.map((sum, i) => (totals[i]! > 0 ? sum / totals[i]! : 0)) };
}

/** The pose in which a direction of the face's space points at the camera: the last row of its rotation is the direction. */
function turnTowards(x: number, y: number, z: number): { yaw: number; pitch: number } {
  const degrees = 180 / Math.PI;
  return { yaw: -Math.asin(x) * degrees, pitch: Math.atan2(-y, z) * degrees };
}

function isHidden(points: Float32Array, depth: Float32Array, i: number): boolean {
  const x = Math.floor(points[3 * i]!);
  const y = Math.floor(points[3 * i + 1]!);
  if (x < 0 || y < 0 || x >= side || y >= side) return false;
  const nearest = depth[y * side + x]!;
  return nearest > Number.NEGATIVE_INFINITY && 1 / points[3 * i + 2]! - 1 / nearest > margin;
}
