/** A mark in a picture that says that it is made. */
import type { RgbImage } from '../../media/index.js';
import { letterWidth, lineHeight, write } from '../render/letters.js';

const text = 'synthetic';

/** How much of the picture stays behind the mark. */
const behind = 0.45;

/** A copy with the mark in its lower left corner, as large as the picture lets people read it. */
export function marked(picture: RgbImage): RgbImage {
  const { width, height } = picture;
  const copy = { width, height, data: picture.data.slice() };
  const size = Math.max(1, Math.round(Math.min(width, height) / 220));
  const [across, down] = [letterWidth(text, size) + 4 * size, lineHeight(size) + size];
  const [left, top] = [3 * size, height - down - 3 * size];
  for (let y = Math.max(0, top); y < top + down; y++) {
    const row = 3 * (y * width + left);
    for (let i = row; i < Math.min(row + 3 * across, 3 * (y + 1) * width); i++) copy.data[i]! *= behind;
  }
  write(copy, text, left + 2 * size, top + 2 * size, [255, 255, 255], size);
  return copy;
}
