import {
  formatMetrics,
  hasCheckpoint,
  Progress,
  type RunConfig,
  type RunResult,
  readCheckpointState,
  Trainer,
} from '../pipeline/index.js';
import { type Given, trainConfig } from './config.js';
import type { TrainFlags } from './options.js';
import { isOfSpec, loadImages } from './reading.js';
import { exitCodes, onInterrupt, print, say } from './report.js';
import { resumedConfig } from './resume.js';

/** `headrace train`. @param model - may be left out where a run goes on */
export async function train(model: string | undefined, flags: TrainFlags, given: Given): Promise<void> {
  const config = flags.resume ? resumedConfig(model, flags, given) : await trainConfig(model!, flags, given);
  // A run of one's own model may have data of its own kind; those of a SPEC are told of.
  if (flags.resume && isOfSpec(config.data)) await loadImages(config.data);
  const run = new Trainer(config, { resume: flags.resume });
  const progress = new Progress(process.stderr);
  let steps = 0;
  const release = onInterrupt(() => {
    progress.finish();
    const what = steps > 0 ? `with a checkpoint in ${config.out}/checkpoint` : 'before the first step';
    say(`headrace: stopping, ${what}; Ctrl-C again ends at once`);
    run.stop();
  });
  try {
    for await (const event of run) {
      if (event.type === 'step') steps = event.step;
      progress.update(event);
    }
    progress.finish();
    const { stopped, ...result } = await run.result;
    const kept = !stopped || hasCheckpoint(config.out!);
    print(flags.json, result, summary(result, kept));
    if (!stopped) return;
    sayStopped(config, flags);
    process.exitCode = exitCodes.interrupted;
  } finally {
    progress.finish();
    release();
  }
}

/** What is kept of a run that was stopped, and how to go on. */
function sayStopped({ out, modelName }: RunConfig, flags: TrainFlags): void {
  if (!hasCheckpoint(out!)) {
    say('headrace: stopped before the first step: there is no checkpoint, and nothing to go on from. Start it anew.');
    return;
  }
  say(`headrace: stopped after step ${readCheckpointState(out!).step}; checkpoint in ${out}/checkpoint.`);
  say(`To go on: headrace train ${modelName} --out ${out} --resume${flags.json ? ' --json' : ''}`);
}

function summary(result: Omit<RunResult, 'stopped'>, kept: boolean): string {
  const { model, schedule, stages, steps, samplesPerSecond, metrics, out } = result;
  const parts = [`${model}, ${schedule}, ${stages} stage(s): ${steps} steps`];
  if (samplesPerSecond !== null) parts.push(`${samplesPerSecond.toFixed(1)} samples/s`);
  if (metrics !== null) parts.push(`test ${formatMetrics(metrics)}`);
  return parts.join(', ') + (kept ? `\nkept in ${out}` : '');
}
