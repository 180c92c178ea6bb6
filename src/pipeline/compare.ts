/** Schedules against each other, in turns in one session. */

import { median } from '../report/statistics.js';
import type { StepEvent } from '../run/events.js';
import { throughput } from '../run/sums.js';
import { ConfigError, checkOptions } from '../torch/index.js';
import type { RunConfig } from './config.js';
import { locateRef } from './model.js';
import { chooseCut, type ProfileWatch } from './profile-run.js';
import { isLocal, needsGradients, type ScheduleName, stageCount } from './schedule.js';
import { Trainer } from './trainer.js';

/** One of those compared, where a schedule's name is not enough: `1f1b` with 4 and with 8 microbatches, say. */
export interface Variant {
  /** Its name in the results. */
  readonly label: string;
  readonly schedule: ScheduleName;
  /** Default: the configuration's for gpipe and 1f1b, 1 for the others. */
  readonly microbatches?: number;
  /** Heads of a local schedule. Default: the configuration's. */
  readonly head?: RunConfig['head'];
  /** Default: the configuration's. */
  readonly replicas?: RunConfig['replicas'];
  /** Default: the configuration's. */
  readonly compute?: RunConfig['compute'];
}

export interface CompareOptions {
  readonly schedules: readonly (ScheduleName | Variant)[];
  /** Steps timed in each round. */
  readonly steps: number;
  readonly rounds: number;
  /** Steps before the timed ones. */
  readonly warmUp: number;
  /** Put around each measurement: a benchmark may wait for a quiet machine there, or measure again. */
  readonly turn?: (measure: () => Promise<number>) => Promise<number>;
  /** Told while layers are measured to choose a cut. */
  readonly onProgress?: ProfileWatch['onProgress'];
  readonly onRound?: (label: string, round: number, samplesPerSecond: number) => void;
}

export interface Comparison {
  readonly model: string;
  readonly stages: number;
  /** By label, samples per second: the median, and each round's. */
  readonly results: Readonly<Record<string, { samplesPerSecond: number; rounds: number[]; cut: readonly number[] }>>;
  /** `a/b`: how many times faster a is than b. */
  readonly ratios: Readonly<Record<string, number>>;
}

interface Contestant {
  readonly label: string;
  readonly config: RunConfig;
}

/** Runs each schedule in each round, one after another, and takes the medians over the rounds. */
export async function compare(given: RunConfig, options: CompareOptions): Promise<Comparison> {
  checkOptions('compare', options, ['schedules', 'steps', 'rounds', 'warmUp', 'turn', 'onProgress', 'onRound']);
  const base = { ...given, model: locateRef(given.model), data: locateRef(given.data) };
  const { steps, rounds, warmUp, turn = (run) => run() } = options;
  const contestants = await prepare(base, options);
  const speeds = new Map(contestants.map(({ label }) => [label, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const { label, config } of contestants) {
      const speed = await turn(() => measure(config, warmUp, steps));
      speeds.get(label)!.push(speed);
      options.onRound?.(label, round, speed);
    }
  }
  const results = Object.fromEntries(
    contestants.map(({ label, config }) => {
      const values = speeds.get(label)!;
      return [label, { samplesPerSecond: median(values), rounds: values, cut: config.cut! }];
    }),
  );
  return { model: base.modelName, stages: base.stages, results, ratios: ratiosOf(speeds) };
}

/** Every contestant with its cut. Those that work on the same pieces share one, so that they differ in the order alone. */
async function prepare(
  base: RunConfig,
  { schedules, steps, warmUp, onProgress }: CompareOptions,
): Promise<Contestant[]> {
  const contestants: Contestant[] = [];
  for (const entry of schedules) {
    const variant: Variant = typeof entry === 'string' ? { label: entry, schedule: entry } : entry;
    const { label, schedule, head = base.head, replicas = base.replicas, compute = base.compute } = variant;
    if (contestants.some((other) => other.label === label)) {
      throw new ConfigError(`Expected schedules with different names to compare, got ${label} twice.`);
    }
    const microbatches = variant.microbatches ?? (needsGradients(schedule) ? base.microbatches : 1);
    const config = { ...timed(base, schedule, warmUp + steps), schedule, microbatches, head, replicas, compute };
    const alike = contestants.find((other) => sharesCut(other.config, config))?.config.cut;
    const cut =
      stageCount(schedule, base.stages) === 1
        ? []
        : (base.cut ?? alike ?? (await chooseCut(config, undefined, onProgress ? { onProgress } : {})));
    contestants.push({ label, config: { ...config, cut } });
  }
  return contestants;
}

function sharesCut(a: RunConfig, b: RunConfig): boolean {
  if ((a.compute ?? 'float32') !== (b.compute ?? 'float32')) return false;
  if (isLocal(a.schedule) && isLocal(b.schedule)) return a.head.kind === b.head.kind && a.head.depth === b.head.depth;
  return needsGradients(a.schedule) && needsGradients(b.schedule) && a.microbatches === b.microbatches;
}

/**
 * Steps enough to time `steps` of them: one more, since the first timed one begins where the step before it ended; and
 * for a pipeline those that the last stage finishes while the stages before it have no work left and leave it their
 * share of caches and memory.
 */
function timed(base: RunConfig, schedule: ScheduleName, steps: number): RunConfig {
  const drained = schedule === 'ppll' ? (base.stages - 1) * (base.queueCapacity + 1) : 0;
  return { ...base, epochs: undefined, steps: steps + 1 + drained, out: null, evaluation: false };
}

async function measure(config: RunConfig, warmUp: number, timedSteps: number): Promise<number> {
  const steps: StepEvent[] = [];
  const last = stageCount(config.schedule, config.stages) - 1;
  for await (const event of new Trainer(config)) {
    if (event.type === 'step' && event.stage === last && event.replica === undefined) steps.push(event);
  }
  return throughput(steps.slice(warmUp, warmUp + timedSteps + 1))!;
}

/** The median over the rounds of the ratio of every two in one round: drift of the machine cancels. */
function ratiosOf(speeds: ReadonlyMap<string, number[]>): Record<string, number> {
  const ratios: Record<string, number> = {};
  for (const [a, ofA] of speeds) {
    for (const [b, ofB] of speeds) {
      if (a !== b) ratios[`${a}/${b}`] = median(ofA.map((speed, round) => speed / ofB[round]!));
    }
  }
  return ratios;
}
