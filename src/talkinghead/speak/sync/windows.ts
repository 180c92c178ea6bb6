/** Windows of frames and of sound, as SyncNet takes them. */
import { ops, type Tensor, tensor } from '../../../torch/index.js';
import type { Chance } from '../../training/chance.js';
import { melBands } from '../../voice/mel-stream.js';
import { type MouthSquare, mouthSquare } from '../clips/mouths.js';
import { columnsPerFrame } from '../clips/sound-columns.js';
import type { SpeakClip, SpeakClips } from '../clips/speak-clips.js';
import { asSeen, rowsOf } from '../faces.js';

/** Frames among others, and what is heard while they are shown. */
export type HeardFrames = Pick<SpeakClip, 'first' | 'frames' | 'columns'>;

/** Some frames of a clip that follow one another, by the first. */
export interface Window<Clip extends HeardFrames = SpeakClip> {
  readonly clip: Clip;
  readonly from: number;
}

/** A window of a clip at random. */
export function drawWindow(clip: SpeakClip, frames: number, chance: Chance): Window {
  return { clip, from: chance.below(clip.frames - frames + 1) };
}

/** Rows of the frames of windows, one window after another. */
export function rowsIn(windows: readonly Window<HeardFrames>[], frames: number): number[] {
  return windows.flatMap(({ clip, from }) => Array.from({ length: frames }, (_, i) => clip.first + from + i));
}

/** The frames of windows, one window after another: [B * frames, 3, size, size], from -1 to 1. */
export function framesOf(
  { pictures }: Pick<SpeakClips, 'pictures'>,
  windows: readonly Window<HeardFrames>[],
  frames: number,
): Tensor {
  return asSeen(ops.indexSelect(pictures, 0, rowsOf(rowsIn(windows, frames))));
}

/** Where the mouths of windows are. */
export function squaresOf(
  { landmarks }: Pick<SpeakClips, 'landmarks'>,
  windows: readonly Window<HeardFrames>[],
  frames: number,
): MouthSquare[] {
  return windows.map(({ clip, from }) => mouthSquare(landmarks, clip.first + from, frames));
}

/** What is heard in windows: [B, 1, melBands, frames * columnsPerFrame]. Silence where a window reaches beyond its clip. */
export function columnsOf(windows: readonly Window<HeardFrames>[], frames: number): Tensor {
  const width = frames * columnsPerFrame;
  const rows = new Float32Array(windows.length * melBands * width);
  const silent = -1;
  for (const [b, { clip, from }] of windows.entries())
    for (let column = 0; column < width; column++) {
      const at = (from * columnsPerFrame + column) * melBands;
      for (let band = 0; band < melBands; band++)
        rows[(b * melBands + band) * width + column] = clip.columns[at + band] ?? silent;
    }
  return tensor(rows, { shape: [windows.length, 1, melBands, width] });
}
