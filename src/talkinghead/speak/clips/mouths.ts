/** Where the mouth is in frames, by their landmarks, and pictures of it through which gradients flow. */
import { functional as F } from '../../../nn/index.js';
import { ops, type Tensor, tensor } from '../../../torch/index.js';

/** A square: its centre and half its side, in halves of the picture, from (-1, -1) at the upper left to (1, 1). */
export interface MouthSquare {
  readonly x: number;
  readonly y: number;
  readonly half: number;
}

/** Half of the square's side, in distances from the eyes to the mouth: lips and chin are in it, wide open too. */
const reach = 0.62;

const middle = (landmarks: ArrayLike<number>, at: number, first: number, end: number): [number, number] => {
  let [x, y] = [0, 0];
  for (let k = first; k < end; k++) {
    x += landmarks[at + 2 * k]!;
    y += landmarks[at + 2 * k + 1]!;
  }
  return [x / (end - first), y / (end - first)];
};

/**
 * One square for frames that follow one another, so that what moves in it is the mouth.
 * @param landmarks - 68 for each frame, from 0 to 1 over the picture
 * @param from - the first frame @param count - how many
 */
export function mouthSquare(landmarks: ArrayLike<number>, from: number, count: number): MouthSquare {
  let [x, y, far] = [0, 0, 0];
  for (let frame = from; frame < from + count; frame++) {
    const eyes = middle(landmarks, 136 * frame, 36, 48);
    const mouth = middle(landmarks, 136 * frame, 48, 68);
    x += mouth[0] / count;
    y += mouth[1] / count;
    far = Math.max(far, Math.hypot(mouth[0] - eyes[0], mouth[1] - eyes[1]));
  }
  return { x: 2 * x - 1, y: 2 * y - 1, half: 2 * reach * far };
}

/**
 * Squares of pictures, bilinear; what lies beyond a picture is its border.
 * @param pictures - [B * count, 3, H, W] @param squares - B of them, each of `count` pictures
 * @returns [B * count, 3, side, side]
 */
export function cutMouths(pictures: Tensor, squares: readonly MouthSquare[], side: number): Tensor {
  const count = pictures.shape[0]! / squares.length;
  const rows = squares.flatMap(({ x, y, half }) =>
    Array.from({ length: count }, () => [half, 0, x, 0, half, y]).flat(),
  );
  const maps = tensor(rows, { shape: [pictures.shape[0]!, 2, 3], device: pictures.device });
  const grid = F.affineGrid(maps, [pictures.shape[0]!, 3, side, side]);
  return F.gridSample(pictures, grid, { paddingMode: 'border' });
}

/** How far around a mouth's square its surroundings reach, in halves of its side. */
const around = 0.4;

/** Pictures whose mouths have the mean colour of what surrounds them: who sees them cannot tell what is said. */
export function hideMouths(pictures: Tensor, squares: readonly MouthSquare[]): Tensor {
  const [batch, , height, width] = pictures.shape as [number, number, number, number];
  const count = batch / squares.length;
  const [covered, beside] = [new Float32Array(batch * height * width), new Float32Array(batch * height * width)];
  for (let i = 0, at = 0; i < batch; i++) {
    const { x, y, half } = squares[Math.floor(i / count)]!;
    for (let row = 0; row < height; row++) {
      const dy = (2 * row + 1) / height - 1 - y;
      for (let column = 0; column < width; column++, at++) {
        const dx = (2 * column + 1) / width - 1 - x;
        const inside = 1 - Math.max(Math.abs(dx), Math.abs(dy)) / half;
        // Soft at the edge, so that the square itself is not what is seen.
        covered[at] = Math.min(1, Math.max(0, 4 * inside));
        beside[at] = inside < 0 && inside > -around ? 1 : 0;
      }
    }
  }
  const mask = (values: Float32Array): Tensor =>
    tensor(values, { shape: [batch, 1, height, width], device: pictures.device });
  const ring = mask(beside);
  const mean = pictures
    .mul(ring)
    .sum([2, 3], true)
    .div(ring.sum([2, 3], true).add(1e-6));
  return ops.lerp(pictures, mean, mask(covered));
}
