/** Features of one's own: a file exports a function that gives their extractor. */
import type { RgbImage } from '../media/index.js';
import { ConfigError } from '../torch/errors.js';
import { callFunction } from '../torch/user-modules.js';
import { type AudioExtractor, audioExtractor } from './audio.js';
import type { ExportRef, FeatureSpec } from './specs.js';

/** Makes rows of features from the pictures of an utterance. */
export interface VisionExtractor {
  /** What the rows are; `rate` is how many pictures a second are looked at. Its version changes whenever values do. */
  readonly spec: FeatureSpec;
  /** Row-major [rows, dims], all values finite; none where nothing is to be seen. */
  extract(pictures: AsyncIterable<RgbImage>): Float32Array | Promise<Float32Array>;
}

interface ByModality {
  readonly audio: AudioExtractor;
  readonly vision: VisionExtractor;
}

/**
 * The extractor that a file exports a function for. Its `spec` says where it is `from`, so that a model which is trained on its
 * features finds it again.
 * @throws ConfigError where there is no such function, or what it gives is no extractor
 */
export async function importExtractor<M extends keyof ByModality>(
  from: ExportRef,
  modality: M,
): Promise<ByModality[M]> {
  const made = (await callFunction(from.module, from.export)) as Partial<AudioExtractor> | null;
  const { name, dims, unit, rate, version } = made?.spec ?? ({} as Partial<FeatureSpec>);
  const lacking = [
    ...(typeof name === 'string' && name !== '' ? [] : ['spec.name, a text']),
    ...(typeof version === 'string' ? [] : ['spec.version, a text']),
    ...(Number.isInteger(dims) && dims! >= 1 ? [] : ['spec.dims, a whole number from 1']),
    ...(unit === 'frame' || unit === 'word' || unit === 'utterance'
      ? []
      : ["spec.unit, 'frame', 'word' or 'utterance'"]),
    ...(modality === 'vision' && !(rate! > 0) ? ['spec.rate, pictures a second'] : []),
    ...(modality === 'audio' && !((made?.rate ?? 0) > 0) ? ['rate, samples a second'] : []),
    ...(typeof made?.extract === 'function' ? [] : ['extract, a function']),
  ];
  if (lacking.length > 0) {
    throw new ConfigError(`Expected ${from.export} of ${from.module} to give an extractor with ${lacking.join('; ')}`);
  }
  const { extract } = made as ByModality[M];
  const bound = (extract as (given: never) => Float32Array).bind(made);
  const spec = { ...made!.spec!, rate: rate ?? null, from };
  return { ...(made as object), spec, extract: checked(bound, spec) } as unknown as ByModality[M];
}

/** What is no row, or no number, is told where it comes up. */
function checked<G>(extract: (given: G) => Float32Array | Promise<Float32Array>, { name, dims }: FeatureSpec) {
  const check = (rows: Float32Array): Float32Array => {
    if (!(rows instanceof Float32Array) || rows.length % dims !== 0) {
      throw new ConfigError(
        `Expected features '${name}' in a Float32Array of rows of ${dims}, got ${rows?.length ?? rows}`,
      );
    }
    if (rows.every(Number.isFinite)) return rows;
    throw new ConfigError(`Expected finite features '${name}', got ${rows.find((value) => !Number.isFinite(value))}`);
  };
  return (given: G) => {
    const rows = extract(given);
    return rows instanceof Promise ? rows.then(check) : check(rows);
  };
}

/** The extractor of features as a trained model names them, one's own or one of those here. @throws ConfigError */
export async function findAudioExtractor(spec: FeatureSpec): Promise<AudioExtractor> {
  return spec.from ? sameVersion(await importExtractor(spec.from, 'audio'), spec) : audioExtractor(spec);
}

/** One's own extractor of a face's or body's features; null for those that come with Headrace. @throws ConfigError */
export async function findVisionExtractor(spec: FeatureSpec): Promise<VisionExtractor | null> {
  return spec.from ? sameVersion(await importExtractor(spec.from, 'vision'), spec) : null;
}

function sameVersion<E extends { readonly spec: FeatureSpec }>(found: E, wanted: FeatureSpec): E {
  const { name, version, dims } = found.spec;
  if (name === wanted.name && version === wanted.version && dims === wanted.dims) return found;
  throw new ConfigError(
    `Expected features '${wanted.name}' version ${wanted.version} of ${wanted.dims} numbers, which the model was trained on, from ` +
      `${wanted.from!.module}; it makes '${name}' version ${version} of ${dims}`,
  );
}
