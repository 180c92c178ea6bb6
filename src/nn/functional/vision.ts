import { exactly } from '../../torch/autocast.js';
import { expectTensor } from '../../torch/expect.js';
import { ConfigError, op, ops, ShapeError, type Tensor } from '../../torch/index.js';
import * as signature from '../signatures.js';
import { adaptiveAvgPool1d, adaptiveAvgPool2d, adaptiveAvgPool3d } from './pooling.js';

export type InterpolateMode = 'nearest' | 'nearest-exact' | 'linear' | 'bilinear' | 'bicubic' | 'trilinear' | 'area';

export interface InterpolateOptions {
  /** Output size of the spatial dimensions: this or `scaleFactor`. */
  readonly size?: number | readonly number[] | null;
  readonly scaleFactor?: number | readonly number[] | null;
  /** Default `'nearest'`. */
  readonly mode?: InterpolateMode;
  /** Whether the corner pixels' centres coincide (linear, bilinear, bicubic, trilinear). Default false. */
  readonly alignCorners?: boolean | null;
  /** Low-pass first when shrinking (bilinear and bicubic). Default false. */
  readonly antialias?: boolean;
}

/** Resizes [B, C, L], [B, C, H, W] or [B, C, D, H, W]. */
export function interpolate(x: Tensor, options: InterpolateOptions): Tensor {
  expectTensor('interpolate', x);
  const { size, scaleFactor, mode, alignCorners, antialias } = signature.interpolate.read('interpolate', [], options);
  if ((size === null) === (scaleFactor === null)) {
    throw new ConfigError(`Expected either size or scaleFactor, got ${size === null ? 'neither' : 'both'}`);
  }
  const plain = mode === 'area' || mode.startsWith('nearest');
  if (plain && alignCorners !== null) {
    throw new ConfigError(`Expected alignCorners with a mode that interpolates between pixels, got mode '${mode}'.`);
  }
  const n = x.ndim - 2;
  const spread = (value: number | readonly number[] | null) =>
    value === null ? null : typeof value === 'number' ? new Array<number>(n).fill(value) : [...value];
  const [output, scales] = [spread(size), spread(scaleFactor)];
  if (mode === 'area' && n === 1) return adaptiveAvgPool1d(x, areaSize(x, output, scales));
  if (mode === 'area' && n === 2) return adaptiveAvgPool2d(x, areaSize(x, output, scales));
  if (mode === 'area' && n === 3) return adaptiveAvgPool3d(x, areaSize(x, output, scales));
  const name = RESIZERS[`${antialias ? 'smooth ' : ''}${mode} ${n}`];
  if (name === undefined) {
    throw new ShapeError(
      `Expected an input that mode '${mode}'${antialias ? ' with antialias' : ''} resizes ` +
        `(linear [B, C, L]; bilinear, bicubic [B, C, H, W]; trilinear [B, C, D, H, W]), got [${x.shape}]`,
    );
  }
  const resize = op(`${name}.vec`);
  const aligned = plain ? [] : [alignCorners ?? false];
  return resize(x, output, ...aligned, scales) as Tensor;
}

/** The operator of a mode and a number of spatial dimensions. */
const RESIZERS: Readonly<Record<string, string>> = {
  'nearest 1': 'upsampleNearest1d',
  'nearest 2': 'upsampleNearest2d',
  'nearest 3': 'upsampleNearest3d',
  'nearest-exact 1': '_upsampleNearestExact1d',
  'nearest-exact 2': '_upsampleNearestExact2d',
  'nearest-exact 3': '_upsampleNearestExact3d',
  'linear 1': 'upsampleLinear1d',
  'bilinear 2': 'upsampleBilinear2d',
  'bicubic 2': 'upsampleBicubic2d',
  'trilinear 3': 'upsampleTrilinear3d',
  'smooth bilinear 2': '_upsampleBilinear2dAa',
  'smooth bicubic 2': '_upsampleBicubic2dAa',
};

function areaSize(x: Tensor, output: number[] | null, scales: number[] | null): number[] {
  if (output) return output;
  const shape = x.shape.slice(2);
  return (scales as number[]).map((scale, i) => Math.floor((shape[i] as number) * scale));
}

/** [B, C·r², H, W] to [B, C, H·r, W·r]. */
export function pixelShuffle(x: Tensor, upscaleFactor: number): Tensor {
  return ops.pixelShuffle(x, signature.shuffle.read('pixelShuffle', [upscaleFactor]).upscaleFactor);
}

/** [B, C, H·r, W·r] to [B, C·r², H, W]. */
export function pixelUnshuffle(x: Tensor, downscaleFactor: number): Tensor {
  return ops.pixelUnshuffle(x, signature.unshuffle.read('pixelUnshuffle', [downscaleFactor]).downscaleFactor);
}

export type PadMode = 'constant' | 'reflect' | 'replicate' | 'circular';

export interface PadOptions {
  /** Default `'constant'`. */
  readonly mode?: PadMode;
  /** Of a constant padding. Default 0. */
  readonly value?: number | null;
}

/** `sides`: before and after of the last dimension, then of the one before it, and so on. Negative numbers crop. */
export function pad(x: Tensor, sides: readonly number[], mode?: PadMode | PadOptions, value?: number | null): Tensor {
  const values = signature.pad.read('pad', [sides, mode, value]);
  return ops.pad(x, [...sides], values.mode, values.value);
}

export interface GridOptions {
  /** Default `'bilinear'`. */
  readonly mode?: 'bilinear' | 'nearest' | 'bicubic';
  /** Default `'zeros'`. */
  readonly paddingMode?: 'zeros' | 'border' | 'reflection';
  readonly alignCorners?: boolean | null;
}

/** Samples [B, C, H, W] at `grid` [B, H', W', 2], whose (x, y) run from -1 to 1. */
export function gridSample(x: Tensor, grid: Tensor, options?: GridOptions): Tensor {
  const o = signature.grid.read('gridSample', [], options);
  const mode = { bilinear: 0, nearest: 1, bicubic: 2 }[o.mode];
  const padding = { zeros: 0, border: 1, reflection: 2 }[o.paddingMode];
  return ops.gridSampler(x, grid, mode, padding, o.alignCorners ?? false);
}

/** The grid [B, H, W, 2] of the affine maps `theta` [B, 2, 3]; `size` is [B, C, H, W]. */
export function affineGrid(
  theta: Tensor,
  size: readonly number[],
  alignCorners?: boolean | null | { readonly alignCorners?: boolean | null },
): Tensor {
  const values = signature.affineGrid.read('affineGrid', [size, alignCorners]);
  return exactly(theta.device, () => ops.affineGridGenerator(theta, [...size], values.alignCorners ?? false));
}

export interface UnfoldOptions {
  readonly dilation?: number | readonly number[];
  readonly padding?: number | readonly number[];
  readonly stride?: number | readonly number[];
}

const pair = (value: number | readonly number[]): number[] => (typeof value === 'number' ? [value, value] : [...value]);

/** Sliding windows of [B, C, H, W] as columns: [B, C·kh·kw, windows]. */
export function unfold(x: Tensor, kernelSize: number | readonly number[], options?: UnfoldOptions): Tensor {
  const { dilation, padding, stride } = signature.unfold.read('unfold', [kernelSize], options);
  return ops.im2col(x, pair(kernelSize), pair(dilation), pair(padding), pair(stride));
}

/** Sums columns back to [B, C, H, W]: the adjoint of {@link unfold}. */
export function fold(
  x: Tensor,
  outputSize: number | readonly number[],
  kernelSize: number | readonly number[],
  options?: UnfoldOptions,
): Tensor {
  const { dilation, padding, stride } = signature.fold.read('fold', [outputSize, kernelSize], options);
  return ops.col2im(x, pair(outputSize), pair(kernelSize), pair(dilation), pair(padding), pair(stride));
}
