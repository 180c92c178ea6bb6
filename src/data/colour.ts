/** Transforms that change colours; names, parameters and formulas are torchvision's (`torchvision.transforms`, on tensors). */
import { ConfigError } from '../torch/errors.js';
import { expectList } from '../torch/expect.js';
import { checkOptions, linspace, ops, type Tensor, where } from '../torch/index.js';
import {
  asFloats,
  between,
  bound,
  changeSome,
  checkNumber,
  checkRange,
  draws,
  type ImageTransform,
  perImage,
  sizes,
} from './image-tools.js';

/** ratio * a + (1 - ratio) * b, within the range of pixels. @param ratios [B, 1, 1, 1] */
export function blend(a: Tensor, b: Tensor, ratios: Tensor): Tensor {
  const mixed = a.mul(ratios).add(b.mul(ops.rsub(ratios, 1)));
  return mixed.clamp(0, bound(a)).to({ dtype: a.dtype });
}

/** Grey levels [B, 1, H, W], by torchvision's weights. */
export function luminance(images: Tensor): Tensor {
  const [red, green, blue] = channelsOf(images);
  const grey = red.mul(0.2989).add(green.mul(0.587)).add(blue.mul(0.114));
  return grey.to({ dtype: images.dtype });
}

function channelsOf(images: Tensor): [Tensor, Tensor, Tensor] {
  return [images.narrow(1, 0, 1), images.narrow(1, 1, 1), images.narrow(1, 2, 1)];
}

function isColour(images: Tensor, what: string): boolean {
  const [, channels] = sizes(images, what);
  if (channels === 1 || channels === 3) return channels === 3;
  throw new ConfigError(`${what}: expected images of 1 or 3 channels, got ${channels}`);
}

export function adjustBrightness(images: Tensor, factors: Tensor): Tensor {
  return blend(images, ops.zerosLike(images), factors);
}

export function adjustContrast(images: Tensor, factors: Tensor): Tensor {
  const grey = isColour(images, 'adjustContrast') ? luminance(images) : images;
  const floats = images.dtype === 'uint8' ? grey.to({ dtype: 'float32' }) : grey;
  return blend(images, floats.mean([1, 2, 3], true), factors);
}

export function adjustSaturation(images: Tensor, factors: Tensor): Tensor {
  return isColour(images, 'adjustSaturation') ? blend(images, luminance(images), factors) : images;
}

/** @param shifts [B, 1, 1, 1], in turns of the colour circle */
export function adjustHue(images: Tensor, shifts: Tensor): Tensor {
  if (!isColour(images, 'adjustHue')) return images;
  if (images.dtype !== 'uint8') return shiftHue(images, shifts);
  const floats = images.to({ dtype: 'float32' }).div(255);
  return shiftHue(floats, shifts).mul(255.999).to({ dtype: 'uint8' }); // as torchvision's convert_image_dtype
}

function shiftHue(images: Tensor, shifts: Tensor): Tensor {
  const [red, green, blue] = channelsOf(images);
  const most = images.amax([1], true);
  const spread = most.sub(images.amin([1], true));
  const grey = spread.eq(0);
  const saturation = spread.div(most.maskedFill(grey, 1));
  const [r, g, b] = [red, green, blue].map((x) => most.sub(x).div(spread.maskedFill(grey, 1))) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const [isRed, isGreen] = [most.eq(red), most.eq(green)];
  const sixths = where(isRed, b.sub(g), where(isGreen, r.sub(b).add(2), g.sub(r).add(4)));
  const hue = sixths.div(6).add(1).fmod(1).add(shifts);
  return fromHsv(hue.sub(hue.floor()), saturation, most);
}

function fromHsv(hue: Tensor, saturation: Tensor, value: Tensor): Tensor {
  const sixths = hue.mul(6);
  const f = sixths.sub(sixths.floor());
  const sector = sixths.floor().to({ dtype: 'int64' }).remainder(6);
  const fade = (share: Tensor): Tensor => value.mul(ops.rsub(share, 1)).clamp(0, 1);
  const p = fade(saturation);
  const q = fade(saturation.mul(f));
  const t = fade(saturation.mul(ops.rsub(f, 1)));
  const pick = (...six: Tensor[]): Tensor => ops.cat(six, 1).gather(1, sector);
  return ops.cat([pick(value, q, p, p, t, value), pick(t, value, value, q, p, p), pick(p, p, t, value, value, q)], 1);
}

/** torchvision's `adjust_sharpness`: 0 blurs, 1 leaves, 2 sharpens. */
export function adjustSharpness(images: Tensor, factors: Tensor): Tensor {
  const [, channels, height, width] = sizes(images, 'adjustSharpness');
  if (height <= 2 || width <= 2) return images;
  const kernel = ops.ones([channels, 1, 3, 3], {});
  kernel.select(2, 1).select(2, 1).fill_(5);
  const inner = asFloats(images, (x) => ops.conv2d(x, kernel.div(13), { groups: channels }));
  const blurred = images.clone();
  blurred
    .narrow(2, 1, height - 2)
    .narrow(3, 1, width - 2)
    .copy_(inner);
  return blend(images, blurred, factors);
}

export interface ColorJitterOptions {
  /** b for factors in [1 - b, 1 + b], or [low, high]; default none. Likewise contrast and saturation. */
  readonly brightness?: number | readonly [number, number];
  readonly contrast?: number | readonly [number, number];
  readonly saturation?: number | readonly [number, number];
  /** h for shifts in [-h, h], or [low, high], within [-0.5, 0.5] turns of the colour circle; default none. */
  readonly hue?: number | readonly [number, number];
}

/** Random brightness, contrast, saturation and hue of each image, in a random order (torchvision's ColorJitter). */
export function colorJitter(options: ColorJitterOptions): ImageTransform {
  checkOptions('colorJitter', options ?? null, ['brightness', 'contrast', 'saturation', 'hue']);
  const factor = (name: 'brightness' | 'contrast' | 'saturation'): [number, number] => {
    const given = options[name] ?? 0;
    const range = typeof given === 'number' ? [Math.max(0, 1 - given), 1 + given] : given;
    return checkRange(range, 0, 1e6, `colorJitter: ${name}`);
  };
  const { hue = 0 } = options;
  const turns = checkRange(typeof hue === 'number' ? [-hue, hue] : hue, -0.5, 0.5, 'colorJitter: hue');
  const steps = [
    { range: factor('brightness'), nothing: 1, adjust: adjustBrightness },
    { range: factor('contrast'), nothing: 1, adjust: adjustContrast },
    { range: factor('saturation'), nothing: 1, adjust: adjustSaturation },
    { range: turns, nothing: 0, adjust: adjustHue },
  ];
  return (images, generator) => {
    const [batch] = sizes(images, 'colorJitter');
    const drawn = draws(generator, batch, 2 * steps.length);
    const orders = drawn.map((row) => orderOf(row.slice(0, steps.length)));
    let result = images;
    for (let place = 0; place < steps.length; place++) {
      for (const [s, { range, nothing, adjust }] of steps.entries()) {
        if (range[0] === nothing && range[1] === nothing) continue;
        const chosen = orders.flatMap((order, i) => (order[place] === s ? [i] : []));
        const amounts = chosen.map((i) => between(drawn[i]?.[steps.length + s] as number, range));
        result = changeSome(result, chosen, (some) => adjust(some, perImage(amounts)));
      }
    }
    return result;
  };
}

/** A random order of 0, 1, ...: that of random keys. */
function orderOf(keys: readonly number[]): number[] {
  return [...keys.keys()].sort((a, b) => (keys[a] as number) - (keys[b] as number));
}

/** Grey images of as many channels (torchvision's Grayscale). @param channels 1 or 3 */
export function grayscale(channels: 1 | 3 = 1): ImageTransform {
  if (channels !== 1 && channels !== 3) throw new ConfigError(`grayscale: expected 1 or 3 channels, got ${channels}`);
  return (images) => {
    const [batch, , height, width] = sizes(images, 'grayscale');
    const grey = isColour(images, 'grayscale') ? luminance(images) : images;
    return channels === 1 ? grey : grey.expand([batch, 3, height, width]).contiguous();
  };
}

/** Makes each image grey with this probability, of as many channels as before (torchvision's RandomGrayscale). */
export function randomGrayscale(probability = 0.1): ImageTransform {
  checkNumber(probability, 0, 1, 'randomGrayscale: probability');
  return (images, generator) => {
    const [batch] = sizes(images, 'randomGrayscale');
    const chosen = draws(generator, batch, 1).flatMap(([u], i) => ((u as number) < probability ? [i] : []));
    return isColour(images, 'randomGrayscale')
      ? changeSome(images, chosen, (some) => grayscale(3)(some, generator))
      : images;
  };
}

/**
 * Blurs each image by a Gaussian of random width (torchvision's GaussianBlur).
 * @param kernelSize odd, in pixels: one side, or [height, width]
 * @param sigma in pixels: one number, or [low, high]
 */
export function gaussianBlur(
  kernelSize: number | readonly [number, number],
  sigma: number | readonly [number, number] = [0.1, 2],
): ImageTransform {
  const both = typeof kernelSize === 'number' ? ([kernelSize, kernelSize] as const) : kernelSize;
  expectList('gaussianBlur', both, 'a whole kernelSize, or [height, width]');
  const [rows, columns] = both;
  for (const side of [rows, columns]) {
    if (Number.isSafeInteger(side) && side > 0 && side % 2 === 1) continue;
    throw new ConfigError(`gaussianBlur: expected an odd kernelSize above 0, got ${JSON.stringify(kernelSize)}`);
  }
  const range = checkRange(
    typeof sigma === 'number' ? [sigma, sigma] : sigma,
    Number.MIN_VALUE,
    1e6,
    'gaussianBlur: sigma',
  );
  return (images, generator) => {
    const [batch, channels, height, width] = sizes(images, 'gaussianBlur');
    if (rows >> 1 >= height || columns >> 1 >= width) {
      throw new ConfigError(`gaussianBlur: a kernel of ${rows}x${columns} does not fit images of ${height}x${width}`);
    }
    const widths = perImage(draws(generator, batch, 1).map(([u]) => between(u as number, range)));
    const kernels = bell(rows, widths).transpose(2, 3).mul(bell(columns, widths)); // [B, 1, rows, columns]
    const each = kernels.expand([batch, channels, rows, columns]).reshape([batch * channels, 1, rows, columns]);
    return asFloats(images, (x) => {
      const flat = x.reshape([1, batch * channels, height, width]);
      const padded = ops.reflectionPad2d(flat, [columns >> 1, columns >> 1, rows >> 1, rows >> 1]);
      return ops
        .conv2d(padded, each.to({ dtype: x.dtype }), { groups: batch * channels })
        .view([batch, channels, height, width]);
    });
  };
}

/** A Gaussian of each width over `size` pixels, of sum 1: [B, 1, 1, size]. */
function bell(size: number, widths: Tensor): Tensor {
  const half = (size - 1) / 2;
  const density = linspace(-half, half, size).view([1, 1, 1, size]).div(widths).square().mul(-0.5).exp();
  return density.div(density.sum([3], true));
}
