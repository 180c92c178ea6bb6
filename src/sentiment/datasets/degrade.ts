/** A data set as it may come at prediction: a modality missing, noisy features, words that were not heard. */
import { moments } from '../../features/moments.js';
import { PackedSequences, type SequenceFeatures } from '../../features/sequences.js';
import { type Modality, modalities } from '../../features/specs.js';
import { ConfigError, deriveSeed, Generator, rand, randn, scope } from '../../torch/index.js';
import { checkOptions } from '../../torch/options.js';
import type { SentimentData } from './data.js';

export interface Degradation {
  /** Modalities that no utterance has. */
  readonly missing?: readonly Modality[];
  /** Normal noise on the rows of features, in standard deviations of each column over the training part. */
  readonly noise?: Readonly<Partial<Record<Modality, number>>>;
  /** Share of the words of each text that are left out. */
  readonly dropWords?: number;
  /** Of the draws. Default 0. */
  readonly seed?: number;
}

/** What may happen to the data of a test, by name. */
export const conditions: Readonly<Record<string, Degradation>> = {
  'no-text': { missing: ['text'] },
  'no-audio': { missing: ['audio'] },
  'no-vision': { missing: ['vision'] },
  'noisy-text': { noise: { text: 1 } },
  'noisy-audio': { noise: { audio: 1 } },
  'noisy-vision': { noise: { vision: 1 } },
  'half-words': { dropWords: 0.5 },
};

/** A condition by its name. @throws ConfigError for an unknown one */
export function conditionCalled(name: string): Degradation {
  if (Object.hasOwn(conditions, name)) return conditions[name]!;
  throw new ConfigError(`Expected a condition among ${Object.keys(conditions).join(', ')}, got '${name}'`);
}

/**
 * The same utterances, worse. Every utterance's draws depend on its place and the seed alone. Shares memory with the data.
 * @throws ConfigError for noise on features that the data lacks
 */
export function degradeData(data: SentimentData, degradation: Degradation): SentimentData {
  checkOptions('degradeData', degradation, ['missing', 'noise', 'dropWords', 'seed']);
  const { missing = [], noise = {}, dropWords = 0, seed = 0 } = degradation;
  checkOptions('degradeData, noise', noise, modalities);
  if (!(dropWords >= 0 && dropWords <= 1)) throw new ConfigError(`Expected dropWords from 0 to 1, got ${dropWords}`);
  const features: Partial<Record<Modality, SequenceFeatures | null>> = {};
  for (const [name, deviations] of Object.entries(noise) as [Modality, number][]) {
    const own = data.features[name];
    if (own === undefined) throw new ConfigError(`${data.name} has no ${name} features to make noisy`);
    features[name] = noisy(own, data.indices('train'), deviations, deriveSeed(seed, 'noise', name));
  }
  for (const name of missing) {
    const own = data.features[name];
    if (own)
      features[name] = PackedSequences.from({
        spec: own.spec,
        lengths: new Int32Array(data.length),
        read: () => new Float32Array(0),
      });
  }
  const worse = data.withFeatures(features);
  const silent = missing.includes('text');
  if (!silent && dropWords === 0) return worse;
  const utterances = data.utterances.map((item, i) => {
    const text = silent || item.text === null ? null : withoutWords(item.text, dropWords, deriveSeed(seed, 'words', i));
    return { ...item, text };
  });
  return worse.withUtterances(utterances);
}

function noisy(own: SequenceFeatures, indices: readonly number[], share: number, seed: number): PackedSequences {
  const { spec, lengths } = own;
  const { std } = moments(
    indices.map((index) => own.rows(index)),
    spec.dims,
  );
  const read = (index: number): Float32Array => {
    const rows = own.rows(index);
    const drawn = drawsOf(randn, rows.length, deriveSeed(seed, index));
    return rows.map((value, i) => value + share * std[i % spec.dims]! * drawn[i]!);
  };
  return PackedSequences.from({ spec, lengths, read });
}

function withoutWords(text: string, share: number, seed: number): string {
  const words = text.split(/\s+/).filter((word) => word !== '');
  const drawn = drawsOf(rand, words.length, seed);
  return words.filter((_, i) => drawn[i]! >= share).join(' ');
}

function drawsOf(draw: typeof rand, count: number, seed: number): Float32Array {
  return scope(() => draw([count], { generator: new Generator(seed) }).data() as Float32Array);
}
