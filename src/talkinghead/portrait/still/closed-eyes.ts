/** The photograph with its eyes closed, for lids to be taken from. */

import type { RgbImage } from '../../../media/frames.js';
import { mapInto } from '../../../media/map-into.js';
import { misfit } from '../../../torch/expect.js';
import { checkFinite } from '../../render/checks.js';
import { quantile } from './light.js';
import { blur, distanceTo, distanceToLine, fillPolygon, smoothstep } from './planes.js';
import { pullPush } from './pull-push.js';
import { calmTexture, textureAt } from './texture.js';
import { checkNumbers, checkPicture, luma, pictureOf, planesOf } from './types.js';

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
 * All in eye distances. How far around an opening everything is made anew, how far dark lashes and liner are, and over how much that
 * ends: less would leave the soft rim of what is dark as a line.
 */
const [around, lashesReach, softness] = [0.06, 0.13, 0.03];

/**
 * The photograph with closed eyes: eyeballs, lashes and creases give way to the skin around, with its grain and the shading of
 * a lid's bulge, and lashes lie along the line where the lids meet. What is further than a quarter of the eyes' distance
 * from their openings and margins stays as it is.
 * @param eyeDistance - pixels between the eyes' centres
 * @throws ConfigError, ShapeError
 */
export function closedEyes(picture: RgbImage, eyes: readonly EyeToClose[], eyeDistance: number): RgbImage {
  const where = 'closedEyes';
  checkPicture(where, picture);
  checkFinite(where, 'eyeDistance', eyeDistance, 0);
  if (!Array.isArray(eyes)) throw misfit(where, 'a list of eyes', eyes);
  for (const { opening, margin } of eyes as readonly EyeToClose[]) {
    checkNumbers(where, 'opening', opening, 2);
    checkNumbers(where, 'margin', margin, 2);
  }
  const box = boxAround(eyes, eyeDistance, picture);
  const data = Uint8Array.from(picture.data);
  if (box.width > 0 && box.height > 0)
    paste(
      close(
        crop(picture, box),
        eyes.map((eye) => moved(eye, box)),
        eyeDistance,
      ),
      box,
      data,
      picture.width,
    );
  return { width: picture.width, height: picture.height, data };
}

function close(picture: RgbImage, eyes: readonly EyeToClose[], eyeDistance: number): RgbImage {
  const { width, height } = picture;
  const planes = planesOf(picture);
  const opened = new Uint8Array(width * height);
  for (const { opening } of eyes) fillPolygon(opened, width, height, opening);
  const away = distanceTo(opened, width, height);
  const gone = goneWithTheEyes(picture, away, lashesOf(eyes, away, width, height, eyeDistance), eyeDistance);
  const known = mapInto(new Float32Array(gone.length), gone, (value) => 1 - value);
  const skin = pullPush(planes, known, width, height);
  const share = blur(Float32Array.from(gone), width, height, softness * eyeDistance);
  const texture = calmTexture(planes, Uint8Array.from(known), width, height, Math.max(8, 0.3 * eyeDistance));
  const lash = darkColour(picture, opened);
  const shading = lidShading(eyes, width, height, eyeDistance);
  const out = planes.map((plane, c) =>
    plane.map((value, i) => {
      if (!(shading.reach[i]! || away[i]! < 0.25 * eyeDistance)) return value;
      const weight = Math.max(gone[i]!, smoothstep(0, 1, share[i]!));
      const grain = texture ? textureAt(texture, c, i % width, Math.floor(i / width)) : 0;
      const lid = (skin[c]![i]! + grain) * shading.light[i]!;
      const closed = value * (1 - weight) + lid * weight;
      return closed + (Math.min(closed, lash[c]!) - closed) * shading.lash[i]!;
    }),
  );
  return pictureOf([out[0]!, out[1]!, out[2]!], width, height);
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** All that the eyes' skin is taken from: 0.6 eye distances around them. */
function boxAround(eyes: readonly EyeToClose[], eyeDistance: number, { width, height }: RgbImage): Box {
  const points = eyes.flatMap(({ opening, margin }) => [...opening, ...margin]);
  const side = (from: 0 | 1, size: number): [first: number, end: number] => {
    const values = points.filter((_, k) => k % 2 === from);
    const first = Math.max(0, Math.floor(Math.min(...values) - 0.6 * eyeDistance));
    return [first, Math.min(size, Math.ceil(Math.max(...values) + 0.6 * eyeDistance))];
  };
  const [left, right] = side(0, width);
  const [top, bottom] = side(1, height);
  return { left, top, width: right - left, height: bottom - top };
}

function moved({ opening, margin }: EyeToClose, { left, top }: Box): EyeToClose {
  const shift = (points: Float32Array): Float32Array => points.map((value, k) => value - (k % 2 === 0 ? left : top));
  return { opening: shift(opening), margin: shift(margin) };
}

function crop({ data, width: stride }: RgbImage, { left, top, width, height }: Box): RgbImage {
  const out = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    const from = 3 * ((top + y) * stride + left);
    out.set(data.subarray(from, from + 3 * width), 3 * y * width);
  }
  return { width, height, data: out };
}

function paste({ data }: RgbImage, { left, top, width, height }: Box, into: Uint8Array, stride: number): void {
  for (let y = 0; y < height; y++)
    into.set(data.subarray(3 * y * width, 3 * (y + 1) * width), 3 * ((top + y) * stride + left));
}

/** Where lashes and liner may be: around the openings, and further beyond the corners, but not up to the brows. */
function lashesOf(
  eyes: readonly EyeToClose[],
  away: Float32Array,
  width: number,
  height: number,
  eyeDistance: number,
): Uint8Array {
  const set = mapInto(new Uint8Array(away.length), away, (distance) => (distance <= lashesReach * eyeDistance ? 1 : 0));
  for (const { margin } of eyes) {
    const [ax, ay, bx, by] = [margin[0]!, margin[1]!, margin.at(-2)!, margin.at(-1)!];
    const more = (0.14 * eyeDistance) / Math.max(1, Math.hypot(bx - ax, by - ay));
    const [dx, dy] = [more * (bx - ax), more * (by - ay)];
    const line = distanceToLine([ax - dx, ay - dy, bx + dx, by + dy], width, height, 0.11 * eyeDistance);
    for (let i = 0; i < set.length; i++) if (line[i]! < Infinity) set[i] = 1;
  }
  return set;
}

/** The openings, a little more, and near them what is darker than the skin: lashes, liner, the crease. */
function goneWithTheEyes(picture: RgbImage, away: Float32Array, lashes: Uint8Array, eyeDistance: number): Uint8Array {
  const { width, height } = picture;
  const bright = blur(luma(picture), width, height, Math.max(0.5, 0.008 * eyeDistance));
  const near = Array.from(away.keys()).filter(
    (i) => away[i]! > around * eyeDistance && away[i]! < 1.5 * lashesReach * eyeDistance,
  );
  const skin = quantile(
    near.map((i) => bright[i]!),
    0.6,
  );
  const isDark = mapInto(new Uint8Array(bright.length), bright, (value) => (value < 0.8 * skin ? 1 : 0));
  const core = mapInto(new Uint8Array(away.length), away, (distance, i) =>
    distance <= around * eyeDistance || (lashes[i] && isDark[i]) ? 1 : 0,
  );
  // What little is left between lashes goes too.
  const toCore = distanceTo(core, width, height);
  return core.map((_, i) => (toCore[i]! <= 0.03 * eyeDistance && lashes[i] ? 1 : 0));
}

interface LidShading {
  /** What light does to the skin of the lid: 1 where nothing. */
  readonly light: Float32Array;
  /** How much of a pixel is lash. */
  readonly lash: Float32Array;
  /** Not 0 where either may differ. */
  readonly reach: Uint8Array;
}

/** A lid is a part of a ball: lighter where it bulges, darker towards the lashes; and a soft line of lashes that ends thinly. */
function lidShading(eyes: readonly EyeToClose[], width: number, height: number, eyeDistance: number): LidShading {
  const light = new Float32Array(width * height).fill(1);
  const lash = new Float32Array(width * height);
  const reach = new Uint8Array(width * height);
  const far = 0.18 * eyeDistance;
  for (const { margin } of eyes) {
    const line = rounded(margin);
    const away = distanceToLine(line, width, height, far);
    const [left, right] = [
      [line[0]!, line[1]!],
      [line.at(-2)!, line.at(-1)!],
    ] as const;
    const half = Math.max(1, Math.hypot(right[0] - left[0], right[1] - left[1]) / 2);
    for (let i = 0; i < away.length; i++) {
      if (!(away[i]! < far)) continue;
      const [x, y] = [(i % width) + 0.5, Math.floor(i / width) + 0.5];
      const inwards = Math.min(Math.hypot(x - left[0], y - left[1]), Math.hypot(x - right[0], y - right[1])) / half;
      const middle = smoothstep(0, 0.7, inwards);
      const at = away[i]! / eyeDistance;
      const bulge = 0.06 * Math.exp(-(((at - 0.09) / 0.04) ** 2)) - 0.1 * Math.exp(-((at / 0.04) ** 2));
      light[i]! *= 1 + middle * bulge * smoothstep(0.18, 0.13, at);
      const thickness = 0.006 + 0.009 * middle;
      lash[i] = Math.max(lash[i]!, 0.78 * (0.35 + 0.65 * middle) * smoothstep(2 * thickness, 0.3 * thickness, at));
      reach[i] = 1;
    }
  }
  const soft = blur(lash, width, height, Math.max(0.45, 0.004 * eyeDistance));
  return { light, lash: soft.map((value, i) => (reach[i] ? value : 0)), reach };
}

/** A line with its corners cut three times (Chaikin, 1974); its ends stay. */
function rounded(line: Float32Array): Float32Array {
  let points = Array.from({ length: line.length / 2 }, (_, k) => [line[2 * k]!, line[2 * k + 1]!] as const);
  for (let round = 0; round < 3 && points.length > 2; round++) {
    const cut: (readonly [number, number])[] = [points[0]!];
    for (let k = 1; k < points.length; k++) {
      const [[ax, ay], [bx, by]] = [points[k - 1]!, points[k]!];
      cut.push([0.75 * ax + 0.25 * bx, 0.75 * ay + 0.25 * by], [0.25 * ax + 0.75 * bx, 0.25 * ay + 0.75 * by]);
    }
    cut.push(points.at(-1)!);
    points = cut;
  }
  return Float32Array.from(points.flat());
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
