/** The square that is cut out of a clip: one for all of its frames, around wherever the face is in them. */
import type { FaceBox, RgbImage } from '../../media/index.js';
import { functional as F } from '../../nn/index.js';
import { noGrad, ShapeError, scope, tensor } from '../../torch/index.js';

/** A square in whole pixels of the frame. May reach beyond it. */
export interface CropBox {
  readonly x: number;
  readonly y: number;
  readonly side: number;
}

/** The smallest box around two. */
export function union(a: FaceBox, b: FaceBox): FaceBox {
  const [x, y] = [Math.min(a.x, b.x), Math.min(a.y, b.y)];
  const width = Math.max(a.x + a.width, b.x + b.width) - x;
  return { x, y, width, height: Math.max(a.y + a.height, b.y + b.height) - y };
}

/** The square around a box's middle, as large as its longer side and `margin` of that on either side. */
export function squareAround({ x, y, width, height }: FaceBox, margin: number): CropBox {
  const side = Math.round(Math.max(width, height) * (1 + 2 * margin));
  return { x: Math.round(x + width / 2 - side / 2), y: Math.round(y + height / 2 - side / 2), side };
}

/** How many pixels of a square lie beyond each border of a frame; 0 where none. */
export function beyond(
  { x, y, side }: CropBox,
  { width, height }: Pick<RgbImage, 'width' | 'height'>,
): Record<'left' | 'top' | 'right' | 'bottom', number> {
  const over = (value: number): number => Math.max(0, value);
  return { left: over(-x), top: over(-y), right: over(x + side - width), bottom: over(y + side - height) };
}

/** The frame's largest square that lies in it, for one that may not: moved and, where that is not enough, made smaller. */
export function inside(box: CropBox, { width, height }: Pick<RgbImage, 'width' | 'height'>): CropBox {
  const side = Math.min(box.side, width, height);
  const place = (at: number, most: number): number =>
    Math.min(Math.max(0, Math.round(at + (box.side - side) / 2)), most - side);
  return { x: place(box.x, width), y: place(box.y, height), side };
}

/**
 * A square of a frame as a picture of `size` x `size`, bicubic, averaged where it shrinks.
 * @throws ShapeError for a square that reaches beyond the frame
 */
export function cutSquare(frame: RgbImage, box: CropBox, size: number): RgbImage {
  const { left, top, right, bottom } = beyond(box, frame);
  if (left + top + right + bottom > 0) {
    throw new ShapeError(
      `Expected a square within ${frame.width} x ${frame.height} pixels, got one of ${box.side} at (${box.x}, ${box.y})`,
    );
  }
  const { x, y, side } = box;
  const data = noGrad(() =>
    scope(() => {
      const pixels = tensor(frame.data, { shape: [frame.height, frame.width, 3] });
      const part = pixels.narrow(0, y, side).narrow(1, x, side);
      if (side === size) return part.contiguous().data();
      const planes = part.permute([2, 0, 1]).unsqueeze(0).to({ dtype: 'float32' }).contiguous();
      const scaled = F.interpolate(planes, { size: [size, size], mode: 'bicubic', antialias: true });
      const bytes = scaled.round().clamp(0, 255).to({ dtype: 'uint8' });
      return bytes.squeeze(0).permute([1, 2, 0]).contiguous().data();
    }),
  ) as Uint8Array;
  return { width: size, height: size, data };
}
