/** The person, with hair, apart from the background. */

import type { RgbImage } from '../../../media/frames.js';
import { figureOf, outsideOf } from './head-prior.js';
import { matte } from './matte.js';
import { resize, smoothstep } from './planes.js';
import { segment } from './segment.js';
import { checkHead, checkPicture, type PicturedHead } from './types.js';

export interface PersonMask {
  /** `[H * W]`, 0 to 1: how much of each pixel is the person; in between at hair and blurred edges. */
  readonly alpha: Float32Array;
  /** 0 to 1: how clearly the picture tells the person from the background. */
  readonly confidence: number;
  /** `'picture'`: by colours and edges. `'geometry'`: a smooth head and shoulders, since the background cannot be told apart. */
  readonly source: 'picture' | 'geometry';
}

/**
 * The person and their hair apart from the background. No network: a prior of head and shoulders from the face, and models of
 * the colours inside and outside. Where they contradict one another or the background looks like the person, the mask is a smooth
 * geometric one, and `source` says so.
 * @throws ConfigError, ShapeError
 */
export function personMask(picture: RgbImage, head: PicturedHead): PersonMask {
  const where = 'personMask';
  checkPicture(where, picture);
  checkHead(where, head);
  const { person, width, height, confidence } = segment(picture, head);
  if (confidence < leastConfidence) return { alpha: geometricMask(picture, head), confidence, source: 'geometry' };
  const large = resize(person, width, height, picture.width, picture.height);
  return { alpha: matte(picture, large, figureOf(head).frame.size), confidence, source: 'picture' };
}

const leastConfidence = 0.35;

/** A soft head with hair, neck and shoulders. */
export function geometricMask({ width, height }: RgbImage, head: PicturedHead): Float32Array {
  const figure = figureOf(head);
  const alpha = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const outside = outsideOf(figure, x + 0.5, y + 0.5);
      alpha[y * width + x] = smoothstep(0.75, 0.1, Math.min(outside.head, outside.body));
    }
  }
  return alpha;
}
