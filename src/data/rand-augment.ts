/** RandAugment (arXiv 1909.13719) with torchvision's operations, ranges and defaults. */
import { ConfigError } from '../torch/errors.js';
import { checkOptions, linspace, ops, type Tensor, tensor, where } from '../torch/index.js';
import { adjustBrightness, adjustContrast, adjustSaturation, adjustSharpness } from './colour.js';
import { checkInteger } from './dataset.js';
import { rotation, type WarpOptions, warp } from './geometry.js';
import { draws, eachImage, type ImageTransform, perImage, roundHalfEven, sizes } from './image-tools.js';

export interface RandAugmentOptions extends WarpOptions {
  /** Operations on each image, one after another; default 2. */
  readonly numOps?: number;
  /** Their strength, in [0, numMagnitudeBins); default 9. */
  readonly magnitude?: number;
  /** Default 31. */
  readonly numMagnitudeBins?: number;
}

interface Operation {
  /** Strength at one of `bins` magnitudes, for images of this size; 0 where there is none. */
  strength(magnitude: number, bins: number, height: number, width: number): number;
  /** Whether the strength may be negative, too. */
  readonly signed: boolean;
  apply(image: Tensor, strength: number, options: WarpOptions): Tensor;
}

/** As torchvision computes it, in float32: a byte's fate can hang on the last bit of a factor. */
function ramp(from: number, to: number, magnitude: number, bins: number): number {
  return linspace(from, to, bins).select(0, magnitude).item();
}

const degrees = (radians: number): number => (radians * 180) / Math.PI;

/** A shear or shift; shears are about the upper left corner, as torchvision's are here. */
function moved(
  image: Tensor,
  options: WarpOptions,
  change: { shear?: [number, number]; translate?: [number, number] },
): Tensor {
  const { shear = [0, 0], translate = [0, 0] } = change;
  const [, , height, width] = sizes(image, 'randAugment');
  const center = change.shear === undefined ? ([0, 0] as const) : ([-width / 2, -height / 2] as const);
  return warp(image, [{ angle: 0, translate, scale: 1, shear, center }], options);
}

function colour(adjust: (image: Tensor, factors: Tensor) => Tensor): Operation {
  return {
    strength: (m, bins) => ramp(0, 0.9, m, bins),
    signed: true,
    apply: (image, m) => adjust(image, perImage([1 + m])),
  };
}

function plain(apply: (image: Tensor) => Tensor): Operation {
  return { strength: () => 0, signed: false, apply };
}

/** In torchvision's order. */
export const operations: Readonly<Record<string, Operation>> = {
  identity: plain((image) => image),
  shearX: {
    strength: (m, bins) => ramp(0, 0.3, m, bins),
    signed: true,
    apply: (image, m, options) => moved(image, options, { shear: [degrees(Math.atan(m)), 0] }),
  },
  shearY: {
    strength: (m, bins) => ramp(0, 0.3, m, bins),
    signed: true,
    apply: (image, m, options) => moved(image, options, { shear: [0, degrees(Math.atan(m))] }),
  },
  translateX: {
    strength: (m, bins, _height, width) => ramp(0, (150 / 331) * width, m, bins),
    signed: true,
    apply: (image, m, options) => moved(image, options, { translate: [Math.trunc(m), 0] }),
  },
  translateY: {
    strength: (m, bins, height) => ramp(0, (150 / 331) * height, m, bins),
    signed: true,
    apply: (image, m, options) => moved(image, options, { translate: [0, Math.trunc(m)] }),
  },
  rotate: {
    strength: (m, bins) => ramp(0, 30, m, bins),
    signed: true,
    apply: (image, m, options) => warp(image, [rotation(m)], options),
  },
  brightness: colour(adjustBrightness),
  color: colour(adjustSaturation),
  contrast: colour(adjustContrast),
  sharpness: colour(adjustSharpness),
  posterize: {
    strength: (m, bins) => 8 - roundHalfEven((4 * m) / (bins - 1)),
    signed: false,
    apply: (image, bits) => posterize(image, bits),
  },
  solarize: {
    strength: (m, bins) => ramp(255, 0, m, bins),
    signed: false,
    apply: (image, threshold) => where(image.ge(threshold), ops.rsub(image, 255), image),
  },
  autoContrast: plain(autoContrast),
  equalize: plain(equalize),
};

/** Keeps the highest bits of each pixel. @param image uint8 */
export function posterize(image: Tensor, bits: number): Tensor {
  return ops.bitwiseAnd(image, 256 - 2 ** (8 - bits));
}

/** Stretches each channel to the whole range. @param image uint8 [1, C, H, W] */
export function autoContrast(image: Tensor): Tensor {
  const floats = image.to({ dtype: 'float32' });
  const [least, most] = [floats.amin([2, 3], true), floats.amax([2, 3], true)];
  const flat = most.eq(least);
  const scale = ops.mul(most.sub(least).maskedFill(flat, 255).reciprocal(), 255);
  return floats.sub(least.maskedFill(flat, 0)).mul(scale).clamp(0, 255).to({ dtype: 'uint8' });
}

/** Makes all grey levels of each channel about equally frequent. @param image uint8 [1, C, H, W] */
export function equalize(image: Tensor): Tensor {
  const [, channels, height, width] = sizes(image, 'equalize');
  const equalized = Array.from({ length: channels }, (_, c) => {
    const bytes = image.select(1, c).bytes();
    const table = equalizing(bytes);
    return tensor(table === null ? bytes : bytes.map((value) => table[value] as number), {
      shape: [1, 1, height, width],
    });
  });
  return ops.cat(equalized, 1);
}

function equalizing(bytes: Uint8Array): Uint8Array | null {
  const counts = new Float64Array(256);
  for (const value of bytes) counts[value] = (counts[value] as number) + 1;
  const last = counts.findLast((count) => count > 0) as number;
  const step = Math.floor((bytes.length - last) / 255);
  if (step === 0) return null;
  let before = 0;
  return Uint8Array.from(counts, (count) => {
    const level = Math.min(255, before === 0 ? 0 : Math.floor((before + Math.floor(step / 2)) / step));
    before += count;
    return level;
  });
}

/** Each image through `numOps` random operations. Images are uint8: put it before `toFloat`. */
export function randAugment(options: RandAugmentOptions = {}): ImageTransform {
  checkOptions('randAugment', options, ['numOps', 'magnitude', 'numMagnitudeBins', 'interpolation', 'fill']);
  const { numOps = 2, magnitude = 9, numMagnitudeBins = 31, interpolation = 'nearest', fill = 0 } = options;
  checkInteger(numOps, 0, 'randAugment: numOps');
  checkInteger(numMagnitudeBins, 2, 'randAugment: numMagnitudeBins');
  checkInteger(magnitude, 0, 'randAugment: magnitude');
  if (magnitude >= numMagnitudeBins) {
    throw new ConfigError(
      `randAugment: expected a magnitude below ${numMagnitudeBins}, numMagnitudeBins, got ${magnitude}`,
    );
  }
  const all = Object.values(operations);
  return (images, generator) => {
    const [batch, , height, width] = sizes(images, 'randAugment');
    if (images.dtype !== 'uint8')
      throw new ConfigError(`randAugment: expected uint8 images, got ${images.dtype}: put it before toFloat`);
    const drawn = draws(generator, batch, 2 * numOps);
    return eachImage(images, (image, i) => {
      let result = image;
      for (let op = 0; op < numOps; op++) {
        const [which, sign] = (drawn[i] as number[]).slice(2 * op, 2 * op + 2) as [number, number];
        const operation = all[Math.floor(which * all.length)] as Operation;
        const strength = operation.strength(magnitude, numMagnitudeBins, height, width);
        const signed = operation.signed && sign < 0.5 ? -strength : strength;
        result = operation.apply(result, signed, { interpolation, fill });
      }
      return result;
    });
  };
}
