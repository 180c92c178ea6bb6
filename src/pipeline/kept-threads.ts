/**
 * Threads of runs, and those that are kept ready for one: they have imported what a run's threads need, and become the first that
 * is asked for.
 */
import { type Worker, workerData } from 'node:worker_threads';
import { startThread } from '../torch/threads.js';

/** Limits of threads that train: a step makes thousands of small objects, which a small young generation keeps in the cache. */
export const trainingResources = { maxYoungGenerationSizeMb: 4 } as const;

const kept: Worker[] = [];

/** What a kept thread is told. */
export interface Task {
  /** A URL. */
  readonly module: string;
  readonly job: unknown;
}

/** Starts threads ahead. @param modules - URLs that they import, besides the engine's own */
export function keepThreads(count: number, modules: readonly string[]): void {
  for (let i = 0; i < count; i++) {
    const options = { workerData: modules, resourceLimits: trainingResources };
    kept.push(startThread(new URL('./kept-thread.js', import.meta.url), options));
  }
}

/** A thread that runs a module, which finds its job by {@link jobOf}. @internal */
export function threadOf({ module, job }: Task): Worker {
  const thread = kept.pop();
  if (thread === undefined) return startThread(new URL(module), { workerData: job, resourceLimits: trainingResources });
  thread.postMessage({ module, job } satisfies Task);
  return thread;
}

let given: Task | null = null;

/** In a kept thread: what it has become. */
export function become(task: Task): void {
  given = task;
}

/** What this thread was started for; nothing in a thread that is none of a run. */
export const jobOf = <Job>(): Job => (given === null ? workerData : given.job) as Job;
