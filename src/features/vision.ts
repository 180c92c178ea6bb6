/** Features of a speaker's face, picture by picture: the same code for a data set's clips and for a clip to predict. */
import {
  centreOf,
  type Expressions,
  expressionNames,
  type Face,
  type FaceAnalyser,
  landmarkCount,
  type RgbImage,
  readFrames,
  tilt,
} from '../media/index.js';
import { ConfigError } from '../torch/errors.js';
import type { FeatureRows } from './audio.js';
import type { FeatureSpec } from './specs.js';
import type { SpokenSpan } from './utterances.js';

/** The numbers of a row: 136 of landmarks, 3 angles, 7 expressions. */
export const visionColumns: readonly string[] = [
  ...Array.from({ length: landmarkCount }, (_, i) => [`x${i}`, `y${i}`]).flat(),
  'yaw',
  'pitch',
  'roll',
  ...expressionNames,
];

/** Rows a second unless another rate is asked for. */
const usualRate = 5;

/** Pictures that are looked at together. */
const atOnce = 8;

export interface VisionRows extends FeatureRows {
  /** Of each row: 1 where the speaker's face was found; 0 where it was not and the row is zeros. */
  readonly mask: Uint8Array;
}

/** @param rate - rows a second */
export function visionSpec(rate = usualRate): FeatureSpec {
  if (!(rate > 0 && Number.isFinite(rate))) throw new ConfigError(`expected rate > 0, rows a second, got ${rate}`);
  return { name: 'face-landmarks-pose-expressions', dims: visionColumns.length, unit: 'frame', rate, version: '2' };
}

/**
 * A face as {@link visionColumns}. Landmarks: x to the right and y down from the point between the eyes' centres, eyes level, in
 * distances between the eyes as a face that looks at the camera would show them, so that turning does not enlarge the mouth.
 * Angles in radians, as of `HeadPose`. Expressions as probabilities.
 */
export function visionRow({ landmarks, interOcular, pose, expressions }: Face): Float32Array {
  const row = new Float32Array(visionColumns.length);
  const [left, right, angle] = [centreOf(landmarks, 'leftEye'), centreOf(landmarks, 'rightEye'), tilt(landmarks)];
  const [x, y] = [(left[0] + right[0]) / 2, (left[1] + right[1]) / 2];
  const [cos, sin] = [Math.cos(angle) / interOcular, Math.sin(angle) / interOcular];
  for (let i = 0; i < landmarkCount; i++) {
    const [dx, dy] = [landmarks[2 * i]! - x, landmarks[2 * i + 1]! - y];
    row[2 * i] = dx * cos + dy * sin;
    row[2 * i + 1] = dy * cos - dx * sin;
  }
  const angles = [pose.yaw, pose.pitch, pose.roll].map((degrees) => (degrees * Math.PI) / 180);
  row.set([...angles, ...expressionNames.map((name) => expressions[name])], 2 * landmarkCount);
  return row;
}

/**
 * What a face shows over the pictures of an utterance: the mean of those in which it was found; null where it was in none.
 * @param rows - of {@link visionRow}, zeros where there was no face
 */
export function meanExpressions(rows: Float32Array): Expressions | null {
  const dims = visionColumns.length;
  const begin = dims - expressionNames.length;
  const sums = expressionNames.map((_, k) => {
    let sum = 0;
    for (let at = begin + k; at < rows.length; at += dims) sum += rows[at]!;
    return sum;
  });
  const total = sums.reduce((a, b) => a + b, 0);
  if (total === 0) return null;
  return Object.fromEntries(expressionNames.map((name, k) => [name, sums[k]! / total])) as Expressions;
}

/**
 * Rows of one utterance's pictures, a row each. One person is followed: the main one of the first picture with a face.
 * @param rate - pictures a second
 */
export async function visionRows(
  analyser: FaceAnalyser,
  pictures: Iterable<RgbImage> | AsyncIterable<RgbImage>,
  rate = usualRate,
): Promise<VisionRows> {
  const spec = visionSpec(rate);
  // So few pictures a second have no trembling in common that smoothing could take away.
  const person = analyser.follow({ rate, smooth: false });
  const faces: (Face | null)[] = [];
  let waiting: RgbImage[] = [];
  for await (const picture of pictures) {
    waiting.push(picture);
    if (waiting.length < atOnce) continue;
    faces.push(...person.next(waiting));
    waiting = [];
  }
  faces.push(...person.next(waiting));
  const rows = new Float32Array(faces.length * spec.dims);
  for (const [i, face] of faces.entries()) if (face !== null) rows.set(visionRow(face), i * spec.dims);
  return { spec, length: faces.length, rows, mask: Uint8Array.from(faces, (face) => (face === null ? 0 : 1)) };
}

/**
 * Features of a video's utterances, each on its own: one does not change with its neighbours. Row `k` of an utterance shows it
 * `k / rate` seconds after its start. An utterance that begins after the last picture, as sound that goes on may, is one row without
 * a face.
 * @param path - of the video
 * @param spans - where the utterances are; by default one, the whole
 * @param note - told of damage
 * @throws DataError when the file has no pictures
 */
export async function extractVision(
  analyser: FaceAnalyser,
  path: string,
  spans?: readonly Pick<SpokenSpan, 'start' | 'end'>[],
  rate = usualRate,
  note?: (remark: string) => void,
): Promise<VisionRows[]> {
  const spec = visionSpec(rate);
  const found: VisionRows[] = [];
  for (const { start, end } of spans ?? [{ start: 0, end: Number.POSITIVE_INFINITY }]) {
    const rows = await visionRows(analyser, readFrames(path, { start, end, fps: rate, ...(note && { note }) }), rate);
    found.push(rows.length > 0 ? rows : { spec, length: 1, rows: new Float32Array(spec.dims), mask: Uint8Array.of(0) });
  }
  return found;
}
