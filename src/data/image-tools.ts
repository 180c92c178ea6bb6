/** What the image transforms share: checks, and arithmetic as Python and torchvision do it. */
import { ConfigError, ShapeError } from '../torch/errors.js';
import { expectList, expectTensor } from '../torch/expect.js';
import { cat, type Generator, rand, type Tensor, tensor } from '../torch/index.js';

/** Images in, images out: [B, C, H, W], of which B and C stay. */
export type ImageTransform = (images: Tensor, generator: Generator) => Tensor;

/** The sizes of a batch of images. @throws ShapeError for another number of dimensions */
export function sizes(images: Tensor, what: string): [number, number, number, number] {
  expectTensor(what, images, 'images');
  const { shape } = images;
  if (shape.length !== 4) throw new ShapeError(`${what}: expected images [B, C, H, W], got [${shape.join(', ')}]`);
  return shape as [number, number, number, number];
}

/** @throws ConfigError unless `value` lies in [least, most] */
export function checkNumber(value: number, least: number, most: number, what: string): number {
  if (value >= least && value <= most) return value;
  throw new ConfigError(`${what}: expected a number in [${least}, ${most}], got ${value}`);
}

/** @throws ConfigError unless `range` is [low, high] within [least, most], low <= high */
export function checkRange(range: readonly number[], least: number, most: number, what: string): [number, number] {
  expectList(what, range, 'a range in a list');
  const [low, high] = range as [number, number];
  if (range.length === 2 && low >= least && high <= most && low <= high) return [low, high];
  throw new ConfigError(`${what}: expected [low, high] within [${least}, ${most}], got ${JSON.stringify(range)}`);
}

/** One number for both sides, or [height, width]. @throws ConfigError unless they are whole and above 0 */
export function checkSides(size: number | readonly number[], what: string): [height: number, width: number] {
  const both = typeof size === 'number' ? [size, size] : size;
  expectList(what, both, 'whole pixels above 0, or [height, width]');
  if (both.length === 2 && both.every((side) => Number.isSafeInteger(side) && side > 0))
    return both as [number, number];
  throw new ConfigError(`${what}: expected whole pixels above 0, or [height, width], got ${JSON.stringify(size)}`);
}

/** Python's `round`: halves to the even neighbour. */
export function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

/** `rows` lists of `columns` numbers in [0, 1): drawn at once, so that later draws do not depend on how many were used. */
export function draws(generator: Generator, rows: number, columns: number): number[][] {
  return rand([rows, columns], { generator, dtype: 'float64' }).tolist() as number[][];
}

/** From a number in [0, 1) to one between `low` and `high`. */
export const between = (share: number, [low, high]: readonly [number, number]): number => low + share * (high - low);

/** One number an image, to multiply images by. */
export function perImage(values: readonly number[]): Tensor {
  return tensor(Float32Array.from(values), { shape: [values.length, 1, 1, 1] });
}

/** Runs `body` on floats; whole numbers come back rounded, and within a byte's range. */
export function asFloats(images: Tensor, body: (floats: Tensor) => Tensor): Tensor {
  if (images.dtype !== 'uint8') return body(images);
  return body(images.to({ dtype: 'float32' }))
    .round()
    .clamp(0, 255)
    .to({ dtype: 'uint8' });
}

/** The greatest value of a pixel. */
export const bound = (images: Tensor): number => (images.dtype === 'uint8' ? 255 : 1);

/** Each image by itself, [1, C, H, W], put together again. */
export function eachImage(images: Tensor, change: (image: Tensor, i: number) => Tensor): Tensor {
  const [batch] = images.shape;
  return cat(
    Array.from({ length: batch as number }, (_, i) => change(images.narrow(0, i, 1), i)),
    0,
  );
}

/** Replaces the images of some numbers by what `change` makes of them, all at once. */
export function changeSome(images: Tensor, chosen: readonly number[], change: (some: Tensor) => Tensor): Tensor {
  if (chosen.length === 0) return images;
  if (chosen.length === images.shape[0]) return change(images);
  const index = tensor(BigInt64Array.from(chosen, BigInt));
  return images.indexCopy(0, index, change(images.indexSelect(0, index)));
}
