/** Codes of faces in pictures and videos of one's own. */
import {
  type Face,
  type FaceAnalyser,
  type HeadPose,
  isImageName,
  mediaInfo,
  type RgbImage,
  readFrames,
  readImage,
} from '../../../media/index.js';
import { DataError, HeadraceError, noGrad, ops, scope, type Tensor, tensorFromBytes } from '../../../torch/index.js';
import { hideMouths, type MouthSquare, mouthSquare } from '../clips/mouths.js';
import { asSeen, putPlanes } from '../faces.js';
import type { Factor } from '../irfd.js';
import type { TalkingModel } from '../talking/talking-model.js';
import { cutFramed, framedSquare, landmarksWithin } from './framing.js';

/** What a picture or a video shows, a row for each frame. */
export interface SourceCodes {
  /** [frames, size] */
  readonly codes: Tensor;
  /** As they are read. */
  readonly poses: readonly HeadPose[];
  /** Frames without a face, which have the code of the one before. */
  readonly missing: number;
}

export interface SourceHooks {
  readonly onProgress?: ((done: number, all: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const batch = 32;

/** Frames of a file, or the one picture. */
async function* framesOfFile(path: string, fps: number): AsyncGenerator<RgbImage, void, void> {
  if (isImageName(path)) yield await readImage(path);
  else yield* readFrames(path, { fps });
}

/** Seen by a model: cut as its pictures are, [N, 3, size, size] from -1 to 1. */
export function seenBy(model: TalkingModel, images: readonly RgbImage[]): Tensor {
  const { size } = model.generator.shape;
  const bytes = new Uint8Array(images.length * 3 * size * size);
  for (const [i, image] of images.entries()) putPlanes(image, size, bytes, i, 'a picture');
  return asSeen(tensorFromBytes(bytes, 'uint8', [images.length, 3, size, size]));
}

/** The code of pictures. @param squares - where their mouths are, which the code of pose does not see */
export function codeOf(model: TalkingModel, factor: Factor, seen: Tensor, squares: readonly MouthSquare[]): Tensor {
  const hidden = factor === 'pose' && model.config.hideMouth;
  return model.coder.code(factor, hidden ? hideMouths(seen, squares) : seen);
}

/**
 * Follows the face of a file: once to find where it is, so that one square holds it in all frames, and once to read the codes.
 * @throws DataError where no face is found
 */
export async function sourceCodes(
  path: string,
  factor: Factor,
  model: TalkingModel,
  analyser: FaceAnalyser,
  { onProgress, signal }: SourceHooks = {},
): Promise<SourceCodes> {
  const { fps, framing } = model;
  const faces = await followed(path, fps, analyser, { onProgress, signal });
  const landmarks = faces.map((face) => face.landmarks);
  const mean = Float32Array.from(
    landmarks[0]!,
    (_, k) => landmarks.reduce((sum, each) => sum + each[k]!, 0) / faces.length,
  );
  const square = framedSquare(mean, framing);
  const codes: Tensor[] = [];
  let waiting: RgbImage[] = [];
  let done = 0;
  const take = (): void => {
    if (waiting.length === 0) return;
    const mouths = waiting.map((_, i) => mouthSquare(landmarksWithin(landmarks[done + i]!, square), 0, 1));
    codes.push(noGrad(() => scope(() => codeOf(model, factor, seenBy(model, waiting), mouths).keep())));
    done += waiting.length;
    waiting = [];
  };
  for await (const frame of framesOfFile(path, fps)) {
    waiting.push(cutFramed(frame, square, model.generator.shape.size));
    if (waiting.length === batch) take();
  }
  take();
  const whole = scope(() => ops.cat(codes, 0).keep());
  for (const each of codes) each.dispose();
  return { codes: whole, poses: faces.map(({ pose }) => pose), missing: faces.filter(({ lost }) => lost).length };
}

type Followed = Pick<Face, 'landmarks' | 'pose'> & { readonly lost: boolean };

async function followed(
  path: string,
  fps: number,
  analyser: FaceAnalyser,
  { onProgress, signal }: SourceHooks,
): Promise<Followed[]> {
  const tracker = analyser.follow({ rate: fps, smooth: false });
  const found: (Face | null)[] = [];
  const total = isImageName(path) ? 1 : Math.round(((await mediaInfo(path)).duration ?? 0) * fps);
  for await (const frame of framesOfFile(path, fps)) {
    if (signal?.aborted) throw new HeadraceError(`${path}: stopped`, { code: 'STOPPED' });
    found.push(...tracker.next([frame]));
    onProgress?.(found.length, Math.max(total, found.length));
  }
  const first = found.find((face) => face !== null);
  if (first === undefined)
    throw new DataError(`${path}: no face was found in any of its ${found.length} frames`, { code: 'NO_FACE' });
  let last = first!;
  return found.map((face) => {
    last = face ?? last;
    return { landmarks: last!.landmarks, pose: last!.pose, lost: face === null };
  });
}
