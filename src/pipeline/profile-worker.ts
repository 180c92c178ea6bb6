/** Profiles a model on a thread of its own, with the threads and device that a stage would have. */
import { parentPort, workerData } from 'node:worker_threads';
import { setNumThreads } from '../torch/index.js';
import { type ModelSpec, type ModuleRef, resolveRef } from './model.js';
import { type ProfileOptions, profile } from './profile.js';

export interface ProfileJob {
  readonly model: ModuleRef;
  readonly threads: number;
  readonly options: Omit<ProfileOptions, 'input'>;
}

const { model, threads, options } = workerData as ProfileJob;
setNumThreads(threads);
parentPort!.postMessage(profile(await resolveRef<ModelSpec>(model), options));
