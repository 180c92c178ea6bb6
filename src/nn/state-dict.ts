/** What {@link Module.loadStateDict} does with a dictionary. */
import { describe, expectTensor } from '../torch/expect.js';
import { DataError, noGrad, scope, Tensor } from '../torch/index.js';

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
export function copyState(
  source: ReadonlyMap<string, unknown>,
  own: State,
  o: { strict: boolean; typeName: string },
): LoadResult {
  const missing = [...own.keys()].filter((name) => !source.has(name) && !isLaterCounter(source, name));
  const unexpected = [...source.keys()].filter((name) => !own.has(name));
  const wrong: string[] = [];
  for (const [name, tensor] of own) {
    const given = source.get(name);
    if (given === undefined) continue;
    expectTensor(`${o.typeName}.loadStateDict`, given, `'${name}'`);
    if (!sameShape(given.shape, tensor.shape)) {
      wrong.push(`${name}: expected [${tensor.shape}], got [${given.shape}]`);
    }
  }
  if (wrong.length > 0 || (o.strict && missing.length + unexpected.length > 0)) {
    const listed = (title: string, lines: string[]) =>
      lines.length > 0 ? `\n  ${title} (${lines.length}):\n    ${lines.join('\n    ')}` : '';
    const shaped = (names: string[], from: ReadonlyMap<string, unknown>) => names.map((name) => shownEntry(name, from));
    throw new DataError(
      `Expected a state dict that fits ${o.typeName}, got one with` +
        (o.strict ? listed('missing keys', shaped(missing, own)) : '') +
        (o.strict ? listed('unexpected keys', shaped(unexpected, source)) : '') +
        listed('wrong shapes', wrong) +
        within(source, unexpected),
    );
  }
  noGrad(() =>
    scope(() => {
      for (const [name, tensor] of own) {
        const given = source.get(name);
        if (given instanceof Tensor) tensor.copy_(given);
      }
    }),
  );
  return { missing, unexpected };
}

function shownEntry(name: string, from: ReadonlyMap<string, unknown>): string {
  const value = from.get(name);
  return value instanceof Tensor ? `${name} [${value.shape}]` : `${name}, ${describe(value)}`;
}

/** For a whole checkpoint: where the state dict may lie in it. */
function within(source: ReadonlyMap<string, unknown>, unexpected: readonly string[]): string {
  const [name] = unexpected.filter((key) => source.get(key) instanceof Map);
  return name === undefined ? '' : `\n  If the state dict is '${name}' in it, pass that: get('${name}').`;
}

const [counter, variance] = ['num_batches_tracked', 'running_var'];

/**
 * Whether `key` counts the batches of a normalisation that `source` holds without its count, as PyTorch before 0.4.1 saved it; such
 * weights are still published. The module's count stays what it is, as in PyTorch.
 */
function isLaterCounter(source: ReadonlyMap<string, unknown>, key: string): boolean {
  return key.endsWith(counter) && source.has(key.slice(0, -counter.length) + variance);
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}
