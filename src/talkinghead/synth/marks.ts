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

/** The 68 vertices: the face model's own, with brows where they are marked, and a jaw line whose points lie evenly along it. */
export function markedLandmarks(face: FaceModel): Uint32Array {
  const { vertices, mirror } = face;
  const marked = face.landmarks.slice();
  spaceJaw(face, marked);
  const unit = eyeDistance(face) / 100;
  for (const [k, [left, up]] of brows.entries()) {
    const from = 3 * face.landmarks[22 + k]!;
    const vertex = nearestVertex(face, vertices[from]! + left * unit, vertices[from + 1]! + up * unit);
    marked[22 + k] = vertex;
    marked[21 - k] = mirror[vertex]!;
  }
  return marked;
}

type Point = readonly [number, number, number];

/** The jaw line's points are marked evenly between ear and chin; the model's crowd towards the chin. */
function spaceJaw(face: FaceModel, marked: Uint32Array): void {
  const { vertices, mirror, landmarks } = face;
  const line = Array.from(
    landmarks.subarray(8, 17),
    (v): Point => [vertices[3 * v]!, vertices[3 * v + 1]!, vertices[3 * v + 2]!],
  );
  const reached = [0];
  for (let k = 1; k < line.length; k++) reached.push(reached[k - 1]! + between(line[k - 1]!, line[k]!));
  for (let k = 1; k < 8; k++) {
    const along = (reached[8]! * k) / 8;
    const i = reached.findIndex((end) => end > along) - 1;
    const share = (along - reached[i]!) / (reached[i + 1]! - reached[i]!);
    const at = (axis: 0 | 1 | 2): number => line[i]![axis] + share * (line[i + 1]![axis] - line[i]![axis]);
    const vertex = nearestOf(face, [at(0), at(1), at(2)]);
    marked[8 + k] = vertex;
    marked[8 - k] = mirror[vertex]!;
  }
}

const between = (a: Point, b: Point): number => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);

/** The face's vertex that is nearest to a place. */
function nearestOf({ parts, vertices }: FaceModel, place: Point): number {
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  for (let i = parts.innerFace.vertices[0]; i < parts.outerFace.vertices[1]; i++) {
    const away = between(place, [vertices[3 * i]!, vertices[3 * i + 1]!, vertices[3 * i + 2]!]);
    if (away < least) [best, least] = [i, away];
  }
  return best;
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
