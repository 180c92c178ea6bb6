/** The jaw line: 17 landmarks that lie wherever the face's border is seen, not at points of the skin. */
import { scope } from '../../torch/index.js';
import type { FaceModel } from '../face/face-model.js';
import type { Camera, HeadTurn } from '../render/camera.js';
import { vertexNormals } from '../render/mesh.js';

/** Landmarks 0 to 16. */
export const contourCount = 17;

export interface Contour {
  /** The vertex under each of the 17. */
  readonly vertices: Uint32Array;
  /** `[17 * 2]`: across the border, in the picture, of length 1. */
  readonly normals: Float64Array;
}

/** A vertex whose normal is this far from square to the line of sight (cosine) may lie on the border. */
const widest = 0.35;

/** cm: above are brow and hair, behind the ear's back. */
const [highest, rearmost] = [4.5, -1];

/** cm beyond the middle to which the landmarks of a side may slide. */
const overlapCm = 1.5;

/** Vertices of the skin that may be seen as the border of the lower face. */
export function contourCandidates(model: FaceModel): Uint32Array {
  const [first, end] = [model.parts.innerFace.vertices[0], model.parts.outerFace.vertices[1]];
  const { vertices } = model;
  const low: number[] = [];
  for (let v = first; v < end; v++) if (vertices[3 * v + 1]! < highest && vertices[3 * v + 2]! > rearmost) low.push(v);
  return Uint32Array.from(low);
}

/**
 * For each of the jaw line's landmarks the nearest vertex that the camera sees on the border, or nearly.
 * @param face - `[V * 3]`
 * @param eyes - pixels between the eyes
 */
export function findContour(
  model: FaceModel,
  candidates: Uint32Array,
  face: Float32Array,
  camera: Camera,
  pose: HeadTurn,
  landmarks: Float32Array,
  eyes: number,
): Contour {
  const skin = face.subarray(0, 3 * model.parts.skin.vertices[1]);
  const normals = camera.turn(
    scope(() => vertexNormals(skin, model.trianglesOf('skin')).data() as Float32Array),
    pose,
  );
  const seen = camera.project(skin, { pose });
  const facing = candidates.length === 0 ? new Float64Array() : facings(candidates, seen, normals, camera);
  const vertices = new Uint32Array(contourCount);
  const across = new Float64Array(2 * contourCount);
  for (let k = 0; k < contourCount; k++) {
    let [best, least] = [0, Infinity];
    for (let c = 0; c < candidates.length; c++) {
      const v = candidates[c]!;
      if (facing[c]! > widest || !onSide(k, face[3 * v]!)) continue;
      const away = Math.hypot(seen[3 * v]! - landmarks[2 * k]!, seen[3 * v + 1]! - landmarks[2 * k + 1]!) / eyes;
      const cost = away + widest * facing[c]!;
      if (cost < least) [best, least] = [v, cost];
    }
    vertices[k] = best;
    const [nx, ny] = [normals[3 * best]!, -normals[3 * best + 1]!];
    const length = Math.hypot(nx, ny) || 1;
    across[2 * k] = nx / length;
    across[2 * k + 1] = ny / length;
  }
  return { vertices, normals: across };
}

/** How squarely the camera looks at each candidate: the cosine between normal and line of sight, without its sign. */
function facings(candidates: Uint32Array, seen: Float32Array, normals: Float32Array, camera: Camera): Float64Array {
  const [cx, cy] = camera.centre;
  return Float64Array.from(candidates, (v) => {
    // The line of sight in the camera's space; y runs down in pictures.
    const [dx, dy] = [(seen[3 * v]! - cx) / camera.focal, (cy - seen[3 * v + 1]!) / camera.focal];
    const dot = normals[3 * v]! * dx + normals[3 * v + 1]! * dy - normals[3 * v + 2]!;
    return Math.abs(dot) / Math.hypot(dx, dy, 1);
  });
}

/** The viewer's left half has landmarks 0 to 7, the chin 8. */
function onSide(k: number, x: number): boolean {
  if (k === 8) return Math.abs(x) < 2;
  return k < 8 ? x < overlapCm : x > -overlapCm;
}
