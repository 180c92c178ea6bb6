/** Videos of a speaking person to tracks. */
import {
  type Face,
  FaceAnalyser,
  mediaExtent,
  mediaInfo,
  type RgbImage,
  readFrames,
  type VideoFrame,
} from '../../media/index.js';
import { ConfigError, checkOptions, DataError } from '../../torch/index.js';
import type { FaceModel } from '../face/face-model.js';
import type { MotionTrack } from '../motion/track.js';
import { frameRates } from '../ranges.js';
import { checkWithin } from '../render/checks.js';
import { fitFaces } from './fit-face.js';
import { leastEyeDistance } from './fit-photograph.js';
import { MotionFitter, type MotionFitterOptions } from './motion-fitter.js';
import { lipGap } from './reading.js';
import { eyeDistanceOf } from './view.js';

export interface TrackMotionOptions extends Pick<MotionFitterOptions, 'relative' | 'smooth'> {
  /** Frames a second of the track, 1 to 240; the film's own by default. */
  readonly fps?: number;
  /** Seconds of the film. */
  readonly start?: number;
  readonly end?: number;
  /** Takes what there is of a film that was cut short, which is an error otherwise. */
  readonly allowTruncated?: boolean;
  /**
   * Which of several people: 0 (default) is the one that stands out most, by size and place, in the first frame with a face; 1 the
   * next, in the first frame with two.
   */
  readonly face?: number;
  /** The person's shape, where it is known from photographs; by default it is fitted to frames from all over the film. */
  readonly identity?: Float32Array;
  /** By default one that is loaded for this call. */
  readonly analyser?: FaceAnalyser;
  readonly model?: FaceModel;
  /** Told of frames without a face, of damage, and the like. */
  readonly note?: (remark: string) => void;
  /** Told after some frames how many of how many are done. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Ends the work with the signal's reason. */
  readonly signal?: AbortSignal;
}

const optionNames = [
  'relative',
  'smooth',
  'fps',
  'start',
  'end',
  'allowTruncated',
  'face',
  'identity',
  'analyser',
  'model',
  'note',
  'onProgress',
  'signal',
] as const;

/** Frames that are read together. */
const atOnce = 8;

/** Frames a second in which one of several people is followed to learn their shape, and of which each so many-th counts. */
const [followedRate, followedEvery] = [5, 3];

/** Frames from which the person's shape is fitted, and those among which they are looked for. */
const [personFrames, lookedAt] = [6, 12];

/** How much expression such frames are given, over what is usual. */
const calmness = 0.5;

/**
 * Follows a person through a video: first the shape of the person from frames all over it, then pose, expression and gaze of each
 * frame, with blinks as the pixels show them, evened out without delay. The person is the most prominent one of the first frame
 * with a face, unless `face` tells another. Frames without a face hold what was before, and are told to `note`.
 * @throws DataError for a video that cannot be read or shows no face that can be followed, ConfigError for options that cannot be used
 */
export async function trackMotion(video: string, options: TrackMotionOptions = {}): Promise<MotionTrack> {
  checkOptions('trackMotion', options, optionNames);
  const { start = 0, relative, smooth, model, note = () => {}, onProgress, signal } = options;
  checkSpan(options);
  const info = await mediaInfo(video);
  if (info.video === null) throw new DataError(`${video}: expected a video, got a file without pictures`);
  const fps = options.fps ?? info.video.fps ?? 25;
  const end = Math.min(options.end ?? Infinity, (await mediaExtent(video)).end);
  if (start >= end && start > 0)
    throw new DataError(`${video}: no frames from ${start} s on: it ends at ${end.toFixed(2)} s`, { code: 'EMPTY' });
  const analyser = options.analyser ?? (await FaceAnalyser.load());
  const { allowTruncated = false } = options;
  const span = { start, allowTruncated, ...(options.end !== undefined && { end: options.end }) };
  const { face } = options;
  const identity = options.identity ?? (await personOf({ video, span, end, analyser, model, signal, face }));
  const total = Math.max(1, Math.round((end - start) * fps));
  const tracker = analyser.follow({ rate: fps, smooth: false, ...(face !== undefined && { face }) });
  let fitter: MotionFitter | null = null;
  for await (const frames of batched(readFrames(video, { ...span, fps, note }), signal)) {
    const [{ width, height }] = frames as [VideoFrame];
    fitter ??= new MotionFitter({
      width,
      height,
      fps,
      identity,
      ...(relative && { relative }),
      ...(smooth !== undefined && { smooth }),
      ...(model && { model }),
    });
    for (const [i, face] of tracker.next(frames).entries()) fitter.add(large(face), frames[i]!);
    onProgress?.(fitter.frames, Math.max(total, fitter.frames));
    // Others have their turn: Ctrl-C, say.
    await new Promise(setImmediate);
  }
  if (fitter === null) throw new DataError(`${video}: no frames from ${start} s on`, { code: 'EMPTY' });
  const { track, missing } = endOf(fitter, video);
  for (const [first, after] of missing)
    note(
      `${video}: no face in ${after - first} frame${after - first > 1 ? 's' : ''} from ${(start + first / fps).toFixed(2)} s on: held`,
    );
  return track;
}

/** @throws ConfigError: reading would tell, but only once the person's shape is learnt, which takes a while */
function checkSpan({ fps, start = 0, end = Number.POSITIVE_INFINITY }: TrackMotionOptions): void {
  if (fps !== undefined) checkWithin('trackMotion', 'fps', fps, frameRates);
  if (!(start >= 0 && Number.isFinite(start) && end > start))
    throw new ConfigError(`trackMotion: expected 0 <= start < end, in seconds, got start ${start} and end ${end}`);
}

/** Faces too small to tell anything are none. */
function large(face: Face | null): Face | null {
  return face === null || eyeDistanceOf(face.landmarks) < leastEyeDistance ? null : face;
}

function endOf(fitter: MotionFitter, video: string): ReturnType<MotionFitter['end']> {
  try {
    return fitter.end();
  } catch (cause) {
    if (cause instanceof DataError) throw new DataError(`${video}: ${cause.message}`, { code: cause.code, cause });
    throw cause;
  }
}

/** Where a person's shape is learnt from. */
interface PersonSource {
  readonly video: string;
  readonly span: { readonly start: number; readonly end?: number; readonly allowTruncated: boolean };
  /** Seconds. */
  readonly end: number;
  readonly analyser: FaceAnalyser;
  readonly model: FaceModel | undefined;
  readonly signal: AbortSignal | undefined;
  readonly face: number | undefined;
}

interface SeenFace {
  readonly face: Face;
  readonly frame: RgbImage;
}

/** The shape of the person, from frames in which the mouth is most closed. */
async function personOf(source: PersonSource): Promise<Float32Array> {
  const { video, model, face } = source;
  const seen = await (face === undefined || face === 0 ? facesAllOver(source) : facesOfOne(source));
  if (seen.length === 0) {
    const wanted = `A face that looks towards the camera is needed, with eyes at least ${leastEyeDistance} pixels apart`;
    const which = face ? `no frame shows a face ${face} (the first is 0)` : 'no face was found in any frame';
    throw new DataError(`${video}: ${which}. ${wanted}`, { code: 'NO_FACE' });
  }
  // What is at rest tells the person from the expression: of a mouth that speaks, where it is most closed.
  const gap = ({ face: { landmarks } }: SeenFace): number => lipGap(landmarks);
  const calm = [...seen].sort((a, b) => gap(a) - gap(b)).slice(0, personFrames);
  const photographs = calm.map(({ face: { landmarks, expressions }, frame: { width, height } }) => {
    return { landmarks, expressions, width, height, liveliness: calmness };
  });
  return fitFaces(photographs, model)[0]!.identity;
}

/** The most prominent faces of frames evenly over the film. */
async function facesAllOver({ video, span, end, analyser, signal }: PersonSource): Promise<SeenFace[]> {
  const seen: SeenFace[] = [];
  const rate = Math.min(25, lookedAt / Math.max(0.04, end - span.start));
  for (let fps = rate; seen.length === 0; fps = Math.min(25, 8 * fps)) {
    for await (const frames of batched(readFrames(video, { ...span, fps }), signal)) {
      for (const [i, face] of analyser.analyseBatch(frames).entries()) {
        const usable = large(face);
        if (usable !== null && seen.length < lookedAt) seen.push({ face: usable, frame: frames[i]! });
      }
      if (seen.length >= lookedAt) break;
    }
    if (fps === 25) break;
  }
  return seen;
}

/** The face of one of several people, who is followed from the first frame with so many on. */
async function facesOfOne({ video, span, analyser, signal, face = 0 }: PersonSource): Promise<SeenFace[]> {
  const seen: SeenFace[] = [];
  const tracker = analyser.follow({ rate: followedRate, smooth: false, face });
  let count = 0;
  for await (const frames of batched(readFrames(video, { ...span, fps: followedRate }), signal)) {
    for (const [i, found] of tracker.next(frames).entries()) {
      const usable = large(found);
      if (usable !== null && count++ % followedEvery === 0) seen.push({ face: usable, frame: frames[i]! });
    }
    if (seen.length >= lookedAt) break;
  }
  return seen;
}

async function* batched(
  frames: AsyncIterable<VideoFrame>,
  signal: AbortSignal | undefined,
): AsyncGenerator<VideoFrame[], void, void> {
  let batch: VideoFrame[] = [];
  for await (const frame of frames) {
    signal?.throwIfAborted();
    batch.push(frame);
    if (batch.length === atOnce) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}
