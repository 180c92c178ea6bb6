// What a run that goes on may change, and what its weights so far depend on.

import { describeDifferences, differencesOf } from '../run/differences.js';
import { ConfigError } from '../torch/index.js';
import type { RunConfig } from './config.js';
import { isLocal } from './schedule.js';

/** What of a configuration must stay. Modules and data may move to other places, and a run may become longer. */
function fixedOf(config: RunConfig): Record<string, unknown> {
  const { model, data, batchSize, optimizer, lrSchedule, labelSmoothing, freeze, lrFactors, seed } = config;
  return {
    model: { ...model, module: undefined },
    data: { export: data.export },
    batchSize,
    optimizer,
    // Warm-up follows the number of epochs in some recipes.
    lrSchedule: { ...lrSchedule, warmupEpochs: undefined },
    labelSmoothing,
    freeze,
    lrFactors,
    seed,
  };
}

/**
 * The configuration of a run that goes on with other settings. Its cut stays while the number of stages does: heads stand at
 * borders, and their weights belong to these.
 * @throws ConfigError naming every setting that its weights so far depend on, with both values
 */
export function resumed(before: RunConfig, now: RunConfig, out: string): RunConfig {
  const differences = differencesOf(fixedOf(before), fixedOf(now));
  if (isLocal(before.schedule) && isLocal(now.schedule))
    differences.push(...differencesOf(before.head, now.head, 'head'));
  if (!isLocal(before.schedule) && !isLocal(now.schedule)) {
    differences.push(...differencesOf(before.microbatches, now.microbatches, 'microbatches'));
  }
  if (differences.length === 0) {
    const recut = now.stages !== before.stages || (now.schedule === 'bp') !== (before.schedule === 'bp');
    return { ...now, cut: now.cut ?? (recut ? undefined : before.cut) };
  }
  throw new ConfigError(
    `The run in ${out} has ${describeDifferences(differences)}: it can go on only as it began. ` +
      'Resume it with its own configuration, readRunConfig(out), or begin another in a folder of its own.',
  );
}
