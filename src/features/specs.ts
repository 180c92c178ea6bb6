/** What a row of features is: its modality and its specification. */
import { ConfigError } from '../torch/errors.js';

export type Modality = 'text' | 'audio' | 'vision';

export const modalities: readonly Modality[] = ['text', 'audio', 'vision'];

/** What the rows of a modality's features are. A checkpoint keeps it, and a prediction checks its own features against it. */
export interface FeatureSpec {
  /** How they are called: `COVAREP`, `FACET 4.2`, `bert-base-uncased`. */
  readonly name: string;
  /** Numbers in a row. */
  readonly dims: number;
  /** What a row stands for. */
  readonly unit: 'frame' | 'word' | 'utterance';
  /** Rows a second, where they are evenly spaced and it is known. */
  readonly rate: number | null;
  readonly version: string;
  /** What a file of one's own exports to make them, where it does. */
  readonly from?: ExportRef;
}

/** A function that a module exports; the module is a URL. */
export interface ExportRef {
  readonly module: string;
  readonly export: string;
}

/** Specifications by modality. */
export type FeatureSpecs = Readonly<Partial<Record<Modality, FeatureSpec>>>;

/**
 * Checks the features at hand against those that a model was trained on.
 * @param where names the model in the error
 * @throws ConfigError that lists every difference: a missing modality, another name, width, unit, rate or version
 */
export function checkFeatureSpecs(trained: FeatureSpecs, given: FeatureSpecs, where: string): void {
  const differences: string[] = [];
  for (const modality of modalities) {
    const [expected, got] = [trained[modality], given[modality]];
    if (expected === undefined) continue;
    if (got === undefined) differences.push(`${modality}: no features`);
    else {
      for (const key of ['name', 'dims', 'unit', 'rate', 'version'] as const) {
        if (expected[key] !== got[key])
          differences.push(`${modality}: ${key} ${show(got[key])}, trained with ${show(expected[key])}`);
      }
    }
  }
  if (differences.length === 0) return;
  throw new ConfigError(
    `${where} was trained on other features than these:\n  ${differences.join('\n  ')}\nExtract them with the training's extractor, or train again`,
  );
}

function show(value: string | number | null): string {
  return typeof value === 'string' ? `'${value}'` : value === null ? 'none' : String(value);
}

/** Values of features that were no finite numbers and became 0. */
export interface CleanCounts {
  readonly nan: number;
  /** Both infinities, and numbers beyond float32. */
  readonly infinite: number;
  /** Utterances in which there were any; of `.csd` folders, whose frames are cleaned before they are cut, videos. */
  readonly utterances: number;
}
