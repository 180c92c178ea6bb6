/** `config.json` and `metrics.json` of a model's folder: read, and checked before anything is made of them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { modalities } from '../features/specs.js';
import {
  isList,
  isNumber,
  isObject,
  isOneOf,
  isText,
  isWhole,
  leaf,
  optional,
  orNull,
  readJsonFile,
  type Shape,
} from '../io/index.js';
import { ConfigError, DataError } from '../torch/index.js';
import type { SentimentManifest } from './bundle.js';
import { checkSentimentConfig } from './config.js';
import { featureModalities } from './prepare.js';
import { holdsReader } from './reader/folder.js';
import { sentimentRecipe } from './recipes.js';
import type { SeedResult } from './train-seed.js';

const MODEL = 'the configuration of a sentiment model';

/** @throws ConfigError where the folder holds no sentiment model, DataError that says what is wrong in its `config.json` */
export function readManifest(folder: string): SentimentManifest {
  const path = join(folder, 'config.json');
  if (!existsSync(path))
    throw new ConfigError(`Expected the folder of a sentiment model with a config.json, got ${folder}`);
  if (holdsReader(folder)) {
    throw new ConfigError(
      `${folder} holds a reader of texts, not a model that a recipe trained: SentimentReader.load(folder) reads it, and ` +
        'headrace sentiment predict and eval take it',
    );
  }
  const any = readJsonFile<Record<string, unknown>>(path, 'a configuration', isObject({}));
  if ('modelName' in any && 'schedule' in any) {
    throw new ConfigError(
      `${folder} holds a run of an image model, not a sentiment model: headrace eval, predict, export and train take it`,
    );
  }
  const manifest = readJsonFile<SentimentManifest>(path, MODEL, isManifest);
  try {
    // A folder of an older version may lack settings that have come since.
    checkSentimentConfig({ ...sentimentRecipe('ours'), ...manifest.config });
  } catch (cause) {
    throw new DataError(
      `Expected ${path} to hold ${MODEL}, but it is damaged: in config: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
  return { ...manifest, range: manifest.range ?? null };
}

/** The result of a seed. JSON has no NaN: a score that is not defined is null in it. */
export function readResultFile(path: string): SeedResult {
  const result = readJsonFile<SeedResult>(path, 'the result of a seed', isResult);
  const scores = (run: Readonly<Record<string, number | null>>): Record<string, number> =>
    Object.fromEntries(Object.entries(run).map(([name, value]) => [name, value ?? Number.NaN]));
  return { ...result, test: scores(result.test), valid: scores(result.valid) };
}

/** An object of modalities, not necessarily all. */
function byModality(shape: Shape): Shape {
  const some = isObject(Object.fromEntries(modalities.map((name) => [name, optional(shape)])));
  const known = leaf(`an object of ${modalities.join(', ')}`, (value) =>
    Object.keys(value as object).every((name) => (modalities as readonly string[]).includes(name)),
  );
  return (value, at) => {
    const faults = some(value, at);
    return faults.length > 0 ? faults : known(value, at);
  };
}

const isSpec = isObject({
  name: isText,
  dims: isWhole(1),
  unit: isOneOf(['frame', 'word', 'utterance']),
  rate: orNull(isNumber),
  version: isText,
});

const isRange = leaf(
  'the lowest and the highest score',
  (value) => Array.isArray(value) && value.length === 2 && value.every(Number.isFinite) && value[0] < value[1],
);

/** Every modality that is read as features has a width and a description. */
const areComplete: Shape = (value) => {
  const { config, shape, features } = value as SentimentManifest;
  const read = featureModalities(config);
  return [
    ...read.filter((name) => shape.widths[name] === undefined).map((name) => `shape.widths.${name} to be there`),
    ...read.filter((name) => features[name] === undefined).map((name) => `features.${name} to be there`),
  ];
};

/** What must be there to load a model; the rest is for people. */
const parts = isObject({
  format: leaf('1', (value) => value === 1),
  config: isObject({ modalities: isList(isOneOf(modalities)), text: isObject({ kind: isText }) }),
  features: byModality(isSpec),
  shape: isObject({ widths: byModality(isWhole(1)), outputs: isWhole(1) }),
  classes: isList(isText),
  range: optional(orNull(isRange)),
  constant: optional(isNumber),
});

const isManifest: Shape = (value, at) => {
  const faults = parts(value, at);
  return faults.length > 0 ? faults : areComplete(value, at);
};

const isResult = isObject({
  seed: isWhole(0),
  bestEpoch: isWhole(0),
  valid: isObject({}),
  test: isObject({}),
  seconds: isNumber,
  history: isList(isObject({})),
});
