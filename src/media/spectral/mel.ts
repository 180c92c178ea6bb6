/** Spectra on the mel scale, and their cepstra. Values and defaults are librosa's. */
import { ConfigError } from '../../torch/errors.js';
import { scope, type Tensor, tensor } from '../../torch/index.js';
import { checkOptions } from '../../torch/options.js';
import { type DecibelOptions, decibelOptionNames, decibels } from './decibels.js';
import { like } from './frames.js';
import { fftFrequencies, magnitudes, type StftOptions, stftDefaults, stftOptionNames, USUAL_HOP } from './stft.js';

export interface MelOptions {
  /** Samples a second. */
  readonly rate: number;
  /** Bands; 128 by default. */
  readonly nMels?: number;
  /** Hertz at which the lowest band begins; 0 by default. */
  readonly fMin?: number;
  /** Hertz at which the highest band ends; half of `rate` by default. */
  readonly fMax?: number;
  /** HTK's scale, logarithmic all through. Slaney's, linear below 1 kHz, is the default. */
  readonly htk?: boolean;
  /** `slaney` (the default): a band's weights have the same area, whatever its width. `null`: each has the peak 1. */
  readonly norm?: 'slaney' | null;
}

/** Slaney's scale is linear up to here, and then logarithmic. */
const BREAK_HZ = 1000;
const HZ_A_MEL = 200 / 3;
const LOG_STEP = Math.log(6.4) / 27;

/** Hertz to mel. */
export function hzToMel(hertz: number, htk = false): number {
  if (htk) return 2595 * Math.log10(1 + hertz / 700);
  return hertz < BREAK_HZ ? hertz / HZ_A_MEL : BREAK_HZ / HZ_A_MEL + Math.log(hertz / BREAK_HZ) / LOG_STEP;
}

/** Mel to hertz. */
export function melToHz(mel: number, htk = false): number {
  if (htk) return 700 * (10 ** (mel / 2595) - 1);
  const border = BREAK_HZ / HZ_A_MEL;
  return mel < border ? mel * HZ_A_MEL : BREAK_HZ * Math.exp(LOG_STEP * (mel - border));
}

/** Triangular filters over the bins of a spectrum: [nMels, 1 + nFft / 2], float64. Each begins and ends at its neighbours' peaks. */
export function melFilters(options: MelOptions & { readonly nFft?: number }): Tensor {
  checkOptions('melFilters', options, [...melOptionNames, 'nFft']);
  return filters(options);
}

const melOptionNames = ['rate', 'nMels', 'fMin', 'fMax', 'htk', 'norm'] as const;

function filters(options: MelOptions & { readonly nFft?: number }): Tensor {
  const { rate, nFft = 2048, nMels = 128, fMin = 0, fMax = rate / 2, htk = false, norm = 'slaney' } = options;
  if (!(Number.isSafeInteger(nMels) && nMels > 0)) throw new ConfigError(`expected nMels > 0, bands, got ${nMels}`);
  if (!(rate > 0 && Number.isFinite(rate))) throw new ConfigError(`expected rate > 0, samples a second, got ${rate}`);
  if (norm !== 'slaney' && norm !== null)
    throw new ConfigError(`expected norm 'slaney' or null, got '${String(norm)}'`);
  if (!(fMin >= 0 && fMax > fMin && fMax <= rate / 2))
    throw new ConfigError(`expected 0 <= fMin < fMax <= ${rate / 2} Hz (half of rate), got ${fMin} and ${fMax}`);
  const [low, high] = [hzToMel(fMin, htk), hzToMel(fMax, htk)];
  const edges = Array.from({ length: nMels + 2 }, (_, i) => melToHz(low + (i * (high - low)) / (nMels + 1), htk));
  const bins = fftFrequencies(rate, nFft);
  const weights = new Float64Array(nMels * bins.length);
  for (let band = 0; band < nMels; band++) {
    const [from, peak, to] = [edges[band], edges[band + 1], edges[band + 2]] as [number, number, number];
    const scale = norm === 'slaney' ? 2 / (to - from) : 1;
    for (let bin = 0; bin < bins.length; bin++) {
      const hertz = bins[bin] as number;
      const height = Math.min((hertz - from) / (peak - from), (to - hertz) / (to - peak));
      if (height > 0) weights[band * bins.length + bin] = height * scale;
    }
  }
  return tensor(weights, { shape: [nMels, bins.length] });
}

export interface MelSpectrogramOptions extends MelOptions, StftOptions {
  /** Samples from one frame to the next; 512 by default, whatever the window. */
  readonly hop?: number;
  /** 2 (the default) for energies, 1 for amplitudes. */
  readonly power?: number;
}

const melSpectrogramOptionNames = [...melOptionNames, ...stftOptionNames, 'power'] as const;

/** Energies in mel bands of a sound [..., n]: [..., nMels, frames]. */
export function melSpectrogram(y: Tensor, options: MelSpectrogramOptions): Tensor {
  checkOptions('melSpectrogram', options, melSpectrogramOptionNames);
  return energies(y, options);
}

function energies(y: Tensor, options: MelSpectrogramOptions): Tensor {
  const { hop = USUAL_HOP, power = 2 } = options;
  const { nFft } = stftDefaults({ ...options, hop });
  return scope(() => {
    const weights = filters({ ...options, nFft }).to({ dtype: y.dtype, device: y.device });
    return weights.matmul(magnitudes(y, { ...options, hop }, power));
  });
}

/** {@link melSpectrogram} in decibels. */
export function logMel(y: Tensor, options: MelSpectrogramOptions & DecibelOptions): Tensor {
  checkOptions('logMel', options, [...melSpectrogramOptionNames, ...decibelOptionNames]);
  return scope(() => decibels(energies(y, options), options));
}

export interface MfccOptions extends MelSpectrogramOptions {
  /** Coefficients that are kept; 20 by default. */
  readonly nMfcc?: number;
  /** Raises the higher coefficients: number `i` is multiplied by `1 + lifter / 2 sin(pi (i + 1) / lifter)`. 0 by default: as they are. */
  readonly lifter?: number;
}

/** Mel-frequency cepstral coefficients of a sound [..., n]: [..., nMfcc, frames]. The orthonormal DCT-II of {@link logMel}. */
export function mfcc(y: Tensor, options: MfccOptions): Tensor {
  checkOptions('mfcc', options, [...melSpectrogramOptionNames, 'nMfcc', 'lifter']);
  const { nMfcc = 20, nMels = 128, lifter = 0 } = options;
  if (!(Number.isSafeInteger(nMfcc) && nMfcc > 0 && nMfcc <= nMels))
    throw new ConfigError(`expected nMfcc to be 1 to nMels (${nMels}), got ${nMfcc}`);
  if (!(lifter >= 0)) throw new ConfigError(`expected lifter >= 0, got ${lifter}`);
  return scope(() => {
    const cosines = new Float64Array(nMfcc * nMels);
    for (let i = 0; i < nMfcc; i++) {
      const raise = lifter === 0 ? 1 : 1 + (lifter / 2) * Math.sin((Math.PI * (i + 1)) / lifter);
      const scale = raise * Math.sqrt((i === 0 ? 1 : 2) / nMels);
      for (let j = 0; j < nMels; j++)
        cosines[i * nMels + j] = scale * Math.cos((Math.PI * i * (2 * j + 1)) / (2 * nMels));
    }
    return like(y, cosines, [nMfcc, nMels]).matmul(decibels(energies(y, options), {}));
  });
}
