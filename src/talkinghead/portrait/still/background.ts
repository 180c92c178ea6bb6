/** What is behind the person. */

import type { RgbImage } from '../../../media/frames.js';
import { pullPush } from './pull-push.js';
import { checkPicture, checkPlane, type Planes, pictureOf, planesOf } from './types.js';

/**
 * The picture without the person: where the mask is 0 it is the photograph's own, elsewhere it is filled from around.
 * @param mask - `[H * W]`, 0 to 1, as `personMask` gives it
 * @throws ConfigError, ShapeError
 */
export function fillBackground(picture: RgbImage, mask: Float32Array): RgbImage {
  const where = 'fillBackground';
  checkPicture(where, picture);
  checkPlane(where, 'mask', picture, mask);
  const { width, height } = picture;
  const known = mask.map((alpha) => (alpha < 0.004 ? 1 : 0));
  const planes = planesOf(picture);
  return pictureOf(pullPush(planes, known, width, height) as unknown as Planes, width, height);
}

/** A photograph as two layers. */
export interface Layers {
  /** The person's own colours, the background's taken out of hair and edges; where the mask is 0, the nearest of them. */
  readonly person: RgbImage;
  /** As `fillBackground` makes it, mended so that both together are the photograph. */
  readonly background: RgbImage;
}

/**
 * The photograph as person and background: `mask * person + (1 - mask) * background` gives it back, within a level and a half
 * of 255 where the mask is soft, exactly where it is 0 or 1.
 * @param background - what `fillBackground` made of the same picture and mask; by default it is made here
 * @throws ConfigError, ShapeError
 */
export function splitLayers(picture: RgbImage, mask: Float32Array, background?: RgbImage): Layers {
  const where = 'splitLayers';
  checkPicture(where, picture);
  checkPlane(where, 'mask', picture, mask);
  const { width, height } = picture;
  const behind = planesOf(background ?? fillBackground(picture, mask));
  const whole = planesOf(picture);
  const own = whole.map((plane, c) => plane.map((value, i) => ownColour(value, behind[c]![i]!, mask[i]!)));
  for (const [c, plane] of behind.entries()) {
    for (let i = 0; i < plane.length; i++) {
      const alpha = mask[i]!;
      if (alpha > 0 && alpha < 1) plane[i] = (whole[c]![i]! - alpha * Math.round(own[c]![i]!)) / (1 - alpha);
      else if (alpha <= 0) plane[i] = whole[c]![i]!;
    }
  }
  const sure = mask.map((alpha) => (alpha > 0.05 ? 1 : 0));
  const person = pullPush(own as unknown as Planes, sure, width, height);
  for (const [c, plane] of person.entries())
    for (let i = 0; i < plane.length; i++) if (mask[i]! > 0) plane[i] = own[c]![i]!;
  return { person: pictureOf(person, width, height), background: pictureOf(behind, width, height) };
}

/** What the person adds to a pixel, within the range of colours. */
function ownColour(seen: number, behind: number, alpha: number): number {
  if (alpha <= 0 || alpha >= 1) return seen;
  return Math.min(255, Math.max(0, (seen - (1 - alpha) * behind) / alpha));
}
