/** Decibels, as librosa takes them. */
import { ConfigError } from '../../torch/errors.js';
import { scope, type Tensor } from '../../torch/index.js';
import { checkOptions } from '../../torch/options.js';

export interface DecibelOptions {
  /** What counts as 0 dB: a value (1 by default), or the greatest there is. */
  readonly ref?: number | 'max';
  /** What is smaller counts as this: 1e-10 for energies, 1e-5 for amplitudes. */
  readonly amin?: number;
  /** Values lie at most this far below the greatest of the whole tensor; 80 by default. `null` for no limit. */
  readonly topDb?: number | null;
}

export const decibelOptionNames = ['ref', 'amin', 'topDb'] as const;

/** Energies to decibels: `10 log10(x / ref)`. */
export function powerToDb(energies: Tensor, options: DecibelOptions = {}): Tensor {
  checkOptions('powerToDb', options, decibelOptionNames);
  return decibels(energies, options);
}

/** As {@link powerToDb}, of options that hold others beside. */
export function decibels(energies: Tensor, options: DecibelOptions): Tensor {
  const { ref = 1, amin = 1e-10, topDb = 80 } = options;
  if (!(amin > 0)) throw new ConfigError(`expected amin > 0, got ${amin}`);
  if (topDb !== null && !(topDb >= 0)) throw new ConfigError(`expected topDb >= 0 or null, got ${topDb}`);
  if (ref !== 'max' && !Number.isFinite(ref)) throw new ConfigError(`expected ref to be a number or 'max', got ${ref}`);
  return scope(() => {
    const reference = ref === 'max' ? energies.max().item() : Math.abs(ref);
    const levels = energies
      .clampMin(amin)
      .log10()
      .mul(10)
      .sub(10 * Math.log10(Math.max(amin, reference)));
    return topDb === null ? levels : levels.maximum(levels.max().sub(topDb));
  });
}

/** Amplitudes to decibels: `20 log10(x / ref)`. */
export function amplitudeToDb(amplitudes: Tensor, options: DecibelOptions = {}): Tensor {
  checkOptions('amplitudeToDb', options, decibelOptionNames);
  const { ref = 1, amin = 1e-5, topDb = 80 } = options;
  return scope(() => decibels(amplitudes.square(), { ref: ref === 'max' ? ref : ref * ref, amin: amin * amin, topDb }));
}
