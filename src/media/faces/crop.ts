/** Cuts faces out of frames, turned upright, in the size that the networks read. */
import { functional as F } from '../../nn/index.js';
import { type Tensor, tensor } from '../../torch/index.js';
import type { RgbImage } from '../frames.js';

/** A square cut out of a frame. */
export interface Crop {
  /** Its centre, in pixels. */
  readonly x: number;
  readonly y: number;
  /** Its side, in pixels. */
  readonly side: number;
  /** How far the square is turned clockwise, in radians. */
  readonly angle: number;
}

/** A frame's pixels [H, W, 3], uint8. */
export function frameTensor(frame: RgbImage, device: string): Tensor {
  return tensor(frame.data, { shape: [frame.height, frame.width, 3], device });
}

/** A crop of a frame [H, W, 3] as a float picture [1, 3, size, size] in [0, 255]; black beyond the frame. */
export function cutOut(pixels: Tensor, { x, y, side, angle }: Crop, size: number): Tensor {
  const [height, width] = pixels.shape as [number, number, number];
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  // The part of the frame that the turned square covers, and one pixel around it.
  const reach = (side / 2) * (Math.abs(cos) + Math.abs(sin)) + 1;
  const clip = (value: number, most: number): number => Math.min(Math.max(Math.floor(value), 0), most - 1);
  const [left, top] = [clip(x - reach, width), clip(y - reach, height)];
  const [columns, rows] = [clip(x + reach, width) + 1 - left, clip(y + reach, height) + 1 - top];
  let part = pixels
    .narrow(0, top, rows)
    .narrow(1, left, columns)
    .permute([2, 0, 1])
    .unsqueeze(0)
    .to({ dtype: 'float32' });
  // Average first when the square shrinks, lest fine structure turns to noise.
  const shrink = Math.min(Math.floor(side / size), columns, rows);
  let [scaleX, scaleY] = [columns, rows];
  if (shrink > 1) {
    part = F.avgPool2d(part, shrink);
    [scaleX, scaleY] = [part.size(3) * shrink, part.size(2) * shrink]; // what does not fill a cell is dropped
  }
  // From the crop's coordinates in [-1, 1] to the part's.
  const [ax, ay] = [side / scaleX, side / scaleY];
  const [cx, cy] = [(2 * (x - left)) / scaleX - 1, (2 * (y - top)) / scaleY - 1];
  const theta = tensor(
    [
      [
        [ax * cos, -ax * sin, cx],
        [ay * sin, ay * cos, cy],
      ],
    ],
    { device: pixels.device },
  );
  return F.gridSample(part, F.affineGrid(theta, [1, 3, size, size]));
}

/** Points of a crop, x and y in fractions of its side, to pixels of the frame. */
export function toFrame(points: ArrayLike<number>, { x, y, side, angle }: Crop): Float32Array {
  const [cos, sin] = [Math.cos(angle) * side, Math.sin(angle) * side];
  const mapped = new Float32Array(points.length);
  for (let i = 0; i < points.length; i += 2) {
    const [u, v] = [points[i]! - 0.5, points[i + 1]! - 0.5];
    mapped[i] = x + u * cos - v * sin;
    mapped[i + 1] = y + u * sin + v * cos;
  }
  return mapped;
}
