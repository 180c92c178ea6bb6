/** The colours of a mouth's inside in a photograph's light. */

import type { RgbImage } from '../../../media/frames.js';
import { checkOptions } from '../../../torch/index.js';
import { headFrame } from './head-frame.js';
import { quantile } from './light.js';
import { fillPolygon } from './planes.js';
import { lipPixels, type OwnTeeth, ownTeeth } from './teeth.js';
import { checkHead, checkPicture, type PicturedHead, type Rgb } from './types.js';

export interface MouthColourOptions {
  /** The skin's median colour, such as `lightOf` gives; by default that of the cheeks. */
  readonly skin?: Rgb;
  /** How bright well-lit skin is, 0 to 1, such as `lightOf` gives; by default by the cheeks. */
  readonly bright?: number;
}

/** Colours as lit from the front, before any shadow of the mouth. */
export interface MouthColours {
  readonly skin: Rgb;
  readonly lip: Rgb;
  readonly teeth: Rgb;
  readonly gums: Rgb;
  readonly tongue: Rgb;
  /** The cheeks' insides and the throat. */
  readonly socket: Rgb;
  /** What the photograph shows of the person's own teeth. */
  readonly ownTeeth: OwnTeeth;
}

/**
 * What a mouth's inside looks like in the light of the photograph: its tint is taken from skin and lips, its brightness from
 * the well-lit skin, and the teeth from the photograph where it shows them.
 * @throws ConfigError, ShapeError
 */
export function mouthColours(picture: RgbImage, head: PicturedHead, options: MouthColourOptions = {}): MouthColours {
  const where = 'mouthColours';
  checkPicture(where, picture);
  checkHead(where, head);
  checkOptions(where, options, ['skin', 'bright']);
  const cheeks = cheekPixels(picture, head);
  const skin = options.skin ?? medianColour(picture, cheeks) ?? [190, 150, 130];
  const lips = lipPixels(picture, head);
  const lip = medianColour(picture, lips) ?? skin;
  const mean = (skin[0] + skin[1] + skin[2]) / 3;
  const bright = options.bright === undefined ? mean * 1.1 : options.bright * 255;
  const own = ownTeeth(picture, head);
  const pale = skin.map((value) => mean + 0.35 * (value - mean)) as unknown as Rgb;
  const level = Math.min(220, Math.max(55, bright * 0.92)) / Math.max(...pale, 1);
  const teeth = own.colour ?? scaled(pale, level);
  const gums: Rgb = [lip[0] * 0.62 + 14, lip[1] * 0.62 + 4, lip[2] * 0.62 + 6];
  const tongue: Rgb = [lip[0] * 0.72 + 10, lip[1] * 0.66 + 4, lip[2] * 0.66 + 5];
  return { skin, lip, teeth, gums, tongue, socket: scaled(lip, 0.32), ownTeeth: own };
}

const scaled = (colour: Rgb, by: number): Rgb => [colour[0] * by, colour[1] * by, colour[2] * by];

/** Below the eyes, beside the nose. */
function cheekPixels({ width, height }: RgbImage, head: PicturedHead): Uint8Array {
  const frame = headFrame(head);
  const set = new Uint8Array(width * height);
  for (const side of [-1, 1]) {
    const outline = [];
    for (const [across, down] of [
      [0.3, 0.35],
      [0.65, 0.3],
      [0.65, 0.65],
      [0.4, 0.7],
    ] as const)
      for (const c of [0, 1] as const)
        outline.push(
          (c === 0 ? frame.x : frame.y) + frame.size * (side * across * frame.right[c] + down * frame.down[c]),
        );
    fillPolygon(set, width, height, outline);
  }
  return set;
}

function medianColour({ data }: RgbImage, set: Uint8Array): Rgb | null {
  const inside = Array.from(set.keys()).filter((i) => set[i]);
  if (inside.length === 0) return null;
  const median = (c: number): number =>
    quantile(
      inside.map((i) => data[3 * i + c]!),
      0.5,
    );
  return [median(0), median(1), median(2)];
}
