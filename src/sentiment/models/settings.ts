/** Options of models: what is left out has a default, and what is unknown is refused. */
import { ConfigError } from '../../torch/index.js';
import { nearest } from '../../torch/options.js';

/** Some of the settings, at every depth. */
export type Partially<T> = { readonly [K in keyof T]?: T[K] extends object ? Partially<T[K]> : T[K] };

/**
 * The defaults, with what is given in their place.
 * @param model - its name, for errors
 * @throws ConfigError for a name that the defaults lack, and for a value of another kind than the default; numbers must be
 * finite and not negative
 */
export function withDefaults<T extends object>(model: string, defaults: T, given: Partially<T>, path = ''): T {
  const merged = { ...defaults } as Record<string, unknown>;
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const at = path + key;
    const known = merged[key];
    if (!Object.hasOwn(defaults, key)) {
      const names = Object.keys(defaults).map((name) => path + name);
      const near = nearest(key, Object.keys(defaults));
      const meant = near === null ? '' : `. Did you mean ${path}${near}?`;
      throw new ConfigError(`Expected options of ${model} among ${names.join(', ')}, got '${at}'${meant}`);
    }
    if (typeof value !== typeof known || value === null) {
      throw wrong(model, at, typeof known === 'object' ? 'an object' : `a ${typeof known}`, value);
    }
    if (typeof value === 'number' && !(Number.isFinite(value) && value >= 0)) {
      throw wrong(model, at, 'a number from 0', value);
    }
    merged[key] =
      typeof known === 'object' ? withDefaults(model, known as object, value as Partially<object>, `${at}.`) : value;
  }
  return merged as T;
}

function wrong(model: string, at: string, expected: string, got: unknown): ConfigError {
  return new ConfigError(`Expected the option ${at} of ${model} to be ${expected}, got ${JSON.stringify(got)}`);
}
