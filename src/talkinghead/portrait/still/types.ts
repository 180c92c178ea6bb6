/** What the stills are made of: a picture's pixels, and where its face is. */

import type { RgbImage } from '../../../media/frames.js';
import { misfit } from '../../../torch/expect.js';
import { ShapeError } from '../../../torch/index.js';

/** Red, green and blue, 0 to 255, not rounded. */
export type Rgb = readonly [red: number, green: number, blue: number];

/** Where a photograph shows a head. A `FaceFit` is one. */
export interface PicturedHead {
  /** The 68 landmarks, x and y in pixels, `[136]`; (0, 0) is the upper left corner of the first pixel. */
  readonly landmarks: Float32Array;
}

/** @throws ConfigError, ShapeError unless it is a picture of 8-bit pixels */
export function checkPicture(where: string, picture: RgbImage): void {
  if (typeof picture !== 'object' || picture === null || !(picture.data instanceof Uint8Array))
    throw misfit(where, 'a picture { width, height, data } of bytes', picture);
  const { width, height, data } = picture;
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0))
    throw new ShapeError(`${where}: expected a picture with pixels, got ${width} x ${height}`);
  if (data.length !== 3 * width * height)
    throw new ShapeError(
      `${where}: expected ${3 * width * height} bytes for ${width} x ${height} RGB pixels, got ${data.length}`,
    );
}

/** @throws ConfigError, ShapeError unless there is one number a pixel, all of them finite */
export function checkPlane(
  where: string,
  name: string,
  { width, height }: RgbImage,
  plane: Float32Array | Uint8Array,
): void {
  if (!(plane instanceof Float32Array || plane instanceof Uint8Array))
    throw misfit(where, `${name} in a typed array, one number a pixel`, plane);
  if (plane.length !== width * height)
    throw new ShapeError(`${where}: expected ${name} of ${width * height} numbers, one a pixel, got ${plane.length}`);
  const wrong = plane.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) throw new ShapeError(`${where}: expected ${name} of finite numbers, got ${plane[wrong]} at ${wrong}`);
}

/** @throws ConfigError, ShapeError unless it is a list of finite numbers, `each` of them together, `count` such groups */
export function checkNumbers(where: string, name: string, values: Float32Array, each: number, count?: number): void {
  if (!(values instanceof Float32Array)) throw misfit(where, `${name} in a Float32Array`, values);
  const expected = count === undefined ? `a multiple of ${each}` : `${each * count}`;
  if (values.length % each !== 0 || (count !== undefined && values.length !== each * count))
    throw new ShapeError(`${where}: expected ${name} of ${expected} numbers, got ${values.length}`);
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0)
    throw new ShapeError(`${where}: expected ${name} of finite numbers, got ${values[wrong]} at ${wrong}`);
}

/** @throws ConfigError, ShapeError unless there are 68 landmarks */
export function checkHead(where: string, head: PicturedHead): void {
  if (typeof head !== 'object' || head === null) throw misfit(where, 'a head with landmarks, such as a FaceFit', head);
  checkNumbers(where, 'landmarks', head.landmarks, 2, 68);
}

/** A picture's channels apart, as floats: `[3]` planes of `width * height`. */
export type Planes = readonly [Float32Array, Float32Array, Float32Array];

export function planesOf(picture: RgbImage): Planes {
  return [planeOf(picture, 0), planeOf(picture, 1), planeOf(picture, 2)];
}

/** One of the channels, 0 to 2. */
export function planeOf({ data }: RgbImage, channel: number): Float32Array {
  const plane = new Float32Array(data.length / 3);
  for (let i = 0; i < plane.length; i++) plane[i] = data[3 * i + channel]!;
  return plane;
}

/** Rounded, and cut at 0 and 255. */
export function pictureOf(planes: Planes, width: number, height: number): RgbImage {
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++)
    for (let c = 0; c < 3; c++) data[3 * i + c] = Math.min(255, Math.max(0, Math.round(planes[c]![i]!)));
  return { width, height, data };
}

/** Brightness (Rec. 601, as coded), 0 to 255. */
export function luma({ data }: RgbImage): Float32Array {
  const plane = new Float32Array(data.length / 3);
  for (let i = 0; i < plane.length; i++)
    plane[i] = 0.299 * data[3 * i]! + 0.587 * data[3 * i + 1]! + 0.114 * data[3 * i + 2]!;
  return plane;
}
