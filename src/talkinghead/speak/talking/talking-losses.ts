/** What the second stage learns by, but for the discriminator. */
import { functional as F } from '../../../nn/index.js';
import { ops, type Tensor } from '../../../torch/index.js';
import { cutMouths } from '../clips/mouths.js';
import type { Codes, FaceCoder } from '../irfd.js';
import { factors, reduced } from '../irfd.js';
import { distances } from '../losses.js';
import type { SyncNet } from '../sync/sync-net.js';
import { apart } from '../sync/sync-net.js';
import { seenOf } from '../sync/sync-scores.js';
import { columnsOf } from '../sync/windows.js';
import { type MadeFrames, repeated } from '../talking-generator.js';
import { type Looker, perceptualLoss } from './perceptual.js';
import type { TalkingBatch } from './talking-batch.js';
import type { SyncTarget, TalkingConfig, TalkingWeights } from './talking-config.js';

/** A network that tells whether mouths say what is heard. */
export interface SyncJudge {
  readonly network: SyncNet;
  /** Pixels of the sides of the pictures that its mouths were cut from. */
  readonly size: number;
}

/** Networks that judge what was made; they learn nothing. */
export interface TalkingJudges {
  readonly looker: Looker;
  readonly sync: SyncJudge | null;
  readonly coder: FaceCoder;
}

/** Pixels of the mouths that are compared. */
const mouthSide = 24;

/**
 * Equation 11 of what should be in sync: half the mean of squared distances, of made frames from their sound (the paper's words), or
 * from the true frames (its equation 12).
 */
export function syncLoss({ network, size }: SyncJudge, made: Tensor, batch: TalkingBatch, target: SyncTarget): Tensor {
  const { squares, windows, truth } = batch;
  const seen = seenOf(network, reduced(made, size), squares);
  const meant =
    target === 'sound'
      ? network.hear(columnsOf(windows, network.shape.frames))
      : seenOf(network, reduced(truth, size), squares).detach();
  return apart(seen, meant).square().mean().div(2);
}

/** Landmarks that move about each other when a face speaks and feels: either brow with its eye, and the mouth. */
const parts: readonly (readonly [number, number][])[] = [
  [
    [17, 5],
    [36, 6],
  ],
  [
    [22, 5],
    [42, 6],
  ],
  [[48, 20]],
];

/** Rows about their middle, part by part: [B, 68, 2] to [B, 42, 2]. */
function aboutMiddles(marks: Tensor): Tensor {
  const each = parts.map((ranges) => {
    const part = ops.cat(
      ranges.map(([first, count]) => marks.narrow(1, first, count)),
      1,
    );
    return part.sub(part.mean(1, true));
  });
  return ops.cat(each, 1);
}

/**
 * How far from a portrait's landmarks, across and down, those pixels are fetched that show them in the true frames, in halves of the
 * picture: the mean over all landmarks, and over those of brows, eyes and mouth about their middles. A head moves farther than its
 * lips do, and of a distance a landmark learns the direction alone: while the head is not where it should be, lips are not heard of.
 */
export function landmarkLoss(places: Tensor, { marks, portraitMarks }: TalkingBatch): Tensor {
  const [batch, count] = marks.shape as [number, number, number];
  const at = F.gridSample(places.permute([0, 3, 1, 2]), marks.unsqueeze(1), { paddingMode: 'border' });
  const fetched = at.reshape([batch, 2, count]).transpose(1, 2);
  const frames = batch / portraitMarks.shape[0]!;
  const apart = fetched.sub(repeated(portraitMarks, frames));
  return apart.abs().mean().add(aboutMiddles(apart).abs().mean());
}

/** The parts that count, unweighted. */
export function talkingLosses(
  { pictures: made, places }: MadeFrames,
  batch: TalkingBatch,
  { looker, sync, coder }: TalkingJudges,
  { loss, syncTarget, syncFrom }: Pick<TalkingConfig, 'loss' | 'syncTarget' | 'syncFrom'>,
  step: number,
): Partial<Record<keyof TalkingWeights, Tensor>> {
  const { truth, squares, codes } = batch;
  const again: Partial<Codes> = Object.fromEntries(
    factors.filter((factor) => loss[factor] > 0).map((factor) => [factor, coder.code(factor, made)]),
  );
  // Of codes of a mean square of 1 the distance is then about 1, however many numbers they have.
  const kept = factors
    .filter((factor) => again[factor] !== undefined)
    .map((factor) => {
      const scale = Math.sqrt(again[factor]!.shape[1]!);
      return [factor, distances(again[factor]!, codes[factor].detach()).mean().div(scale)] as const;
    });
  return {
    ...(loss.sync > 0 && sync !== null && step >= syncFrom && { sync: syncLoss(sync, made, batch, syncTarget) }),
    ...(loss.perceptual > 0 && { perceptual: perceptualLoss(looker, made, truth) }),
    ...(loss.pixels > 0 && { pixels: made.sub(truth).abs().mean() }),
    ...(loss.mouth > 0 && {
      mouth: cutMouths(made, squares, mouthSide)
        .sub(cutMouths(truth, squares, mouthSide))
        .abs()
        .mean(),
    }),
    ...(loss.landmarks > 0 && places !== null && { landmarks: landmarkLoss(places, batch) }),
    ...Object.fromEntries(kept),
  };
}
