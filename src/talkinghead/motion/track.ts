/** Motion: what a face does over time, in numbers that any tool for faces understands. */
import { extname } from 'node:path';
import { writeFileAtomic } from '../../io/index.js';
import { ConfigError, checkOptions, ShapeError } from '../../torch/index.js';
import { type ArkitName, arkitCount, arkitIndex, arkitNames } from '../face/arkit.js';
import { csvText, readCsvTrack } from './csv.js';
import { interpolate } from './interpolate.js';
import { jsonText, readJsonTrack } from './json.js';

/** The numbers of a track; all arrays have `frames` rows. */
export interface TrackValues {
  /** Frames a second. */
  readonly fps: number;
  /** `[frames, 52]`: ARKit's weights, in the order of `arkitNames`. */
  readonly weights: ArrayLike<number>;
  /**
   * `[frames, 3]`: yaw, pitch and roll of the head, in degrees and as the viewer sees it: yaw > 0 to the viewer's right,
   * pitch > 0 up, roll > 0 clockwise. The head is rolled first, then pitched, then turned. Left out, the head is still.
   */
  readonly pose?: ArrayLike<number>;
  /** `[frames, 3]`: how far the head is from where it belongs, in cm: to the viewer's right, up, towards the viewer. */
  readonly position?: ArrayLike<number>;
  /** `[frames, 2]`: yaw and pitch of both eyes in the head, in degrees, signs as in `pose`; instead of what the weights say. */
  readonly gaze?: ArrayLike<number>;
}

export interface TrackReadOptions {
  /** Frames a second, where the file does not tell, or tells wrongly. */
  readonly fps?: number;
  /** Told of what the file lacks and what was done about it. */
  readonly note?: (remark: string) => void;
}

const valueNames = ['fps', 'weights', 'pose', 'position', 'gaze'] as const;

export class MotionTrack {
  readonly fps: number;
  readonly frames: number;
  /** `[frames, 52]` */
  readonly weights: Float32Array;
  /** `[frames, 3]` */
  readonly pose: Float32Array;
  /** `[frames, 3]` */
  readonly position: Float32Array | null;
  /** `[frames, 2]` */
  readonly gaze: Float32Array | null;

  /** @throws ConfigError, ShapeError for arrays that do not fit each other or hold what is no finite number */
  constructor(values: TrackValues) {
    checkOptions('MotionTrack', values, valueNames);
    this.fps = checkFps('MotionTrack', values.fps);
    this.frames = Math.floor(values.weights.length / arkitCount);
    if (this.frames < 1) throw new ShapeError('MotionTrack: expected at least one frame of weights, got none');
    this.weights = rows('weights', values.weights, this.frames, arkitCount);
    this.pose = values.pose ? rows('pose', values.pose, this.frames, 3) : new Float32Array(3 * this.frames);
    this.position = values.position ? rows('position', values.position, this.frames, 3) : null;
    this.gaze = values.gaze ? rows('gaze', values.gaze, this.frames, 2) : null;
  }

  /** Seconds. */
  get duration(): number {
    return this.frames / this.fps;
  }

  /** One expression over time: a copy. @throws ConfigError for a name that is not ARKit's */
  curve(name: ArkitName): Float32Array {
    const at = arkitIndex(name);
    if (at < 0) throw new ConfigError(`Expected one of ARKit's expressions, ${arkitNames.join(', ')}, got ${name}`);
    return Float32Array.from({ length: this.frames }, (_, frame) => this.weights[frame * arkitCount + at]!);
  }

  /**
   * The same motion at another frame rate: straight lines between frames, and the last frame held to the end. A track keeps
   * its duration to within half a new frame; at its own rate it is unchanged bit for bit.
   * @throws ConfigError for a rate that is none
   */
  resample(fps: number): MotionTrack {
    checkFps('MotionTrack.resample', fps);
    const frames = Math.max(1, Math.round((this.frames * fps) / this.fps));
    const times = Float64Array.from({ length: frames }, (_, frame) => (frame * this.fps) / fps);
    const taken = (values: Float32Array | null): Float32Array | undefined =>
      values === null ? undefined : interpolate(values, this.frames, times);
    return new MotionTrack({
      fps,
      weights: interpolate(this.weights, this.frames, times),
      pose: interpolate(this.pose, this.frames, times),
      ...defined('position', taken(this.position)),
      ...defined('gaze', taken(this.gaze)),
    });
  }

  /**
   * Reads a track: `.csv` as Live Link Face writes it, or `.json`; see the documentation for what others may leave out.
   * @throws DataError naming the file and every fault, ConfigError for another kind of file
   */
  static load(path: string, options: TrackReadOptions = {}): MotionTrack {
    checkOptions('MotionTrack.load', options, ['fps', 'note']);
    if (options.fps !== undefined) checkFps('MotionTrack.load', options.fps);
    return new MotionTrack(kindOf(path) === 'csv' ? readCsvTrack(path, options) : readJsonTrack(path, options));
  }

  /**
   * Writes a track, whole or not at all; reading it gives the same numbers bit for bit.
   * @param path - ends in `.csv` or `.json`
   * @throws ConfigError for another ending, DataError when it cannot be written
   */
  save(path: string): void {
    writeFileAtomic(path, kindOf(path) === 'csv' ? csvText(this) : jsonText(this));
  }
}

function kindOf(path: string): 'csv' | 'json' {
  const ending = extname(path).toLowerCase();
  if (ending === '.csv' || ending === '.json') return ending.slice(1) as 'csv' | 'json';
  throw new ConfigError(`Expected a track's file to end in .csv or .json, got ${path}`);
}

function checkFps(where: string, fps: number): number {
  if (Number.isFinite(fps) && fps > 0 && fps <= 1000) return fps;
  throw new ConfigError(`${where}: expected fps above 0 and at most 1000, got ${fps}`);
}

function rows(name: string, values: ArrayLike<number>, frames: number, width: number): Float32Array {
  if (values.length !== frames * width) {
    throw new ShapeError(
      `MotionTrack: expected ${name} of ${width} numbers for each of ${frames} frames, ${frames * width} in all, got ${values.length}`,
    );
  }
  const array = Float32Array.from(values);
  const wrong = array.findIndex((value) => !Number.isFinite(value));
  if (wrong < 0) return array;
  const [frame, column] = [Math.floor(wrong / width), wrong % width];
  throw new ShapeError(
    `MotionTrack: expected finite numbers, got ${values[wrong]} in frame ${frame} of ${name}, at ${column}`,
  );
}

function defined<K extends string, T>(name: K, value: T | undefined): { [name in K]?: T } {
  return value === undefined ? {} : ({ [name]: value } as { [name in K]?: T });
}
