/** Pictures between resolutions, filtered so that no new frequencies appear (Karras et al. 2019 and 2020). */
import { exactly } from '../../torch/autocast.js';
import { expectTensor } from '../../torch/expect.js';
import { ConfigError, ops, ShapeError, type Tensor } from '../../torch/index.js';
import * as signature from '../style-signatures.js';

export interface UpfirdnOptions {
  /** Zeros are put between pixels until there are `up` times as many each way. Default 1. */
  readonly up?: number;
  /** Of the filtered picture every `down`-th pixel each way is kept. Default 1. */
  readonly down?: number;
  /** Zeros around, before the filter: on all sides, or [left, right, top, bottom]; negative ones cut off. Default 0. */
  readonly padding?: number | readonly number[];
  /** Factor of the result. Default 1. */
  readonly gain?: number;
}

/**
 * Up, filter, down: zeros between the pixels, padding, convolution of each channel with `filter`, and every `down`-th pixel.
 * @param x - [B, C, H, W]
 * @param filter - [k], along both axes, or [kh, kw]; convolution turns it round
 * @returns [B, C, floor((H up + padding - kh) / down) + 1, ...]
 */
export function upfirdn2d(x: Tensor, filter: Tensor, options: UpfirdnOptions = {}): Tensor {
  expectTensor('upfirdn2d', x);
  const { up, down, padding, gain } = signature.upfirdn2d.read('upfirdn2d', [filter], options);
  if (x.ndim !== 4) throw new ShapeError(`upfirdn2d: expected [batch, channels, height, width], got [${x.shape}]`);
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const sides = typeof padding === 'number' ? [padding, padding, padding, padding] : padding;
  const kernel = squareOf(filter).flip([0, 1]).mul(gain).to({ dtype: x.dtype });
  const [kh, kw] = kernel.shape as [number, number];
  const stuffed =
    up === 1
      ? x
      : ops
          .pad(x.reshape([batch, channels, height, 1, width, 1]), [0, up - 1, 0, 0, 0, up - 1])
          .reshape([batch, channels, height * up, width * up]);
  const padded = sides.every((side) => side === 0) ? stuffed : ops.pad(stuffed, [...sides]);
  return exactly(x.device, () =>
    ops.conv2d(padded, kernel.expand([channels, 1, kh, kw]), null, [down, down], [0, 0], [1, 1], channels),
  );
}

function squareOf(filter: Tensor): Tensor {
  if (filter.ndim === 1) return ops.outer(filter, filter);
  if (filter.ndim === 2) return filter;
  throw new ShapeError(`upfirdn2d: expected a filter [k] or [height, width], got [${filter.shape}]`);
}

/** A picture of `factor` times the size, low-passed: the filter's sum is taken as 1. */
export function upsampleFir(x: Tensor, filter: Tensor, factor = 2): Tensor {
  const [taps, gain] = filterOf('upsampleFir', filter, factor);
  const [before, after] = [Math.floor((taps - factor + 1) / 2) + factor - 1, Math.floor((taps - factor) / 2)];
  return upfirdn2d(x, filter, {
    up: factor,
    padding: [before, after, before, after],
    gain: gain * factor ** 2,
  });
}

/** A picture of a `factor`-th of the size, low-passed before pixels are dropped: the filter's sum is taken as 1. */
export function downsampleFir(x: Tensor, filter: Tensor, factor = 2): Tensor {
  const [taps, gain] = filterOf('downsampleFir', filter, factor);
  const [before, after] = [Math.floor((taps - factor + 1) / 2), Math.floor((taps - factor) / 2)];
  return upfirdn2d(x, filter, { down: factor, padding: [before, after, before, after], gain });
}

function filterOf(where: string, filter: Tensor, factor: number): [taps: number, gain: number] {
  if (!(Number.isInteger(factor) && factor >= 1))
    throw new ConfigError(`${where}: expected a factor of 1 or more, got ${factor}`);
  expectTensor(where, filter);
  const taps = filter.shape[0] ?? 0;
  if (filter.ndim !== 1 || taps < factor)
    throw new ShapeError(`${where}: expected a filter [k] of ${factor} taps or more, got [${filter.shape}]`);
  const sum = filter.sum().item();
  return [taps, 1 / (sum * sum)];
}
