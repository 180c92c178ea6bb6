/** What a performance can be told. */
import { misfit } from '../../torch/expect.js';
import { checkFlag, checkOptions } from '../../torch/options.js';
import { arkitCount, type EyeAngles } from '../face/index.js';
import { type Range, scales } from '../ranges.js';
import { checkFinite, checkWithin } from '../render/checks.js';
import type { HeadTurn } from '../render/index.js';
import { type EmotionPlan, parseEmotion } from './emotion-plan.js';
import { type ExpressionAt, expressionOfPlan, expressionOfTrack } from './expression.js';
import { gazeOf } from './gaze.js';
import { type HeadMotion, headOfPlan, headOfTrack } from './head.js';
import { type PosePlan, parsePose } from './pose-plan.js';
import { type EmotionSource, type PoseSource, RowSource } from './source.js';
import { MotionTrack } from './track.js';

export interface PerformerOptions {
  /** Frames a second. */
  readonly fps: number;
  /** The same seed gives the same performance; 0 by default. */
  readonly seed?: number;
  /** `[52]`: the expression that the photograph shows; by default a neutral face. Parted lips rest once something has been said. */
  readonly rest?: ArrayLike<number>;
  /** Where the photographed head points, for poses that count from the camera; straight at it by default. */
  readonly restPose?: HeadTurn;
  /** Where the photographed eyes look in the head; by default where `rest` says. */
  readonly restGaze?: EyeAngles;
  /** `'happy:0.7'` and so on, see {@link parseEmotion}, or a track; by default the photograph's own expression. */
  readonly emotion?: string | EmotionPlan | MotionTrack | EmotionSource;
  /** `'idle'`, the default, `'still'`, `'yaw=-15..15'` and so on, see {@link parsePose}, or a track. */
  readonly pose?: string | PosePlan | MotionTrack | PoseSource;
  /**
   * `'viewer'`, the default: the eyes rest on the viewer as the head turns, with small movements; `'still'`: they stay as the
   * weights have them; or where they look in the head. A track of emotion that has a gaze is followed.
   */
  readonly gaze?: 'viewer' | 'still' | EyeAngles;
  /** Whether lids blink by themselves; by default they do unless the emotion is a track, which has its own blinks. */
  readonly blinks?: boolean;
  /** Multiplies the strength of emotions, from 0 to 2; 1 by default. */
  readonly emotionScale?: number;
  /** Multiplies all movement of the head from where it was photographed, from 0 to 5; 1 by default. */
  readonly poseScale?: number;
  /** Multiplies what speech does to the mouth, from 0 to 3; 1 by default. Lips close as they did. */
  readonly mouthScale?: number;
}

const optionNames = [
  'fps',
  'seed',
  'rest',
  'restPose',
  'restGaze',
  'emotion',
  'pose',
  'gaze',
  'blinks',
  'emotionScale',
  'poseScale',
  'mouthScale',
] as const;

/** What a performer needs to know of its options. */
export interface Plans {
  readonly fps: number;
  readonly seed: number;
  readonly rest: Float32Array;
  readonly expression: ExpressionAt;
  readonly head: HeadMotion;
  readonly restGaze: EyeAngles;
  /** Rows of yaw and pitch where the emotion's track has them. */
  readonly gaze: 'viewer' | 'still' | EyeAngles | RowSource;
  readonly blinks: boolean;
  readonly poseScale: number;
  readonly mouthScale: number;
}

const where = 'Performer';

/** @throws ConfigError */
export function plansOf(options: PerformerOptions): Plans {
  checkOptions(where, options, optionNames);
  const { fps, seed = 0, emotion = 'neutral:0', pose = 'idle' } = options;
  if (!(fps > 0 && fps <= 1000)) throw misfit(where, 'fps above 0 and at most 1000', fps);
  if (!Number.isSafeInteger(seed)) throw misfit(where, 'seed to be a whole number', seed);
  checkFlag(where, 'blinks', options.blinks);
  const rest = restOf(options.rest ?? new Float32Array(arkitCount));
  const restPose = turnOf('restPose', options.restPose ?? {}, ['yaw', 'pitch', 'roll']);
  const emotionScale = scaleOf('emotionScale', options.emotionScale, scales.emotion);
  const face = sourceOf(emotion);
  const head = sourceOf(pose);
  return {
    fps,
    seed,
    rest,
    expression:
      'track' in face
        ? expressionOfTrack(face, emotionScale)
        : expressionOfPlan('text' in face ? parseEmotion(face.text) : face, emotionScale),
    head:
      'track' in head
        ? headOfTrack(head, restPose)
        : headOfPlan('text' in head ? parsePose(head.text) : head, restPose, seed),
    restGaze: options.restGaze ? turnOf('restGaze', options.restGaze, ['yaw', 'pitch']) : gazeOf(rest),
    gaze: gazePlan(options.gaze, 'track' in face ? face.track : null),
    blinks: options.blinks ?? !('track' in face),
    poseScale: scaleOf('poseScale', options.poseScale, scales.pose),
    mouthScale: scaleOf('mouthScale', options.mouthScale, scales.mouth),
  };
}

function restOf(rest: ArrayLike<number>): Float32Array {
  const weights = Float32Array.from(rest);
  if (weights.length === arkitCount && weights.every(Number.isFinite)) return weights;
  throw misfit(where, `rest to be ${arkitCount} finite weights`, rest);
}

function turnOf<Axis extends 'yaw' | 'pitch' | 'roll'>(
  name: string,
  angles: HeadTurn,
  axes: readonly Axis[],
): Record<Axis, number> {
  checkOptions(`${where}'s ${name}`, angles, axes);
  const entries = axes.map((axis) => [axis, checkFinite(where, `${name}.${axis}`, angles[axis] ?? 0)]);
  return Object.fromEntries(entries) as Record<Axis, number>;
}

const scaleOf = (name: string, scale: number | undefined, range: Range): number =>
  scale === undefined ? 1 : checkWithin(where, name, scale, range);

/** What is given, so that it can be told apart. */
function sourceOf<Given extends object>(
  given: string | MotionTrack | Given,
): Given | { readonly text: string } | { readonly track: MotionTrack } {
  if (given instanceof MotionTrack) return { track: given };
  return typeof given === 'object' && given !== null ? given : { text: given };
}

function gazePlan(gaze: PerformerOptions['gaze'], face: MotionTrack | null): Plans['gaze'] {
  if (gaze === undefined) {
    if (face === null) return 'viewer';
    return face.gaze ? new RowSource(face.gaze, 2, face.fps) : 'still';
  }
  if (gaze === 'viewer' || gaze === 'still') return gaze;
  if (typeof gaze === 'object' && gaze !== null) return turnOf('gaze', gaze, ['yaw', 'pitch']);
  throw misfit(where, "gaze to be 'viewer', 'still' or { yaw, pitch }", gaze);
}
