/** Pictures changed in ways that leave what they show. */
import { functional as F } from '../../nn/index.js';
import { type Tensor, tensor } from '../../torch/index.js';
import type { Chance } from '../training/chance.js';

/**
 * Other colours: each channel times a number about 1, and a number more.
 * @param pictures - [B, 3, H, W], from -1 to 1 @param each - so many in turn are changed alike
 */
export function recoloured(pictures: Tensor, each: number, chance: Chance): Tensor {
  const count = pictures.shape[0]! / each;
  const drawn = (low: number, high: number): Tensor =>
    tensor(
      Float32Array.from({ length: 3 * count }, () => chance.between(low, high)),
      { shape: [count, 3, 1, 1] },
    ).repeatInterleave(each, 0);
  return pictures.mul(drawn(0.8, 1.2)).add(drawn(-0.1, 0.1));
}

/** Moved, and made larger or smaller a little. @param mirror - also turned left to right, half of them */
export function displaced(pictures: Tensor, chance: Chance, mirror = false): Tensor {
  const rows = Array.from({ length: pictures.shape[0]! }, () => {
    const scale = chance.between(0.9, 1.1);
    const side = mirror && chance.yes(0.5) ? -scale : scale;
    return [side, 0, chance.between(-0.1, 0.1), 0, scale, chance.between(-0.1, 0.1)];
  });
  const grid = F.affineGrid(tensor(rows.flat(), { shape: [rows.length, 2, 3] }), pictures.shape);
  return F.gridSample(pictures, grid, { paddingMode: 'border' });
}
