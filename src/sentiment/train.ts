/** Trains a configuration with several seeds, each on a thread of its own. */
import { existsSync } from 'node:fs';
import type { ProcessGroup } from '../distributed/index.js';
import { FolderLock, sweepUnfinished } from '../io/index.js';
import { checkRanks, nextRun, Threads } from '../pipeline/index.js';
import { ConfigError, HeadraceError } from '../torch/index.js';
import { checkOptions } from '../torch/options.js';
import { readResult, seedFolder } from './bundle.js';
import type { SentimentConfig } from './config.js';
import type { SentimentSource } from './datasets/index.js';
import { locateOwn } from './models/own.js';
import { type SeedJob, type SeedNotice, STOP } from './seed-job.js';
import type { SeedResult } from './train-seed.js';

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
  /** Ranks that share the branches of each seed. This is rank 0, within `overRanks`. Default: this process has all. */
  readonly group?: ProcessGroup | null;
}

/** Seeds under way, which can be asked to stop. */
export class SeedRuns {
  readonly #results = new Map<number, SeedResult>();
  /** One seed's error is the others' too: they end with the batch under way, or are ended. */
  readonly #threads = new Threads<SeedNotice>({
    onNotice: (notice) => this.#hear(notice),
    errorOf: (message, { code, cause }) => new HeadraceError(message, { code, cause }),
    onFailure: () => void Atomics.store(this.#stop, 0, STOP.atOnce),
  });
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  private readonly config: SentimentConfig;

  constructor(
    config: SentimentConfig,
    private readonly source: SentimentSource,
    private readonly options: TrainSeedsOptions,
  ) {
    checkOptions('SeedRuns', options, ['seeds', 'out', 'jobs', 'onNotice', 'checkpoints', 'group']);
    this.config = { ...config, model: locateOwn(config.model) };
    const { group = null, jobs = 1 } = options;
    if (group === null) return;
    checkRanks(group, config.schedule === 'ppll' ? config.modalities.length + 1 : 1);
    if (jobs > 1) throw new ConfigError(`expected seeds one after the other over ranks (jobs 1), got jobs ${jobs}`);
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
    const look = (): void => lookFor(lock);
    const watch = setInterval(() => this.#threads.attempt(look, { stage: -1, step: null }), LOOK_MS);
    try {
      for (const folder of [out, ...this.options.seeds.map((seed) => seedFolder(out, seed))]) {
        if (existsSync(folder)) sweepUnfinished(folder);
      }
      return await this.#trainAll();
    } finally {
      clearInterval(watch);
      if (this.#threads.running === 0) lock.release(); // a thread that could not be ended may still write
    }
  }

  async #trainAll(): Promise<SeedResult[]> {
    const { seeds, out, jobs = 1 } = this.options;
    const results = this.#results;
    const waiting: number[] = [];
    for (const seed of seeds) {
      const known = out === null ? null : readResult(out, seed);
      if (known) results.set(seed, known);
      else waiting.push(seed);
    }
    const lane = async (): Promise<void> => {
      for (let seed = waiting.shift(); seed !== undefined && !this.stopped; seed = waiting.shift()) {
        await this.#train(seed);
      }
    };
    await Promise.all(Array.from({ length: Math.min(jobs, waiting.length) }, lane));
    await this.#threads.ended();
    return seeds.flatMap((seed) => results.get(seed) ?? []);
  }

  /** Settles when the seed's thread has ended: trained, stopped or failed. */
  #train(seed: number): Promise<void> {
    const { out, checkpoints = true, group = null } = this.options;
    const ranks = group && { group: group.id, number: nextRun(group).number };
    const job: SeedJob = { config: this.config, source: this.source, seed, out, checkpoints, ranks, stop: this.#stop };
    const member = { name: `seed ${seed}`, stage: -1, finished: false };
    return this.#threads.start(new URL('./seed-worker.js', import.meta.url).href, job, member);
  }

  #hear(notice: SeedNotice): void {
    if (notice.kind === 'done') this.#results.set(notice.seed, notice.result);
    try {
      this.options.onNotice?.(notice);
    } catch (cause) {
      throw new HeadraceError(`seed ${notice.seed}: ${(cause as Error).message}`, { cause });
    }
  }
}

/** A folder that is gone would be missed at the end of an epoch only, which may be far. */
function lookFor(lock: FolderLock): void {
  if (lock.stands()) return;
  throw new HeadraceError(`${lock.folder} is not this run's any more: it, or its lock, was removed meanwhile`);
}
