/** Pictures beside each other on one. */
import type { RgbImage } from '../../media/index.js';

/** Puts a picture onto a larger one, whose place it fits into. */
export function paste(sheet: RgbImage, tile: RgbImage, left: number, top: number): void {
  for (let y = 0; y < tile.height; y++) {
    const row = tile.data.subarray(3 * y * tile.width, 3 * (y + 1) * tile.width);
    sheet.data.set(row, 3 * ((top + y) * sheet.width + left));
  }
}

/**
 * Pictures of one size in rows.
 * @param columns - how many in a row, the last of which may have fewer
 * @param look - pixels between them, and what shows there and where none is: from black, 0, to white, 255. Default 0 and 0
 */
export function tiled(tiles: readonly RgbImage[], columns: number, { gap = 0, fill = 0 } = {}): RgbImage {
  const { width: tileWidth, height: tileHeight } = tiles[0]!;
  const [across, down] = [tileWidth + gap, tileHeight + gap];
  const width = columns * across - gap;
  const height = Math.ceil(tiles.length / columns) * down - gap;
  const sheet = { width, height, data: new Uint8Array(3 * width * height).fill(fill) };
  for (const [i, tile] of tiles.entries()) paste(sheet, tile, (i % columns) * across, Math.floor(i / columns) * down);
  return sheet;
}
