/** How well SyncNet tells what belongs together, of people whom it has not seen: LSE-C, LSE-D and the offsets that it finds. */
import { summarise } from '../../../report/index.js';
import { noGrad, ops, scope, type Tensor } from '../../../torch/index.js';
import { cutMouths } from '../clips/mouths.js';
import type { SpeakClips } from '../clips/speak-clips.js';
import type { SyncNet } from './sync-net.js';
import { columnsOf, framesOf, type HeardFrames, squaresOf, type Window } from './windows.js';

/** Frames to either side by which sound is shifted. */
export const syncReach = 15;

/** Mean distances of a clip's windows from its sound at each offset, from `-syncReach` to `syncReach` frames. */
export interface SyncCurve {
  readonly distances: readonly number[];
  /** Frames by which the sound must be moved for the least distance: 0 where it is in sync, above where it comes too late. */
  readonly offset: number;
  /** LSE-D, the least distance, and LSE-C, by how much the median of all offsets is above it. */
  readonly distance: number;
  readonly confidence: number;
}

export interface SyncScores {
  readonly clips: number;
  /** Share of windows nearer to their own sound than to the same clip's, so far away (3 to 15 frames). Guessing gives 0.5. */
  readonly accuracy: number;
  /** Share of clips whose least distance is within a frame of where they are in sync. */
  readonly found: number;
  /** Means over clips. */
  readonly confidence: number;
  readonly distance: number;
  /** By how many standard deviations over clips of another clip's sound the confidence is above its mean; null of fewer than three clips. */
  readonly deviations: number | null;
  /** The same with the sound of another clip. */
  readonly shuffled: { readonly found: number; readonly confidence: number; readonly distance: number };
}

/** Frames from which on sound counts as out of sync. */
const clearly = 3;
const batch = 64;

/** Points of every window of pictures, and of every window of sound, of a clip: [windows, embedding]. */
export type SyncPoints = readonly [seen: Tensor, heard: Tensor];

/** @param clips - pictures and landmarks, among which those of the clip are */
export function pointsOf(
  network: SyncNet,
  clips: Pick<SpeakClips, 'pictures' | 'landmarks'>,
  clip: HeardFrames,
): SyncPoints {
  const { frames } = network.shape;
  const windows = Array.from({ length: clip.frames - frames + 1 }, (_, from): Window<HeardFrames> => ({ clip, from }));
  const parts = Array.from({ length: Math.ceil(windows.length / batch) }, (_, i) => {
    return windows.slice(i * batch, (i + 1) * batch);
  });
  const seen = parts.map((some) => seenOf(network, framesOf(clips, some, frames), squaresOf(clips, some, frames)));
  const heard = parts.map((some) => network.hear(columnsOf(some, frames)));
  return [ops.cat(seen, 0), ops.cat(heard, 0)];
}

/** Points of windows of frames, one after another, whose mouths are in squares. @returns [squares, embedding] */
export function seenOf(network: SyncNet, frames: Tensor, squares: Parameters<typeof cutMouths>[1]): Tensor {
  const { mouth, frames: count } = network.shape;
  return network.see(cutMouths(frames, squares, mouth).reshape([squares.length, 3 * count, mouth, mouth]));
}

/** Distances of all windows at an offset: those whose sound there is. */
function distancesAt(seen: Tensor, heard: Tensor, offset: number): Tensor | null {
  const count = Math.min(seen.shape[0]!, heard.shape[0]!) - Math.abs(offset);
  if (count < 1) return null;
  const [s, h] = [seen.narrow(0, Math.max(0, -offset), count), heard.narrow(0, Math.max(0, offset), count)];
  return s.sub(h).square().sum(1).sqrt();
}

/** The curve of points that follow one another. Offsets at which nothing overlaps are left out of the median. */
export function syncCurve(seen: Tensor, heard: Tensor): SyncCurve {
  return scope(() => {
    const distances = Array.from({ length: 2 * syncReach + 1 }, (_, i) => {
      return (
        distancesAt(seen, heard, i - syncReach)
          ?.mean()
          .item() ?? Number.POSITIVE_INFINITY
      );
    });
    const tried = distances.filter(Number.isFinite).sort((a, b) => a - b);
    const middle = (tried[(tried.length - 1) >> 1]! + tried[tried.length >> 1]!) / 2;
    const distance = tried[0]!;
    return { distances, offset: distances.indexOf(distance) - syncReach, distance, confidence: middle - distance };
  });
}

/** Measures a network on the clips of the people left out. */
export function syncScores(
  network: SyncNet,
  clips: SpeakClips,
  onProgress: (done: number, all: number) => void = () => {},
): SyncScores {
  return noGrad(() =>
    scope(() => {
      network.eval();
      const points = clips.test.map((clip, i) => {
        onProgress(i + 1, clips.test.length);
        return scope(() => {
          const [seen, heard] = pointsOf(network, clips, clip);
          return [seen.keep(), heard.keep()] as const;
        });
      });
      const scores = syncScoresOf(points);
      for (const each of points.flat()) each.dispose();
      return scores;
    }),
  );
}

/** The scores of clips by their points; the other sound is that of the next one. */
export function syncScoresOf(points: readonly SyncPoints[]): SyncScores {
  const own = points.map(([seen, heard]) => syncCurve(seen, heard));
  const other = points.map(([seen], i) => syncCurve(seen, points[(i + 1) % points.length]![1]));
  let [right, pairs] = [0, 0];
  scope(() => {
    for (const [seen, heard] of points)
      for (let offset = -syncReach; offset <= syncReach; offset++) {
        const away = Math.abs(offset) < clearly ? null : distancesAt(seen, heard, offset);
        if (away === null) continue;
        const near = distancesAt(seen, heard, 0)!.narrow(0, Math.max(0, -offset), away.shape[0]!);
        right += near.lt(away).sum().item();
        pairs += away.shape[0]!;
      }
  });
  const [mean, shuffled] = [means(own), means(other)];
  const spread = other.length < 3 ? 0 : summarise(other.map(({ confidence }) => confidence)).std;
  const deviations = spread === 0 ? null : (mean.confidence - shuffled.confidence) / spread;
  return { clips: points.length, accuracy: right / Math.max(1, pairs), ...mean, deviations, shuffled };
}

function means(curves: readonly SyncCurve[]): { found: number; confidence: number; distance: number } {
  const mean = (of: (curve: SyncCurve) => number): number =>
    curves.reduce((sum, curve) => sum + of(curve), 0) / Math.max(1, curves.length);
  return {
    found: mean(({ offset }) => Number(Math.abs(offset) <= 1)),
    confidence: mean(({ confidence }) => confidence),
    distance: mean(({ distance }) => distance),
  };
}
