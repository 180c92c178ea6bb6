/** The configurations of a reader's trainings as users give them: a recipe's name, or a JSON file that changes one. */
import { existsSync } from 'node:fs';
import { readJsonFile, type Shape } from '../../io/json-file.js';
import { ConfigError } from '../../torch/index.js';
import { nearest } from '../../torch/options.js';
import { isObject, type Json, merge, setAt } from '../read-config.js';

/**
 * @param name - a recipe, or a JSON file with the fields that differ from it and perhaps its name, `{ "recipe": "small", .. }`
 * @param set - any field by its path: `model.layers`
 * @throws ConfigError for unknown recipes and fields, and for values that make no sense
 */
export function readRecipe<T extends object>(
  name: string,
  recipes: Readonly<Record<string, T>>,
  shape: Shape,
  set: Readonly<Record<string, unknown>>,
): T {
  const names = Object.keys(recipes);
  const { recipe = names[0]!, ...own } = names.includes(name) ? { recipe: name } : readFile(name, names);
  const base = recipes[String(recipe)];
  if (base === undefined)
    throw new ConfigError(`${name}: expected a recipe among ${names.join(', ')}, got '${recipe}'`);
  const config = merge({ ...base } as unknown as Json, own, name);
  for (const [path, value] of Object.entries(set)) setAt(config, path, value);
  const faults = shape(config, '');
  if (faults.length > 0) throw new ConfigError(`${name}: expected ${faults.join('; ')}`);
  return config as unknown as T;
}

function readFile(path: string, names: readonly string[]): Json {
  if (!existsSync(path)) {
    const near = nearest(path, names);
    const meant = near === null ? '' : `. Did you mean ${near}?`;
    throw new ConfigError(`Expected a recipe (${names.join(', ')}) or a JSON file, got '${path}'${meant}`);
  }
  const read = readJsonFile<unknown>(path, 'a configuration');
  if (isObject(read)) return read;
  throw new ConfigError(`${path}: expected a JSON object, { "recipe": "${names[0]}", ... }`);
}
