/** The mesh of a portrait: skin, eyeballs and the mouth's inside, and how it is drawn. */
import { type Tensor, tensor } from '../../torch/index.js';
import type { FacePart } from '../face/face-model.js';
import type { Raster } from '../render/raster.js';
import { concatenated } from './grid.js';
import type { PhotographedHead } from './head.js';
import type { MouthInside } from './inside.js';

/** What the mesh of a portrait is made of, in the order in which it is drawn. */
export interface PortraitMesh {
  readonly triangles: Tensor;
  /** The first triangles of eyeballs and of the mouth's inside. */
  readonly firstEye: number;
  readonly firstInside: number;
  /** Vertices of the lips' rims, which follow the model's as a second set, for the mouth's inside. */
  readonly rims: Uint32Array;
  /** The model's vertex of each vertex of the mouth's inside. */
  readonly inside: ReadonlyMap<number, number>;
}

export function meshOf({ model }: PhotographedHead, mouth: MouthInside): PortraitMesh {
  const part = (name: FacePart): Uint32Array => model.trianglesOf(name);
  const [skin, eyes] = [part('innerFace'), concatenated([part('scleraLeft'), part('scleraRight')])];
  // The mouth's inside hangs on the lips' rims: as part of it these have other numbers than as skin, so they are there twice.
  const rims = [...new Set(mouth.triangles)].filter((v) => v < model.parts.skin.vertices[1]);
  const copyOf = new Map(rims.map((v, i) => [v, model.vertexCount + i]));
  const all = concatenated([skin, eyes, mouth.triangles.map((v) => copyOf.get(v) ?? v)]);
  return {
    triangles: tensor(Int32Array.from(all), { shape: [all.length / 3, 3] }).keep(),
    firstEye: skin.length / 3,
    firstInside: (skin.length + eyes.length) / 3,
    rims: Uint32Array.from(rims),
    inside: new Map([...new Set(mouth.triangles)].map((v) => [copyOf.get(v) ?? v, v])),
  };
}

/** cm by which the mouth's inside stays behind lips that touch it. */
const behindLips = 0.02;

/** Draws the mesh as each frame does. @param seen - `[V * 3]`: the face as the camera sees it */
export function drawMesh(
  raster: Raster,
  seen: Float32Array,
  { triangles, rims, inside, firstInside }: PortraitMesh,
): void {
  const points = withRims(seen, rims);
  for (const v of inside.keys()) {
    const near = points[3 * v + 2]!;
    points[3 * v + 2] = near / (1 + behindLips * near);
  }
  // Of skin and eyes the fronts: the lids' inner sides would show through the eyeballs that they touch.
  raster.draw(points, triangles, { range: [0, firstInside], cull: 'back' });
  raster.draw(points, triangles, { range: [firstInside, triangles.shape[0]!] });
}

/** The rims once more, behind all vertices. */
function withRims(points: Float32Array, rims: Uint32Array): Float32Array {
  const out = new Float32Array(points.length + 3 * rims.length);
  out.set(points);
  for (const [i, v] of rims.entries()) out.set(points.subarray(3 * v, 3 * v + 3), points.length + 3 * i);
  return out;
}
