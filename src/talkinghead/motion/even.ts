/** Rows that were recorded at uneven times, as phones do, become frames of one rate. */
import { DataError } from '../../torch/index.js';
import { interpolate } from './interpolate.js';
import type { Timecode } from './timecode.js';
import type { TrackValues } from './track.js';

/** How far a row may be from its place, in frames, before rows are moved to even places. */
const slack = 0.25;

/**
 * @param rate - timecode frames in a second of the clock; `track.fps` frames of it pass in a true second
 * @throws DataError for rows that go back in time
 */
export function evenly(
  path: string,
  rows: readonly { readonly line: number }[],
  codes: readonly Timecode[],
  rate: number,
  track: TrackValues,
  note: (remark: string) => void,
): TrackValues {
  const counts = codes.map(
    ({ seconds, frame }) => seconds * rate + frame - (codes[0]!.seconds * rate + codes[0]!.frame),
  );
  const back = counts.findIndex((count, i) => i > 0 && count <= counts[i - 1]!);
  if (back > 0)
    throw new DataError(`${path}, line ${rows[back]!.line}: expected a later timecode than in the row before`);
  if (counts.every((count, i) => Math.abs(count - i) < slack)) return track;
  const frames = Math.round(counts.at(-1)!) + 1;
  const times = new Float64Array(frames);
  for (let frame = 0, row = 0; frame < frames; frame++) {
    while (row < counts.length - 2 && counts[row + 1]! <= frame) row++;
    const gap = counts[row + 1]! - counts[row]!;
    times[frame] = row + Math.min(1, (frame - counts[row]!) / gap);
  }
  note(`${path}: ${counts.length} rows at uneven times became ${frames} frames`);
  const moved = (values: ArrayLike<number>): Float32Array =>
    interpolate(Float32Array.from(values), counts.length, times);
  return {
    fps: track.fps,
    weights: moved(track.weights),
    ...(track.pose ? { pose: moved(track.pose) } : {}),
    ...(track.position ? { position: moved(track.position) } : {}),
    ...(track.gaze ? { gaze: moved(track.gaze) } : {}),
  };
}
