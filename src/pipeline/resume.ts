/** What a run that goes on may change, and what its weights so far depend on. */
import { ConfigError } from '../torch/index.js';
import type { RunConfig } from './config.js';
import { isLocal } from './schedule.js';

/** A setting by its path, such as `optimizer.lr`, and its two values. */
export interface Difference {
  readonly path: string;
  readonly before: unknown;
  readonly now: unknown;
}

/** Where two JSON values differ, field by field. */
export function differencesOf(before: unknown, now: unknown, path = ''): Difference[] {
  if (isRecord(before) && isRecord(now)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(now)]);
    return [...keys].flatMap((key) => differencesOf(before[key], now[key], path === '' ? key : `${path}.${key}`));
  }
  return JSON.stringify(before) === JSON.stringify(now) ? [] : [{ path, before, now }];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Differences in words: `batchSize 32, not 16; seed unset, not 1`. */
export function describeDifferences(differences: readonly Difference[]): string {
  const show = (value: unknown): string => (value === undefined ? 'unset' : JSON.stringify(value));
  return differences.map(({ path, before, now }) => `${path} ${show(before)}, not ${show(now)}`).join('; ');
}

/** What of a configuration must stay. Modules and data may move to other places, and a run may become longer. */
function fixedOf(config: RunConfig): Record<string, unknown> {
  const { model, data, batchSize, optimizer, lrSchedule, labelSmoothing, freeze, seed } = config;
  return {
    model: { ...model, module: undefined },
    data: { export: data.export },
    batchSize,
    optimizer,
    // Warm-up follows the number of epochs in some recipes.
    lrSchedule: { ...lrSchedule, warmupEpochs: undefined },
    labelSmoothing,
    freeze,
    seed,
  };
}

/**
 * Checks that a run can go on with other settings.
 * @throws ConfigError naming every setting that its weights so far depend on, with both values
 */
export function checkResumed(before: RunConfig, now: RunConfig, out: string): void {
  const differences = differencesOf(fixedOf(before), fixedOf(now));
  if (isLocal(before.schedule) && isLocal(now.schedule))
    differences.push(...differencesOf(before.head, now.head, 'head'));
  if (!isLocal(before.schedule) && !isLocal(now.schedule)) {
    differences.push(...differencesOf(before.microbatches, now.microbatches, 'microbatches'));
  }
  if (differences.length === 0) return;
  throw new ConfigError(
    `The run in ${out} has ${describeDifferences(differences)}: it can go on only as it began. ` +
      'Resume it with its own configuration, readRunConfig(out), or begin another in a folder of its own.',
  );
}
