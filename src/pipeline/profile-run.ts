// Profiles the model of a run as the run will work: on as many threads at once as there will be workers, since they share
// caches and memory, and what each layer then costs is not what it costs alone.

import { Worker } from 'node:worker_threads';
import { HeadraceError } from '../torch/index.js';
import type { RunConfig } from './config.js';
import { type ModelSpec, resolveRef } from './model.js';
import { type Cost, type LayerCost, type Profile, planCut } from './plan.js';
import { type ProfileOptions, profile } from './profile.js';
import { isLocal, scheduleFor, stageCount } from './schedule.js';

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
  const parts = local ? 1 : config.microbatches;
  const device = config.devices[0] ?? 'cpu';
  const { seed, memoryFormat, threads, model } = config;
  const batchSize = Math.ceil(config.batchSize / parts);
  const options = { batchSize, head: local ? config.head : null, seed, device, memoryFormat, seconds };
  const workers = device === 'cpu' ? scheduleFor(config.schedule, count, parts).length : 1;
  const copies = Array.from({ length: workers }, () => runThread({ model, threads, options }));
  return scaled(meanProfile(await Promise.all(copies)), parts, config.batchSize);
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
    const worker = new Worker(new URL('./profile-worker.js', import.meta.url), { workerData: request });
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

/** Profiles of the same thing, averaged. */
export function meanProfile(profiles: readonly Profile[]): Profile {
  const [first] = profiles as readonly [Profile, ...Profile[]];
  const mean = (pick: (profile: Profile) => number): number =>
    profiles.reduce((sum, each) => sum + pick(each), 0) / profiles.length;
  const times = (pick: (profile: Profile) => Cost): Pick<Cost, 'forward' | 'backward' | 'update'> => ({
    forward: mean((each) => pick(each).forward),
    backward: mean((each) => pick(each).backward),
    update: mean((each) => pick(each).update),
  });
  return {
    ...first,
    layers: first.layers.map((layer, i) => ({
      ...layer,
      ...times((each) => each.layers[i]!),
      inputGradient: mean((each) => each.layers[i]!.inputGradient),
    })),
    heads: first.heads.map((head, i) => ({ ...head, ...times((each) => each.heads[i]!) })),
    input: mean((each) => each.input),
    loss: mean((each) => each.loss),
  };
}

/** The profile of a microbatch, made one of the `parts` microbatches of a batch; the update is once a batch. */
export function scaled(profile: Profile, parts: number, batchSize: number): Profile {
  if (parts === 1) return profile;
  const more = <T extends Cost>(cost: T): T => ({
    ...cost,
    forward: cost.forward * parts,
    backward: cost.backward * parts,
    activationBytes: cost.activationBytes * parts,
  });
  return {
    ...profile,
    batchSize,
    layers: profile.layers.map((layer): LayerCost => ({ ...more(layer), outputBytes: layer.outputBytes * parts })),
    heads: profile.heads.map(more),
    input: profile.input * parts,
    loss: profile.loss * parts,
  };
}
