/** Features of speech, frame by frame: the same code for a data set's clips and for a clip to predict. */
import { type Audio, chromaCqt, logMel, mfcc, readAudio, resample, zeroCrossingRate } from '../media/index.js';
import { ConfigError, DataError } from '../torch/errors.js';
import { cat, scope, type Tensor, tensor } from '../torch/index.js';
import type { FeatureSpec } from './specs.js';
import type { SpokenSpan } from './utterances.js';

/** Makes rows of features from sound. */
export interface AudioExtractor {
  /** What the rows are. Its version changes whenever values do. */
  readonly spec: FeatureSpec;
  /** Samples a second that it reads. */
  readonly rate: number;
  /** Row-major [frames, dims] of mono samples at `rate`; at least one row, all values finite. */
  extract(samples: Float32Array): Float32Array;
}

/** Rows of one utterance. */
export interface FeatureRows {
  readonly spec: FeatureSpec;
  /** Rows; at least 1. */
  readonly length: number;
  /** Row-major [length, dims]. */
  readonly rows: Float32Array;
}

const RATE = 22050;
const HOP = 512;

function extractor(name: string, dims: number, features: (y: Tensor) => Tensor): AudioExtractor {
  return {
    spec: { name, dims, unit: 'frame', rate: RATE / HOP, version: '1' },
    rate: RATE,
    extract: (samples) =>
      scope(() => {
        const y = tensor(samples.length === 0 ? new Float32Array(1) : samples);
        return features(y).t().contiguous().data() as Float32Array;
      }),
  };
}

/**
 * 33 numbers a frame, as CH-SIMS's audio features are described: the rate of sign changes (1), MFCC on HTK's mel scale (20), and chroma from a
 * constant-Q transform (12), tuned to the utterance. 43 frames a second: 22,050 samples a second, a frame each 512, 2,048 long.
 */
export const speechFeatures: AudioExtractor = extractor('zcr-mfcc-chroma', 33, (y) =>
  cat(
    [
      zeroCrossingRate(y, { hop: HOP }),
      mfcc(y, { rate: RATE, hop: HOP, nMfcc: 20, htk: true }),
      chromaCqt(y, { rate: RATE, hop: HOP }),
    ],
    0,
  ),
);

/** 80 mel bands in decibels (Slaney's scale), at most 80 dB below the utterance's loudest, on the frames of {@link speechFeatures}. */
export const logMelFeatures: AudioExtractor = extractor('log-mel', 80, (y) =>
  logMel(y, { rate: RATE, hop: HOP, nMels: 80 }),
);

export const audioExtractors: readonly AudioExtractor[] = [speechFeatures, logMelFeatures];

/** The extractor by its specification, as a trained model names it. @throws ConfigError where there is none */
export function audioExtractor({ name, version }: Pick<FeatureSpec, 'name' | 'version'>): AudioExtractor {
  const found = audioExtractors.find(({ spec }) => spec.name === name && spec.version === version);
  if (found !== undefined) return found;
  const known = audioExtractors.map(({ spec }) => `'${spec.name}' version ${spec.version}`).join(', ');
  throw new ConfigError(
    `audio features '${name}' version ${version} cannot be extracted here; known are ${known}. Give these features in a file, or train with known ones`,
  );
}

/**
 * Features of a recording's utterances, each on its own: one does not change with its neighbours.
 * @param source - the path of a recording or video, or its sound
 * @param spans - where the utterances are; by default one, the whole
 * @throws DataError when the file has no sound, or an utterance lies beyond its end
 */
export async function extractAudio(
  { spec, rate, extract }: AudioExtractor,
  source: string | Audio,
  spans?: readonly Pick<SpokenSpan, 'start' | 'end'>[],
): Promise<FeatureRows[]> {
  const samples =
    typeof source === 'string'
      ? (await readAudio(source, { rate })).samples
      : await resample(source.samples, source.rate, rate);
  const duration = samples.length / rate;
  return (spans ?? [{ start: 0, end: Math.max(duration, 1 / rate) }]).map(({ start, end }) => {
    if (!(start >= 0 && end > start))
      throw new ConfigError(`expected 0 <= start < end in seconds, got ${start} and ${end}`);
    const from = Math.round(start * rate);
    if (from >= Math.max(1, samples.length)) {
      const where = typeof source === 'string' ? source : 'the sound';
      throw new DataError(
        `an utterance from ${start.toFixed(2)} to ${end.toFixed(2)} s lies beyond the end of ${where}, ${duration.toFixed(2)} s: ` +
          'are these its times?',
      );
    }
    const rows = extract(samples.subarray(from, Math.max(from + 1, Math.round(end * rate))));
    return { spec, length: rows.length / spec.dims, rows };
  });
}
