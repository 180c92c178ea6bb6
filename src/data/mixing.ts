/** Transforms that take parts away, and those that mix the images of a batch; torchvision's names, parameters and formulas. */
import { ConfigError } from '../torch/errors.js';
import { checkOptions, type Generator, ops, randn, type Tensor, tensor } from '../torch/index.js';
import type { ImageBatch } from './dataset.js';
import { checkInteger } from './dataset.js';
import { between, checkNumber, checkRange, draws, type ImageTransform, roundHalfEven, sizes } from './image-tools.js';

export interface RandomErasingOptions {
  /** Default 0.5. */
  readonly probability?: number;
  /** Share of the image's area; default [0.02, 0.33]. */
  readonly scale?: readonly [number, number];
  /** Height / width of what is erased; default [0.3, 3.3]. */
  readonly ratio?: readonly [number, number];
  /** What is put there: a number (default 0), one for each channel, or `'random'` for normal noise in each pixel (floats only). */
  readonly value?: number | readonly number[] | 'random';
}

/** Erases a random window of each image with a probability (torchvision's RandomErasing). Usually after `normalise`. */
export function randomErasing(options: RandomErasingOptions = {}): ImageTransform {
  checkOptions('randomErasing', options, ['probability', 'scale', 'ratio', 'value']);
  const { value = 0 } = options;
  const probability = checkNumber(options.probability ?? 0.5, 0, 1, 'randomErasing: probability');
  const scale = checkRange(options.scale ?? [0.02, 0.33], 0, 1, 'randomErasing: scale');
  const ratio = checkRange(options.ratio ?? [0.3, 3.3], Number.MIN_VALUE, 1e6, 'randomErasing: ratio');
  return (images, generator) => {
    const [batch, channels, height, width] = sizes(images, 'randomErasing');
    if (value === 'random' && images.dtype === 'uint8') {
      throw new ConfigError(
        "randomErasing: value 'random' is normal noise, for floats: put it after toFloat or normalise",
      );
    }
    const result = images.clone();
    for (const [i, drawn] of draws(generator, batch, 1 + 4 * ATTEMPTS).entries()) {
      const window =
        (drawn[0] as number) < probability ? erasedWindow(height, width, scale, ratio, drawn.slice(1)) : null;
      if (window === null) continue;
      const [top, left, h, w] = window;
      const part = result.select(0, i).narrow(1, top, h).narrow(2, left, w);
      part.copy_(filling(value, [channels, h, w], images, generator).expand([channels, h, w]));
    }
    return result;
  };
}

const ATTEMPTS = 10;

/** RandomErasing.get_params; null where no attempt fits. */
function erasedWindow(
  height: number,
  width: number,
  scale: readonly [number, number],
  ratio: readonly [number, number],
  drawn: readonly number[],
): [top: number, left: number, height: number, width: number] | null {
  const logRatio = [Math.log(ratio[0]), Math.log(ratio[1])] as const;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const [a, r, y, x] = drawn.slice(4 * attempt, 4 * attempt + 4) as [number, number, number, number];
    const area = height * width * between(a, scale);
    const shape = Math.exp(between(r, logRatio));
    const h = roundHalfEven(Math.sqrt(area * shape));
    const w = roundHalfEven(Math.sqrt(area / shape));
    if (h >= height || w >= width || h < 1 || w < 1) continue;
    return [Math.floor(y * (height - h + 1)), Math.floor(x * (width - w + 1)), h, w];
  }
  return null;
}

function filling(
  value: number | readonly number[] | 'random',
  shape: readonly [number, number, number],
  images: Tensor,
  generator: Generator,
): Tensor {
  if (value === 'random') return randn(shape, { generator, dtype: images.dtype });
  const each = typeof value === 'number' ? [value] : value;
  if (each.length !== 1 && each.length !== shape[0]) {
    throw new ConfigError(
      `randomErasing: expected a value, or one for each of ${shape[0]} channels, got ${each.length}`,
    );
  }
  return tensor(Float64Array.from(each), { shape: [each.length, 1, 1], dtype: images.dtype });
}

/** Changes images and labels together. */
export type MixTransform = (batch: ImageBatch, generator: Generator) => ImageBatch;

export interface MixOptions {
  /** How many classes there are: labels become probabilities [B, classes]. */
  readonly classes: number;
  /** Of the Beta(alpha, alpha) that the share is drawn from; default 1: uniform. */
  readonly alpha?: number;
}

/**
 * Mixes each image with the one before it in the batch by a share drawn for the batch (torchvision's MixUp, arXiv 1710.09412). The
 * labels become probabilities, float32 [B, classes], which `crossEntropy` takes.
 */
export function mixup(options: MixOptions): MixTransform {
  const { alpha, classes } = checkMix(options, 'mixup');
  return ({ images, labels }, generator) => {
    sizes(images, 'mixup');
    if (images.dtype === 'uint8')
      throw new ConfigError('mixup: expected float images: put it after toFloat or normalise');
    const share = drawBeta(alpha, generator);
    const mix = (x: Tensor): Tensor =>
      x
        .roll(1, 0)
        .mul(1 - share)
        .add(x.mul(share));
    return { images: mix(images), labels: mix(probabilities(labels, classes, 'mixup')) };
  };
}

/**
 * Pastes a window of the image before it into each image, in the same place for the whole batch (torchvision's CutMix, arXiv
 * 1905.04899). Labels as by `mixup`, by area.
 */
export function cutmix(options: MixOptions): MixTransform {
  const { alpha, classes } = checkMix(options, 'cutmix');
  return ({ images, labels }, generator) => {
    const [, , height, width] = sizes(images, 'cutmix');
    const drawn = drawBeta(alpha, generator);
    const [u, v] = draws(generator, 1, 2)[0] as [number, number];
    const [x, y, half] = [Math.floor(u * width), Math.floor(v * height), 0.5 * Math.sqrt(1 - drawn)];
    const [halfWidth, halfHeight] = [Math.floor(half * width), Math.floor(half * height)];
    const [left, right] = [Math.max(0, x - halfWidth), Math.min(width, x + halfWidth)];
    const [top, bottom] = [Math.max(0, y - halfHeight), Math.min(height, y + halfHeight)];
    const share = 1 - ((right - left) * (bottom - top)) / (width * height);
    const window = (of: Tensor): Tensor => of.narrow(2, top, bottom - top).narrow(3, left, right - left);
    const mixed = images.clone();
    window(mixed).copy_(window(images.roll(1, 0)));
    const targets = probabilities(labels, classes, 'cutmix');
    return {
      images: mixed,
      labels: targets
        .roll(1, 0)
        .mul(1 - share)
        .add(targets.mul(share)),
    };
  };
}

function checkMix(options: MixOptions, what: string): { alpha: number; classes: number } {
  checkOptions(what, options ?? null, ['classes', 'alpha']);
  const { classes, alpha = 1 } = options;
  checkInteger(classes, 2, `${what}: classes`);
  if (!(alpha > 0 && alpha < Number.POSITIVE_INFINITY))
    throw new ConfigError(`${what}: expected alpha > 0, got ${alpha}`);
  return { alpha, classes };
}

/** As PyTorch draws Beta: the first of a Dirichlet of two. */
function drawBeta(alpha: number, generator: Generator): number {
  return ops
    ._sampleDirichlet(tensor(Float64Array.of(alpha, alpha)), { generator })
    .select(0, 0)
    .item();
}

/** Labels int64 [B] as float32 [B, classes]; probabilities pass. */
function probabilities(labels: Tensor, classes: number, what: string): Tensor {
  const { shape, dtype } = labels;
  if (shape.length === 2 && shape[1] === classes && dtype !== 'int64') return labels;
  if (shape.length !== 1 || dtype !== 'int64') {
    throw new ConfigError(`${what}: expected labels int64 [B], got ${dtype} [${shape.join(', ')}]`);
  }
  if (labels.numel > 0 && labels.max().item() >= classes) {
    throw new ConfigError(
      `${what}: expected labels below ${classes}, the number of classes, got ${labels.max().item()}`,
    );
  }
  return ops.oneHot(labels, classes).to({ dtype: 'float32' });
}
