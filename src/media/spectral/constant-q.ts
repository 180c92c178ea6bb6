/**
 * The constant-Q transform: bins a fixed part of an octave apart, each with a filter as many of its periods long.
 *
 * It is computed as it is defined: the sound at its own rate times each filter. Implementations that halve the rate from octave to octave,
 * and leave out small parts of the filters' spectra (librosa does both), differ from it by about a hundredth of the greatest value.
 */
import { ConfigError } from '../../torch/errors.js';
import { cat, ops, scope, type Tensor, tensor } from '../../torch/index.js';
import { checkOptions } from '../../torch/options.js';
import { framesOf, lengthOf, padEnds } from './frames.js';

export interface ConstantQOptions {
  /** Samples a second. */
  readonly rate: number;
  /** Samples from one frame to the next. */
  readonly hop: number;
  /** Hertz of the lowest bin. */
  readonly fMin: number;
  readonly binsPerOctave: number;
  readonly octaves: number;
}

/** The numbers that are multiplied at once, so that memory does not grow with the sound's length. */
const BLOCK = 1 << 22;

/**
 * Magnitudes of a sound [n]: [octaves * binsPerOctave, frames], from low to high, with `1 + floor(n / hop)` frames centred on the samples
 * 0, hop, 2 hop, ... Beyond the ends is silence. Each is divided by the root of its filter's length, as librosa's `cqt` does.
 */
export function constantQ(y: Tensor, options: ConstantQOptions): Tensor {
  checkOptions('constantQ', options, ['rate', 'hop', 'fMin', 'binsPerOctave', 'octaves']);
  const { rate, hop, fMin, binsPerOctave, octaves } = options;
  const highest = fMin * 2 ** (octaves - 1 / binsPerOctave);
  if (highest >= rate / 2)
    throw new ConfigError(
      `the highest bin, ${highest.toFixed(0)} Hz, needs a rate above ${Math.ceil(2 * highest)}, got ${rate}`,
    );
  return scope(() => {
    const rows: Tensor[] = [];
    for (let octave = 0; octave < octaves; octave++) {
      const filters = filtersOf(fMin * 2 ** octave, binsPerOctave, rate);
      rows.push(response(y, filters, hop));
    }
    return cat(rows, 0);
  });
}

interface Filters {
  /** For each sample, the real parts of all filters and then the imaginary ones: [length, 2 * bins]. */
  readonly values: Float32Array;
  readonly bins: number;
  readonly length: number;
  /** Samples before the one that a frame is centred on. */
  readonly before: number;
}

/** The filters of an octave: waves of a bin's frequency under a Hann window of `Q * rate / frequency` samples. */
function filtersOf(fLow: number, bins: number, rate: number): Filters {
  const ratio = 2 ** (2 / bins);
  const q = (ratio + 1) / (ratio - 1);
  const lengths = Array.from({ length: bins }, (_, bin) => (q * rate) / (fLow * 2 ** (bin / bins)));
  const longest = lengths[0] as number;
  const before = Math.floor(longest / 2);
  const length = before + Math.ceil(longest / 2) + 1;
  const values = new Float32Array(length * 2 * bins);
  lengths.forEach((exact, bin) => {
    const turn = (2 * Math.PI * q) / exact;
    const [first, last] = [Math.floor(-exact / 2), Math.floor(exact / 2) - 1];
    const count = last - first + 1;
    // The mean of a window of these weights is 1 / 2: its sum is half its length.
    const scale = Math.sqrt(exact) / (count / 2);
    for (let m = first; m <= last; m++) {
      const weight = scale * (0.5 - 0.5 * Math.cos((2 * Math.PI * (m - first)) / count));
      const at = (before - m) * 2 * bins + bin;
      values[at] = weight * Math.cos(turn * m);
      values[at + bins] = weight * Math.sin(turn * m);
    }
  });
  return { values, bins, length, before };
}

function response(y: Tensor, { values, bins, length, before }: Filters, hop: number): Tensor {
  return scope(() => {
    const matrix = tensor(values, { shape: [length, 2 * bins] }).to({ dtype: y.dtype, device: y.device });
    const count = 1 + Math.floor(lengthOf(y) / hop);
    const frames = framesOf(padEnds(y, before, length, 'constant'), length, hop);
    const size = Math.max(1, Math.floor(BLOCK / length));
    const parts: Tensor[] = [];
    for (let from = 0; from < count; from += size) {
      parts.push(
        scope(() => {
          const product = frames.narrow(0, from, Math.min(size, count - from)).matmul(matrix);
          return ops.hypot(product.narrow(1, 0, bins), product.narrow(1, bins, bins));
        }),
      );
    }
    return cat(parts, 0).t();
  });
}
