/** From the detectors' raw numbers to boxes in the frame's pixels. */
import { tinyAnchors, tinyStride } from './networks.js';
import type { FaceBox, FaceDetection } from './types.js';

type Size = Pick<FaceBox, 'width' | 'height'>;

/** How a frame lies in a network's input: pixel of the input = scale * pixel of the frame + margin. */
export interface View {
  readonly scale: number;
  readonly margin: number;
}

const sigmoid = (value: number): number => 1 / (1 + Math.exp(-value));

/** A box given by its centre and size in pixels of the input. */
function boxAt(x: number, y: number, width: number, height: number, { scale, margin }: View): FaceBox {
  return {
    x: (x - width / 2 - margin) / scale,
    y: (y - height / 2 - margin) / scale,
    width: width / scale,
    height: height / scale,
  };
}

/** Boxes of the tiny detector's grid: rows x columns x 5 anchors x (x, y, log width, log height, score's logit). */
export function decodeTiny(grid: Float32Array, columns: number, view: View, minScore: number): FaceDetection[] {
  const found: FaceDetection[] = [];
  const perCell = 5 * tinyAnchors.length;
  for (let at = 0; at < grid.length; at += 5) {
    const score = sigmoid(grid[at + 4]!);
    if (score < minScore) continue;
    const [cell, anchor] = [Math.floor(at / perCell), tinyAnchors[(at % perCell) / 5]!];
    const x = ((cell % columns) + sigmoid(grid[at]!)) * tinyStride;
    const y = (Math.floor(cell / columns) + sigmoid(grid[at + 1]!)) * tinyStride;
    const width = Math.exp(grid[at + 2]!) * anchor[0] * tinyStride;
    const height = Math.exp(grid[at + 3]!) * anchor[1] * tinyStride;
    found.push({ box: boxAt(x, y, width, height, view), score });
  }
  return found;
}

/** What the larger detector gives for one picture. */
export interface SsdOutput {
  /** N x (y, x, log height, log width), relative to the anchors */
  readonly codes: Float32Array;
  readonly scores: Float32Array;
  /** N x (top, left, bottom, right), in fractions of the input */
  readonly anchors: Float32Array;
  /** Side of the input. */
  readonly size: number;
}

export function decodeSsd({ codes, scores, anchors, size }: SsdOutput, view: View, minScore: number): FaceDetection[] {
  const found: FaceDetection[] = [];
  for (let i = 0; i < scores.length; i++) {
    if (scores[i]! < minScore) continue;
    const at = i * 4;
    const [top, left] = [anchors[at]! * size, anchors[at + 1]! * size];
    const [height, width] = [anchors[at + 2]! * size - top, anchors[at + 3]! * size - left];
    // The codes are scaled by the variances 0.1 and 0.2, as those of all SSD detectors.
    const x = left + width / 2 + (codes[at + 1]! / 10) * width;
    const y = top + height / 2 + (codes[at]! / 10) * height;
    const box = boxAt(x, y, Math.exp(codes[at + 3]! / 5) * width, Math.exp(codes[at + 2]! / 5) * height, view);
    found.push({ box, score: scores[i]! });
  }
  return found;
}

/** Intersection over union. */
export function overlap(a: FaceBox, b: FaceBox): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (a.width * a.height + b.width * b.height - shared);
}

/** Keeps the best of the detections that overlap by more than `maxOverlap`: the best first. */
export function suppress(detections: readonly FaceDetection[], maxOverlap: number): FaceDetection[] {
  const kept: FaceDetection[] = [];
  for (const detection of [...detections].sort((a, b) => b.score - a.score)) {
    if (kept.every(({ box }) => overlap(box, detection.box) <= maxOverlap)) kept.push(detection);
  }
  return kept;
}

/** What stands out: a large, central and certain face. */
export function prominence({ box, score }: FaceDetection, { width, height }: Size): number {
  const [dx, dy] = [box.x + box.width / 2 - width / 2, box.y + box.height / 2 - height / 2];
  const away = Math.hypot(dx, dy) / (Math.hypot(width, height) / 2);
  return box.width * box.height * score * (1 - Math.min(1, away) / 2);
}

/** The face that stands out most. */
export function mainFace(found: readonly FaceDetection[], frame: Size): FaceDetection | null {
  let best: FaceDetection | null = null;
  for (const face of found) if (best === null || prominence(face, frame) > prominence(best, frame)) best = face;
  return best;
}
