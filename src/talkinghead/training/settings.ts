/** Settings of a training: a recipe, or a JSON file that changes one. */
import { existsSync } from 'node:fs';
import { readJsonFile, type Shape } from '../../io/index.js';
import { ConfigError, nearest } from '../../torch/index.js';

export type Settings = Readonly<Record<string, unknown>>;

/**
 * The settings that a recipe's name, or a JSON file with `recipe` and what it changes, stands for.
 * @param shape - what they must look like once they are changed
 * @param set - changes by path: `{ 'loss.opening': 0.5 }`
 * @throws ConfigError, DataError for settings that there are not, or of another kind
 */
export function readSettings<T extends object>(
  name: string,
  recipes: Readonly<Record<string, T>>,
  shape: Shape,
  set: Settings = {},
): T {
  const fromFile = name.endsWith('.json') || (existsSync(name) && !(name in recipes));
  const changes = fromFile ? readJsonFile<Settings>(name, 'a configuration') : { recipe: name };
  const { recipe = 'standard', ...rest } = changes;
  const base = recipes[String(recipe)];
  if (base === undefined) {
    throw new ConfigError(`Expected a recipe (${Object.keys(recipes).join(', ')}) or a JSON file, got '${recipe}'`);
  }
  let settings: Settings = base as unknown as Settings;
  for (const [path, value] of [...Object.entries(rest), ...Object.entries(set)]) {
    settings = changed(settings, path.split('.'), value, path);
  }
  const faults = shape(settings, 'the configuration');
  if (faults.length > 0) throw new ConfigError(`Expected ${faults.join('; ')}`);
  return settings as T;
}

/** Settings with one of them changed; an object in place of an object changes what it names. */
function changed(settings: Settings, [name = '', ...inside]: string[], value: unknown, path: string): Settings {
  if (!(name in settings)) {
    const near = nearest(name, Object.keys(settings));
    throw new ConfigError(
      `Expected a setting among ${Object.keys(settings).join(', ')}, got ${path}.${near === null ? '' : ` Did you mean ${near}?`}`,
    );
  }
  const old = settings[name];
  const isGroup = (what: unknown): what is Settings =>
    typeof what === 'object' && what !== null && !Array.isArray(what);
  if (inside.length > 0 && isGroup(old)) return { ...settings, [name]: changed(old, inside, value, path) };
  if (isGroup(old) && isGroup(value)) {
    const merged = Object.entries(value).reduce(
      (group, [key, each]) => changed(group, [key], each, `${path}.${key}`),
      old,
    );
    return { ...settings, [name]: merged };
  }
  return { ...settings, [name]: value };
}
