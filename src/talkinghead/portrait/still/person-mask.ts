/** The person, with hair, apart from the background. */

import type { RgbImage } from '../../../media/frames.js';
import { type HeadFrame, headFrame, inFrame } from './head-frame.js';
import { smoothstep } from './planes.js';
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
  return { alpha: geometricMask(picture, headFrame(head)), confidence: 0, source: 'geometry' };
}

/** A soft head with hair, neck and shoulders. */
function geometricMask({ width, height }: RgbImage, frame: HeadFrame): Float32Array {
  const alpha = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [across, down] = inFrame(frame, x + 0.5, y + 0.5);
      alpha[y * width + x] = smoothstep(0.6, -0.1, outsideOf(across, down));
    }
  }
  return alpha;
}

/** How far a place is outside of a head and shoulders, in eye distances; negative inside. */
function outsideOf(across: number, down: number): number {
  const skull = (Math.hypot(across / 1.45, (down - 0.1) / 2.1) - 1) * 1.45;
  const halfWidth = 0.85 + 2.4 * smoothstep(2.2, 3.9, down);
  const body = Math.max(Math.abs(across) - halfWidth, 1.2 - down);
  return Math.min(skull, body);
}
