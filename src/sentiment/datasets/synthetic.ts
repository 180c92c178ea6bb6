/** Data whose causes are known: factors that the modalities share, factors of their own, and a label that depends on both. */
import { PackedSequences } from '../../features/sequences.js';
import { type Modality, modalities } from '../../features/specs.js';
import { ConfigError, deriveSeed, Generator, rand, randn, scope } from '../../torch/index.js';
import { checkOptions } from '../../torch/options.js';
import { SentimentData } from './data.js';
import { sourceFields, type Utterance, utterance } from './types.js';

export interface SyntheticOptions {
  /** Utterances: six of ten train, two validate, two test. Default 1000. */
  readonly count?: number;
  /** Factors that all modalities show. Default 2. */
  readonly shared?: number;
  /** Factors that one modality shows alone, of each. Default 2. */
  readonly own?: number;
  /** Share of the label's variance that the shared factors make; the modalities' own make the rest. Default 0.5. */
  readonly sharedShare?: number;
  /** Deviation of the noise of each row, beside factors of deviation 1. Default 1. */
  readonly noise?: number;
  /** Numbers in a row. Default 12. */
  readonly dims?: number;
  /** Default 0. */
  readonly seed?: number;
}

const defaults: Required<SyntheticOptions> = {
  count: 1000,
  shared: 2,
  own: 2,
  sharedShare: 0.5,
  noise: 1,
  dims: 12,
  seed: 0,
};

/** How an utterance's `extra` calls a factor: `factor shared 0`, `factor audio 1`. */
const PREFIX = 'factor ';

/** The factors of an utterance by their group: `shared`, or the modality that alone shows them. Empty for data that is not synthetic. */
export function factorsOf({ extra }: Utterance): Record<string, number[]> {
  const groups: Record<string, number[]> = {};
  for (const [key, value] of Object.entries(extra)) {
    if (!key.startsWith(PREFIX)) continue;
    const [group] = key.slice(PREFIX.length).split(' ') as [string];
    groups[group] ??= [];
    groups[group].push(value as number);
  }
  return groups;
}

/**
 * Makes the data: factors z, each normal of deviation 1. A row of modality m is A_m [z_shared; z_m] + noise, with A_m drawn once; an
 * utterance has 3 to 8 rows of each, in `text` too. The label is √share · (mean of z_shared, scaled to deviation 1) + √(1 - share) · (the
 * same of all z_m), times 1.2, cut to [-3, 3].
 * @throws ConfigError for options that make no sense
 */
export function makeSynthetic(options: SyntheticOptions = {}): SentimentData {
  checkOptions('makeSynthetic', options, [...Object.keys(defaults), ...sourceFields]);
  const { count, shared, own, sharedShare, noise, dims, seed } = { ...defaults, ...options };
  const whole = { count, shared, own, dims };
  for (const [name, value] of Object.entries(whole)) {
    if (!Number.isInteger(value) || value < 1)
      throw new ConfigError(`Expected ${name} of synthetic data from 1, got ${value}`);
  }
  if (!(sharedShare >= 0 && sharedShare <= 1) || !(noise >= 0))
    throw new ConfigError(`Expected sharedShare from 0 to 1 and noise from 0, got ${sharedShare} and ${noise}`);
  const normal = (what: string, size: number): Float32Array => drawn(randn, size, deriveSeed(seed, 'synthetic', what));
  const common = normal('shared', count * shared);
  const single = new Map(modalities.map((name) => [name, normal(name, count * own)]));
  const utterances = Array.from({ length: count }, (_, i) => {
    const z = common.subarray(i * shared, (i + 1) * shared);
    const each = modalities.map((name) => single.get(name)!.subarray(i * own, (i + 1) * own));
    const [together, alone] = [scaledSum([z]), scaledSum(each)];
    const label = 1.2 * (Math.sqrt(sharedShare) * together + Math.sqrt(1 - sharedShare) * alone);
    const split = i % 10 < 6 ? 'train' : i % 10 < 8 ? 'valid' : 'test';
    const named = (group: string, values: Float32Array): [string, number][] =>
      [...values].map((value, k) => [`${PREFIX}${group} ${k}`, value]);
    const extra = Object.fromEntries([
      ...named('shared', z),
      ...modalities.flatMap((name, m) => named(name, each[m]!)),
    ]);
    return utterance({ id: `s${i}`, video: `s${i}`, split, label: Math.min(3, Math.max(-3, label)), extra });
  });
  const features = Object.fromEntries(
    modalities.map((name) => [name, rowsOf(name, utterances, { width: shared + own, dims, noise, seed })]),
  );
  return new SentimentData({ name: 'synthetic', utterances, features, range: [-3, 3] });
}

/** A sum of independent normal numbers, divided by its deviation. */
function scaledSum(parts: readonly Float32Array[]): number {
  const all = parts.flatMap((part) => [...part]);
  return all.reduce((sum, value) => sum + value, 0) / Math.sqrt(all.length);
}

function rowsOf(
  name: Modality,
  utterances: readonly Utterance[],
  { width, dims, noise, seed }: { width: number; dims: number; noise: number; seed: number },
): PackedSequences {
  const map = drawn(randn, dims * width, deriveSeed(seed, 'map', name));
  const lengths = Int32Array.from(
    drawn(rand, utterances.length, deriveSeed(seed, 'length', name)),
    (x) => 3 + Math.floor(6 * x),
  );
  const read = (index: number): Float32Array => {
    const groups = factorsOf(utterances[index]!);
    const z = [...groups.shared!, ...groups[name]!];
    const clean = Float64Array.from({ length: dims }, (_, d) =>
      z.reduce((sum, value, k) => sum + map[d * width + k]! * value, 0),
    );
    const rows = drawn(randn, lengths[index]! * dims, deriveSeed(seed, 'noise', name, index));
    return rows.map((value, i) => clean[i % dims]! + noise * value);
  };
  const spec = { name: `synthetic ${name}`, dims, unit: 'frame', rate: null, version: '1' } as const;
  return PackedSequences.from({ spec, lengths, read });
}

function drawn(draw: typeof rand, count: number, seed: number): Float32Array {
  return scope(() => draw([count], { generator: new Generator(seed) }).data() as Float32Array);
}
