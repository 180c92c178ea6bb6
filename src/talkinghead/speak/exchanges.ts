/** Exchanges that need no model: a synthetic person is drawn again with another's pose, or expression, or both. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadSafetensors, saveSafetensors } from '../../io/index.js';
import { keep, scope, type Tensor, tensorFromBytes } from '../../torch/index.js';
import { FaceStage, faceOfItem, type SyntheticFace, type SyntheticLabel } from '../synth/index.js';
import { Chance } from '../training/chance.js';
import { type FaceHooks, type Faces, putPlanes } from './faces.js';
import { type Factor, factors } from './irfd.js';

/**
 * An exchange of one factor between frame `a` and frame `b`, and of the two pictures that come of it the one that shows the
 * person of `a`: with the pose of `b`; with its expression and look; or, where identities are exchanged, with both.
 */
export interface ExactExchange {
  readonly a: number;
  readonly b: number;
  readonly factor: Factor;
}

export interface ExactExchanges {
  readonly list: readonly ExactExchange[];
  /** uint8 [list, 3, size, size] */
  readonly pictures: Tensor;
}

/** Draws the person of a frame doing what the exchange makes them do. */
export function drawExchange(person: SyntheticFace, a: SyntheticLabel, b: SyntheticLabel, factor: Factor) {
  const [face, head] = [factor === 'pose' ? a : b, factor === 'emotion' ? a : b];
  const [x = 0, y = 0, z = 0] = head.position;
  return person.frame({
    weights: face.weights,
    pose: head.pose,
    position: [x, y, z],
    ...(face.gaze === null ? {} : { gaze: face.gaze }),
    index: a.frame,
  }).image;
}

/** Partners for the clips: `each` exchanges of every clip with frames of others. */
export function planExchanges(clips: readonly (readonly number[])[], each: number, chance: Chance): ExactExchange[] {
  return clips.flatMap((clip, own) =>
    Array.from({ length: each }, () => {
      const other = (own + 1 + chance.below(clips.length - 1)) % clips.length;
      return { a: chance.pick(clip), b: chance.pick(clips[other]!), factor: chance.pick(factors) };
    }),
  );
}

/**
 * Draws exchanges. Those of one person and place stand together, since making a person takes as long as drawing one.
 * @returns null where it was asked to stop
 */
export async function drawExchanges(
  faces: Pick<Faces, 'labels' | 'settings'>,
  list: readonly ExactExchange[],
  { onProgress, shouldStop }: FaceHooks = {},
): Promise<ExactExchanges | null> {
  const { labels, settings } = faces;
  const { size } = settings;
  const bytes = new Uint8Array(list.length * 3 * size * size);
  using stage = new FaceStage({ size });
  let person: SyntheticFace | null = null;
  let item = -1;
  try {
    for (const [i, { a, b, factor }] of list.entries()) {
      if (shouldStop?.()) return null;
      const [own, other] = [labels[a]!, labels[b]!];
      if (own.item !== item) {
        person?.dispose();
        person = faceOfItem(stage, settings, own.item);
        item = own.item;
      }
      putPlanes(drawExchange(person!, own, other, factor), size, bytes, i, 'an exchange');
      onProgress?.(i + 1, list.length);
      // Signals are heard between pictures.
      if (i % 16 === 0) await new Promise(setImmediate);
    }
  } finally {
    person?.dispose();
  }
  return { list, pictures: scope(() => tensorFromBytes(bytes, 'uint8', [list.length, 3, size, size]).keep()) };
}

const FORMAT = 'headrace-exchanges-1';

/**
 * The exchanges to learn from, kept beside the set: drawn once, and found again by trainings of the same settings.
 * @returns null where it was asked to stop
 */
export async function exchangesOf(
  faces: Faces,
  each: number,
  seed: number,
  hooks: FaceHooks = {},
): Promise<ExactExchanges | null> {
  const path = join(faces.folder, 'exchanges.safetensors');
  const made = JSON.stringify({ format: FORMAT, clips: faces.train.length, each, seed });
  if (existsSync(path)) {
    const { tensors, metadata } = loadSafetensors(path);
    const pictures = tensors.get('pictures');
    if (metadata.made === made && pictures)
      return { list: JSON.parse(metadata.list ?? '[]') as ExactExchange[], pictures: keep(pictures) };
  }
  const list = planExchanges(faces.train, each, new Chance(seed).fork(0x5eed));
  const drawn = await drawExchanges(faces, list, hooks);
  if (drawn !== null)
    scope(() => saveSafetensors(path, [['pictures', drawn.pictures]], { made, list: JSON.stringify(list) }));
  return drawn;
}
