/** The contact sheet: what the clips show, at a glance. */
import { join } from 'node:path';
import { loadNpz } from '../../io/index.js';
import { type RgbImage, readFrames, writeImage } from '../../media/index.js';
import { scope } from '../../torch/index.js';
import { write } from '../render/letters.js';
import { tiled } from '../render/tiles.js';
import { cutSquare } from './crop.js';
import { type ClipRecord, clipFile, clipFiles, type PrepareSettings } from './records.js';

/** Pixels of a clip's side on the sheet, and clips across. */
const side = 128;
const across = 8;
/** Clips on the sheet: of more, every so many. */
const most = 400;

const dot = [80, 255, 120] as const;
const ink = [255, 230, 90] as const;

/** Writes the sheet: of each clip the middle frame, its landmarks, and its line in `clips.jsonl`. */
export async function writeSheet(
  folder: string,
  clips: readonly ClipRecord[],
  settings: PrepareSettings,
): Promise<void> {
  const step = Math.ceil(clips.length / most);
  const shown = clips.map((clip, i) => ({ clip, line: i + 1 })).filter((_, i) => i % step === 0);
  const columns = Math.min(across, shown.length);
  const tiles: RgbImage[] = [];
  for (const { clip, line } of shown) {
    const tile = await tileOf(folder, clip, settings);
    write(tile, `${line}`, 4, 4, ink);
    tiles.push(tile);
  }
  await writeImage(join(folder, clipFiles.sheet), tiled(tiles, columns, { fill: 32 }));
}

async function tileOf(folder: string, { id, frames }: ClipRecord, { fps, size }: PrepareSettings): Promise<RgbImage> {
  const middle = Math.floor(frames / 2);
  for await (const frame of readFrames(clipFile(folder, id, 'mp4'), { fps, start: middle / fps })) {
    const tile = cutSquare(frame, { x: 0, y: 0, side: size }, side);
    const points = scope(
      () =>
        loadNpz(clipFile(folder, id, 'npz'))
          .get('landmarks')!
          .select(0, middle)
          .contiguous()
          .data() as Float32Array,
    );
    const scale = side / size;
    for (let i = 0; i < points.length; i += 2) {
      const [x, y] = [Math.floor(points[i]! * scale), Math.floor(points[i + 1]! * scale)];
      if (x >= 0 && x < side && y >= 0 && y < side) tile.data.set(dot, 3 * (y * side + x));
    }
    return tile;
  }
  return { width: side, height: side, data: new Uint8Array(3 * side * side) };
}
