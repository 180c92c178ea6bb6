/** Pictures of faces, cut as those were that a model was trained on. */
import type { RgbImage } from '../../../media/index.js';
import { type CropBox, cutSquare } from '../../prepare/crop.js';
import { boxAround, type Framing } from '../talking/talking-model.js';

/** The square of a picture in which a face lies where faces lay in training. @param landmarks - 68, in pixels */
export function framedSquare(landmarks: ArrayLike<number>, framing: Framing): CropBox {
  const box = boxAround(landmarks);
  const side = Math.max(2, Math.round(box.side / framing.side));
  return { x: Math.round(box.x - framing.x * side), y: Math.round(box.y - framing.y * side), side };
}

/** A square of a picture at another size. Where it reaches beyond the picture, the border goes on. */
export function cutFramed(image: RgbImage, square: CropBox, size: number): RgbImage {
  const { x, y, side } = square;
  const { width, height } = image;
  if (x >= 0 && y >= 0 && x + side <= width && y + side <= height) return cutSquare(image, square, size);
  const data = new Uint8Array(3 * side * side);
  for (let row = 0, at = 0; row < side; row++) {
    const from = width * Math.min(height - 1, Math.max(0, y + row));
    for (let column = 0; column < side; column++, at += 3) {
      const pixel = 3 * (from + Math.min(width - 1, Math.max(0, x + column)));
      data.set(image.data.subarray(pixel, pixel + 3), at);
    }
  }
  return cutSquare({ width: side, height: side, data }, { x: 0, y: 0, side }, size);
}

/** Landmarks of a picture as places of a square of it, from 0 to 1. */
export function landmarksWithin(landmarks: ArrayLike<number>, { x, y, side }: CropBox): Float32Array {
  return Float32Array.from(landmarks, (value, k) => (value - (k % 2 === 0 ? x : y)) / side);
}
