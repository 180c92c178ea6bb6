/** Exchanges between two pictures of one's own. */
import type { RgbImage } from '../../media/index.js';
import { ConfigError, scope, type Tensor, tensorFromBytes } from '../../torch/index.js';
import { cutSquare } from '../prepare/crop.js';
import { asSeen, putPlanes } from './faces.js';
import { type Factor, factors, type Irfd } from './irfd.js';
import { exchangeGrid, exchangeRows } from './sheet.js';

/**
 * A grid of the exchange between two pictures, a row for each as the one that is changed: itself, the other, itself out of its own
 * codes, and with the other's code of each factor.
 * @param which - the factors; all by default
 */
export function swapFaces(model: Irfd, a: RgbImage, b: RgbImage, which: readonly Factor[] = factors): RgbImage {
  const unknown = which.filter((name) => !factors.includes(name));
  if (which.length === 0 || unknown.length > 0)
    throw new ConfigError(
      `swapFaces: expected factors among ${factors.join(', ')}, got ${unknown.join(', ') || 'none'}`,
    );
  const { size } = model.shape;
  return scope(() => {
    const [s, t] = [seenBy(a, size), seenBy(b, size)];
    return exchangeGrid([...exchangeRows(model, s, t, which), ...exchangeRows(model, t, s, which)]);
  });
}

/** A picture as the model takes it: its middle square, [1, 3, size, size]. */
function seenBy(image: RgbImage, size: number): Tensor {
  const side = Math.min(image.width, image.height);
  const box = { x: (image.width - side) >> 1, y: (image.height - side) >> 1, side };
  const square = cutSquare(image, box, size);
  const bytes = new Uint8Array(3 * size * size);
  putPlanes(square, size, bytes, 0, 'a picture');
  return asSeen(tensorFromBytes(bytes, 'uint8', [1, 3, size, size]));
}
