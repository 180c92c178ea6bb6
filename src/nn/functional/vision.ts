import { ConfigError, op, ops, ShapeError, type Tensor } from '../../torch/index.js';
import { adaptiveAvgPool1d, adaptiveAvgPool2d } from './pooling.js';

export type InterpolateMode = 'nearest' | 'nearest-exact' | 'linear' | 'bilinear' | 'bicubic' | 'trilinear' | 'area';

export interface InterpolateOptions {
  /** Output size of the spatial dimensions: this or `scaleFactor`. */
  readonly size?: number | readonly number[] | null;
  readonly scaleFactor?: number | readonly number[] | null;
  /** Default `'nearest'`. */
  readonly mode?: InterpolateMode;
  /** Whether the corner pixels' centres coincide (linear, bilinear, bicubic, trilinear). Default false. */
  readonly alignCorners?: boolean;
  /** Low-pass first when shrinking (bilinear and bicubic). Default false. */
  readonly antialias?: boolean;
}

/** Resizes [B, C, L], [B, C, H, W] or [B, C, D, H, W]. */
export function interpolate(x: Tensor, options: InterpolateOptions): Tensor {
  const { size = null, scaleFactor = null, mode = 'nearest', alignCorners = false, antialias = false } = options;
  if ((size === null) === (scaleFactor === null)) {
    throw new ConfigError(`Expected either size or scaleFactor, got ${size === null ? 'neither' : 'both'}`);
  }
  const n = x.ndim - 2;
  const spread = (value: number | readonly number[] | null) =>
    value === null ? null : typeof value === 'number' ? new Array<number>(n).fill(value) : [...value];
  const [output, scales] = [spread(size), spread(scaleFactor)];
  if (mode === 'area' && n === 1) return adaptiveAvgPool1d(x, areaSize(x, output, scales)[0] as number);
  if (mode === 'area' && n === 2) return adaptiveAvgPool2d(x, areaSize(x, output, scales));
  const name = RESIZERS[`${antialias ? 'smooth ' : ''}${mode} ${n}`];
  if (name === undefined) {
    throw new ShapeError(
      `Expected an input that mode '${mode}'${antialias ? ' with antialias' : ''} resizes ` +
        `(linear [B, C, L]; bilinear, bicubic [B, C, H, W]; trilinear [B, C, D, H, W]), got [${x.shape}]`,
    );
  }
  const resize = op(`${name}.vec`);
  const aligned = mode.startsWith('nearest') ? [] : [alignCorners];
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
  return ops.pixelShuffle(x, upscaleFactor);
}

/** [B, C, H·r, W·r] to [B, C·r², H, W]. */
export function pixelUnshuffle(x: Tensor, downscaleFactor: number): Tensor {
  return ops.pixelUnshuffle(x, downscaleFactor);
}

/** `pad`: before and after of the last dimension, then of the one before it, and so on. Negative numbers crop. */
export function pad(
  x: Tensor,
  sides: readonly number[],
  mode: 'constant' | 'reflect' | 'replicate' | 'circular' = 'constant',
  value: number | null = null,
): Tensor {
  return ops.pad(x, [...sides], mode, value);
}

export interface GridOptions {
  /** Default `'bilinear'`. */
  readonly mode?: 'bilinear' | 'nearest' | 'bicubic';
  /** Default `'zeros'`. */
  readonly paddingMode?: 'zeros' | 'border' | 'reflection';
  readonly alignCorners?: boolean;
}

/** Samples [B, C, H, W] at `grid` [B, H', W', 2], whose (x, y) run from -1 to 1. */
export function gridSample(x: Tensor, grid: Tensor, o: GridOptions = {}): Tensor {
  const mode = { bilinear: 0, nearest: 1, bicubic: 2 }[o.mode ?? 'bilinear'];
  const padding = { zeros: 0, border: 1, reflection: 2 }[o.paddingMode ?? 'zeros'];
  return ops.gridSampler(x, grid, mode, padding, o.alignCorners ?? false);
}

/** The grid [B, H, W, 2] of the affine maps `theta` [B, 2, 3]; `size` is [B, C, H, W]. */
export function affineGrid(theta: Tensor, size: readonly number[], alignCorners = false): Tensor {
  return ops.affineGridGenerator(theta, [...size], alignCorners);
}

export interface UnfoldOptions {
  readonly dilation?: number | readonly number[];
  readonly padding?: number | readonly number[];
  readonly stride?: number | readonly number[];
}

const pair = (value: number | readonly number[]): number[] => (typeof value === 'number' ? [value, value] : [...value]);

/** Sliding windows of [B, C, H, W] as columns: [B, C·kh·kw, windows]. */
export function unfold(x: Tensor, kernelSize: number | readonly number[], o: UnfoldOptions = {}): Tensor {
  return ops.im2col(x, pair(kernelSize), pair(o.dilation ?? 1), pair(o.padding ?? 0), pair(o.stride ?? 1));
}

/** Sums columns back to [B, C, H, W]: the adjoint of {@link unfold}. */
export function fold(
  x: Tensor,
  outputSize: number | readonly number[],
  kernelSize: number | readonly number[],
  o: UnfoldOptions = {},
): Tensor {
  const [dilation, padding, stride] = [pair(o.dilation ?? 1), pair(o.padding ?? 0), pair(o.stride ?? 1)];
  return ops.col2im(x, pair(outputSize), pair(kernelSize), dilation, padding, stride);
}
