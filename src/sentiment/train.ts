/** Trains a configuration with several seeds, each on a thread of its own. */
import { Worker } from 'node:worker_threads';
import { trainingResources } from '../pipeline/index.js';
import { HeadraceError } from '../torch/index.js';
import { readResult } from './bundle.js';
import type { SentimentConfig } from './config.js';
import type { SentimentSource } from './datasets/index.js';
import type { SeedJob, SeedNotice } from './seed-worker.js';
import type { SeedResult } from './train-seed.js';

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
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));

  constructor(
    private readonly config: SentimentConfig,
    private readonly source: SentimentSource,
    private readonly options: TrainSeedsOptions,
  ) {}

  /** Ends after the epochs under way; what they reached is kept. */
  stop(): void {
    Atomics.store(this.#stop, 0, 1);
  }

  get stopped(): boolean {
    return Atomics.load(this.#stop, 0) === 1;
  }

  /**
   * Trains all seeds that have no result in the folder yet.
   * @returns the results of all, in the order of the seeds; those that were stopped are absent
   * @throws HeadraceError of the first seed that fails; the others are ended
   */
  async run(): Promise<SeedResult[]> {
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
    return seeds.flatMap((seed) => results.get(seed) ?? []);
  }

  #train(seed: number): Promise<SeedResult | null> {
    const { out, onNotice, checkpoints = true } = this.options;
    const workerData: SeedJob = { config: this.config, source: this.source, seed, out, checkpoints, stop: this.#stop };
    const url = new URL('./seed-worker.js', import.meta.url);
    const worker = new Worker(url, { workerData, resourceLimits: trainingResources });
    return new Promise((resolve, reject) => {
      let settled = false;
      const settle = (result: SeedResult | null): void => {
        settled = true;
        resolve(result);
      };
      const fail = (message: string, code: string): void => {
        if (settled) return;
        settled = true;
        // One seed's error is the others' too: they end with the epoch under way.
        this.stop();
        reject(new HeadraceError(message, code === '' ? {} : { code }));
      };
      worker.on('message', (notice: SeedNotice) => {
        onNotice?.(notice);
        if (notice.kind === 'done') settle(notice.result);
        else if (notice.kind === 'stopped') settle(null);
        else if (notice.kind === 'failed') fail(notice.message, notice.code);
      });
      worker.on('error', (error) => fail(`seed ${seed}: ${error.message}`, ''));
      worker.on('exit', (code) =>
        fail(`the thread of seed ${seed} ended before its work was done (exit code ${code})`, ''),
      );
    });
  }
}
