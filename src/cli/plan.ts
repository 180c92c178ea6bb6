import { availableParallelism } from 'node:os';
import {
  formatPlan,
  formatScale,
  type ProfileProgress,
  plan,
  profileRun,
  resolveModel,
  scale,
} from '../pipeline/index.js';
import { Progress } from '../run/index.js';
import { type Given, measuredConfig } from './config.js';
import type { PlanFlags } from './options.js';
import { print } from './report.js';

/** `headrace plan`. */
export async function planModel(model: string, flags: PlanFlags, given: Given): Promise<void> {
  const config = await measuredConfig(model, flags, given);
  const { layers } = await resolveModel(config.model); // the user's mistakes are told here, not by a thread
  const progress = new Progress(process.stderr);
  const onProgress = (measured: ProfileProgress): void =>
    progress.update({ type: 'plan', time: Date.now(), stage: 0, layers: layers.length, ...measured, cut: null });
  const profile = await profileRun(config, flags.seconds, { onProgress }).finally(() => progress.finish());
  if (flags.scale) {
    const { faster } = flags;
    const rows = scale(profile, { faster });
    return print(flags.json, { model, faster, rows, profile }, formatScale(profile, rows, faster));
  }
  const { schedule, stages, replicas, microbatches, queueCapacity, cut } = config;
  const cores = availableParallelism();
  const options = { schedule, stages, replicas, microbatches, queueCapacity, cores, ...(cut ? { cut } : {}) };
  const result = plan(profile, options);
  const { samplesPerSecond, speedUp, idle, fullSpeedUp, workers, atOnce } = result;
  const json = {
    model,
    schedule,
    stages,
    cut: result.cut,
    samplesPerSecond,
    speedUp,
    idle,
    parts: result.stages,
    profile,
    cores,
    workers,
    atOnce,
    fullSpeedUp,
  };
  print(flags.json, json, formatPlan(result));
}
