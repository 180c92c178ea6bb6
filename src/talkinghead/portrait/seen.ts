/** What of a face its photograph shows, and where in it each vertex finds its colour. */
import type { FaceModel } from '../face/face-model.js';
import { Raster } from '../render/raster.js';
import { skinNormals } from './alignment.js';
import type { PhotographedHead } from './head.js';
import { smoothstep } from './still/planes.js';

/** A face's vertices of skin, in the order of the model. */
export interface SeenSkin {
  /** `[V]`: 1 where the photograph shows the vertex. */
  readonly visible: Uint8Array;
  /** `[V * 2]`, pixels: where it is seen; of what is hidden, stretched from what is seen around it. */
  readonly sources: Float32Array;
  /** `[V]`: how far the mesh counts, and not the grid of the picture: 0 at its border and near what is hidden. */
  readonly over: Float32Array;
  /** `[V]`: 1 about mouth, eyes and nose, where the mesh always counts. */
  readonly fixed: Uint8Array;
  /** `[V * 3]`, as the camera sees them. */
  readonly normals: Float32Array;
  /** Evens values of the inner face's vertices out between neighbours, in place, so many times. */
  readonly smooth: (values: Float32Array, rounds: number) => void;
}

/** cm in the mean face: about the mouth, the eyes, the nose. */
type Zone = (x: number, y: number, z: number) => boolean;
const innerMouth: Zone = (x, y, z) => Math.abs(x) < 3 && y < -2 && y > -5 && z > 8.5;
const mouth: Zone = (x, y, z) => Math.abs(x) < 3.2 && y < -1.8 && y > -5.2 && z > 8;
const lids: Zone = (x, y) => Math.abs(Math.abs(x) - 3.1) < 1.9 && Math.abs(y - 3.4) < 1.2;
const eyes: Zone = (x, y) => Math.abs(Math.abs(x) - 3.1) < 2.1 && Math.abs(y - 3.4) < 1.4;
const nose: Zone = (x, y) => Math.abs(x) < 1.9 && y < 3 && y > -1.8;
const inner: Zone = (x, y, z) => mouth(x, y, z) || eyes(x, y, z) || nose(x, y, z);

const within = ({ vertices }: FaceModel, v: number, zone: Zone): boolean =>
  zone(vertices[3 * v]!, vertices[3 * v + 1]!, vertices[3 * v + 2]!);

/** cm over which the mesh gives way to the grid: at its border, and about hidden vertices. */
const borderFade = 1.6;
const [hiddenFrom, hiddenFade] = [0.15, 1.1];

/** @param face - `[V * 3]`: the aligned face as photographed */
export function seenSkin(head: PhotographedHead, face: Float32Array): SeenSkin {
  const normals = skinNormals(head, face);
  const visible = visibleVertices(head, face, normals);
  const fixed = new Uint8Array(head.model.vertexCount).map((_, v) => (within(head.model, v, inner) ? 1 : 0));
  return {
    visible,
    sources: stretched(head, face, visible),
    over: meshShare(head, normals, visible, fixed),
    fixed,
    normals,
    smooth: smoother(head.model),
  };
}

function visibleVertices(head: PhotographedHead, face: Float32Array, normals: Float32Array): Uint8Array {
  const { model, width, height } = head;
  const scale = head.eyes < 120 ? 2 : 1;
  const points = head.project(face);
  const large = points.map((value, i) => (i % 3 === 2 ? value : value * scale));
  const raster = new Raster(height * scale, width * scale);
  raster.draw(large, model.trianglesOf('skin'));
  const depth = raster.depth.data() as Float32Array;
  raster.dispose();
  const visible = new Uint8Array(model.vertexCount);
  for (let v = 0; v < model.parts.outerFace.vertices[1]; v++) {
    const [x, y] = [Math.floor(large[3 * v]!), Math.floor(large[3 * v + 1]!)];
    if (!(x >= 0 && y >= 0 && x < width * scale && y < height * scale)) continue;
    const atMouth = within(model, v, innerMouth);
    const behind = 1 / points[3 * v + 2]! - 1 / depth[y * width * scale + x]!;
    if (behind < (atMouth ? 0.07 : 0.25) && normals[3 * v + 2]! > (atMouth ? 0.03 : 0.12)) visible[v] = 1;
  }
  return visible;
}

/** The neighbours of each vertex of the face's skin. */
function neighbours(model: FaceModel): number[][] {
  const [first, end] = [model.parts.innerFace.triangles[0], model.parts.outerFace.triangles[1]];
  const lists: number[][] = Array.from({ length: model.parts.outerFace.vertices[1] }, () => []);
  for (let t = 3 * first; t < 3 * end; t += 3)
    for (let k = 0; k < 3; k++) {
      const [a, b] = [model.triangles[t + k]!, model.triangles[t + ((k + 1) % 3)]!];
      lists[a]!.push(b);
      lists[b]!.push(a);
    }
  return lists;
}

/** Each vertex of the inner face becomes the mean of itself and of its neighbours' mean. */
function smoother(model: FaceModel): SeenSkin['smooth'] {
  const end = model.parts.innerFace.vertices[1];
  const lists = neighbours(model)
    .slice(0, end)
    .map((list) => list.filter((v) => v < end));
  const first = new Uint32Array(end + 1);
  for (let v = 0; v < end; v++) first[v + 1] = first[v]! + lists[v]!.length;
  const others = Uint32Array.from(lists.flat());
  const before = new Float32Array(end);
  return (values, rounds) => {
    for (let round = 0; round < rounds; round++) {
      before.set(values);
      for (let v = 0; v < end; v++) {
        let sum = 0;
        for (let i = first[v]!; i < first[v + 1]!; i++) sum += before[others[i]!]!;
        const count = first[v + 1]! - first[v]!;
        if (count > 0) values[v] = 0.5 * (before[v]! + sum / count);
      }
    }
  };
}

function stretched(head: PhotographedHead, face: Float32Array, visible: Uint8Array): Float32Array {
  const { model } = head;
  const points = head.project(face);
  const sources = Float32Array.from({ length: 2 * model.vertexCount }, (_, i) => points[3 * (i >> 1) + (i & 1)]!);
  const lists = neighbours(model);
  const hidden = [...lists.keys()].filter((v) => !visible[v] && !within(model, v, lids));
  for (let round = 0; round < 150; round++)
    for (const v of hidden)
      for (const c of [0, 1]) {
        let sum = 0;
        for (const other of lists[v]!) sum += sources[2 * other + c]!;
        sources[2 * v + c] = sum / lists[v]!.length;
      }
  return sources;
}

/** The outer border of the inner face: not that about eyes, mouth and nostrils. */
function borderVertices(model: FaceModel): number[] {
  const uses = new Map<number, number>();
  const triangles = model.trianglesOf('innerFace');
  const key = (a: number, b: number): number => Math.min(a, b) * 32768 + Math.max(a, b);
  for (let t = 0; t < triangles.length; t += 3)
    for (let k = 0; k < 3; k++) {
      const edge = key(triangles[t + k]!, triangles[t + ((k + 1) % 3)]!);
      uses.set(edge, (uses.get(edge) ?? 0) + 1);
    }
  const border = new Set<number>();
  for (const [edge, count] of uses) if (count === 1) border.add(Math.floor(edge / 32768)).add(edge % 32768);
  return [...border].filter((v) => Math.hypot(model.vertices[3 * v]!, 0.8 * model.vertices[3 * v + 1]!) > 6);
}

/** cm from a vertex of the mean face to the nearest of others. */
function nearest({ vertices }: FaceModel, v: number, others: readonly number[]): number {
  let least = Infinity;
  for (const other of others) {
    const dx = vertices[3 * v]! - vertices[3 * other]!;
    const dy = vertices[3 * v + 1]! - vertices[3 * other + 1]!;
    const dz = vertices[3 * v + 2]! - vertices[3 * other + 2]!;
    least = Math.min(least, dx * dx + dy * dy + dz * dz);
  }
  return Math.sqrt(least);
}

function meshShare(
  head: PhotographedHead,
  normals: Float32Array,
  visible: Uint8Array,
  fixed: Uint8Array,
): Float32Array {
  const { model } = head;
  const border = borderVertices(model);
  const end = model.parts.innerFace.vertices[1];
  const hidden = Array.from({ length: end }, (_, v) => v).filter((v) => !visible[v] && !fixed[v]);
  const over = new Float32Array(model.vertexCount).fill(1);
  for (let v = 0; v < model.parts.skin.vertices[1]; v++) {
    if (v >= end) {
      over[v] = 0;
      continue;
    }
    over[v] = smoothstep(0, borderFade, nearest(model, v, border));
    if (fixed[v]) continue;
    const facing = Math.min(1, Math.max(0, (normals[3 * v + 2]! - 0.15) / 0.3));
    const fade = hidden.length === 0 ? facing : smoothstep(0, 1, (nearest(model, v, hidden) - hiddenFrom) / hiddenFade);
    over[v]! *= fade;
  }
  return over;
}
