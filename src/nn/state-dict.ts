/** What {@link Module.loadStateDict} does with a dictionary. */
import { DataError, noGrad, scope, type Tensor } from '../torch/index.js';

export interface LoadResult {
  /** Keys this module has and the dictionary lacks. */
  readonly missing: string[];
  /** Keys the dictionary has and this module lacks. */
  readonly unexpected: string[];
}

type State = ReadonlyMap<string, Tensor>;

/**
 * Copies a dictionary's values into a module's tensors, in place, where all names (with `strict`) and shapes fit.
 * @throws DataError naming everything that does not fit; nothing is copied then
 */
export function copyState(source: State, own: State, o: { strict: boolean; typeName: string }): LoadResult {
  const missing = [...own.keys()].filter((name) => !source.has(name) && !isLaterCounter(source, name));
  const unexpected = [...source.keys()].filter((name) => !own.has(name));
  const wrong: string[] = [];
  for (const [name, tensor] of own) {
    const given = source.get(name);
    if (given && !sameShape(given.shape, tensor.shape)) {
      wrong.push(`${name}: expected [${tensor.shape}], got [${given.shape}]`);
    }
  }
  if (wrong.length > 0 || (o.strict && missing.length + unexpected.length > 0)) {
    const listed = (title: string, lines: string[]) =>
      lines.length > 0 ? `\n  ${title} (${lines.length}):\n    ${lines.join('\n    ')}` : '';
    const shaped = (names: string[], from: State) => names.map((name) => `${name} [${from.get(name)?.shape ?? ''}]`);
    throw new DataError(
      `Expected a state dict that fits ${o.typeName}, got one with` +
        (o.strict ? listed('missing keys', shaped(missing, own)) : '') +
        (o.strict ? listed('unexpected keys', shaped(unexpected, source)) : '') +
        listed('wrong shapes', wrong),
    );
  }
  noGrad(() =>
    scope(() => {
      for (const [name, tensor] of own) {
        const given = source.get(name);
        if (given) tensor.copy_(given);
      }
    }),
  );
  return { missing, unexpected };
}

const [counter, variance] = ['num_batches_tracked', 'running_var'];

/**
 * Whether `key` counts the batches of a normalisation that `source` holds without its count, as PyTorch before 0.4.1 saved it; such
 * weights are still published. The module's count stays what it is, as in PyTorch.
 */
function isLaterCounter(source: State, key: string): boolean {
  return key.endsWith(counter) && source.has(key.slice(0, -counter.length) + variance);
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}
