/**
 * The folder of a trained sentiment model: `config.json` (configuration, feature specifications, classes, machine),
 * `vocabulary.txt` where texts are read word by word, `text/` with a BERT's configuration and tokenizer, and for each seed
 * `seed-N/` with the events of its stages as they come (`events-0.jsonl`, ...), and at its end `metrics.json`, `history.jsonl` and
 * `model.safetensors`.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { arch, cpus, platform } from 'node:os';
import { basename, join } from 'node:path';
import type { FeatureSpecs } from '../features/specs.js';
import { FolderLock, loadSafetensors, saveSafetensors, writeFileAtomic } from '../io/index.js';
import { describeDifferences, differencesOf } from '../run/index.js';
import { buildInfo, ConfigError, DataError, HeadraceError, type Tensor } from '../torch/index.js';
import type { SentimentConfig } from './config.js';
import { trainingConstant } from './constant.js';
import type { SeedState } from './learner.js';
import { type NetworkShape, SentimentNetwork } from './network.js';
import type { PreparedData } from './prepare.js';
import { readManifest, readResultFile } from './read-manifest.js';
import { textReader } from './text-reader.js';
import type { SeedResult } from './train-seed.js';

/** What `config.json` holds. */
export interface SentimentManifest {
  readonly format: 1;
  readonly config: SentimentConfig;
  readonly data: string;
  readonly notes: readonly string[];
  readonly features: FeatureSpecs;
  readonly shape: NetworkShape;
  readonly classes: readonly string[];
  /** Lowest and highest score. */
  readonly range: readonly [number, number] | null;
  readonly machine: Readonly<Record<string, string | number>>;
  /** What a predictor says that knows the training labels alone: their mean, or the most frequent class. Absent in older folders. */
  readonly constant?: number;
}

/** Settings that a folder of an older version lacks, as they were then. */
const since: Partial<SentimentConfig> = { trainShare: 1 };

const VOCABULARY = 'vocabulary.txt';
/** What a BERT's folder holds besides its weights. */
const TEXT = 'text';
/** What a model's folder may hold to read texts. */
export const textFiles = [VOCABULARY, TEXT] as const;

function copyInto(folder: string, file: string): void {
  mkdirSync(folder, { recursive: true });
  copyFileSync(file, join(folder, basename(file)));
}

export function describeMachine(): Record<string, string | number> {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model.trim() ?? 'unknown',
    cores: cpus().length,
    system: `${platform()} ${arch()}`,
    node: process.version,
    libtorch: buildInfo().libtorch,
  };
}

/** Begins a run's folder. @throws ConfigError when it holds a run and `resume` is not set, or another run */
export function beginFolder(
  out: string,
  config: SentimentConfig,
  prepared: PreparedData,
  resume: boolean,
): SentimentManifest {
  const { data, shape, reader } = prepared;
  const manifest: SentimentManifest = {
    format: 1,
    config,
    data: data.name,
    notes: data.notes,
    features: data.specs,
    shape,
    classes: data.classes,
    range: data.range,
    machine: describeMachine(),
    constant: trainingConstant(config, prepared.splits.train),
  };
  if (existsSync(join(out, 'config.json'))) {
    if (!resume) throw new ConfigError(`${out} holds a run already: resume it (resume: true), or give another folder`);
    const differences = differencesOf({ ...since, ...readManifest(out).config }, config);
    if (differences.length > 0) {
      throw new ConfigError(
        `${out} holds a run of another configuration: its settings are ${describeDifferences(differences)}. ` +
          'Give those to go on, or another folder',
      );
    }
  }
  const lock = takeFolder(out);
  try {
    for (const file of reader?.files ?? []) copyInto(join(out, TEXT), file);
    if (reader?.vocabulary) writeFileAtomic(join(out, VOCABULARY), `${reader.vocabulary.join('\n')}\n`);
    writeFileAtomic(join(out, 'config.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  } catch (cause) {
    throw notWritable(out, cause);
  } finally {
    lock.release();
  }
  return manifest;
}

/** Makes a run's folder, where it is absent, and this process its owner. @throws ConfigError where it has another */
function takeFolder(out: string): FolderLock {
  try {
    mkdirSync(out, { recursive: true });
  } catch (cause) {
    throw notWritable(out, cause);
  }
  return FolderLock.take(out);
}

function notWritable(out: string, cause: unknown): ConfigError {
  return new ConfigError(`Expected a folder that can be written to, got ${out}: ${(cause as Error).message}`, {
    cause,
  });
}

export function seedFolder(out: string, seed: number): string {
  return join(out, `seed-${seed}`);
}

/** The weights of a seed that has ended. */
export function weightsFile(out: string, seed: number): string {
  return join(seedFolder(out, seed), 'model.safetensors');
}

/** The results of the seeds that have ended, in the order of the seeds. */
export function readResults(out: string): SeedResult[] {
  if (!existsSync(out)) throw new ConfigError(`Expected the folder of a sentiment run, there is no ${out}`);
  const seeds = readdirSync(out).flatMap((name) => (/^seed-\d+$/.test(name) ? [Number(name.slice(5))] : []));
  return seeds
    .sort((a, b) => a - b)
    .flatMap((seed) => {
      const result = readResult(out, seed);
      return result ? [result] : [];
    });
}

/** The result of a seed, null when it has not ended. */
export function readResult(out: string, seed: number): SeedResult | null {
  const path = join(seedFolder(out, seed), 'metrics.json');
  return existsSync(path) ? readResultFile(path) : null;
}

/** Makes the folder of a seed; not that of the run, which must be there until it ends. */
export function makeSeedFolder(out: string, seed: number): string {
  const folder = seedFolder(out, seed);
  try {
    if (!existsSync(folder)) mkdirSync(folder);
  } catch (cause) {
    throw new DataError(`Cannot write to ${folder}: ${(cause as Error).message}`, { cause });
  }
  return folder;
}

/** Writes what an ended seed leaves: its weights first, its result last, since that marks the end. */
export function writeResult(out: string, result: SeedResult, network: SentimentNetwork): void {
  const folder = makeSeedFolder(out, result.seed);
  saveSafetensors(weightsFile(out, result.seed), network.stateDict(), { format: 'pt' });
  const lines = result.history.map((record) => JSON.stringify(record)).join('\n');
  writeFileAtomic(join(folder, 'history.jsonl'), `${lines}\n`);
  writeFileAtomic(join(folder, 'metrics.json'), `${JSON.stringify(result, null, 2)}\n`);
}

const CHECKPOINT = 'checkpoint.safetensors';

/** Keeps the state between two epochs, in one file that is replaced at once. */
export function writeState(out: string, seed: number, state: SeedState): void {
  const { tensors, ...rest } = state;
  saveSafetensors(join(makeSeedFolder(out, seed), CHECKPOINT), tensors, { state: JSON.stringify(rest) });
}

/** What {@link writeState} kept, or null. */
export function readState(out: string, seed: number): SeedState | null {
  const path = join(seedFolder(out, seed), CHECKPOINT);
  if (!existsSync(path)) return null;
  const { tensors, metadata } = loadSafetensors(path);
  const rest = JSON.parse(metadata.state ?? 'null') as Omit<SeedState, 'tensors'> | null;
  if (rest === null) throw new DataError(`${path}: expected the state of a sentiment run, found other tensors`);
  return { ...rest, tensors };
}

/** A trained model, ready to read. */
export interface LoadedModel {
  readonly manifest: SentimentManifest;
  readonly network: SentimentNetwork;
  readonly seed: number;
  /** Makes the tokens of texts; null where the model does not read text itself. */
  readonly reader: ReturnType<typeof textReader> | null;
}

/**
 * Loads a model from its folder.
 * @param seed - by default the one that was best on the validation split
 */
export function loadModel(folder: string, seed?: number): LoadedModel {
  const manifest = readManifest(folder);
  const { config, shape } = manifest;
  const chosen = seed ?? bestSeed(folder);
  const { tensors, vocabulary } = readWeights(folder, chosen);
  if (config.modalities.includes('text') && config.text.kind === 'words' && vocabulary === null)
    throw new DataError(
      `${join(folder, VOCABULARY)} is missing: the model reads words, and their list is a part of it`,
    );
  const text = config.text.kind === 'bert' ? { ...config.text, folder: join(folder, TEXT) } : config.text;
  const reader = config.modalities.includes('text')
    ? textReader(text, null, vocabulary ?? undefined, shape.widths.text)
    : null;
  const network = new SentimentNetwork(config, shape, reader?.encoder(chosen, true) ?? null, chosen);
  try {
    network.loadStateDict(tensors);
  } catch (cause) {
    if (!(cause instanceof HeadraceError)) throw cause;
    throw new DataError(
      `${weightsFile(folder, chosen)} does not fit the config.json and the ${VOCABULARY} beside it: ${cause.message}`,
      { cause },
    );
  }
  network.eval();
  return { manifest, network, seed: chosen, reader };
}

/** The weights of a trained seed and the words that they know. @param seed - by default the best on the validation split */
export function readWeights(
  folder: string,
  seed = bestSeed(folder),
): { readonly seed: number; readonly tensors: Map<string, Tensor>; readonly vocabulary: readonly string[] | null } {
  if (!existsSync(weightsFile(folder, seed))) {
    const seeds = readResults(folder).map((result) => result.seed);
    throw new ConfigError(
      `${folder} has no weights of seed ${seed} (${weightsFile(folder, seed)}): it holds ${seeds.length > 0 ? `the seeds ${seeds.join(', ')}` : 'no trained seed'}`,
    );
  }
  const path = join(folder, VOCABULARY);
  // Of few texts no word may have come twice: a list without any is one, too.
  const vocabulary = existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : null;
  const { tensors } = loadSafetensors(weightsFile(folder, seed));
  return { seed, tensors, vocabulary };
}

function bestSeed(folder: string): number {
  const results = readResults(folder);
  if (results.length === 0)
    throw new ConfigError(`${folder} holds no trained seed yet: train it to the end (resume: true)`);
  const loss = ({ history, bestEpoch }: SeedResult): number =>
    history[bestEpoch - 1]?.validLoss ?? Number.POSITIVE_INFINITY;
  return results.reduce((best, other) => (loss(other) < loss(best) ? other : best)).seed;
}
