/** The photograph with its eyes closed, for lids to be taken from. */

import type { RgbImage } from '../../../media/frames.js';
import { misfit } from '../../../torch/expect.js';
import { checkFinite } from '../../render/checks.js';
import { inpaint } from './inpaint.js';
import { quantile } from './light.js';
import { distanceTo, distanceToLine, fillPolygon } from './planes.js';
import { checkNumbers, checkPicture } from './types.js';

/** An eye in the photograph. */
export interface EyeToClose {
  /** The outline of what is seen between the open lids, `[x0, y0, x1, y1, ..]` in pixels, closed by itself; from 3 points. */
  readonly opening: Float32Array;
  /**
   * Where the lids meet once closed: from the corner at the viewer's left to that at the right, from 2 points, in pixels, such
   * as the projected upper lid's border with `eyeBlinkLeft` or `eyeBlinkRight` at 1.
   */
  readonly margin: Float32Array;
}

/**
 * The photograph with closed eyes: eyeballs and lashes give way to skin of the upper lid, with its grain, and lashes lie along
 * the line where the lids meet. What is further than a fifth of an eye's width from the eyes stays as it is.
 * @param eyeDistance - pixels between the eyes' centres: the scale of lashes
 * @throws ConfigError, ShapeError
 */
export function closedEyes(picture: RgbImage, eyes: readonly EyeToClose[], eyeDistance: number): RgbImage {
  const where = 'closedEyes';
  checkPicture(where, picture);
  checkFinite(where, 'eyeDistance', eyeDistance, 0);
  if (!Array.isArray(eyes)) throw misfit(where, 'a list of eyes', eyes);
  const { width, height } = picture;
  const hole = new Uint8Array(width * height);
  const lash = new Float32Array(width * height);
  for (const eye of eyes as readonly EyeToClose[]) {
    checkNumbers(where, 'opening', eye.opening, 2);
    checkNumbers(where, 'margin', eye.margin, 2);
    fillPolygon(hole, width, height, eye.opening);
    const reach = eyeDistance * 0.03;
    const away = distanceToLine(eye.margin, width, height, reach);
    for (let i = 0; i < lash.length; i++) if (away[i]! < reach) lash[i] = Math.max(lash[i]!, 1 - away[i]! / reach);
  }
  const around = distanceTo(hole, width, height);
  const grown = hole.map((_, i) => (around[i]! <= eyeDistance * 0.07 ? 1 : 0));
  const closed = inpaint(picture, grown, Math.max(3, eyeDistance * 0.05));
  const dark = darkColour(picture, hole);
  for (let i = 0; i < lash.length; i++) {
    const share = 0.75 * lash[i]!;
    if (share > 0)
      for (let c = 0; c < 3; c++)
        closed.data[3 * i + c] = Math.round((1 - share) * closed.data[3 * i + c]! + share * dark[c]!);
  }
  return closed;
}

/** Of lashes and pupils: the sixth percentile within the eyes. */
function darkColour({ data }: RgbImage, set: Uint8Array): number[] {
  const inside = Array.from(set.keys()).filter((i) => set[i]);
  return [0, 1, 2].map((c) =>
    quantile(
      inside.map((i) => data[3 * i + c]!),
      0.06,
    ),
  );
}
