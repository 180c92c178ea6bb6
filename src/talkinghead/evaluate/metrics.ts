/** The figures of a generated video beside a reference, from what was read of both. */
import {
  descriptorDistance,
  type ExpressionName,
  type Expressions,
  expressionNames,
  type Face,
} from '../../media/index.js';
import { jitter, landmarkDistance, mouthOpening } from './landmarks.js';
import type { FaceReading } from './reading.js';
import { bestOffset, movement } from './sync.js';

/** What is measured: its unit, in the order of tables. */
export const metricUnits = {
  psnr: 'dB',
  ssim: '',
  lmdFace: 'px',
  lmdMouth: 'px',
  identity: '',
  yaw: 'degrees',
  pitch: 'degrees',
  roll: 'degrees',
  emotionAgreement: '%',
  emotionAccuracy: '%',
  syncSound: 'frames',
  syncSoundR: '',
  syncMouth: 'frames',
  syncMouthR: '',
  jitter: '% of eyes',
  found: '%',
} as const;

export type MetricName = keyof typeof metricUnits;

export const metricNames = Object.keys(metricUnits) as MetricName[];

/** Null where there is nothing to measure: no sound, no label, pictures of another framing. */
export type Metrics = Readonly<Record<MetricName, number | null>>;

/** Frames to either side within which a mouth may be late or early: 0.6 s at 25 a second. */
export const syncReach = 15;

/** What the faces of a video are measured against. */
export interface FaceTruth {
  readonly reference: FaceReading;
  /** The expression that was meant; null where nobody says. */
  readonly emotion: ExpressionName | null;
  /** Whom the face should be; null for the reference's own, frame by frame. */
  readonly identity: Float32Array | null;
  /** Pixels of the face crop for one of the generated video's, and of the reference's. */
  readonly scales: readonly [generated: number, reference: number];
}

/** A generated video's face, as far as it is measured. */
export type MeasuredFace = Pick<FaceReading, 'faces' | 'descriptors'>;

/** All but the pictures' own figures. @param loudness - of the sound that belongs to the generated video */
export function faceMetrics(
  generated: MeasuredFace,
  { reference, emotion, identity, scales }: FaceTruth,
  loudness: Float64Array | null,
): Omit<Metrics, 'psnr' | 'ssim'> {
  const frames = Math.min(generated.faces.length, reference.faces.length);
  const pairs: (readonly [Face, Face])[] = [];
  for (let i = 0; i < frames; i++) {
    const [ours, theirs] = [generated.faces[i], reference.faces[i]];
    if (ours && theirs) pairs.push([ours, theirs]);
  }
  const over = (of: (ours: Face, theirs: Face) => number): number | null => mean(pairs.map((pair) => of(...pair)));
  const distance = (part: 'face' | 'mouth') =>
    over((a, b) => landmarkDistance(scaled(a.landmarks, scales[0]), scaled(b.landmarks, scales[1]), part));
  const turn = (axis: 'yaw' | 'pitch' | 'roll') => over((a, b) => Math.abs(a.pose[axis] - b.pose[axis]));
  const found = generated.faces.slice(0, frames).filter((face) => face !== null);
  const opening = openings(generated.faces.slice(0, frames));
  const [sound, mouth] = [
    loudness && bestOffset(movement(opening), movement(loudness), syncReach),
    bestOffset(opening, openings(reference.faces.slice(0, frames)), syncReach),
  ];
  return {
    lmdFace: distance('face'),
    lmdMouth: distance('mouth'),
    identity: identityDistance(generated, reference, identity),
    yaw: turn('yaw'),
    pitch: turn('pitch'),
    roll: turn('roll'),
    emotionAgreement: percent(over((a, b) => Number(strongest(a.expressions) === strongest(b.expressions)))),
    emotionAccuracy:
      emotion && percent(mean(found.map(({ expressions }) => Number(strongest(expressions) === emotion)))),
    syncSound: sound?.frames ?? null,
    syncSoundR: sound?.correlation ?? null,
    syncMouth: mouth?.frames ?? null,
    syncMouthR: mouth?.correlation ?? null,
    jitter: jitter(generated.faces.slice(0, frames)),
    found: (100 * found.length) / frames,
  };
}

/** The class that a face resembles most. */
export function strongest(expressions: Expressions): ExpressionName {
  return expressionNames.reduce((best, name) => (expressions[name] > expressions[best] ? name : best));
}

/** The mean; null of nothing. */
export function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function percent(share: number | null): number | null {
  return share === null ? null : 100 * share;
}

function scaled(landmarks: Float32Array, scale: number): Float32Array {
  return landmarks.map((value) => value * scale);
}

function identityDistance(
  generated: MeasuredFace,
  reference: FaceReading,
  identity: Float32Array | null,
): number | null {
  const distances: number[] = [];
  for (const [frame, descriptor] of generated.descriptors) {
    const other = identity ?? reference.descriptors.get(frame);
    if (other !== undefined) distances.push(descriptorDistance(descriptor, other));
  }
  return mean(distances);
}

/** How far the mouth is open in each frame; where the face was not found, on a straight line between its neighbours. */
function openings(faces: readonly (Face | null)[]): Float64Array {
  const curve = Float64Array.from(faces, (face) => (face === null ? Number.NaN : mouthOpening(face)));
  for (let i = 0; i < curve.length; i++) {
    if (!Number.isNaN(curve[i])) continue;
    let next = i;
    while (next < curve.length && Number.isNaN(curve[next])) next++;
    const after = next < curve.length ? curve[next]! : (curve[i - 1] ?? 0);
    const before = i > 0 ? curve[i - 1]! : after;
    curve[i] = before + (after - before) / (next - i + 1);
  }
  return curve;
}
