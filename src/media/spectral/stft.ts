/** The short-time Fourier transform. Values and defaults are librosa's. */
import { ConfigError } from '../../torch/errors.js';
import { ops, scope, type Tensor } from '../../torch/index.js';
import { checkOptions } from '../../torch/options.js';
import {
  centredFrames,
  framesOf,
  like,
  type PadMode,
  padModes,
  type WindowName,
  windowNames,
  windowOf,
} from './frames.js';

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

export const stftOptionNames = ['nFft', 'winLength', 'hop', 'window', 'center', 'padMode'] as const;

/** Samples from one frame to the next of what is made of spectra, whatever the window: librosa's 512. */
export const USUAL_HOP = 512;

/** The options with their defaults. @throws ConfigError for what cannot be */
export function stftDefaults(options: StftOptions): Required<StftOptions> {
  const { nFft = 2048, winLength = nFft, window = 'hann', center = true, padMode = 'constant' } = options;
  const { hop = Math.floor(winLength / 4) } = options;
  for (const [name, value] of Object.entries({ nFft, winLength, hop })) {
    if (!(Number.isSafeInteger(value) && value > 0))
      throw new ConfigError(`expected ${name} to be a whole number of samples > 0, got ${value}`);
  }
  if (!windowNames.includes(window))
    throw new ConfigError(`expected a window ${windowNames.join(', ')}, got '${String(window)}'`);
  if (!padModes.includes(padMode))
    throw new ConfigError(`expected a padMode ${padModes.join(', ')}, got '${String(padMode)}'`);
  if (winLength > nFft) throw new ConfigError(`expected a window no longer than nFft ${nFft}, got ${winLength}`);
  return { nFft, winLength, hop, window, center, padMode };
}

/**
 * Spectra of a sound [..., n]: complex [..., 1 + nFft / 2, frames], with `1 + floor(n / hop)` frames where they are centred.
 * @throws ShapeError where there is not one sample (or, not centred, not one frame)
 */
export function stft(y: Tensor, options: StftOptions = {}): Tensor {
  checkOptions('stft', options, stftOptionNames);
  return transform(y, options);
}

function transform(y: Tensor, options: StftOptions): Tensor {
  const { nFft, winLength, hop, window, center, padMode } = stftDefaults(options);
  return scope(() => {
    const frames = center ? centredFrames(y, nFft, hop, padMode) : framesOf(y, nFft, hop);
    const weights = new Float64Array(nFft);
    weights.set(windowOf(window, winLength), Math.floor((nFft - winLength) / 2));
    return ops.fftRfft(frames.mul(like(y, weights, [nFft]))).transpose(-1, -2);
  });
}

/** Magnitudes of {@link stft} to a power: 1 for amplitudes (the default), 2 for energies. */
export function spectrogram(y: Tensor, options: StftOptions & { readonly power?: number } = {}): Tensor {
  checkOptions('spectrogram', options, [...stftOptionNames, 'power']);
  return magnitudes(y, options, options.power ?? 1);
}

/** As {@link spectrogram}, of options that hold others beside. */
export function magnitudes(y: Tensor, options: StftOptions, power: number): Tensor {
  if (!(power > 0 && Number.isFinite(power))) throw new ConfigError(`expected power > 0, got ${power}`);
  return scope(() => {
    const magnitude = transform(y, options).abs();
    return power === 1 ? magnitude : power === 2 ? magnitude.square() : magnitude.pow(power);
  });
}

/** Hertz at the middle of each bin of a spectrum. */
export function fftFrequencies(rate: number, nFft: number): Float64Array {
  return Float64Array.from({ length: 1 + Math.floor(nFft / 2) }, (_, bin) => (bin * rate) / nFft);
}
