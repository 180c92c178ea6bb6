// Profiles the model of a run as the run will work: on as many threads at once as there will be workers, since they share
// caches and memory, and what each layer then costs is not what it costs alone.

import { Worker } from 'node:worker_threads';
import { HeadraceError } from '../torch/index.js';
import type { RunConfig } from './config.js';
import { type ModelSpec, resolveRef } from './model.js';
import { type Profile, planCut } from './plan.js';
import { meanProfile, type ProfileOptions, profile, profileOfBatch } from './profile.js';
import { trainingResources } from './run.js';
import { isLocal, microbatchCount, scheduleFor, stageCount } from './schedule.js';

/** What of a run's configuration its profile depends on. */
export type ProfiledConfig = Pick<
  RunConfig,
  | 'model'
  | 'schedule'
  | 'stages'
  | 'head'
  | 'microbatches'
  | 'batchSize'
  | 'seed'
  | 'threads'
  | 'devices'
  | 'memoryFormat'
>;

/** What a profiling thread is told, and what it answers. */
export interface ProfileRequest {
  readonly model: RunConfig['model'];
  readonly threads: number;
  readonly options: ProfileOptions;
}
export type ProfileReply = { readonly profile: Profile } | { readonly message: string };

/**
 * Measures the layers, and for local schedules the heads, of a run's model.
 *
 * @param seconds how long to measure, set-up apart
 * @throws HeadraceError when the model cannot be built or run
 */
export async function profileRun(config: ProfiledConfig, seconds = 5): Promise<Profile> {
  const count = stageCount(config.schedule, config.stages);
  const local = isLocal(config.schedule);
  // Backprop schedules work on microbatches, and a small batch is not a share of a large one.
  const parts = microbatchCount(config.schedule, config.microbatches);
  const device = config.devices[0] ?? 'cpu';
  const { seed, memoryFormat, threads, model } = config;
  const batchSize = Math.ceil(config.batchSize / parts);
  const options = { batchSize, head: local ? config.head : null, seed, device, memoryFormat, seconds };
  const workers = device === 'cpu' ? scheduleFor(config.schedule, count, parts).length : 1;
  const copies = Array.from({ length: workers }, () => runThread({ model, threads, options }));
  return profileOfBatch(meanProfile(await Promise.all(copies)), parts, config.batchSize);
}

/** The borders that suit a run best, by measurement. None to choose for one stage. */
export async function chooseCut(config: ProfiledConfig, seconds = 3): Promise<number[]> {
  const count = stageCount(config.schedule, config.stages);
  if (count === 1) return [];
  // Sequential local learning is cut as the pipeline that it is compared with.
  const schedule = config.schedule === 'sequential' ? 'ppll' : config.schedule;
  return planCut(await profileRun({ ...config, schedule }, seconds), schedule, count);
}

function runThread(request: ProfileRequest): Promise<Profile> {
  return new Promise((resolve, reject) => {
    const settings = { workerData: request, resourceLimits: trainingResources };
    const worker = new Worker(new URL('./profile-worker.js', import.meta.url), settings);
    worker.once('message', (reply: ProfileReply) => {
      if ('profile' in reply) resolve(reply.profile);
      else reject(new HeadraceError(`Cannot profile the model: ${reply.message}`));
    });
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new HeadraceError(`The profiling thread ended early, with code ${code}`)));
  });
}

/** Answers a request, in its own thread. */
export async function answer(request: ProfileRequest): Promise<ProfileReply> {
  try {
    return { profile: profile(await resolveRef<ModelSpec>(request.model), request.options) };
  } catch (error) {
    return { message: error instanceof Error ? error.message : String(error) };
  }
}
