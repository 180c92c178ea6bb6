import { Progress, type RunResult, Trainer } from '../pipeline/index.js';
import { type Given, trainConfig } from './config.js';
import type { TrainFlags } from './options.js';
import { exitCodes, onInterrupt, print, say } from './report.js';

/** `headrace train`. */
export async function train(model: string, flags: TrainFlags, given: Given): Promise<void> {
  const config = await trainConfig(model, flags, given);
  const run = new Trainer(config, { resume: flags.resume });
  const release = onInterrupt(() => {
    say(`\nheadrace: stopping, with a checkpoint in ${config.out}/checkpoint; Ctrl-C again ends at once`);
    run.stop();
  });
  const progress = new Progress(process.stderr);
  try {
    for await (const event of run) progress.update(event);
    progress.finish();
    const { stopped, ...result } = await run.result;
    print(flags.json, result, summary(result));
    if (!stopped) return;
    say(`headrace: stopped; checkpoint in ${config.out}/checkpoint.`);
    say(`To go on: headrace train ${model} --out ${config.out} --resume`);
    process.exitCode = exitCodes.interrupted;
  } finally {
    progress.finish();
    release();
  }
}

function summary(result: Omit<RunResult, 'stopped'>): string {
  const { model, schedule, stages, steps, imagesPerSecond, loss, accuracy, out } = result;
  const parts = [`${model}, ${schedule}, ${stages} stage(s): ${steps} steps`];
  if (imagesPerSecond !== null) parts.push(`${imagesPerSecond.toFixed(1)} images/s`);
  if (loss !== null) parts.push(`test loss ${loss.toFixed(4)}`);
  if (accuracy !== null) parts.push(`test accuracy ${(accuracy * 100).toFixed(2)} %`);
  return `${parts.join(', ')}\nkept in ${out}`;
}
