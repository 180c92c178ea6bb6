import { availableParallelism } from 'node:os';
import {
  formatPlan,
  type ModelSpec,
  type ProfileProgress,
  Progress,
  plan,
  profileRun,
  resolveRef,
} from '../pipeline/index.js';
import { modelFamily } from '../vision/index.js';
import { runConfig, shapeConfig } from './config.js';
import type { PlanFlags } from './options.js';
import { print } from './report.js';

/** `headrace plan`. */
export async function planModel(model: string, flags: PlanFlags): Promise<void> {
  modelFamily(model);
  const config = flags.data === undefined ? shapeConfig(model, flags) : await runConfig(model, flags);
  const { layers } = await resolveRef<ModelSpec>(config.model); // the user's mistakes are told here, not by a thread
  const progress = new Progress(process.stderr);
  const onProgress = (measured: ProfileProgress): void =>
    progress.update({ type: 'plan', time: Date.now(), stage: 0, layers: layers.length, ...measured, cut: null });
  const profile = await profileRun(config, flags.seconds, { onProgress }).finally(() => progress.finish());
  const { schedule, stages, microbatches, queueCapacity, cut } = config;
  const cores = availableParallelism();
  const result = plan(profile, { schedule, stages, microbatches, queueCapacity, cores, ...(cut ? { cut } : {}) });
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
