/** The training of one seed: epochs until the validation loss has not fallen for long, and the weights of the best. */
import type { FaultConfig, RankRun } from '../pipeline/index.js';
import type { Run } from '../report/statistics.js';
import type { RunEvent } from '../run/index.js';
import { BranchLearner } from './branch-learner.js';
import { checkSentimentConfig, type SentimentConfig } from './config.js';
import { spreadOf } from './constant.js';
import { metricsOf, predictSplit, type SplitPredictions } from './evaluate.js';
import type { InitReport } from './init.js';
import type { EpochRecord, Learner, SeedState } from './learner.js';
import { modelTitle } from './models/own.js';
import type { SentimentNetwork } from './network.js';
import { type PreparedData, withShare } from './prepare.js';
import { WholeLearner } from './whole-learner.js';

export interface SeedResult {
  readonly seed: number;
  readonly bestEpoch: number;
  readonly epochs: number;
  readonly valid: Run;
  /** At the epoch that was best on the validation split; the test split chooses nothing. */
  readonly test: Run;
  /** Standard deviation of the test predictions over that of the labels; near 0 the model says the same of everything. */
  readonly spread?: number | null;
  readonly seconds: number;
  readonly utterancesPerSecond: number;
  readonly history: readonly EpochRecord[];
}

/** Milliseconds of an epoch. */
export interface BranchTimes {
  readonly busyMs: number;
  /** For what the others give it, or for room where it puts its own. */
  readonly waitMs: number;
}

/** Of training by branches. */
export interface SeedOptions {
  /** How long any part may wait for another. Default 600 000. */
  readonly timeoutMs?: number;
  /** Told after every epoch how each branch and the `fusion` spent the time of its training batches. */
  readonly onTimes?: (times: Readonly<Record<string, BranchTimes>>) => void;
  /** Ranks that share the branches, within `overRanks`. Default: this process has all. */
  readonly ranks?: RankRun | null;
  /** For tests. */
  readonly faults?: FaultConfig;
}

/** What a run can be told while it goes on. */
export interface SeedHooks {
  readonly onEpoch?: (record: EpochRecord) => void;
  /** What each stage did, as it comes. */
  readonly onEvent?: (event: RunEvent) => void;
  /** Asked after every epoch, when `save` has been called. */
  readonly shouldStop?: () => boolean;
  /** Asked before every batch: whether to end at once, with nothing kept of the epoch. */
  readonly shouldGiveUp?: () => boolean;
  /** Called after every epoch with all that it takes to go on from there. */
  readonly save?: (state: SeedState) => void;
  /** What an earlier session saved. */
  readonly from?: SeedState | null;
}

/**
 * Trains a network: by gradients through the whole of it (`bp`), or by branches, in turns (`sequential`) or at once (`ppll`), which
 * comes to the same bits.
 */
export class SeedTrainer {
  readonly learner: Learner;
  private readonly prepared: PreparedData;
  #history: EpochRecord[] = [];
  #best: SeedState['best'] = { epoch: 0, loss: Number.POSITIVE_INFINITY };
  #seconds = 0;

  /** @throws ConfigError for a configuration that makes no sense */
  constructor(
    private readonly config: SentimentConfig,
    prepared: PreparedData,
    readonly seed: number,
    options: SeedOptions = {},
  ) {
    checkSentimentConfig(config);
    this.prepared = withShare(prepared, config.trainShare, seed);
    this.learner =
      config.schedule === 'bp'
        ? new WholeLearner(config, this.prepared, seed)
        : new BranchLearner(config, this.prepared, seed, options);
  }

  get network(): SentimentNetwork {
    return this.learner.network;
  }

  /** What it took from the run that the configuration names as `init`. */
  get begun(): InitReport | null {
    return this.learner.begun;
  }

  /**
   * Trains to the end, or until told to stop: then null, and what `save` was given last goes on from there.
   * @throws HeadraceError of the first branch that fails, or for a loss that is not finite
   */
  async run(hooks: SeedHooks = {}): Promise<SeedResult | null> {
    const { patience, maxEpochs } = this.config;
    const { from = null, onEvent = () => {}, shouldStop = () => false } = hooks;
    const { learner } = this;
    if (from) [this.#history, this.#best, this.#seconds] = [[...from.history], from.best, from.seconds];
    const history = this.#history;
    let stopped = false;
    try {
      this.#tellStart(onEvent);
      learner.begin(from, onEvent);
      while (!stopped && history.length < maxEpochs && history.length - this.#best.epoch < patience) {
        const record = await this.#epoch(history.length + 1, hooks);
        if (record === null) return null;
        const { epoch } = record;
        if (hooks.save) hooks.save({ ...this.#state(), tensors: await learner.state(epoch) });
        stopped = shouldStop();
      }
      await learner.finish(history.length, stopped ? 'stopped' : 'done');
    } catch (error) {
      const step = history.length * learner.batchesPerEpoch;
      onEvent({ type: 'error', time: Date.now(), stage: 0, step, action: null, message: (error as Error).message });
      throw error;
    } finally {
      await learner.close();
    }
    return stopped ? null : this.#result();
  }

  /** An epoch, judged. Null where it was given up. */
  async #epoch(
    epoch: number,
    { shouldGiveUp = () => false, onEpoch, onEvent }: SeedHooks,
  ): Promise<EpochRecord | null> {
    const { train, valid } = this.prepared.splits;
    const start = performance.now();
    const trained = await this.learner.train(epoch, shouldGiveUp);
    if (trained === null) return null;
    const { trainedAt, norms, drift, validLoss, ...rest } = trained;
    this.#seconds += (performance.now() - start) / 1000;
    const best = validLoss < this.#best.loss;
    const utterancesPerSecond = train.length / ((trainedAt - start) / 1000);
    const record: EpochRecord = { epoch, ...rest, validLoss, best, drift, norms, utterancesPerSecond };
    this.#history.push(record);
    const stage = this.learner.stages.length - 1;
    const step = epoch * this.learner.batchesPerEpoch;
    const metrics = { loss: validLoss };
    onEvent?.({ type: 'eval', time: Date.now(), stage, step, epoch: epoch - 1, metrics, count: valid.length });
    onEpoch?.(record);
    if (best) {
      this.#best = { epoch, loss: validLoss };
      this.learner.keepBest(epoch);
    }
    return record;
  }

  #tellStart(onEvent: (event: RunEvent) => void): void {
    const { model, schedule, device, threads, maxEpochs } = this.config;
    const { stages, batchesPerEpoch } = this.learner;
    const step = this.#history.length * batchesPerEpoch;
    const run = {
      model: modelTitle(model),
      schedule,
      stages: stages.length,
      step,
      totalSteps: maxEpochs * batchesPerEpoch,
    };
    for (const [stage, layers] of stages.entries()) {
      onEvent({ type: 'start', time: Date.now(), stage, ...run, layers, device, threads });
    }
  }

  #state(): Omit<SeedState, 'tensors'> {
    return { epoch: this.#history.length, best: this.#best, history: this.#history, seconds: this.#seconds };
  }

  /** Of the network with its best weights, tested. */
  #result(): SeedResult {
    const { config, prepared, network, seed } = this;
    const { splits, shape } = prepared;
    network.eval();
    const score = (predicted: SplitPredictions): Run => metricsOf(config, predicted, shape.outputs);
    const [valid, test] = [splits.valid, splits.test].map((split) => predictSplit(network, config, split)) as [
      SplitPredictions,
      SplitPredictions,
    ];
    const history = this.#history;
    const speeds = history.map(({ utterancesPerSecond }) => utterancesPerSecond).sort((a, b) => a - b);
    return {
      seed,
      bestEpoch: this.#best.epoch,
      epochs: history.length,
      valid: score(valid),
      test: score(test),
      spread: spreadOf(config, test.predictions, test.truth),
      seconds: this.#seconds,
      utterancesPerSecond: speeds[speeds.length >> 1] ?? 0,
      history,
    };
  }
}
