/** What came of an animation: read back from its pictures, beside what was asked for. */
import {
  type Expressions,
  expressionNames,
  type Face,
  FaceAnalyser,
  FaceDescriber,
  type HeadPose,
  type RgbImage,
} from '../../media/index.js';
import { DataError } from '../../torch/index.js';
import type { MotionFrame, SpeechFrame } from '../motion/index.js';
import type { HeadTurn } from '../render/index.js';
import { mouthOpening } from './landmarks.js';
import { mean } from './metrics.js';
import { looksASecond } from './reading.js';
import { bestOffset } from './sync.js';

/** Seconds from the beginning that are read back: a minute of film takes about a minute to read. */
const readSeconds = 20;

/** Frames to either side that are tried for the sound's offset. */
const reach = 5;

const axes = ['yaw', 'pitch', 'roll'] as const;

type Range = readonly [least: number, most: number];

/** Degrees of each axis, from least to most. */
export type PoseRange = Readonly<Record<(typeof axes)[number], Range>>;

export interface AnimationFigures {
  /** Seconds from the beginning that were read back. */
  readonly readSeconds: number;
  /** How far the head turned from where it was photographed, as it was asked for and as it was read. */
  readonly pose: { readonly asked: PoseRange; readonly read: PoseRange | null };
  /** Mean probabilities of the expressions that were read. */
  readonly emotion: Expressions | null;
  /** Distance of face descriptors from the photograph's: below 0.6 is taken for the same person. */
  readonly identity: { readonly mean: number; readonly most: number } | null;
  /** Frames by which the mouth that was read moves after the mouth that was asked for, and how well they agree there. */
  readonly sync: { readonly frames: number; readonly correlation: number } | null;
  /** Frames in which no face was found. */
  readonly withoutFace: number;
}

/** Fed with every frame of an animation; memory does not grow beyond what the first seconds take. */
export class AnimationReport {
  readonly #asked = new Ranges();
  readonly #read = new Ranges();
  readonly #mouths: number[] = [];
  readonly #openings: number[] = [];
  readonly #distances: number[] = [];
  readonly #expressions: Expressions[] = [];
  #frames = 0;
  #lost = 0;

  private constructor(
    private readonly fps: number,
    private readonly analyser: FaceAnalyser,
    private readonly describer: FaceDescriber,
    private readonly photographed: { readonly pose: HeadPose; readonly descriptor: Float32Array },
  ) {}

  /** @param photograph - the portrait's frame at rest @throws DataError where no face is found in it */
  static async open(photograph: RgbImage, fps: number): Promise<AnimationReport> {
    const [analyser, describer] = [await FaceAnalyser.load(), await FaceDescriber.load()];
    const face = analyser.analyse(photograph);
    if (face === null) throw new DataError('No face was found in the portrait at rest', { code: 'NO_FACE' });
    const [descriptor] = describer.describe([{ frame: photograph, face }]) as [Float32Array];
    return new AnimationReport(fps, analyser, describer, { pose: face.pose, descriptor });
  }

  add(picture: RgbImage, { pose }: MotionFrame, { mouth, closure }: SpeechFrame): void {
    this.#asked.add(pose);
    const frame = this.#frames++;
    if (frame >= readSeconds * this.fps) return;
    const face = this.analyser.analyse(picture);
    this.#mouths.push(face ? mouthOpening(face) : (this.#mouths.at(-1) ?? 0));
    this.#openings.push(mouth.reduce((sum, weight) => sum + weight, 0) * (1 - closure));
    if (face === null) this.#lost += 1;
    else this.#look(picture, face, frame);
  }

  #look(picture: RgbImage, face: Face, frame: number): void {
    const { pose, descriptor } = this.photographed;
    this.#read.add({
      yaw: face.pose.yaw - pose.yaw,
      pitch: face.pose.pitch - pose.pitch,
      roll: face.pose.roll - pose.roll,
    });
    this.#expressions.push(face.expressions);
    if (frame % Math.max(1, Math.round(this.fps / looksASecond)) !== 0) return;
    const [found] = this.describer.describe([{ frame: picture, face }]) as [Float32Array];
    this.#distances.push(Math.hypot(...found.map((value, i) => value - descriptor[i]!)));
  }

  figures(): AnimationFigures {
    const sync = bestOffset(this.#mouths, this.#openings, reach);
    const identity = mean(this.#distances);
    return {
      readSeconds: Math.min(readSeconds, this.#frames / this.fps),
      pose: { asked: this.#asked.value()!, read: this.#read.value() },
      emotion: meanExpressions(this.#expressions),
      identity: identity === null ? null : { mean: identity, most: Math.max(...this.#distances) },
      sync: sync && { frames: sync.frames, correlation: sync.correlation },
      withoutFace: this.#lost,
    };
  }
}

/** The least and the most of each axis. */
class Ranges {
  #ranges: Record<(typeof axes)[number], [number, number]> | null = null;

  add(turn: Required<HeadTurn>): void {
    this.#ranges ??= { yaw: [turn.yaw, turn.yaw], pitch: [turn.pitch, turn.pitch], roll: [turn.roll, turn.roll] };
    for (const axis of axes) {
      const range = this.#ranges[axis];
      range[0] = Math.min(range[0], turn[axis]);
      range[1] = Math.max(range[1], turn[axis]);
    }
  }

  value(): PoseRange | null {
    return this.#ranges;
  }
}

function meanExpressions(all: readonly Expressions[]): Expressions | null {
  if (all.length === 0) return null;
  const entries = expressionNames.map((name) => [name, mean(all.map((one) => one[name]))!] as const);
  return Object.fromEntries(entries) as Record<(typeof expressionNames)[number], number>;
}
