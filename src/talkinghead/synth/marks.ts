/** Which vertices people would mark as the 68 landmarks. */
import type { FaceModel } from '../face/index.js';

/**
 * How far people mark the brow's points 22 to 26 from where the face model has them: to the subject's left and up, in % of the
 * distance of the eyes. Those of the other brow are mirrored. Found on photographs of real people, to which the model was fitted
 * without its brows: the model's brows begin too near to the nose.
 */
const brows: readonly (readonly [left: number, up: number])[] = [
  [10.5, 1.4],
  [4.9, 0.4],
  [-0.8, 1.4],
  [-1, 2.6],
  [-2.8, 4.2],
];

export function markedLandmarks(face: FaceModel): Uint32Array {
  const { vertices, mirror } = face;
  const marked = face.landmarks.slice();
  const between = eyeDistance(face) / 100;
  for (const [k, [left, up]] of brows.entries()) {
    const from = 3 * face.landmarks[22 + k]!;
    const vertex = nearestVertex(face, vertices[from]! + left * between, vertices[from + 1]! + up * between);
    marked[22 + k] = vertex;
    marked[21 - k] = mirror[vertex]!;
  }
  return marked;
}

/** cm between the middles of the eyes. */
function eyeDistance({ landmarks, vertices }: FaceModel): number {
  let across = 0;
  for (let k = 36; k < 42; k++) across += (vertices[3 * landmarks[k + 6]!]! - vertices[3 * landmarks[k]!]!) / 6;
  return across;
}

/** Of the front of the face, as seen from there. */
function nearestVertex({ parts, vertices }: FaceModel, x: number, y: number): number {
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  const [first, end] = parts.innerFace.vertices;
  for (let i = first; i < end; i++) {
    const away = (vertices[3 * i]! - x) ** 2 + (vertices[3 * i + 1]! - y) ** 2;
    if (away < least && vertices[3 * i + 2]! > 4) [best, least] = [i, away];
  }
  return best;
}
