/** The short-time Fourier transform. Values and defaults are librosa's. */
import { ConfigError } from '../../torch/errors.js';
import { ops, scope, type Tensor } from '../../torch/index.js';
import { centredFrames, framesOf, like, type PadMode, type WindowName, windowOf } from './frames.js';

export interface StftOptions {
  /** Length of the transform in samples; 2048 by default. */
  readonly nFft?: number;
  /** Length of the window, which stands in the middle of the transform; `nFft` by default. */
  readonly winLength?: number;
  /** Samples from one frame to the next; a quarter of `winLength` by default. */
  readonly hop?: number;
  readonly window?: WindowName;
  /** Whether frame `t` is centred on sample `t * hop` (the default) or begins there. */
  readonly center?: boolean;
  /** What stands beyond the ends where frames are centred; `constant` by default, silence. */
  readonly padMode?: PadMode;
}

/** The options with their defaults. @throws ConfigError for what cannot be */
export function stftDefaults(options: StftOptions): Required<StftOptions> {
  const { nFft = 2048, winLength = nFft, window = 'hann', center = true, padMode = 'constant' } = options;
  const { hop = Math.floor(winLength / 4) } = options;
  for (const [name, value] of Object.entries({ nFft, winLength, hop })) {
    if (!(Number.isSafeInteger(value) && value > 0))
      throw new ConfigError(`expected ${name} to be a whole number of samples > 0, got ${value}`);
  }
  if (winLength > nFft) throw new ConfigError(`expected a window no longer than nFft ${nFft}, got ${winLength}`);
  return { nFft, winLength, hop, window, center, padMode };
}

/**
 * Spectra of a sound [..., n]: complex [..., 1 + nFft / 2, frames], with `1 + floor(n / hop)` frames where they are centred.
 * @throws ShapeError where there is not one sample (or, not centred, not one frame)
 */
export function stft(y: Tensor, options: StftOptions = {}): Tensor {
  const { nFft, winLength, hop, window, center, padMode } = stftDefaults(options);
  return scope(() => {
    const frames = center ? centredFrames(y, nFft, hop, padMode) : framesOf(y, nFft, hop);
    const weights = new Float64Array(nFft);
    weights.set(windowOf(window, winLength), Math.floor((nFft - winLength) / 2));
    return ops.fftRfft(frames.mul(like(y, weights, [nFft]))).transpose(-1, -2);
  });
}

/** Magnitudes of {@link stft} to a power: 1 for amplitudes, 2 for energies. */
export function spectrogram(y: Tensor, options: StftOptions & { readonly power?: number } = {}): Tensor {
  const { power = 1 } = options;
  return scope(() => {
    const magnitude = stft(y, options).abs();
    return power === 1 ? magnitude : power === 2 ? magnitude.square() : magnitude.pow(power);
  });
}

/** Hertz at the middle of each bin of a spectrum. */
export function fftFrequencies(rate: number, nFft: number): Float64Array {
  return Float64Array.from({ length: 1 + Math.floor(nFft / 2) }, (_, bin) => (bin * rate) / nFft);
}
