/** PyTorch's spellings of what is saved: `weight_decay` for weightDecay, parameters by their positions. */
import { ConfigError, DataError, Tensor, tensor } from '../torch/index.js';
import { camelCase } from '../torch/spelling.js';
import type { OptimizerState } from './optimizer.js';
import { WAYS } from './rules.js';

/** What `optimizer.state_dict()` gives in PyTorch: names of parameters are positions. */
export interface TorchOptimizerState {
  readonly state: Readonly<Record<string, Readonly<Record<string, Tensor | number | null>>>>;
  readonly param_groups: readonly Readonly<Record<string, unknown>>[];
}

/** What PyTorch notes in its groups besides hyperparameters. */
const NOTES = [...WAYS, 'decoupledWeightDecay'];

/**
 * The hyperparameters of a saved group by the names they have here.
 * @param known - the names that the optimizer reads
 * @throws ConfigError for one that would change the steps and does not exist here
 */
export function hyperparametersOf(
  saved: Readonly<Record<string, unknown>>,
  known: readonly string[],
): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(saved)) {
    const name = camelCase(key);
    if (name === 'params' || name === 'names' || NOTES.includes(name)) continue;
    if (known.includes(name)) found[name] = value;
    else if (value !== null && value !== undefined && value !== false) {
      throw new ConfigError(
        `Expected saved hyperparameters among ${known.join(', ')}, got ${key}: ${String(value)}, which is not supported.`,
      );
    }
  }
  return found;
}

/** PyTorch's state with its positions replaced by names, in the order of the groups. @throws DataError where they do not fit */
export function fromTorchState(saved: TorchOptimizerState, names: readonly (readonly string[])[]): OptimizerState {
  const counts = saved.param_groups.map((group) => (group.params as readonly unknown[]).length);
  if (counts.join() !== names.map((group) => group.length).join()) {
    throw new DataError(
      `Expected groups of ${names.map((group) => group.length).join(', ')} parameters in the saved state, got ${counts.join(', ')}.`,
    );
  }
  const state = new Map<string, Tensor>();
  const groups = saved.param_groups.map((group, g) => {
    (group.params as readonly (number | string)[]).forEach((position, i) => {
      for (const [slot, value] of Object.entries(saved.state[String(position)] ?? {})) {
        const kept = value instanceof Tensor ? value : typeof value === 'number' ? tensor(value) : null;
        if (kept) state.set(`${names[g]?.[i]}.${slot}`, kept);
      }
    });
    return { ...group, params: [...(names[g] ?? [])] };
  });
  return { groups, state };
}
