/** Pictures and comparisons for the tests of the faces. */
import assert from 'node:assert/strict';
import { centreOf, type Face, type FaceBox, type RgbImage } from 'headrace/media';
import { type DrawnFace, drawFaces } from './faces-drawing.js';

export function scene(width: number, height: number, faces: readonly DrawnFace[]): RgbImage {
  return { width, height, data: drawFaces(width, height, faces) };
}

/** A picture of one colour. */
export const blank = (width: number, height: number): RgbImage => ({
  width,
  height,
  data: new Uint8Array(width * height * 3).fill(110),
});

/** A picture turned left to right. */
export function mirror({ width, height, data }: RgbImage): RgbImage {
  const turned = new Uint8Array(data.length);
  for (let i = 0; i < width * height; i++) {
    const other = i - (i % width) + width - 1 - (i % width);
    turned.set(data.subarray(3 * i, 3 * i + 3), 3 * other);
  }
  return { width, height, data: turned };
}

export function near(got: number, expected: number, tolerance: number, what: string): void {
  assert.ok(Math.abs(got - expected) <= tolerance, `${what}: expected ${expected} +- ${tolerance}, got ${got}`);
}

/** Whether a box frames a drawn face: from the brows to the chin, and not far beyond. */
export function assertFrames(box: FaceBox, { x, y, eyes }: DrawnFace): void {
  near((box.x + box.width / 2 - x) / eyes, 0, 0.4, 'horizontal centre, in eye distances');
  near((box.y + box.height / 2 - y) / eyes, 0.55, 0.5, 'vertical centre');
  assert.ok(box.width > 1.5 * eyes && box.width < 3.4 * eyes, `width ${box.width} of a face of ${eyes}`);
}

/** The eyes' centres, and how far they are from a drawn face's, in eye distances. */
export function eyeErrors({ landmarks }: Face, { x, y, eyes, roll = 0 }: DrawnFace): [left: number, right: number] {
  const [dx, dy] = [(Math.cos((roll * Math.PI) / 180) * eyes) / 2, (Math.sin((roll * Math.PI) / 180) * eyes) / 2];
  const [left, right] = [centreOf(landmarks, 'leftEye'), centreOf(landmarks, 'rightEye')];
  const off = ([px, py]: [number, number], ex: number, ey: number): number => Math.hypot(px - ex, py - ey) / eyes;
  return [off(left, x - dx, y - dy), off(right, x + dx, y + dy)];
}
