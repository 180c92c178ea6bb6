// Profiles the model of a run as the run will work: on as many threads at once as there will be workers, since they share
// caches and memory, and what each layer then costs is not what it costs alone.

import { availableParallelism } from 'node:os';
import { checkOptions, HeadraceError } from '../torch/index.js';
import { startThread } from '../torch/threads.js';
import { messageWithPlace } from '../torch/user-errors.js';
import { prepareLoader } from '../torch/user-modules.js';
import { checkCompute } from './compute.js';
import { type RunConfig, replicasOf } from './config.js';
import { checkDevices } from './config-check.js';
import { trainingResources } from './kept-threads.js';
import { locateRef, resolveModel } from './model.js';
import { type Profile, planCut, workersAtOnce } from './plan.js';
import { meanProfile, type ProfileOptions, type ProfileProgress, profile, profileOfBatch } from './profile.js';
import { isLocal, microbatchCount, stageCount } from './schedule.js';
import { workersOf } from './wiring.js';

/** What of a run's configuration its profile depends on. */
export type ProfiledConfig = Pick<
  RunConfig,
  | 'model'
  | 'schedule'
  | 'stages'
  | 'replicas'
  | 'head'
  | 'microbatches'
  | 'batchSize'
  | 'seed'
  | 'threads'
  | 'devices'
  | 'memoryFormat'
  | 'compute'
>;

/** What a profiling thread is told, and what it answers. */
export interface ProfileRequest {
  readonly model: RunConfig['model'];
  readonly threads: number;
  readonly options: Omit<ProfileOptions, 'onProgress'>;
}
export type ProfileReply =
  | { readonly kind: 'progress'; readonly progress: ProfileProgress }
  | { readonly kind: 'done'; readonly profile: Profile }
  | { readonly kind: 'failed'; readonly message: string };

/** A look at a measurement under way, and a way to end it. */
export interface ProfileWatch {
  /** Ends the measurement: it rejects. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ProfileProgress) => void;
}

/**
 * Measures the layers, and for local schedules the heads, of a run's model: on as many threads at once as can work at once
 * when it runs.
 *
 * @param seconds - how long to measure, set-up apart; three sweeps over the layers are made at least
 * @throws ConfigError for devices that are not there
 * @throws HeadraceError when the model cannot be built or run, or the measurement was ended
 */
export async function profileRun(config: ProfiledConfig, seconds = 5, watch: ProfileWatch = {}): Promise<Profile> {
  checkOptions('profileRun and chooseCut', watch, ['signal', 'onProgress']);
  checkDevices(config.devices);
  checkCompute(config.compute, config.devices);
  const { signal, onProgress } = watch;
  const local = isLocal(config.schedule);
  // Backprop schedules work on microbatches, replicas on shares of them, and a small batch is not a share of a large one.
  const parts = microbatchCount(config.schedule, config.microbatches) * Math.min(...replicasOf(config));
  const device = config.devices[0] ?? 'cpu';
  const { seed, memoryFormat, compute, threads } = config;
  const model = locateRef(config.model);
  await prepareLoader(model.module);
  const batchSize = Math.ceil(config.batchSize / parts);
  const measured = { batchSize, head: local ? config.head : null, seed, device, memoryFormat, compute, seconds };
  const workers = workersOf(config).length;
  const atOnce = device === 'cpu' ? workersAtOnce(workers, threads, availableParallelism()) : 1;
  // The first failure ends all: the others would measure on for nobody.
  const ended = new AbortController();
  const end = (): void => ended.abort();
  signal?.addEventListener('abort', end);
  if (signal?.aborted) end();
  try {
    const copies = Array.from({ length: atOnce }, (_, i) =>
      runThread({ model, threads, options: measured }, ended.signal, i === 0 ? onProgress : undefined),
    );
    return profileOfBatch(meanProfile(await Promise.all(copies)), parts, config.batchSize);
  } finally {
    signal?.removeEventListener('abort', end);
    ended.abort();
  }
}

/** The borders that suit a run best, by measurement. None to choose for one stage. @throws as {@link profileRun} */
export async function chooseCut(config: ProfiledConfig, seconds = 3, watch: ProfileWatch = {}): Promise<number[]> {
  const count = stageCount(config.schedule, config.stages);
  if (count === 1) return [];
  // Sequential local learning is cut as the pipeline that it is compared with.
  const schedule = config.schedule === 'sequential' ? 'ppll' : config.schedule;
  return planCut(await profileRun({ ...config, schedule }, seconds, watch), schedule, count, config.replicas);
}

function runThread(
  request: ProfileRequest,
  signal: AbortSignal,
  onProgress: ProfileWatch['onProgress'],
): Promise<Profile> {
  return new Promise((resolve, reject) => {
    const settings = { workerData: request, resourceLimits: trainingResources };
    const worker = startThread(new URL('./profile-worker.js', import.meta.url), settings);
    const end = (): void => {
      void worker.terminate();
      reject(new HeadraceError('The measurement of the layers was stopped', { code: 'STOPPED' }));
    };
    if (signal.aborted) end();
    signal.addEventListener('abort', end);
    worker.on('message', (reply: ProfileReply) => {
      if (reply.kind === 'progress') onProgress?.(reply.progress);
      else if (reply.kind === 'done') resolve(reply.profile);
      else reject(new HeadraceError(`Cannot profile the model: ${reply.message}`));
    });
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new HeadraceError(`The profiling thread ended early, with code ${code}`)));
  });
}

/** Answers a request, in its own thread. */
export async function answer(request: ProfileRequest, tell: (reply: ProfileReply) => void): Promise<void> {
  try {
    const spec = await resolveModel(request.model);
    const onProgress = (progress: ProfileProgress): void => tell({ kind: 'progress', progress });
    tell({ kind: 'done', profile: profile(spec, { ...request.options, onProgress }) });
  } catch (error) {
    tell({ kind: 'failed', message: messageWithPlace(error) });
  }
}
