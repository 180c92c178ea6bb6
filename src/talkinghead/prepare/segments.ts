/** Which parts of a video become clips: where one face stays about the same place, long enough, large enough, and wholly seen. */
import { type FaceBox, overlap } from '../../media/index.js';
import { beyond, type CropBox, inside, squareAround, union } from './crop.js';

export interface SegmentRules {
  /** Of the face's box in all frames, added on each side of the square. */
  readonly margin: number;
  /** Frames. */
  readonly minFrames: number;
  readonly maxFrames: number;
  /** Pixels of the source's square. */
  readonly minSide: number;
}

/** A face that overlaps its first place by less has moved away: First Order Motion Model's rule. */
const leastOverlap = 0.25;

/**
 * A square that reaches out of the picture is moved into it by at most this share of its side: a head that stands at the lower border is
 * whole, one that is cut off is not.
 */
const farthestMove = 0.2;

/** Seconds without a face that are bridged. */
const bridged = 0.2;

/** A run of frames, `[from, end)`, with the square that holds the face in all of them, or why it is none. */
export interface Segment {
  readonly from: number;
  readonly end: number;
  readonly box: CropBox | null;
  readonly reason: string | null;
}

/** What was seen in a frame. */
export interface SeenBox {
  /** Null where no face was found. */
  readonly box: FaceBox | null;
  /** Whether another scene begins with it. */
  readonly cut: boolean;
}

/**
 * Cuts a video where the scene changes, where the face is lost or has moved away from where it was in the first frame, and at
 * `maxFrames`; and judges each part.
 * @param fps - frames a second
 * @param size - of the frames, in pixels
 */
export function findSegments(
  frames: readonly SeenBox[],
  fps: number,
  size: { readonly width: number; readonly height: number },
  rules: SegmentRules,
): Segment[] {
  return runsOf(frames, Math.round(bridged * fps), rules.maxFrames).map(([from, end]) => {
    const boxes = frames.slice(from, end).flatMap(({ box }) => box ?? []);
    const box = squareAround(boxes.reduce(union), rules.margin);
    const reason = refusal(end - from, box, fps, size, rules);
    return { from, end, box: reason === null ? inside(box, size) : null, reason };
  });
}

/** Runs of frames with one face; gaps of up to `patience` frames belong to them. */
function runsOf(frames: readonly SeenBox[], patience: number, most: number): [from: number, end: number][] {
  const runs: [number, number][] = [];
  let [from, last] = [-1, -1];
  const close = (): void => {
    if (from >= 0) runs.push([from, last + 1]);
    from = -1;
  };
  for (const [i, { box, cut }] of frames.entries()) {
    if (cut) close();
    if (box === null) {
      if (i - last > patience) close();
      continue;
    }
    if (from >= 0) {
      const first = frames[from]!.box as FaceBox;
      if (i - from >= most || overlap(first, box) < leastOverlap) close();
    }
    if (from < 0) from = i;
    last = i;
  }
  close();
  return runs;
}

function refusal(
  frames: number,
  box: CropBox,
  fps: number,
  size: { readonly width: number; readonly height: number },
  { minFrames, minSide }: SegmentRules,
): string | null {
  if (frames < minFrames) {
    const seconds = (frames / fps).toFixed(2);
    return `too short: ${frames} frames (${seconds} s) with a face, where ${minFrames} are the least (minFrames)`;
  }
  if (box.side < minSide)
    return `too small: the face takes a square of ${box.side} pixels, where ${minSide} are the least (minSide)`;
  const over = Object.entries(beyond(box, size)).filter(([, pixels]) => pixels > 0);
  const fits = box.side <= Math.min(size.width, size.height);
  if (fits && over.every(([, pixels]) => pixels <= farthestMove * box.side)) return null;
  const sides = over.map(([side, pixels]) => `${pixels} pixels beyond the ${side} border`).join(', ');
  return `not wholly in the picture: the square of ${box.side} pixels around the face reaches ${sides} (margin)`;
}
