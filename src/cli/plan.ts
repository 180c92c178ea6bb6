import { formatPlan, plan, profileRun, resolveRef } from '../pipeline/index.js';
import { modelFamily } from '../vision/index.js';
import { runConfig, shapeConfig } from './config.js';
import type { PlanFlags } from './options.js';
import { print } from './report.js';

/** `headrace plan`. */
export async function planModel(model: string, flags: PlanFlags): Promise<void> {
  modelFamily(model);
  const config = flags.data === undefined ? shapeConfig(model, flags) : await runConfig(model, flags);
  await resolveRef(config.model); // the user's mistakes are told here, not by a thread
  const profile = await profileRun(config, flags.seconds);
  const { schedule, stages, microbatches, queueCapacity, cut } = config;
  const result = plan(profile, { schedule, stages, microbatches, queueCapacity, ...(cut ? { cut } : {}) });
  const { imagesPerSecond, speedUp, idle } = result;
  const json = {
    model,
    schedule,
    stages,
    cut: result.cut,
    imagesPerSecond,
    speedUp,
    idle,
    parts: result.stages,
    profile,
  };
  print(flags.json, json, formatPlan(result));
}
