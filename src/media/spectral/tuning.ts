/** How far a recording's tones lie from those of an instrument tuned to 440 Hz. */
import type { Tensor } from '../../torch/index.js';
import { checkOptions } from '../../torch/options.js';
import { spectrogram } from './stft.js';

/** Tones are looked for between these, in Hz. */
const LOWEST = 150;
const HIGHEST = 4000;
/** Peaks count that reach this share of the loudest bin of their frame. */
const SHARE = 0.1;
/** Steps of the answer. */
const STEPS = 100;

export interface TuningOptions {
  /** Samples a second. */
  readonly rate: number;
  readonly binsPerOctave?: number;
}

/** {@link tuningOf} the magnitudes of a sound [n]. */
export function estimateTuning(y: Tensor, options: TuningOptions): number {
  checkOptions('estimateTuning', options, ['rate', 'binsPerOctave']);
  const magnitudes = spectrogram(y);
  const tuning = tuningOf(magnitudes, options);
  magnitudes.dispose();
  return tuning;
}

/**
 * The deviation that most tones share, in parts of a bin, -0.5 to 0.49; 0 where there are none. Tones are the peaks of a spectrogram
 * [1 + nFft / 2, frames], placed between bins by the parabola through three of them; the louder half of them counts.
 * @see librosa's `piptrack` and `pitch_tuning`
 */
export function tuningOf(magnitudes: Tensor, { rate, binsPerOctave = 12 }: TuningOptions): number {
  const peaks = peaksOf(magnitudes, rate);
  if (peaks.length === 0) return 0;
  const loudness = Float64Array.from(peaks, ({ height }) => height).sort();
  const middle = loudness.length >> 1;
  const upper = loudness[middle] as number;
  const median = loudness.length % 2 === 1 ? upper : (upper + (loudness[middle - 1] as number)) / 2;
  const counts = new Int32Array(STEPS);
  for (const { hertz, height } of peaks) {
    if (height < median) continue;
    const octaves = Math.log2(hertz / (440 / 16));
    const bins = binsPerOctave * octaves;
    const rest = bins - Math.floor(bins);
    const step = Math.floor((rest >= 0.5 ? rest - 0.5 : rest + 0.5) * STEPS);
    counts[Math.min(step, STEPS - 1)]! += 1;
  }
  return counts.indexOf(Math.max(...counts)) / STEPS - 0.5;
}

interface Peak {
  readonly hertz: number;
  readonly height: number;
}

function peaksOf(magnitudes: Tensor, rate: number): Peak[] {
  const [bins, frames] = magnitudes.shape as [number, number];
  const nFft = 2 * (bins - 1);
  const s = magnitudes.data() as Float32Array;
  const at = (bin: number, frame: number): number => s[bin * frames + frame] as number;
  const from = Math.max(1, Math.ceil((LOWEST * nFft) / rate));
  const highest = Math.min(HIGHEST, rate / 2);
  const peaks: Peak[] = [];
  for (let frame = 0; frame < frames; frame++) {
    let loudest = 0;
    for (let bin = 0; bin < bins; bin++) loudest = Math.max(loudest, at(bin, frame));
    const threshold = SHARE * loudest;
    for (let bin = from; bin < bins - 1 && (bin * rate) / nFft < highest; bin++) {
      const value = at(bin, frame);
      if (value <= threshold) continue;
      const [before, after] = [at(bin - 1, frame), at(bin + 1, frame)];
      if (value <= (before > threshold ? before : 0) || value < (after > threshold ? after : 0)) continue;
      const bend = after + before - 2 * value;
      const slope = (after - before) / 2;
      const shift = Math.abs(slope) >= Math.abs(bend) ? 0 : -slope / bend;
      peaks.push({ hertz: ((bin + shift) * rate) / nFft, height: value + 0.5 * slope * shift });
    }
  }
  return peaks;
}
