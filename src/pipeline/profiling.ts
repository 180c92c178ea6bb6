/** Measures a model before a run, and cuts it by what was measured. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { RunConfig } from './config.js';
import { type Profile, planCut } from './plan.js';
import type { ProfileJob } from './profile-worker.js';
import { stageCount } from './schedule.js';

/** Profiles a run's model on a worker thread, so that this one stays responsive. */
export async function profileRun(config: RunConfig): Promise<Profile> {
  const { kind, depth } = config.head;
  const job: ProfileJob = {
    model: config.model,
    threads: config.threads,
    options: {
      batchSize: config.batchSize,
      head: depth === undefined ? { kind } : { kind, depth },
      seed: config.seed,
      device: config.devices[0]!,
      memoryFormat: config.memoryFormat,
    },
  };
  const worker = new Worker(new URL('./profile-worker.js', import.meta.url), { workerData: job });
  const [profile] = (await once(worker, 'message')) as [Profile];
  return profile;
}

/** The borders of the split whose slowest stage is fastest; measured, so it can differ from machine to machine. */
export async function measuredCut(config: RunConfig): Promise<number[]> {
  const stages = stageCount(config.schedule, config.stages);
  return stages === 1 ? [] : planCut(await profileRun(config), config.schedule, stages);
}
