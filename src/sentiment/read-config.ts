/** A configuration as users give it: a recipe's name, or a JSON file that changes one. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Modality } from '../features/specs.js';
import { ConfigError } from '../torch/index.js';
import { checkOptions, nearest } from '../torch/options.js';
import { workingPlace } from '../torch/packages.js';
import { fileExport, locatedExport } from '../torch/user-modules.js';
import { checkSentimentConfig, type SentimentConfig, type TextConfig } from './config.js';
import { mmsaSettings, plainRecipe } from './mmsa-names.js';
import { locateOwn, type OwnModel } from './models/own.js';
import { ownRecipe, sentimentRecipe, sentimentRecipeNames } from './recipes.js';

/** What the command line says besides. */
export interface ConfigChanges {
  readonly modalities?: readonly Modality[] | undefined;
  /** Folder of word vectors. */
  readonly vectors?: string | undefined;
  /** Folder of a BERT model. */
  readonly bert?: string | undefined;
  /** A file with a model of one's own, `./mine.js` or `./mine.js:Name`, in place of the recipe's. */
  readonly model?: string | undefined;
  /** Any field by its path, or by MMSA's name: `alignment.weights.audio-vision`, `groups.other.lr`, `maxEpochs`. */
  readonly set?: Readonly<Record<string, unknown>>;
}

export type Json = { [key: string]: unknown };

/**
 * @param name - a recipe; a JSON file `{ "recipe": "ours", ... }` with any field of a {@link SentimentConfig}; or a file with a
 * model of one's own, as of `changes.model`, which then learns by the loss of its prediction
 * @throws ConfigError for an unknown recipe or field, and for values that make no sense
 */
export function readSentimentConfig(name: string, changes: ConfigChanges = {}): SentimentConfig {
  checkOptions('readSentimentConfig', changes, ['modalities', 'vectors', 'bert', 'model', 'set']);
  const { recipe, ...said } = startOf(name);
  const own = Object.fromEntries(Object.entries(said).filter(([key]) => !Object.hasOwn(mmsaSettings, key)));
  const given = own as Partial<SentimentConfig>;
  const text = textOf(changes) ?? given.text;
  const modalities = changes.modalities ?? given.modalities;
  const options = { ...(text ? { text } : {}), ...(modalities ? { modalities } : {}) };
  const start = recipe === null ? ownRecipe(given.model!, options) : sentimentRecipe(recipe, options);
  const merged = merge({ ...start } as unknown as Json, own as Json, name) as Json;
  // The command line's text, with what the recipe makes of it.
  if (textOf(changes)) merged.text = start.text;
  if (modalities) merged.modalities = modalities;
  if (changes.model !== undefined) merged.model = modelOf(changes.model);
  const theirs = Object.entries(said).filter(([key]) => Object.hasOwn(mmsaSettings, key));
  for (const [path, value] of [...theirs, ...Object.entries(changes.set ?? {})]) {
    setAt(merged, Object.hasOwn(mmsaSettings, path) ? mmsaSettings[path]! : path, value);
  }
  const config = merged as unknown as SentimentConfig;
  checkSentimentConfig(config);
  return { ...config, model: locateOwn(config.model, [pathToFileURL(resolve(name)).href, workingPlace()]) };
}

function startOf(name: string): { recipe: string | null } & Json {
  if (sentimentRecipeNames.includes(plainRecipe(name))) return { recipe: name };
  return fileExport(name) ? { recipe: null, model: modelOf(name) } : readFile(name);
}

/** A model by its name, or of a file. */
function modelOf(text: string): string | OwnModel {
  return fileExport(text) ? locatedExport(text, 'a model') : text;
}

/** A text of another kind has nothing of the recipe's. */
function textOf({ vectors, bert, set }: ConfigChanges): TextConfig | null {
  if (vectors !== undefined && bert !== undefined)
    throw new ConfigError('Expected either word vectors or BERT, got both');
  if (bert !== undefined) return { kind: 'bert', folder: bert };
  if (vectors !== undefined) return { kind: 'words', vectors };
  const kind = set?.['text.kind'];
  if (kind === undefined) return null;
  return (kind === 'words' ? { kind, vectors: null } : { kind }) as TextConfig;
}

function readFile(path: string): { recipe: string } & Json {
  if (!existsSync(path)) {
    const near = nearest(path, sentimentRecipeNames);
    const meant = near === null ? '' : `. Did you mean ${near}?`;
    throw new ConfigError(
      `Expected a recipe (${sentimentRecipeNames.join(', ')}), a JSON file or ./model.js, got '${path}'${meant}`,
    );
  }
  let read: unknown;
  try {
    read = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new ConfigError(`${path}: ${(cause as Error).message}`, { cause });
  }
  if (!isObject(read)) throw new ConfigError(`${path}: expected a JSON object, { "recipe": "ours", ... }`);
  return { recipe: 'ours', ...read };
}

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Objects field by field, anything else replaced. Only fields of the configuration itself are checked by name. */
export function merge(base: Json, change: Json, where: string, inside = ''): Json {
  const result = { ...base };
  for (const [key, value] of Object.entries(change)) {
    if (inside === '' && !Object.hasOwn(base, key)) {
      const near = nearest(key, Object.keys(base));
      const meant = near === null ? '' : `. Did you mean ${near}?`;
      throw new ConfigError(`${where}: expected fields among ${Object.keys(base).join(', ')}, got '${key}'${meant}`);
    }
    const before = base[key];
    result[key] = isObject(before) && isObject(value) ? merge(before, value, where, `${inside}${key}.`) : value;
  }
  return result;
}

export function setAt(config: Json, path: string, value: unknown): void {
  const [first, ...rest] = path.split('.') as [string, ...string[]];
  if (!Object.hasOwn(config, first)) {
    const near = nearest(first, Object.keys(config));
    const meant = near === null ? '' : `. Did you mean ${[near, ...rest].join('.')}?`;
    throw new ConfigError(
      `Expected a setting that begins with ${Object.keys(config).join(', ')}, got '${path}'${meant}`,
    );
  }
  let at = config;
  let key = first;
  for (const next of rest) {
    at[key] = isObject(at[key]) ? { ...(at[key] as Json) } : {};
    at = at[key] as Json;
    key = next;
  }
  at[key] = value;
}
