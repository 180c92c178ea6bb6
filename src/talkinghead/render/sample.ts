/** A picture looked up in between its pixels. */
import { misfit } from '../../torch/expect.js';
import { checkOptions, op, ShapeError, scope, type Tensor } from '../../torch/index.js';
import { checkChoice, checkFinite } from './checks.js';
import { plainTensor, writable } from './mesh.js';

export interface SampleOptions {
  /** From the nearest 16 pixels or the nearest 4; `'bicubic'` by default. */
  readonly interpolation?: 'bicubic' | 'bilinear';
  /**
   * The bicubic kernel's a. By default -0.5, Keys' choice (also called Catmull-Rom), the only one that gives straight slopes
   * back exactly. -0.75, which PyTorch and OpenCV have, is sharper, and leaves a ripple on slopes and darker seams at edges. From -2 to 0.
   */
  readonly sharpness?: number;
  /** Where the channels stand in picture and result: `[H, W, C]` by default, or `[C, H, W]`. */
  readonly channels?: 'last' | 'first';
  /** `[h, w]` of bool: which pixels of the result to make; by default all. */
  readonly mask?: Tensor;
  /** The result to write to, which keeps its other pixels; by default a new one of zeros. */
  readonly into?: Tensor;
}

const optionNames = ['interpolation', 'sharpness', 'channels', 'mask', 'into'] as const;

/**
 * The picture that has in each pixel what `picture` has at a place: `(0, 0)` is the upper left corner of its first pixel,
 * whose centre is `(0.5, 0.5)`. A place at a pixel's centre gives that pixel exactly; beyond the borders the outermost pixels
 * go on. A place that is not a number (NaN) counts as outside of the mask.
 *
 * @param picture - `[H, W, C]` or `[C, H, W]`, of uint8 or float32
 * @param map - `[h, w, 2]` float32: x and y, in pixels of `picture`
 * @returns `[h, w, C]` or `[C, h, w]`, of the picture's dtype; bytes are rounded, and cut at 0 and 255
 * @throws ConfigError, ShapeError for arguments of another kind; TorchError where `into` shares its memory with another
 */
export function sample(picture: Tensor, map: Tensor, options: SampleOptions = {}): Tensor {
  const where = 'sample';
  checkOptions(where, options, optionNames);
  const interpolation = checkChoice(where, 'interpolation', options.interpolation ?? 'bicubic', [
    'bicubic',
    'bilinear',
  ]);
  const first = checkChoice(where, 'channels', options.channels ?? 'last', ['last', 'first']) === 'first';
  const slope = checkFinite(where, 'sharpness', options.sharpness ?? -0.5);
  if (slope < -2 || slope > 0) throw misfit(where, 'sharpness from -2 to 0', slope);
  return scope(() => {
    const from = plainTensor(where, 'picture', picture, ['uint8', 'float32'], [null, null, null]);
    const places = plainTensor(where, 'map', map, 'float32', [null, null, 2]);
    const [height, width] = places.shape as [number, number, number];
    const mask = options.mask ? plainTensor(where, 'mask', options.mask, 'bool', [height, width]) : null;
    const sizes = from.shape as [number, number, number];
    const [channels, rows, columns] = first ? sizes : [sizes[2], sizes[0], sizes[1]];
    if (rows === 0 || columns === 0) throw new ShapeError(`${where}: expected a picture with pixels, got [${sizes}]`);
    const shape = first ? [channels, height, width] : [height, width, channels];
    const out = writable(where, options.into, from.dtype as 'uint8' | 'float32', shape);
    const sharpness = interpolation === 'bicubic' ? slope : null;
    op('headrace::sample')(from, places, mask, first, sharpness, out);
    return out;
  });
}
