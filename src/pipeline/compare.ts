/** Schedules against each other, in turns in one session. */
import type { RunConfig } from './config.js';
import { type StepEvent, throughput } from './events.js';
import { chooseCut } from './profile-run.js';
import { isLocal, type ScheduleName, stageCount } from './schedule.js';
import { median } from './stats.js';
import { Trainer } from './trainer.js';

export interface CompareOptions {
  readonly schedules: readonly ScheduleName[];
  /** Steps timed in each round. */
  readonly steps: number;
  readonly rounds: number;
  /** Steps before the timed ones. */
  readonly warmUp: number;
  readonly onRound?: (schedule: ScheduleName, round: number, imagesPerSecond: number) => void;
}

export interface Comparison {
  readonly model: string;
  readonly stages: number;
  /** For each schedule, images per second: the median, and each round's. */
  readonly results: Readonly<Record<string, { imagesPerSecond: number; rounds: number[]; cut: readonly number[] }>>;
  /** `a/b`: how many times faster a is than b. */
  readonly ratios: Readonly<Record<string, number>>;
}

async function measure(config: RunConfig, warmUp: number): Promise<number> {
  const steps: StepEvent[] = [];
  const last = stageCount(config.schedule, config.stages) - 1;
  for await (const event of new Trainer(config)) {
    if (event.type === 'step' && event.stage === last) steps.push(event);
  }
  return throughput(steps.slice(warmUp))!;
}

// One more step, since the first timed one begins where the step before it ended.
function timed(config: RunConfig, steps: number): RunConfig {
  return { ...config, epochs: undefined, steps: steps + 1, out: null, evaluation: false };
}

/** Runs each schedule in each round, one after another, and takes the medians over the rounds. */
export async function compare(base: RunConfig, options: CompareOptions): Promise<Comparison> {
  const { schedules, steps, rounds, warmUp } = options;
  const configs: RunConfig[] = [];
  for (const schedule of schedules) {
    const cut = base.cut ?? configs.find((other) => isLocal(other.schedule) && isLocal(schedule))?.cut;
    const config = { ...base, schedule, cut: stageCount(schedule, base.stages) === 1 ? [] : cut };
    configs.push(timed({ ...config, cut: config.cut ?? (await chooseCut(config)) }, warmUp + steps));
  }
  const speeds = new Map(schedules.map((schedule) => [schedule, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const config of configs) {
      const speed = await measure(config, warmUp);
      speeds.get(config.schedule)!.push(speed);
      options.onRound?.(config.schedule, round, speed);
    }
  }
  const results = Object.fromEntries(
    configs.map(({ schedule, cut }) => {
      const values = speeds.get(schedule)!;
      return [schedule, { imagesPerSecond: median(values), rounds: values, cut: cut! }];
    }),
  );
  return { model: base.modelName, stages: base.stages, results, ratios: ratiosOf(schedules, speeds) };
}

/** Of every two schedules, the median over the rounds of the ratio in one round: drift of the machine cancels. */
function ratiosOf(
  schedules: readonly ScheduleName[],
  speeds: ReadonlyMap<ScheduleName, number[]>,
): Record<string, number> {
  const ratios: Record<string, number> = {};
  for (const a of schedules) {
    for (const b of schedules) {
      if (a === b) continue;
      const other = speeds.get(b)!;
      ratios[`${a}/${b}`] = median(speeds.get(a)!.map((speed, round) => speed / other[round]!));
    }
  }
  return ratios;
}
