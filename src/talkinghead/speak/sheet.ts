/** Pictures of exchanges, to be looked at. */
import { type RgbImage, writeImage } from '../../media/index.js';
import { noGrad, scope, type Tensor } from '../../torch/index.js';
import { tiled } from '../render/tiles.js';
import { Chance } from '../training/chance.js';
import { asImages, type Faces, picturesOf } from './faces.js';
import { exchanged, type Factor, factors, type Irfd } from './irfd.js';

/** Rows as {@link exchangeRows} gives them, on one picture. */
export function exchangeGrid(rows: readonly (readonly RgbImage[])[]): RgbImage {
  return tiled(rows.flat(), rows[0]!.length, { gap: 2, fill: 255 });
}

/**
 * Exchanges between pictures: for each pair a row with S, T, S out of its own codes, and S with T's code of each factor.
 * @param s - [B, 3, size, size] @param t - likewise
 */
export function exchangeRows(model: Irfd, s: Tensor, t: Tensor, which: readonly Factor[] = factors): RgbImage[][] {
  return noGrad(() =>
    scope(() => {
      const [own, other] = [model.encode(s), model.encode(t)];
      const made = [own, ...which.map((factor) => exchanged(own, other, factor))].map((codes) => model.decode(codes));
      const columns = [s, t, ...made].map(asImages);
      return columns[0]!.map((_, row) => columns.map((column) => column[row]!));
    }),
  );
}

const sheetRows = 8;

/** A sheet of exchanges between people that the model has not seen; the last of those it has, where none were held out. */
export async function writeExchangeSheet(path: string, model: Irfd, faces: Faces): Promise<void> {
  const clips = faces.test.length > 1 ? faces.test : faces.train;
  const chance = new Chance(1);
  const pick = (): number[] => Array.from({ length: sheetRows }, () => chance.pick(chance.pick(clips)));
  const rows = scope(() => exchangeRows(model, picturesOf(faces, pick()), picturesOf(faces, pick())));
  await writeImage(path, exchangeGrid(rows));
}
