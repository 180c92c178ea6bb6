/** The mesh of a portrait: skin, eyeballs and the mouth's inside, and how it is drawn. */
import { type Tensor, tensor } from '../../torch/index.js';
import type { FacePart } from '../face/face-model.js';
import { Raster } from '../render/raster.js';
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

/** What the photograph shows between the lips. */
export interface ShownInside {
  /** Vertices of the mesh that show what stays with the head, and the model's of each: all but the lower teeth. */
  readonly held: readonly (readonly [number, number])[];
  /** `[V * 2]`, pixels: where the photograph shows each vertex of the model. */
  readonly places: Float32Array;
  /** `[V]`: 1 for the corners of triangles of which it shows something. */
  readonly shares: Float32Array;
}

/** The raster is finer than the picture by this: of small triangles each counts. */
const finer = 3;

/**
 * @param seen - `[V * 3]`: the face as photographed
 * @param open - whether the photograph shows the lips apart: it shows nothing between them otherwise
 */
export function shownInside(
  head: PhotographedHead,
  seen: Float32Array,
  mesh: PortraitMesh,
  open: boolean,
): ShownInside {
  const { width, height, model } = head;
  const shares = new Float32Array(model.vertexCount);
  const places = Float32Array.from({ length: 2 * model.vertexCount }, (_, i) => seen[3 * (i >> 1) + (i & 1)]!);
  if (!open) return { held: [], places, shares };
  using raster = new Raster(height * finer, width * finer);
  drawMesh(
    raster,
    seen.map((value, i) => (i % 3 === 2 ? value : value * finer)),
    mesh,
  );
  const corners = mesh.triangles.data() as Int32Array;
  for (const t of raster.triangle.data() as Int32Array)
    if (t >= mesh.firstInside) for (const v of corners.subarray(3 * t, 3 * t + 3)) shares[mesh.inside.get(v)!] = 1;
  const [first, end] = model.parts.lowerTeeth.vertices;
  return { held: [...mesh.inside].filter(([, own]) => own < first || own >= end), places, shares };
}
