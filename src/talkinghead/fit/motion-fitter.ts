/** A person's motion, fitted frame by frame. */
import type { Expressions, RgbImage } from '../../media/index.js';
import { ConfigError, checkOptions, DataError } from '../../torch/index.js';
import { arkitCount, arkitIndex } from '../face/arkit.js';
import type { EyeAngles } from '../face/eyes.js';
import type { FaceModel } from '../face/face-model.js';
import { MotionTrack } from '../motion/track.js';
import { contourCandidates } from './contour.js';
import { lookWeights, viewOf } from './fit-face.js';
import { followState } from './follow.js';
import { findGaze } from './gaze.js';
import { blinksOf, eyeDarkness } from './lids.js';
import { cameraDistance, type FitRig, fitRig } from './rig.js';
import { smoothed } from './smooth.js';
import { headYaw } from './turn.js';
import { cameraOf, eyeDistanceOf, firstState, poseOf, type ViewState, weightsOf } from './view.js';

export interface MotionFitterOptions {
  /** Pixels of the frames. */
  readonly width: number;
  readonly height: number;
  /** Frames a second. */
  readonly fps: number;
  /** The person's shape: coefficients of `FaceModel.identity`, as a fit has them. */
  readonly identity: Float32Array;
  /**
   * What the motion is told from. `'none'` (default): poses as the camera sees them, weights of a face at rest. `'first'`: from the
   * first frame with a face. `'neutral'`: from the mean pose, and of each weight from what nine frames in ten show.
   */
  readonly relative?: 'none' | 'first' | 'neutral';
  /** Even out what trembles, without delay; true by default. */
  readonly smooth?: boolean;
  readonly model?: FaceModel;
}

const optionNames = ['width', 'height', 'fps', 'identity', 'relative', 'smooth', 'model'] as const;

/** What was read in a frame: of `Face`. */
export interface ReadFace {
  /** `[136]`, pixels. */
  readonly landmarks: Float32Array;
  readonly expressions?: Expressions;
}

/** A track, and where it had no face to follow. */
export interface FittedMotion {
  readonly track: MotionTrack;
  /** Runs of frames without a face, `[first, end)`: the frame before is held there, or the first one that there is. */
  readonly missing: readonly (readonly [first: number, end: number])[];
}

/** Seconds over which values are evened out: they tremble at rest, and move no quicker. */
const evening = { pose: 0.05, weights: 0.022, gaze: 0.03 } as const;

/** Landmarks that move further from one frame to the next, in distances of the eyes, are fitted as if they were the first. */
const farthest = 0.1;

/** Degrees by which the pitch may be from a rigid head's: with a known person, landmarks tell it well. */
const pitchSigma = 8;

/**
 * Follows one person: give it each frame's face, and it gives the track. Where it is given pictures too, it sees where the
 * eyes look, and blinks, which landmarks do not show.
 *
 * @example
 * const fitter = new MotionFitter({ width, height, fps: 25, identity: fit.identity });
 * for (const [i, face] of analyser.analyseBatch(frames).entries()) fitter.add(face, frames[i]);
 * const { track, missing } = fitter.end();
 */
export class MotionFitter {
  readonly #options: MotionFitterOptions;
  readonly #rig: FitRig;
  readonly #candidates: Uint32Array;
  readonly #states: (ViewState | null)[] = [];
  readonly #weights: Float32Array[] = [];
  readonly #gazes: (EyeAngles | null)[] = [];
  readonly #darkness: ([left: number, right: number] | null)[] = [];
  #gaze: EyeAngles = { yaw: 0, pitch: 0 };
  /** The landmarks of the frame before. */
  #last: Float32Array | null = null;

  /** @throws ConfigError */
  constructor(options: MotionFitterOptions) {
    checkOptions('MotionFitter', options, optionNames);
    if (!['none', 'first', 'neutral'].includes(options.relative ?? 'none'))
      throw new ConfigError(`MotionFitter: expected relative 'none', 'first' or 'neutral', got '${options.relative}'`);
    this.#options = options;
    this.#rig = fitRig(options.model);
    this.#candidates = contourCandidates(this.#rig.model);
  }

  /** Frames so far. */
  get frames(): number {
    return this.#states.length;
  }

  /** The next frame; null where it shows no face. @throws ConfigError, ShapeError for numbers that are no landmarks */
  add(face: ReadFace | null, picture?: RgbImage): void {
    if (face === null) {
      this.#push(null, new Float32Array(arkitCount), null, null);
      return;
    }
    const { width, height, identity } = this.#options;
    const { landmarks, expressions } = face;
    const seen = { landmarks, width, height, gaze: this.#gaze, ...(expressions && { expressions }) };
    const view = { ...viewOf(seen), pitchSigma };
    const last = this.#states.at(-1) ?? null;
    const fresh = last === null || this.#last === null || leap(this.#last, landmarks) > farthest;
    const begin = last === null || fresh ? firstState(this.#rig, view) : last;
    const { state } = followState(this.#rig, this.#candidates, identity, view, begin, fresh);
    this.#last = landmarks;
    const weights = weightsOf(view, state);
    if (picture === undefined) {
      this.#push(state, weights, null, null);
      return;
    }
    const head = { camera: cameraOf(view, state), pose: poseOf(state), identity, landmarks };
    this.#gaze = findGaze(picture, this.#rig.model, head);
    const dark = (['left', 'right'] as const).map((side) => eyeDarkness(picture, landmarks, side));
    this.#push(state, weights, this.#gaze, dark as [number, number]);
  }

  #push(
    state: ViewState | null,
    weights: Float32Array,
    gaze: EyeAngles | null,
    darkness: [number, number] | null,
  ): void {
    this.#states.push(state);
    this.#weights.push(weights);
    this.#gazes.push(gaze);
    this.#darkness.push(darkness);
  }

  /** The motion of all frames. @throws DataError where none of them had a face */
  end(): FittedMotion {
    const first = this.#states.findIndex((state) => state !== null);
    if (first < 0)
      throw new DataError(`None of ${this.frames} frames shows a face that can be followed`, { code: 'NO_FACE' });
    const { fps, smooth = true } = this.#options;
    const source = this.#states.map((_, frame) => this.#heldFrom(frame, first));
    const even = (values: Float32Array, width: number, seconds: number): Float32Array =>
      smooth ? smoothed(values, width, seconds * fps) : values;
    const taken = (width: number, read: (frame: number) => ArrayLike<number>): Float32Array => {
      const values = new Float32Array(width * source.length);
      for (const [frame, from] of source.entries()) values.set(read(from), frame * width);
      return values;
    };
    const reference = this.#states[first]!;
    const pose = even(
      taken(3, (frame) => {
        const { yaw, pitch, roll } = poseOf(this.#states[frame]!);
        return [headYaw(yaw), pitch, roll];
      }),
      3,
      evening.pose,
    );
    const position = even(
      taken(3, (frame) => positionOf(this.#states[frame]!, reference)),
      3,
      evening.pose,
    );
    const gazes = this.#gazes.some((gaze) => gaze !== null)
      ? even(
          taken(2, (frame) => [this.#gazes[frame]?.yaw ?? 0, this.#gazes[frame]?.pitch ?? 0]),
          2,
          evening.gaze,
        )
      : null;
    const weights = even(
      taken(arkitCount, (frame) => this.#weights[frame]!),
      arkitCount,
      evening.weights,
    );
    this.#blink(weights, source);
    const absolute = new MotionTrack({ fps, weights, pose, position, ...(gazes && { gaze: gazes }) });
    const track = from(absolute, this.#options.relative ?? 'none', first);
    if (track.gaze !== null) look(track.weights, track.gaze);
    return { track, missing: this.#missing() };
  }

  /** The frame whose values a frame has: its own, or those of the last before with a face. */
  #heldFrom(frame: number, first: number): number {
    for (let before = frame; before >= 0; before--) if (this.#states[before] !== null) return before;
    return first;
  }

  /** Lids as the pixels show them, where they do. */
  #blink(weights: Float32Array, source: readonly number[]): void {
    const [left, right] = ([0, 1] as const).map((side) =>
      blinksOf(this.#darkness.flatMap((dark) => (dark === null ? [] : [dark[side]]))),
    ) as [Float32Array | null, Float32Array | null];
    let count = 0;
    const places = this.#darkness.map((dark) => (dark === null ? -1 : count++));
    for (const [own, other, name] of [
      [left, right, 'eyeBlinkLeft'],
      [right, left, 'eyeBlinkRight'],
    ] as const) {
      if (own === null) continue;
      for (const [frame, from] of source.entries()) {
        const place = places[from]!;
        const closed = place < 0 ? 0 : together(own[place]!, other?.[place] ?? 0);
        weights[frame * arkitCount + arkitIndex(name)] = closed;
      }
    }
  }

  #missing(): [number, number][] {
    const runs: [number, number][] = [];
    for (const [frame, state] of this.#states.entries()) {
      if (state !== null) continue;
      const last = runs.at(-1);
      if (last !== undefined && last[1] === frame) last[1] = frame + 1;
      else runs.push([frame, frame + 1]);
    }
    return runs;
  }
}

/** Eyes blink together: one that begins to close closes as far as the other, which glasses may hide from the picture. */
function together(own: number, other: number): number {
  return own > 0.15 ? Math.max(own, other) : own;
}

/** How far landmarks have moved on average, in distances of the eyes. */
function leap(before: Float32Array, now: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < now.length; i += 2) sum += Math.hypot(now[i]! - before[i]!, now[i + 1]! - before[i + 1]!);
  return (2 * sum) / now.length / eyeDistanceOf(now);
}

/** How far a head is from where it was in the reference, in cm: to the viewer's right, up, nearer. */
function positionOf(state: ViewState, reference: ViewState): [number, number, number] {
  const scale = state[3]!;
  return [
    (state[4]! - reference[4]!) / scale,
    (reference[5]! - state[5]!) / scale,
    cameraDistance * (1 - reference[3]! / scale),
  ];
}

/** Weights of looks that agree with the smoothed gaze. */
function look(weights: Float32Array, gazes: Float32Array): void {
  for (let frame = 0; frame < gazes.length / 2; frame++) {
    const looks = lookWeights({ yaw: gazes[2 * frame]!, pitch: gazes[2 * frame + 1]! });
    for (const place of lookPlaces) weights[frame * arkitCount + place] = looks[place]!;
  }
}

const lookPlaces: readonly number[] = (['In', 'Out', 'Up', 'Down'] as const).flatMap((way) =>
  (['Left', 'Right'] as const).map((side) => arkitIndex(`eyeLook${way}${side}`)),
);

/** The motion from a rest: pose, position and weights less those of the rest. */
function from(track: MotionTrack, relative: 'none' | 'first' | 'neutral', first: number): MotionTrack {
  if (relative === 'none') return track;
  const rest = (values: Float32Array, width: number, of: (sorted: Float32Array) => number): number[] =>
    Array.from({ length: width }, (_, i) => {
      if (relative === 'first') return values[first * width + i]!;
      return of(Float32Array.from({ length: track.frames }, (_, frame) => values[frame * width + i]!).sort());
    });
  const less = (values: Float32Array, base: readonly number[], floor: number): Float32Array =>
    values.map((value, i) => Math.max(floor, value - base[i % base.length]!));
  const mean = (sorted: Float32Array): number => sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  const least = (sorted: Float32Array): number => sorted[Math.floor(0.1 * (sorted.length - 1))]!;
  const { fps, weights, pose, position, gaze } = track;
  return new MotionTrack({
    fps,
    weights: less(weights, rest(weights, arkitCount, least), 0),
    pose: less(pose, rest(pose, 3, mean), -Infinity),
    ...(position && { position: less(position, rest(position, 3, mean), -Infinity) }),
    ...(gaze && { gaze: less(gaze, rest(gaze, 2, mean), -Infinity) }),
  });
}
