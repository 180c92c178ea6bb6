/** The parameters of a network by learning rate and weight decay. */

import type { Modality } from '../features/specs.js';
import type { Parameter } from '../nn/index.js';
import type { GroupOptions } from '../optim/index.js';
import type { GroupConfig, SentimentConfig } from './config.js';

/** A part of a configuration's `groups`. */
export type RateGroup = Modality | 'other';

/** Decay would wipe out the vectors of all words that the training texts lack, which no gradient holds up. */
const isVectors = (name: string): boolean => name.endsWith('embedding.weight');

/**
 * Those that are trained, as groups of an optimizer. In text, biases and norms do not decay, as is usual for BERT, nor do
 * word vectors.
 * @param parameters - each with its name and its part of the configuration's `groups`
 */
export function rateGroups(
  { groups: rates }: SentimentConfig,
  parameters: Iterable<readonly [group: RateGroup, name: string, parameter: Parameter]>,
): GroupOptions<GroupConfig>[] {
  const groups = new Map<string, { options: GroupConfig; params: [string, Parameter][] }>();
  for (const [group, name, parameter] of parameters) {
    if (!parameter.requiresGrad) continue;
    const bare = group === 'text' && (parameter.ndim < 2 || isVectors(name));
    const key = bare ? 'text, not decayed' : group;
    const options = bare ? { ...rates[group], weightDecay: 0 } : rates[group];
    const found = groups.get(key) ?? { options, params: [] };
    groups.set(key, found);
    found.params.push([name, parameter]);
  }
  return [...groups.values()].map(({ options, params }) => ({ params, ...options }));
}
