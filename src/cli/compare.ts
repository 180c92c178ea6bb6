import { type Comparison, compare, resolveModel } from '../pipeline/index.js';
import { formatColumns } from '../report/index.js';
import { Progress } from '../run/index.js';
import { type Given, measuredConfig } from './config.js';
import type { CompareFlags } from './options.js';
import { print, say } from './report.js';

/** `headrace compare`. */
export async function compareSchedules(model: string, flags: CompareFlags, given: Given): Promise<void> {
  const { schedules, steps, rounds, warmUp } = flags;
  const config = await measuredConfig(model, { ...flags, steps: warmUp + steps }, given);
  const { layers } = await resolveModel(config.model);
  const progress = new Progress(process.stderr);
  const comparison = await compare(config, {
    onProgress: (measured) =>
      progress.update({ type: 'plan', time: Date.now(), stage: 0, layers: layers.length, ...measured, cut: null }),
    schedules,
    steps,
    rounds,
    warmUp,
    onRound: (schedule, round, speed) => {
      progress.finish();
      say(`round ${round + 1} of ${rounds}  ${schedule}  ${speed.toFixed(1)} samples/s`);
    },
  });
  print(flags.json, comparison, table(comparison));
}

/** A row for each schedule, and how many times faster it is than each other. */
function table({ model, stages, results, ratios }: Comparison): string {
  const names = Object.keys(results);
  const header = ['schedule', 'samples/s', ...names.map((name) => `/ ${name}`)];
  const rows = names.map((name) => [
    name,
    results[name]!.samplesPerSecond.toFixed(1),
    ...names.map((other) => ratios[`${name}/${other}`]?.toFixed(2) ?? '-'),
  ]);
  return `${model}, ${stages} stages\n${formatColumns([header, ...rows])}`;
}
