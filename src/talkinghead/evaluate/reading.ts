/** What is read of a video before it is measured: its face in every frame, and how loud its sound is. */
import {
  type Face,
  type FaceAnalyser,
  type FaceDescriber,
  mediaInfo,
  type RgbImage,
  readAudioChunks,
  readFrames,
} from '../../media/index.js';
import { DataError } from '../../torch/index.js';
import { Loudness } from './sync.js';

/** Frames that are looked at together. */
const atOnce = 8;

/** Looks at who the face is, a second. */
export const looksASecond = 5;

/** Samples a second: enough for loudness. */
const soundRate = 16000;

export interface FaceTools {
  readonly analyser: FaceAnalyser;
  readonly describer: FaceDescriber;
}

/** A video's face over time. */
export interface FaceReading {
  readonly path: string;
  /** Frames a second at which it was read. */
  readonly fps: number;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** Of each frame; null where none was found. */
  readonly faces: readonly (Face | null)[];
  /** Of some frames, by their number: who it is. */
  readonly descriptors: ReadonlyMap<number, Float32Array>;
}

/**
 * Reads the main face of a video at an even rate, without smoothing.
 * @param note - told of damage
 * @throws DataError where there is no face in any frame
 */
export async function readFace(
  path: string,
  fps: number,
  { analyser, describer }: FaceTools,
  note?: (remark: string) => void,
): Promise<FaceReading> {
  const person = analyser.follow({ rate: fps, smooth: false });
  const faces: (Face | null)[] = [];
  const descriptors = new Map<number, Float32Array>();
  const every = Math.max(1, Math.round(fps / looksASecond));
  let size = { width: 0, height: 0 };
  const look = (frames: readonly RgbImage[]): void => {
    for (const [i, face] of person.next(frames).entries()) {
      const [frame, index] = [frames[i]!, faces.length];
      faces.push(face);
      if (face !== null && index % every === 0) descriptors.set(index, describer.describe([{ frame, face }])[0]!);
    }
  };
  let waiting: RgbImage[] = [];
  for await (const frame of readFrames(path, { fps, ...(note && { note }) })) {
    size = { width: frame.width, height: frame.height };
    waiting.push(frame);
    if (waiting.length < atOnce) continue;
    look(waiting);
    waiting = [];
  }
  if (waiting.length > 0) look(waiting);
  if (faces.every((face) => face === null))
    throw new DataError(`${path}: no face was found in any of its ${faces.length} frames`, { code: 'NO_FACE' });
  return { path, fps, ...size, faces, descriptors };
}

/** The loudness of each frame of a file's sound; null where it has none, or only silence. @param note - told of damage */
export async function readLoudness(
  path: string,
  fps: number,
  frames: number,
  note: (remark: string) => void,
): Promise<Float64Array | null> {
  if ((await mediaInfo(path)).audio === null) return null;
  const loudness = new Loudness(soundRate, fps);
  for await (const { samples } of readAudioChunks(path, { rate: soundRate, note })) loudness.push(samples);
  return loudness.curve(frames);
}
