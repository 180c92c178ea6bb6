/** The upright frame of a face in a picture, from its landmarks: where the eyes are, which way is down, how large it is. */

import type { PicturedHead } from './types.js';

export interface HeadFrame {
  /** Between the eyes. */
  readonly x: number;
  readonly y: number;
  /** Of length 1: to the viewer's right along the eyes, and down from the eyes to the chin. */
  readonly right: readonly [number, number];
  readonly down: readonly [number, number];
  /** Pixels between the eyes' centres, as they would be were the head not turned. */
  readonly size: number;
}

/** Mean of the landmarks `[first, end)`. */
export function landmarkMean(landmarks: Float32Array, first: number, end: number): [number, number] {
  let [x, y] = [0, 0];
  for (let k = first; k < end; k++) {
    x += landmarks[2 * k]!;
    y += landmarks[2 * k + 1]!;
  }
  return [x / (end - first), y / (end - first)];
}

/** Upright people have some 1.06 times as far from the eyes to the mouth as between the eyes: the more tells the size. */
export function headFrame({ landmarks }: PicturedHead): HeadFrame {
  const [ax, ay] = landmarkMean(landmarks, 36, 42);
  const [bx, by] = landmarkMean(landmarks, 42, 48);
  const [mx, my] = landmarkMean(landmarks, 48, 60);
  const [x, y] = [(ax + bx) / 2, (ay + by) / 2];
  const [ex, ey, dx, dy] = [bx - ax, by - ay, mx - x, my - y];
  const size = Math.max(Math.hypot(ex, ey), Math.hypot(dx, dy) / 1.06, 1e-3);
  // The eyes' line and the line to the mouth are at right angles for a head that is only rolled: what both agree on.
  const [rx, ry] = [ex + dy, ey - dx];
  const length = Math.hypot(rx, ry);
  const right: [number, number] = length > 1e-6 ? [rx / length, ry / length] : [1, 0];
  return { x, y, right, down: [-right[1], right[0]], size };
}

/** A pixel's place in the frame, in eye distances: across to the viewer's right, and down, from between the eyes. */
export function inFrame(frame: HeadFrame, x: number, y: number): [across: number, down: number] {
  const [px, py] = [(x - frame.x) / frame.size, (y - frame.y) / frame.size];
  return [px * frame.right[0] + py * frame.right[1], px * frame.down[0] + py * frame.down[1]];
}
