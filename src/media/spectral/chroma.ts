/** How strongly each of the twelve tones sounds, whatever its octave. Values and defaults are librosa's. */
import { ConfigError } from '../../torch/errors.js';
import { scope, type Tensor, tensor } from '../../torch/index.js';
import { checkOptions } from '../../torch/options.js';
import { constantQ } from './constant-q.js';
import { like } from './frames.js';
import { magnitudes, type StftOptions, stftDefaults, stftOptionNames, USUAL_HOP } from './stft.js';
import { estimateTuning, tuningOf } from './tuning.js';

const TONES = 12;
/** C1 in Hz: three half-tones above the A four octaves below that of 440 Hz. */
const C1 = 440 * 2 ** (-4 + 3 / TONES);

export interface ChromaOptions {
  /** Samples a second. */
  readonly rate: number;
  /** Deviation from 440 Hz in parts of a bin (of which an octave has 12, or 36 in {@link chromaCqt}); `null`: as estimated. */
  readonly tuning?: number | null;
}

/**
 * Weights of the bins of a spectrum for the tones C, C sharp, ... B: [12, 1 + nFft / 2], float64. A bump around each tone in each octave,
 * as wide as bins are apart, and lower the further the octave is from the fifth.
 */
export function chromaFilters(options: { rate: number; nFft?: number; tuning?: number }): Tensor {
  checkOptions('chromaFilters', options, ['rate', 'nFft', 'tuning']);
  const { rate, nFft = 2048, tuning = 0 } = options;
  const bins = 1 + Math.floor(nFft / 2);
  // In twelfths of an octave above the A of 27.5 Hz.
  const position = Float64Array.from(
    { length: nFft },
    (_, bin) => TONES * Math.log2((bin * rate) / nFft / ((440 * 2 ** (tuning / TONES)) / 16)),
  );
  position[0] = (position[1] as number) - 1.5 * TONES; // 0 Hz has no tone: far below the first bin
  const weights = new Float64Array(TONES * bins);
  for (let bin = 0; bin < bins; bin++) {
    const here = position[bin] as number;
    const width = bin + 1 < nFft ? Math.max(1, (position[bin + 1] as number) - here) : 1;
    const bumps = Array.from({ length: TONES }, (_, tone) => {
      const distance = here - tone + TONES / 2 + 10 * TONES;
      const nearest = distance - TONES * Math.floor(distance / TONES) - TONES / 2;
      return Math.exp(-0.5 * ((2 * nearest) / width) ** 2);
    });
    const norm = Math.hypot(...bumps);
    const octave = Math.exp(-0.5 * ((here / TONES - 5) / 2) ** 2);
    for (let tone = 0; tone < TONES; tone++) {
      // From A first to C first.
      weights[((tone + 9) % TONES) * bins + bin] = ((bumps[tone] as number) / norm) * octave;
    }
  }
  return tensor(weights, { shape: [TONES, bins] });
}

/**
 * Chroma of a sound [n] by its spectrogram: [12, frames], each frame's strongest tone 1. A frame of silence is 0. `hop` is 512 by default,
 * whatever the window.
 */
export function chromaStft(y: Tensor, options: ChromaOptions & StftOptions): Tensor {
  checkOptions('chromaStft', options, ['rate', 'tuning', ...stftOptionNames]);
  const { rate, tuning = null, hop = USUAL_HOP } = options;
  const { nFft } = stftDefaults({ ...options, hop });
  return scope(() => {
    const energies = magnitudes(y, { ...options, hop }, 2);
    const filters = chromaFilters({ rate, nFft, tuning: tuning ?? tuningOf(energies, { rate, binsPerOctave: TONES }) });
    return strongestToOne(filters.to({ dtype: y.dtype, device: y.device }).matmul(energies));
  });
}

const BINS_PER_OCTAVE = 36;
const OCTAVES = 7;

/**
 * Chroma of a sound [n] by its constant-Q transform over seven octaves from C1: [12, frames], each frame's strongest tone 1. A frame of
 * silence is 0. `rate` must be 8400 Hz or more.
 */
export function chromaCqt(y: Tensor, options: ChromaOptions & { readonly hop?: number }): Tensor {
  checkOptions('chromaCqt', options, ['rate', 'tuning', 'hop']);
  const { rate, hop = USUAL_HOP, tuning = null } = options;
  return scope(() => {
    const deviation = tuning ?? estimateTuning(y, { rate, binsPerOctave: BINS_PER_OCTAVE });
    const magnitudes = constantQ(y, {
      rate,
      hop,
      fMin: C1 * 2 ** (deviation / BINS_PER_OCTAVE),
      binsPerOctave: BINS_PER_OCTAVE,
      octaves: OCTAVES,
    });
    return strongestToOne(like(y, mergeBins(), [TONES, OCTAVES * BINS_PER_OCTAVE]).matmul(magnitudes));
  });
}

/** Sums over octaves and over the three bins around each tone. */
function mergeBins(): Float64Array {
  const all = OCTAVES * BINS_PER_OCTAVE;
  const each = BINS_PER_OCTAVE / TONES;
  const weights = new Float64Array(TONES * all);
  for (let bin = 0; bin < all; bin++) {
    const tone = Math.floor((bin + Math.floor(each / 2)) / each) % TONES;
    weights[tone * all + bin] = 1;
  }
  return weights;
}

/** The least float32 that is not subnormal: what is less counts as silence. */
const TINY = 2 ** -126;

/** Divides each frame of [12, frames] by its greatest, unless that is 0. */
function strongestToOne(chroma: Tensor): Tensor {
  const [tones] = chroma.shape;
  if (tones !== TONES) throw new ConfigError(`expected ${TONES} tones, got ${tones}`);
  const greatest = chroma.amax([0], true);
  return chroma.div(greatest.maskedFill(greatest.lt(TINY), 1));
}
