import {
  hasCheckpoint,
  keepThreads,
  loadRunData,
  type RunConfig,
  type RunResult,
  readCheckpointState,
  Trainer,
  type TrainerOptions,
} from '../pipeline/index.js';
import { formatMetrics } from '../run/index.js';
import { type Given, trainConfig } from './config.js';
import { follow } from './follow.js';
import type { TrainFlags } from './options.js';
import { asRank } from './ranks.js';
import { isOfSpec, loadImages } from './reading.js';
import { print, say } from './report.js';
import { resumedConfig } from './resume.js';

/** `headrace train`. @param model - may be left out where a run goes on */
export function train(model: string | undefined, flags: TrainFlags, given: Given): Promise<void> {
  return asRank(
    (group, again) => {
      const resume = flags.resume || (flags.autoResume || again ? 'auto' : false);
      return trainHere(model, flags, given, { resume, group });
    },
    async () => {
      const config = await configOf(model, flags, given);
      keepThreads(RANK_THREADS, [config.model.module]);
      await loadRunData(config.data);
    },
  );
}

/** Of rank 0, the most: a stage, the data loader, and one that listens to another rank. */
const RANK_THREADS = 3;

async function configOf(model: string | undefined, flags: TrainFlags, given: Given): Promise<RunConfig> {
  const config = flags.resume ? resumedConfig(model, flags, given) : await trainConfig(model!, flags, given);
  // A run of one's own model may have data of its own kind; those of a SPEC are told of.
  if (flags.resume && isOfSpec(config.data)) await loadImages(config.data);
  return config;
}

async function trainHere(
  model: string | undefined,
  flags: TrainFlags,
  given: Given,
  { resume, group = null }: TrainerOptions,
): Promise<void> {
  if (resume === 'auto' && hasCheckpoint(flags.out)) {
    say(`headrace: going on with ${flags.out} after step ${readCheckpointState(flags.out).step}`);
  }
  const config = await configOf(model, flags, given);
  const run = new Trainer(config, { resume: resume!, group });
  const { out, modelName } = config;
  const again = `headrace train ${modelName} --out ${out} --resume${flags.json ? ' --json' : ''}`;
  const { stopped: _, ...result } = await follow(run, out!, again);
  print(flags.json, result, summary(result, hasCheckpoint(out!)));
}

function summary(result: Omit<RunResult, 'stopped'>, kept: boolean): string {
  const { model, schedule, stages, steps, samplesPerSecond, metrics, best, out } = result;
  const parts = [`${model}, ${schedule}, ${stages} stage(s): ${steps} steps`];
  if (samplesPerSecond !== null) parts.push(`${samplesPerSecond.toFixed(1)} samples/s`);
  if (metrics !== null) parts.push(`test ${formatMetrics(metrics)}`);
  if (best !== null && best.step < steps) parts.push(`best after step ${best.step}: ${formatMetrics(best.metrics)}`);
  return parts.join(', ') + (kept ? `\nkept in ${out}` : '');
}
