/** Trains a configuration with several seeds, each on a thread of its own. */
import { existsSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
import { FolderLock, sweepUnfinished } from '../io/index.js';
import { trainingResources } from '../pipeline/index.js';
import { HeadraceError } from '../torch/index.js';
import { checkOptions } from '../torch/options.js';
import { startThread } from '../torch/threads.js';
import { readResult, seedFolder } from './bundle.js';
import type { SentimentConfig } from './config.js';
import type { SentimentSource } from './datasets/index.js';
import { type SeedJob, type SeedNotice, STOP } from './seed-job.js';
import type { SeedResult } from './train-seed.js';

/** Milliseconds that threads have to end by themselves after a failure. */
const GRACE_MS = 3000;
/** Milliseconds between looks at whether the folder is there. */
const LOOK_MS = 1000;

export interface TrainSeedsOptions {
  readonly seeds: readonly number[];
  /** Folder of the run, which {@link beginFolder} has begun; null: nothing is written. */
  readonly out: string | null;
  /** Seeds at once. Default 1; each takes `config.threads` cores. */
  readonly jobs?: number;
  readonly onNotice?: (notice: SeedNotice) => void;
  /** Keep the state between epochs. Default true. */
  readonly checkpoints?: boolean;
}

/** Seeds under way, which can be asked to stop. */
export class SeedRuns {
  /** The threads under way, with what counts them as ended. */
  readonly #threads = new Map<Worker, () => void>();
  #failure: HeadraceError | null = null;
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));

  constructor(
    private readonly config: SentimentConfig,
    private readonly source: SentimentSource,
    private readonly options: TrainSeedsOptions,
  ) {
    checkOptions('SeedRuns', options, ['seeds', 'out', 'jobs', 'onNotice', 'checkpoints']);
  }

  /** Ends after the epochs under way; what they reached is kept. */
  stop(): void {
    Atomics.compareExchange(this.#stop, 0, STOP.no, STOP.afterEpoch);
  }

  get stopped(): boolean {
    return Atomics.load(this.#stop, 0) !== STOP.no;
  }

  /**
   * Trains all seeds that have no result in the folder yet. The folder is this process's own until the end.
   * @returns the results of all, in the order of the seeds; those that were stopped are absent
   * @throws ConfigError where another process trains in the folder
   * @throws HeadraceError of the first seed that fails; the others are ended
   */
  async run(): Promise<SeedResult[]> {
    const { out } = this.options;
    if (out === null) return this.#trainAll();
    const lock = FolderLock.take(out);
    const watch = setInterval(() => this.#look(lock), LOOK_MS);
    try {
      for (const folder of [out, ...this.options.seeds.map((seed) => seedFolder(out, seed))]) {
        if (existsSync(folder)) sweepUnfinished(folder);
      }
      return await this.#trainAll();
    } finally {
      clearInterval(watch);
      if (this.#threads.size === 0) lock.release(); // a thread that could not be ended may still write
    }
  }

  async #trainAll(): Promise<SeedResult[]> {
    const { seeds, out, jobs = 1 } = this.options;
    const results = new Map<number, SeedResult>();
    const waiting: number[] = [];
    for (const seed of seeds) {
      const known = out === null ? null : readResult(out, seed);
      if (known) results.set(seed, known);
      else waiting.push(seed);
    }
    const lane = async (): Promise<void> => {
      for (let seed = waiting.shift(); seed !== undefined && !this.stopped; seed = waiting.shift()) {
        const result = await this.#train(seed);
        if (result) results.set(seed, result);
      }
    };
    await Promise.all(Array.from({ length: Math.min(jobs, waiting.length) }, lane));
    if (this.#failure) throw this.#failure;
    return seeds.flatMap((seed) => results.get(seed) ?? []);
  }

  /** The result of a seed, or null where it was stopped or a failure ended it. Its thread has ended by then. */
  #train(seed: number): Promise<SeedResult | null> {
    const { out, onNotice, checkpoints = true } = this.options;
    const workerData: SeedJob = { config: this.config, source: this.source, seed, out, checkpoints, stop: this.#stop };
    const url = new URL('./seed-worker.js', import.meta.url);
    const worker = startThread(url, { workerData, resourceLimits: trainingResources });
    return new Promise((resolve) => {
      let result: SeedResult | null = null;
      let told = false;
      const end = (): void => {
        this.#threads.delete(worker);
        resolve(result);
      };
      this.#threads.set(worker, end);
      const listen = (notice: SeedNotice): void => {
        if (notice.kind === 'failed') this.#fail(notice.message, notice.code);
        else if (notice.kind === 'done') result = notice.result;
        told ||= notice.kind !== 'epoch' && notice.kind !== 'begun';
        onNotice?.(notice);
      };
      worker.on('message', (notice: SeedNotice) => {
        try {
          listen(notice);
        } catch (error) {
          this.#fail(`seed ${seed}: ${(error as Error).message}`, '');
        }
      });
      worker.on('error', (error) => this.#fail(`seed ${seed}: ${error.message}`, ''));
      worker.on('exit', (code) => {
        if (!told) this.#fail(`the thread of seed ${seed} ended before its work was done (exit code ${code})`, '');
        end();
      });
    });
  }

  /** One seed's error is the others' too: they end with the batch under way, or are ended. */
  #fail(message: string, code: string): void {
    if (this.#failure) return;
    this.#failure = new HeadraceError(message, code === '' ? {} : { code });
    Atomics.store(this.#stop, 0, STOP.atOnce);
    setTimeout(() => {
      for (const worker of this.#threads.keys()) void worker.terminate();
    }, GRACE_MS).unref();
    // What hangs in a system call cannot be ended; nobody need wait for it.
    setTimeout(() => {
      for (const end of this.#threads.values()) end();
    }, 2 * GRACE_MS).unref();
  }

  /** A folder that is gone would be missed at the end of an epoch only, which may be far. */
  #look(lock: FolderLock): void {
    try {
      if (!lock.stands())
        this.#fail(`${lock.folder} is not this run's any more: it, or its lock, was removed meanwhile`, '');
    } catch (error) {
      this.#fail((error as Error).message, '');
    }
  }
}
