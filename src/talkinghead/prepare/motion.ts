/** Landmarks of a clip to the face model's numbers: one person, and pose and expression of each frame. */
import type { Face } from '../../media/index.js';
import { fitFaces, MotionFitter } from '../fit/index.js';

/** Frames from all over a clip by which the person's shape is told. */
const personFrames = 6;

export interface ClipMotion {
  /** `[F * 52]` */
  readonly weights: Float32Array;
  /** `[F * 3]`: yaw, pitch and roll, degrees. */
  readonly head: Float32Array;
  /** `[F * 3]`: cm from where it is in the first frame. */
  readonly position: Float32Array;
  /** Coefficients of `FaceModel.identity`. */
  readonly identity: Float32Array;
}

/**
 * @param faces - of each frame, in pixels of the clip
 * @param size - pixels of the clip's sides
 */
export function clipMotion(
  faces: readonly Pick<Face, 'landmarks' | 'expressions'>[],
  size: number,
  fps: number,
): ClipMotion {
  const step = Math.max(1, Math.floor(faces.length / personFrames));
  const some = faces.filter((_, i) => i % step === Math.floor(step / 2)).slice(0, personFrames);
  const person = some.map(({ landmarks, expressions }) => ({ landmarks, expressions, width: size, height: size }));
  const { identity } = fitFaces(person)[0]!;
  const fitter = new MotionFitter({ width: size, height: size, fps, identity });
  for (const face of faces) fitter.add(face);
  const { weights, pose, position } = fitter.end().track;
  return { weights, head: pose, position: position ?? new Float32Array(3 * faces.length), identity };
}
