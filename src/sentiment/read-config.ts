/** A configuration as users give it: a recipe's name, or a JSON file that changes one. */
import { existsSync, readFileSync } from 'node:fs';
import type { Modality } from '../features/specs.js';
import { ConfigError } from '../torch/index.js';
import { checkOptions, nearest } from '../torch/options.js';
import { checkSentimentConfig, type SentimentConfig, type TextConfig } from './config.js';
import { sentimentRecipe, sentimentRecipeNames } from './recipes.js';

/** What the command line says besides. */
export interface ConfigChanges {
  readonly modalities?: readonly Modality[] | undefined;
  /** Folder of word vectors. */
  readonly vectors?: string | undefined;
  /** Folder of a BERT model. */
  readonly bert?: string | undefined;
  /** Any field by its path: `alignment.weights.audio-vision`, `groups.other.lr`, `maxEpochs`. */
  readonly set?: Readonly<Record<string, unknown>>;
}

type Json = { [key: string]: unknown };

/**
 * @param name - a recipe, or a JSON file `{ "recipe": "ours", ... }` with any field of a {@link SentimentConfig}
 * @throws ConfigError for an unknown recipe or field, and for values that make no sense
 */
export function readSentimentConfig(name: string, changes: ConfigChanges = {}): SentimentConfig {
  checkOptions('readSentimentConfig', changes, ['modalities', 'vectors', 'bert', 'set']);
  const { recipe, ...own } = sentimentRecipeNames.includes(name) ? { recipe: name } : readFile(name);
  const given = own as Partial<SentimentConfig>;
  const text = textOf(changes) ?? given.text;
  const modalities = changes.modalities ?? given.modalities;
  const start = sentimentRecipe(recipe, { ...(text ? { text } : {}), ...(modalities ? { modalities } : {}) });
  const merged = merge({ ...start } as unknown as Json, own as Json, name) as Json;
  // The command line's text, with what the recipe makes of it.
  if (textOf(changes)) merged.text = start.text;
  if (modalities) merged.modalities = modalities;
  for (const [path, value] of Object.entries(changes.set ?? {})) setAt(merged, path, value);
  const config = merged as unknown as SentimentConfig;
  checkSentimentConfig(config);
  return config;
}

function textOf({ vectors, bert }: ConfigChanges): TextConfig | null {
  if (vectors !== undefined && bert !== undefined)
    throw new ConfigError('Expected either word vectors or BERT, got both');
  if (bert !== undefined) return { kind: 'bert', folder: bert };
  return vectors === undefined ? null : { kind: 'words', vectors };
}

function readFile(path: string): { recipe: string } & Json {
  if (!existsSync(path)) {
    const near = nearest(path, sentimentRecipeNames);
    const meant = near === null ? '' : `. Did you mean ${near}?`;
    throw new ConfigError(
      `Expected a recipe (${sentimentRecipeNames.join(', ')}) or a JSON file, got '${path}'${meant}`,
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

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Objects field by field, anything else replaced. Only fields of the configuration itself are checked by name. */
function merge(base: Json, change: Json, where: string, inside = ''): Json {
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

function setAt(config: Json, path: string, value: unknown): void {
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
