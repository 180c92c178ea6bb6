/** Pictures changed in ways that leave what they show. */
import { functional as F } from '../../nn/index.js';
import { type Tensor, tensor } from '../../torch/index.js';
import { Chance } from '../training/chance.js';

/** What is drawn from: of all groups the same, or one of each. */
export type Draws = Chance | readonly Chance[];

const of = (draws: Draws, group: number): Chance => (draws instanceof Chance ? draws : draws[group]!);

/**
 * Other colours: each channel times a number about 1, and a number more.
 * @param pictures - [B, 3, H, W], from -1 to 1 @param each - so many in turn are changed alike
 */
export function recoloured(pictures: Tensor, each: number, draws: Draws): Tensor {
  const count = pictures.shape[0]! / each;
  const drawn = (low: number, high: number): Tensor =>
    tensor(
      Float32Array.from({ length: 3 * count }, (_, i) => of(draws, Math.floor(i / 3)).between(low, high)),
      { shape: [count, 3, 1, 1] },
    ).repeatInterleave(each, 0);
  return pictures.mul(drawn(0.8, 1.2)).add(drawn(-0.1, 0.1));
}

/** Moved, and made larger or smaller a little. @param each - so many in turn are a group @param mirror - also turned left to right, half of them */
export function displaced(pictures: Tensor, each: number, draws: Draws, mirror = false): Tensor {
  const rows = Array.from({ length: pictures.shape[0]! }, (_, i) => {
    const chance = of(draws, Math.floor(i / each));
    const scale = chance.between(0.9, 1.1);
    const side = mirror && chance.yes(0.5) ? -scale : scale;
    return [side, 0, chance.between(-0.1, 0.1), 0, scale, chance.between(-0.1, 0.1)];
  });
  const grid = F.affineGrid(tensor(rows.flat(), { shape: [rows.length, 2, 3] }), pictures.shape);
  return F.gridSample(pictures, grid, { paddingMode: 'border' });
}
