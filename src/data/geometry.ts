/** Transforms that move pixels; names, parameters and formulas are torchvision's (`torchvision.transforms`, on tensors). */
import { ConfigError } from '../torch/errors.js';
import { checkOptions, linspace, ones, ops, rand, type Tensor, tensor, where } from '../torch/index.js';
import { checkInteger } from './dataset.js';
import {
  asFloats,
  between,
  checkNumber,
  checkRange,
  checkSides,
  draws,
  eachImage,
  type ImageTransform,
  roundHalfEven,
  sizes,
} from './image-tools.js';

export type Interpolation = 'nearest' | 'bilinear' | 'bicubic';

const interpolations: readonly Interpolation[] = ['nearest', 'bilinear', 'bicubic'];

export interface ResizeOptions {
  /** Default `'bilinear'`. */
  readonly interpolation?: Interpolation;
  /** Average over what a pixel covers when images shrink; default true, as torchvision's. */
  readonly antialias?: boolean;
}

/**
 * To one size (torchvision's Resize).
 * @param size of the shorter side, the other in proportion; or [height, width]
 */
export function resize(size: number | readonly [number, number], options: ResizeOptions = {}): ImageTransform {
  checkOptions('resize', options, ['interpolation', 'antialias']);
  checkSides(size, 'resize');
  const scaled = scaler(options, 'resize');
  return (images) => {
    const [, , height, width] = sizes(images, 'resize');
    return scaled(images, typeof size === 'number' ? shorterSide(size, height, width) : size);
  };
}

function shorterSide(size: number, height: number, width: number): [number, number] {
  const long = Math.trunc((size * Math.max(height, width)) / Math.min(height, width));
  return width <= height ? [long, size] : [size, long];
}

function scaler(options: ResizeOptions, what: string): (images: Tensor, size: readonly [number, number]) => Tensor {
  const { interpolation = 'bilinear', antialias = true } = options;
  if (!interpolations.includes(interpolation)) {
    throw new ConfigError(
      `${what}: expected an interpolation among ${interpolations.join(', ')}, got ${interpolation}`,
    );
  }
  return (images, [height, width]) => {
    if (images.shape[2] === height && images.shape[3] === width) return images;
    return asFloats(images, (x) => {
      if (interpolation === 'nearest') return ops.upsampleNearest2d(x, [height, width]);
      if (interpolation === 'bilinear') {
        return antialias
          ? ops._upsampleBilinear2dAa(x, [height, width], false)
          : ops.upsampleBilinear2d(x, [height, width], false);
      }
      return antialias
        ? ops._upsampleBicubic2dAa(x, [height, width], false)
        : ops.upsampleBicubic2d(x, [height, width], false);
    });
  };
}

/** The middle of each image; smaller images are padded with 0 (torchvision's CenterCrop). @param size one side, or [height, width] */
export function centerCrop(size: number | readonly [number, number]): ImageTransform {
  const [rows, columns] = checkSides(size, 'centerCrop');
  return (images) => {
    const [, , height, width] = sizes(images, 'centerCrop');
    const short = [Math.max(0, columns - width), Math.max(0, rows - height)] as const;
    const [left, top] = short.map((missing) => Math.floor(missing / 2)) as [number, number];
    const padding = [left, short[0] - left, top, short[1] - top];
    const padded = padding.some((pixels) => pixels > 0) ? ops.constantPadNd(images, padding, 0) : images;
    const at = (whole: number, part: number): number => roundHalfEven((whole - part) / 2);
    const down = padded.narrow(2, at(Math.max(height, rows), rows), rows);
    return down.narrow(3, at(Math.max(width, columns), columns), columns).contiguous();
  };
}

export interface RandomResizedCropOptions extends ResizeOptions {
  /** Share of the image's area that is cut out; default [0.08, 1]. */
  readonly scale?: readonly [number, number];
  /** Width / height of what is cut out; default [3/4, 4/3]. */
  readonly ratio?: readonly [number, number];
}

/** A window of random area and shape, resized (torchvision's RandomResizedCrop). @param size one side, or [height, width] */
export function randomResizedCrop(
  size: number | readonly [number, number],
  options: RandomResizedCropOptions = {},
): ImageTransform {
  checkOptions('randomResizedCrop', options, ['scale', 'ratio', 'interpolation', 'antialias']);
  const target = checkSides(size, 'randomResizedCrop');
  const scale = checkRange(options.scale ?? [0.08, 1], 0, 1, 'randomResizedCrop: scale');
  const ratio = checkRange(options.ratio ?? [3 / 4, 4 / 3], Number.MIN_VALUE, 1e6, 'randomResizedCrop: ratio');
  const scaled = scaler(options, 'randomResizedCrop');
  return (images, generator) => {
    const [batch, , height, width] = sizes(images, 'randomResizedCrop');
    const drawn = draws(generator, batch, 4 * ATTEMPTS);
    return eachImage(images, (image, i) => {
      const window = cropWindow(height, width, scale, ratio, drawn[i] as number[]);
      return scaled(image.narrow(2, window.top, window.height).narrow(3, window.left, window.width), target);
    }).contiguous();
  };
}

const ATTEMPTS = 10;

interface Window {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** RandomResizedCrop.get_params: ten attempts, then the greatest window in the middle that has an allowed shape. */
function cropWindow(
  height: number,
  width: number,
  scale: readonly [number, number],
  ratio: readonly [number, number],
  drawn: readonly number[],
): Window {
  const logRatio = [Math.log(ratio[0]), Math.log(ratio[1])] as const;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const [a, r, y, x] = drawn.slice(4 * attempt, 4 * attempt + 4) as [number, number, number, number];
    const area = height * width * between(a, scale);
    const shape = Math.exp(between(r, logRatio));
    const w = roundHalfEven(Math.sqrt(area * shape));
    const h = roundHalfEven(Math.sqrt(area / shape));
    if (w <= 0 || w > width || h <= 0 || h > height) continue;
    return { top: Math.floor(y * (height - h + 1)), left: Math.floor(x * (width - w + 1)), height: h, width: w };
  }
  const whole = width / height;
  const h = whole < ratio[0] ? roundHalfEven(width / ratio[0]) : height;
  const w = whole > ratio[1] ? roundHalfEven(height * ratio[1]) : width;
  return { top: Math.floor((height - h) / 2), left: Math.floor((width - w) / 2), height: h, width: w };
}

/** Mirrors each image top to bottom with this probability. */
export function randomVerticalFlip(probability = 0.5): ImageTransform {
  checkNumber(probability, 0, 1, 'randomVerticalFlip: probability');
  return (images, generator) => {
    const [batch] = sizes(images, 'randomVerticalFlip');
    return where(rand([batch, 1, 1, 1], { generator }).lt(probability), images.flip([2]), images);
  };
}

export interface WarpOptions {
  /** Default `'nearest'`, as torchvision's. */
  readonly interpolation?: 'nearest' | 'bilinear';
  /** Value of the pixels that come from outside; default 0. */
  readonly fill?: number;
}

/** What an affine map does about a centre: degrees, pixels, a factor, degrees. */
export interface AffineParameters {
  /** Clockwise. */
  readonly angle: number;
  readonly translate: readonly [x: number, y: number];
  readonly scale: number;
  readonly shear: readonly [x: number, y: number];
  /** In pixels from the image's middle. */
  readonly center?: readonly [x: number, y: number];
}

/** torchvision's `_get_inverse_affine_matrix`: from a pixel of the result to where it comes from. */
export function inverseAffine({ angle, translate, scale, shear, center = [0, 0] }: AffineParameters): number[] {
  const radians = (degrees: number): number => (degrees * Math.PI) / 180;
  const [rot, sx, sy] = [radians(angle), radians(shear[0]), radians(shear[1])];
  const [[cx, cy], [tx, ty]] = [center, translate];
  const a = Math.cos(rot - sy) / Math.cos(sy);
  const b = (-Math.cos(rot - sy) * Math.tan(sx)) / Math.cos(sy) - Math.sin(rot);
  const c = Math.sin(rot - sy) / Math.cos(sy);
  const d = (-Math.sin(rot - sy) * Math.tan(sx)) / Math.cos(sy) + Math.cos(rot);
  const [m0, m1, m3, m4] = [d / scale, -b / scale, -c / scale, a / scale];
  return [m0, m1, m0 * (-cx - tx) + m1 * (-cy - ty) + cx, m3, m4, m3 * (-cx - tx) + m4 * (-cy - ty) + cy];
}

/** Each image through its own affine map (torchvision's `_gen_affine_grid` and `_apply_grid_transform`). */
export function warp(images: Tensor, parameters: readonly AffineParameters[], options: WarpOptions = {}): Tensor {
  const [batch, channels, height, width] = sizes(images, 'affine');
  const { interpolation = 'nearest', fill = 0 } = options;
  const matrix = parameters.flatMap(inverseAffine);
  const theta = tensor(Float32Array.from(matrix), { shape: [batch, 2, 3] });
  const halves = tensor(Float32Array.of(0.5 * width, 0.5 * height));
  const line = (n: number): Tensor => linspace(-n * 0.5 + 0.5, n * 0.5 - 0.5, n);
  const x = line(width).view([1, width]).expand([height, width]);
  const y = line(height).view([height, 1]).expand([height, width]);
  const base = ops.stack([x, y, ones([height, width])], 2).view([1, height * width, 3]);
  const grid = base.expand([batch, height * width, 3]).bmm(theta.transpose(1, 2).div(halves));
  return asFloats(images, (floats) => {
    const withMask = ops.cat([floats, ones([batch, 1, height, width], { dtype: floats.dtype })], 1);
    const places = grid.view([batch, height, width, 2]).to({ dtype: floats.dtype });
    const moved = ops.gridSampler(withMask, places, interpolation === 'nearest' ? 1 : 0, 0, false);
    const [pixels, mask] = [moved.narrow(1, 0, channels), moved.narrow(1, channels, 1)];
    if (interpolation === 'nearest') return pixels.maskedFill(mask.lt(0.5), fill);
    return pixels.mul(mask).add(ops.rsub(mask, 1).mul(fill));
  });
}

function checkWarp(options: WarpOptions, what: string): void {
  const { interpolation = 'nearest', fill = 0 } = options;
  if (interpolation !== 'nearest' && interpolation !== 'bilinear') {
    throw new ConfigError(`${what}: expected the interpolation nearest or bilinear, got ${interpolation}`);
  }
  checkNumber(fill, -1e6, 1e6, `${what}: fill`);
}

const degreesOf = (degrees: number | readonly [number, number], what: string): [number, number] =>
  checkRange(typeof degrees === 'number' ? [-degrees, degrees] : degrees, -360, 360, `${what}: degrees`);

/** Turns each image by a random angle about its middle (torchvision's RandomRotation). @param degrees d for [-d, d], or [low, high] */
export function randomRotation(degrees: number | readonly [number, number], options: WarpOptions = {}): ImageTransform {
  checkOptions('randomRotation', options, ['interpolation', 'fill']);
  checkWarp(options, 'randomRotation');
  const range = degreesOf(degrees, 'randomRotation');
  return (images, generator) => {
    const [batch] = sizes(images, 'randomRotation');
    const turns = draws(generator, batch, 1).map(([share]) => rotation(between(share as number, range)));
    return warp(images, turns, options);
  };
}

/** Counter-clockwise, as torchvision's `rotate`. */
export function rotation(degrees: number): AffineParameters {
  return { angle: -degrees, translate: [0, 0], scale: 1, shear: [0, 0] };
}

export interface RandomAffineOptions extends WarpOptions {
  /** Greatest shift, as shares of width and height; default none. */
  readonly translate?: readonly [number, number];
  /** Range of the factor; default 1. */
  readonly scale?: readonly [number, number];
  /** Degrees: s for [-s, s] along x, or [low, high] along x, or both ranges in four numbers; default none. */
  readonly shear?: number | readonly number[];
}

/** Turns, shifts, scales and shears each image at random, about its middle (torchvision's RandomAffine). */
export function randomAffine(
  degrees: number | readonly [number, number],
  options: RandomAffineOptions = {},
): ImageTransform {
  checkOptions('randomAffine', options, ['interpolation', 'fill', 'translate', 'scale', 'shear']);
  checkWarp(options, 'randomAffine');
  const range = degreesOf(degrees, 'randomAffine');
  const [shareX, shareY] = (options.translate ?? [0, 0]).map((t) => checkNumber(t, 0, 1, 'randomAffine: translate'));
  const scale = checkRange(options.scale ?? [1, 1], Number.MIN_VALUE, 1e6, 'randomAffine: scale');
  const given = options.shear ?? 0;
  const shear = typeof given === 'number' ? [-given, given] : given;
  const shearX = checkRange(shear.slice(0, 2), -89, 89, 'randomAffine: shear');
  const shearY = checkRange(shear.length > 2 ? shear.slice(2) : [0, 0], -89, 89, 'randomAffine: shear');
  return (images, generator) => {
    const [batch, , height, width] = sizes(images, 'randomAffine');
    const shift = (u: number, share: number, side: number): number =>
      roundHalfEven(between(u, [-share * side, share * side]));
    const maps = draws(generator, batch, 6).map(
      ([a, x, y, s, p, q]): AffineParameters => ({
        angle: between(a as number, range),
        translate: [shift(x as number, shareX as number, width), shift(y as number, shareY as number, height)],
        scale: between(s as number, scale),
        shear: [between(p as number, shearX), between(q as number, shearY)],
      }),
    );
    return warp(images, maps, options);
  };
}

/** Pads each side with a value and cuts a random window (torchvision's RandomCrop). @param size one side, or [height, width] */
export function randomCrop(
  size: number | readonly [number, number],
  options: { readonly padding?: number; readonly fill?: number } = {},
): ImageTransform {
  checkOptions('randomCrop', options, ['padding', 'fill']);
  const [rows, columns] = checkSides(size, 'randomCrop');
  const { padding = 0, fill = 0 } = options;
  checkInteger(padding, 0, 'randomCrop: padding');
  return (images, generator) => {
    const [batch, , height, width] = sizes(images, 'randomCrop');
    const [high, wide] = [height + 2 * padding, width + 2 * padding];
    if (rows > high || columns > wide) {
      throw new ConfigError(`randomCrop: expected at most the padded image's ${high}x${wide}, got ${rows}x${columns}`);
    }
    const padded = padding > 0 ? ops.constantPadNd(images, [padding, padding, padding, padding], fill) : images;
    const drawn = draws(generator, batch, 2);
    return eachImage(padded, (image, i) => {
      const [y, x] = drawn[i] as [number, number];
      const down = image.narrow(2, Math.floor(y * (high - rows + 1)), rows);
      return down.narrow(3, Math.floor(x * (wide - columns + 1)), columns);
    });
  };
}
