/** Sound cut into overlapping frames, and the windows that weigh them. */
import { ShapeError } from '../../torch/errors.js';
import { ops, type Tensor, tensor } from '../../torch/index.js';

/**
 * What stands before the beginning and after the end: silence (`constant`), the sound mirrored at its first and last sample (`reflect`),
 * or these samples over and over (`edge`). NumPy's words and values.
 */
export type PadMode = (typeof padModes)[number];

export const padModes = ['constant', 'reflect', 'edge'] as const;

/** Adds samples at both ends of the last dimension. However short the sound is, it is long enough. */
export function padEnds(y: Tensor, before: number, after: number, mode: PadMode): Tensor {
  const n = lengthOf(y);
  if (mode === 'constant') return ops.constantPadNd(y, [before, after]);
  const period = Math.max(1, 2 * (n - 1));
  const sources = Int32Array.from({ length: before + n + after }, (_, i) => {
    const at = i - before;
    if (mode === 'edge') return Math.max(0, Math.min(n - 1, at));
    const folded = ((at % period) + period) % period;
    return folded < n ? folded : period - folded;
  });
  return y.indexSelect(-1, tensor(sources, { device: y.device }));
}

/**
 * Frames [..., frames, length] of a sound [..., n], the first at sample 0 and each `hop` after the one before, as far as they are whole.
 * It is a view.
 */
export function framesOf(y: Tensor, length: number, hop: number): Tensor {
  if (lengthOf(y) < length)
    throw new ShapeError(`expected at least one frame of ${length} samples, got ${lengthOf(y)}: use { center: true }`);
  return y.unfold(-1, length, hop);
}

/** Frames whose middles are at the samples 0, hop, 2 hop, ...: `1 + floor(n / hop)` of them. */
export function centredFrames(y: Tensor, length: number, hop: number, mode: PadMode): Tensor {
  const half = Math.floor(length / 2);
  return framesOf(padEnds(y, half, half, mode), length, hop);
}

/** Samples of a sound. @throws ShapeError when there are none, or they are no floats */
export function lengthOf(y: Tensor): number {
  const n = y.shape[y.ndim - 1] ?? 0;
  if (n < 1)
    throw new ShapeError(`expected a sound [..., samples] with at least one sample, got [${y.shape.join(', ')}]`);
  if (y.dtype !== 'float32' && y.dtype !== 'float64')
    throw new ShapeError(`expected the samples of a sound as float32 or float64, got ${y.dtype}`);
  return n;
}

/** Weights of the samples in a frame. `hann` and `hamming` are periodic: one more sample would close the wave. */
export type WindowName = (typeof windowNames)[number];

export const windowNames = ['hann', 'hamming', 'ones'] as const;

export function windowOf(name: WindowName, length: number): Float64Array {
  const [a, b] = { hann: [0.5, 0.5], hamming: [0.54, 0.46], ones: [1, 0] }[name] as [number, number];
  return Float64Array.from({ length }, (_, i) => a - b * Math.cos((2 * Math.PI * i) / length));
}

/** Numbers as a tensor of the kind and place of another. */
export function like(y: Tensor, values: Float64Array, shape: number[]): Tensor {
  return tensor(values, { shape }).to({ dtype: y.dtype, device: y.device });
}
