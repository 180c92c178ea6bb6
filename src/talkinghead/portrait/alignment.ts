/** The fitted face carried onto its photograph exactly: what the fit leaves at the landmarks is spread over all vertices. */
import { scope } from '../../torch/index.js';
import { arkitWeights } from '../face/arkit.js';
import type { FacePart } from '../face/face-model.js';
import { vertexNormals } from '../render/mesh.js';
import type { PhotographedHead } from './head.js';
import { smoothstep } from './still/planes.js';
import { solve } from './still/solve.js';

/** cm: how far a landmark's residual reaches. */
const reach = 4.5;

/** How little the residuals of jaw line and brows, which slide or are defined otherwise, are followed; and the others'. */
const [loose, firm] = [0.3, 0.02];

/** Lower teeth stand further down and back than the model's. */
const lowerTeethBy: readonly [number, number, number] = [0, -0.18, -0.12];

/** Wendland's function of compact support, of smoothness 2. */
const wendland = (r: number): number => (r >= 1 ? 0 : (1 - r) ** 4 * (4 * r + 1));

/**
 * What is added to the face's vertices, in cm, so that its landmarks are seen where `targets` has them.
 * @param face - `[V * 3]` as fitted
 * @param targets - `[136]` in pixels: the landmarks, where they are to be seen
 * @returns `[V * 3]`
 */
export function alignment(head: PhotographedHead, face: Float32Array, targets: Float32Array): Float32Array {
  const { model } = head;
  const anchors = Uint32Array.from(model.landmarks);
  anchors.set(head.fit.contour);
  const seen = head.project(face);
  const residuals = landmarkResiduals(head, face, seen, anchors, targets);
  const spread = spreadOver(head, anchors, residuals);
  const offsets = new Float32Array(face.length);
  const { focal } = head.camera;
  for (let v = 0; v < model.vertexCount; v++) {
    const cm = 1 / (focal * seen[3 * v + 2]!);
    offsets.set(head.toFace(spread[2 * v]! * cm, -spread[2 * v + 1]! * cm, 0), 3 * v);
  }
  const [first, end] = model.parts.lowerTeeth.vertices;
  for (let v = first; v < end; v++) for (let axis = 0; axis < 3; axis++) offsets[3 * v + axis]! += lowerTeethBy[axis]!;
  return offsets;
}

/** `[68 * 2]` in pixels. Of the jaw line only what is across it counts. */
function landmarkResiduals(
  head: PhotographedHead,
  face: Float32Array,
  seen: Float32Array,
  anchors: Uint32Array,
  targets: Float32Array,
): Float64Array {
  const normals = skinNormals(head, face);
  return Float64Array.from({ length: 136 }, (_, i) => {
    const k = i >> 1;
    const v = anchors[k]!;
    const off = [targets[2 * k]! - seen[3 * v]!, targets[2 * k + 1]! - seen[3 * v + 1]!] as const;
    if (k >= 17) return (k < 27 ? 0.4 : 1) * off[i & 1]!;
    const [nx, ny] = [normals[3 * v]!, -normals[3 * v + 1]!];
    const length = Math.hypot(nx, ny) || 1;
    return ((0.7 * (off[0] * nx + off[1] * ny)) / length ** 2) * (i & 1 ? ny : nx);
  });
}

/** Normals of the skin as the camera sees them in the photograph: `[V * 3]`, 0 beyond the skin. */
export function skinNormals(head: PhotographedHead, face: Float32Array): Float32Array {
  const normals = scope(() => vertexNormals(face, head.model.trianglesOf('skin')).data() as Float32Array);
  return head.camera.turn(normals, head.fit.pose);
}

/**
 * `[V * 2]`: on the skin by radial functions about the landmarks of a face with an open mouth, where the lips are apart;
 * what is inside moves as wholes.
 */
function spreadOver(head: PhotographedHead, anchors: Uint32Array, residuals: Float64Array): Float32Array {
  const { model } = head;
  const open = model.shape({ weights: arkitWeights({ jawOpen: 0.6 }) });
  const distance = (v: number, k: number): number => {
    const a = anchors[k]!;
    return Math.hypot(open[3 * v]! - open[3 * a]!, open[3 * v + 1]! - open[3 * a + 1]!) / reach;
  };
  const matrix = new Float64Array(68 * 68);
  for (let i = 0; i < 68; i++) {
    for (let j = 0; j < 68; j++) matrix[68 * i + j] = wendland(distance(anchors[i]!, j));
    matrix[69 * i]! += i < 27 ? loose : firm;
  }
  const weights = [0, 1].map((c) =>
    solve(
      matrix,
      Float64Array.from({ length: 68 }, (_, k) => residuals[2 * k + c]!),
    ),
  );
  const out = new Float32Array(2 * model.vertexCount);
  for (let v = 0; v < model.parts.skin.vertices[1]; v++) {
    const front = smoothstep(1, 3, model.vertices[3 * v + 2]!);
    if (front === 0) continue;
    for (let k = 0; k < 68; k++) {
      const w = front * wendland(distance(v, k));
      for (let c = 0; c < 2; c++) out[2 * v + c]! += w * weights[c]![k]!;
    }
  }
  const mean = (first: number, end: number, c: number): number => {
    let sum = 0;
    for (let k = first; k < end; k++) sum += out[2 * model.landmarks[k]! + c]!;
    return sum / (end - first);
  };
  const wholes: readonly [FacePart, FacePart, number, number][] = [
    ['mouthSocket', 'mouthSocket', 48, 68],
    ['gums', 'lowerTeeth', 48, 68],
    ['eyeSocketRight', 'eyeSocketRight', 36, 42],
    ['scleraRight', 'irisRight', 36, 42],
    ['eyeSocketLeft', 'eyeSocketLeft', 42, 48],
    ['scleraLeft', 'irisLeft', 42, 48],
  ];
  for (const [from, to, first, end] of wholes)
    for (const c of [0, 1])
      for (let v = model.parts[from].vertices[0]; v < model.parts[to].vertices[1]; v++)
        out[2 * v + c] = mean(first, end, c);
  return out;
}
