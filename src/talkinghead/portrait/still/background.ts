/** What is behind the person. */

import type { RgbImage } from '../../../media/frames.js';
import { mapInto } from '../../../media/map-into.js';
import { ShapeError } from '../../../torch/index.js';
import { distanceTo, smoothstep } from './planes.js';
import { pullPush } from './pull-push.js';
import { calmTexture, textureAt } from './texture.js';
import { checkPicture, checkPlane, type Planes, pictureOf, planesOf } from './types.js';

/** Of the person, at least, where a pixel is taken to show them. */
const traces = 0.004;

/**
 * The picture without the person: where the mask is 0 it is the photograph's own; elsewhere it is filled smoothly from around,
 * a little away from the person so that no hair is spread, and has the background's own grain.
 * @param mask - `[H * W]`, 0 to 1, as `personMask` gives it; where it leaves no background, the picture comes back as it is
 * @throws ConfigError, ShapeError
 */
export function fillBackground(picture: RgbImage, mask: Float32Array): RgbImage {
  const where = 'fillBackground';
  checkPicture(where, picture);
  checkPlane(where, 'mask', picture, mask);
  const { width, height } = picture;
  const person = mapInto(new Uint8Array(mask.length), mask, (alpha) => (alpha > traces ? 1 : 0));
  const away = distanceTo(person, width, height);
  const margin = 0.008 * Math.max(width, height) + 1;
  let known = away.map((distance) => smoothstep(0.3 * margin, margin, distance));
  if (!known.some((value) => value > 0)) known = away.map((distance) => (distance > 0 ? 1 : 0));
  const planes = planesOf(picture);
  const filled = pullPush(planes, known, width, height);
  const sure = mapInto(new Uint8Array(known.length), known, (value) => (value >= 1 ? 1 : 0));
  const texture = calmTexture(planes, sure, width, height, 48);
  for (const [c, plane] of filled.entries()) {
    for (let i = 0; i < plane.length; i++) {
      if (!person[i]) plane[i] = planes[c]![i]!;
      else if (texture) plane[i]! += textureAt(texture, c, i % width, Math.floor(i / width));
    }
  }
  return pictureOf(filled, width, height);
}

/** A photograph as two layers. */
export interface Layers {
  /** The person's own colours, the background's taken out of hair and edges; where the mask is 0, the nearest of them. */
  readonly person: RgbImage;
  /** As `fillBackground` makes it, mended so that both together are the photograph. */
  readonly background: RgbImage;
}

/**
 * The photograph as person and background: `mask * person + (1 - mask) * background` gives it back, within one level of 255
 * where the mask is soft, exactly where it is 0 or 1.
 * @param background - what `fillBackground` made of the same picture and mask; by default it is made here
 * @throws ConfigError, ShapeError
 */
export function splitLayers(picture: RgbImage, mask: Float32Array, background?: RgbImage): Layers {
  const where = 'splitLayers';
  checkPicture(where, picture);
  checkPlane(where, 'mask', picture, mask);
  const { width, height } = picture;
  if (background !== undefined) {
    checkPicture(where, background);
    if (background.width !== width || background.height !== height)
      throw new ShapeError(
        `${where}: expected a background of ${width} x ${height}, got ${background.width} x ${background.height}`,
      );
  }
  const whole = planesOf(picture);
  const behind = planesOf(background ?? fillBackground(picture, mask));
  const sure = mask.map((alpha) => smoothstep(0.95, 1, alpha));
  const own = pullPush(whole, sure, width, height).map((plane) => Float32Array.from(plane)) as unknown as Planes;
  for (let c = 0; c < 3; c++)
    for (let i = 0; i < mask.length; i++)
      [own[c]![i], behind[c]![i]] = parts(whole[c]![i]!, own[c]![i]!, behind[c]![i]!, mask[i]!);
  return { person: pictureOf(own, width, height), background: pictureOf(behind, width, height) };
}

/** The nearest colours to these of person and background that make up what is seen, within the range of colours. */
function parts(seen: number, own: number, behind: number, alpha: number): [own: number, behind: number] {
  if (alpha <= 0) return [own, seen];
  if (alpha >= 1) return [seen, behind];
  const missing = seen - alpha * own - (1 - alpha) * behind;
  const norm = alpha * alpha + (1 - alpha) ** 2;
  const person = level(own + (missing * alpha) / norm);
  const rest = (seen - alpha * person) / (1 - alpha);
  if (rest >= 0 && rest <= 255) return [person, rest];
  const background = level(rest);
  return [level((seen - (1 - alpha) * background) / alpha), background];
}

const level = (value: number): number => Math.min(255, Math.max(0, Math.round(value)));
