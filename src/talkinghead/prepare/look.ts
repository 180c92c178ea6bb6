/** The first look at a video: its main face in every frame, who else is there, and where scenes change. */
import {
  CutDetector,
  type Face,
  type FaceAnalyser,
  type FaceBox,
  type FaceDetection,
  overlap,
  type RgbImage,
  readFrames,
} from '../../media/index.js';

/** Frames that are looked at together. */
const atOnce = 8;

/** A face besides the main one: of at least this share of its width, and not the same one found twice. */
const leastShare = 0.3;
const mostOverlap = 0.1;

/** A frame in which it was looked for other faces: once a second. */
export interface OtherFaces {
  readonly frame: number;
  readonly boxes: readonly FaceBox[];
}

export interface VideoLook {
  readonly width: number;
  readonly height: number;
  /** The main face of each frame. */
  readonly faces: readonly (Face | null)[];
  /** Whether another scene begins with a frame. */
  readonly cuts: readonly boolean[];
  readonly others: readonly OtherFaces[];
}

/**
 * @param fps - frames a second
 * @param shouldStop - asked between frames
 * @param note - told of damage
 * @returns null when it was asked to stop
 * @throws DataError for a video that cannot be read
 */
export async function lookAt(
  path: string,
  fps: number,
  analyser: FaceAnalyser,
  shouldStop: () => boolean,
  note: (remark: string) => void,
): Promise<VideoLook | null> {
  // Raw landmarks: a filter would be late, and what is learnt from the clips would be, too.
  const person = analyser.follow({ rate: fps, smooth: false });
  const scene = new CutDetector();
  const everySecond = Math.max(1, Math.round(fps));
  const [faces, cuts, others]: [(Face | null)[], boolean[], OtherFaces[]] = [[], [], []];
  let size = { width: 0, height: 0 };
  const look = (frames: readonly RgbImage[]): void => {
    for (const [i, face] of person.next(frames).entries()) {
      if (face !== null && faces.length % everySecond === 0) {
        const [found] = analyser.detect([frames[i]!]) as [FaceDetection[]];
        others.push({ frame: faces.length, boxes: besides(face.box, found) });
      }
      faces.push(face);
    }
  };
  let waiting: RgbImage[] = [];
  for await (const frame of readFrames(path, { fps, note })) {
    if (shouldStop()) return null;
    size = { width: frame.width, height: frame.height };
    cuts.push(scene.next(frame));
    waiting.push(frame);
    if (waiting.length < atOnce) continue;
    look(waiting);
    waiting = [];
  }
  if (waiting.length > 0) look(waiting);
  return { ...size, faces, cuts, others };
}

function besides(main: FaceBox, found: readonly FaceDetection[]): FaceBox[] {
  return found.flatMap(({ box }) =>
    overlap(main, box) <= mostOverlap && box.width >= leastShare * main.width ? [box] : [],
  );
}
