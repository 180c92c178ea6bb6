// The planner: from the measured cost of every layer and head (profile.ts), where to cut a model so that its slowest
// stage is as fast as can be, and what any schedule would then do. Pure functions; nothing is run.

import { ConfigError } from '../torch/errors.js';
import { checkOptions } from '../torch/options.js';
import { type RunConfig, replicasOf } from './config.js';
import { isLocal, microbatchCount, needsGradients, type ScheduleName, scheduleFor, stageCount } from './schedule.js';
import { peakInFlight, type Simulation, type StageTimes, simulate } from './simulate.js';
import { workersOf } from './wiring.js';

/** What one batch costs on a part of a model, in seconds and bytes. */
export interface Cost {
  readonly forward: number;
  readonly backward: number;
  /** The optimizer step of its parameters. */
  readonly update: number;
  /** What the forward leaves for the backward. */
  readonly activationBytes: number;
  readonly parameters: number;
}

export interface LayerCost extends Cost {
  readonly name: string;
  /** Its output: what would cross a border after it. */
  readonly outputBytes: number;
  /**
   * The part of `backward` that makes the gradient of its input: saved where it is the first layer of a stage to which no
   * gradient need go. Zero for the model's first layer, whose `backward` never made one.
   */
  readonly inputGradient: number;
}

/** Everything that the planner knows about a model, a batch and a device. All JSON. */
export interface Profile {
  readonly model: string;
  readonly batchSize: number;
  readonly device: string;
  readonly threads: number;
  readonly headKind: string;
  readonly layers: readonly LayerCost[];
  /** One for each border (a border lies between two layers: one fewer than layers). */
  readonly heads: readonly Cost[];
  /** Seconds in which the first stage makes a batch: reading, shuffling, augmenting. */
  readonly input: number;
  /** The loss on the model's output. */
  readonly loss: number;
}

/**
 * Cuts a row of layers into `stages` stages of which the slowest is as fast as possible; among equals, the most even
 * (least sum of squares). By dynamic programming, exact.
 *
 * @param layers seconds of each layer, forward and backward (and update)
 * @param heads seconds of the local head at each border, counted on the stage that ends there; infinity forbids a border;
 * null where stages have no heads
 * @param saved seconds less for each layer when a stage starts with it (no gradient of its input is wanted)
 * @param replicas of each stage, which share its work; one each where absent
 * @returns `stages - 1` borders, rising: border b lies after layer b
 * @throws ConfigError when there are fewer layers than stages, or no permitted cut
 */
export function cut(
  layers: readonly number[],
  heads: readonly number[] | null,
  stages: number,
  saved: readonly number[] = [],
  replicas: readonly number[] = [],
): number[] {
  const count = layers.length;
  if (!Number.isInteger(stages) || stages < 1) {
    throw new ConfigError(`Expected a whole number of stages >= 1, got ${stages}.`);
  }
  if (stages > count) {
    throw new ConfigError(`Expected at most ${count} stages, as the model lists ${count} layers, got ${stages}.`);
  }
  if (!layers.every((seconds) => seconds >= 0 && Number.isFinite(seconds))) {
    throw new ConfigError(`Expected layer costs that are finite and >= 0, got [${layers.join(', ')}].`);
  }
  if (heads && heads.length !== count - 1) {
    throw new ConfigError(`Expected a head cost for each of the ${count - 1} borders, got ${heads.length}.`);
  }
  const alone = stageCosts(layers, heads, saved);
  const cost = (from: number, to: number, stage: number): number => alone(from, to) / (replicas[stage] ?? 1);
  const slowest = bestCut(count, stages, cost, Math.max);
  if (!Number.isFinite(slowest.value)) {
    throw new ConfigError(`Found no permitted cut into ${stages} stages: too many borders are forbidden.`);
  }
  const bounded = (from: number, to: number, stage: number): number => {
    const seconds = cost(from, to, stage);
    return seconds <= slowest.value ? seconds * seconds : Number.POSITIVE_INFINITY;
  };
  return bestCut(count, stages, bounded, (a, b) => a + b).borders;
}

type StageCost = (from: number, to: number, stage: number) => number;

/** The cost of a stage that holds layers `from` to `to - 1`. */
function stageCosts(
  layers: readonly number[],
  heads: readonly number[] | null,
  saved: readonly number[],
): (from: number, to: number) => number {
  const upTo = [0];
  for (const seconds of layers) upTo.push(upTo[upTo.length - 1]! + seconds);
  return (from, to) => {
    const body = upTo[to]! - upTo[from]! - (from > 0 ? (saved[from] ?? 0) : 0);
    return to < layers.length ? body + (heads?.[to - 1] ?? 0) : body;
  };
}

/** The cut whose stage costs, joined by `join` (rising in both arguments), are least. */
function bestCut(
  count: number,
  stages: number,
  cost: StageCost,
  join: (a: number, b: number) => number,
): { value: number; borders: number[] } {
  // best[to]: the least joined cost of the first `k` stages over the first `to` layers; start[k][to]: their last start.
  let best = Array.from({ length: count + 1 }, (_, to) => (to === 0 ? Number.POSITIVE_INFINITY : cost(0, to, 0)));
  const starts: number[][] = [best.map(() => 0)];
  for (let k = 1; k < stages; k++) {
    const next = best.map(() => Number.POSITIVE_INFINITY);
    const start = best.map(() => k);
    for (let to = k + 1; to <= count; to++) {
      for (let from = k; from < to; from++) {
        const value = join(best[from]!, cost(from, to, k));
        if (value < next[to]!) {
          next[to] = value;
          start[to] = from;
        }
      }
    }
    best = next;
    starts.push(start);
  }
  const borders: number[] = [];
  let to = count;
  for (let k = stages - 1; k > 0; k--) {
    to = starts[k]![to]!;
    borders.unshift(to - 1);
  }
  return { value: best[count]!, borders };
}

/** What to cut for. */
export interface PlanOptions {
  readonly schedule: ScheduleName;
  readonly stages: number;
  /** Replicas of each stage, or a number for each. Default 1. */
  readonly replicas?: RunConfig['replicas'];
  /** Default 1 for local schedules. */
  readonly microbatches?: number;
  /** Default 2. */
  readonly queueCapacity?: number;
  /** Borders to use in place of the best ones. */
  readonly cut?: readonly number[];
  /** Cores of the machine that it will run on; counted for work on the CPU. Default: one for each thread of each worker. */
  readonly cores?: number;
}

/** One stage of a plan: its layers `from` to `to - 1`, and what a batch costs each of its replicas, the head apart. */
export interface StagePlan extends Cost {
  readonly replicas: number;
  readonly from: number;
  readonly to: number;
  readonly layers: readonly string[];
  /** Null for the last stage, and where the schedule has no heads. */
  readonly head: Cost | null;
  /** Loading, on the first stage; the loss, on the last. */
  readonly other: number;
  /** The sum over the replicas, counted as long as their update. */
  readonly reduce: number;
  /** Seconds of everything it does for a batch. */
  readonly total: number;
  /** Bytes of parameters, gradients, momentum and held activations (float32). */
  readonly bytes: number;
}

export interface Plan {
  readonly profile: Profile;
  readonly schedule: ScheduleName;
  readonly cut: number[];
  readonly microbatches: number;
  readonly stages: readonly StagePlan[];
  readonly simulation: Simulation;
  readonly workers: number;
  /** Null where enough is assumed. */
  readonly cores: number | null;
  /** How many of the workers can work at once. */
  readonly atOnce: number;
  /** Seconds a batch once the pipeline is full, on as many cores as there are for it. */
  readonly period: number;
  /** Images per second once the pipeline is full. */
  readonly samplesPerSecond: number;
  /** Times the speed of the same stages one after another on one worker. */
  readonly speedUp: number;
  /** The same with a core for every thread of every worker. */
  readonly fullSpeedUp: number;
  /** For each stage, the share of the time in which its worker has nothing to do, once the pipeline is full. */
  readonly idle: readonly number[];
}

/** The best borders for a schedule: where stages learn locally heads count, and gradients of their inputs do not. */
export function planCut(
  profile: Profile,
  schedule: ScheduleName,
  stages: number,
  replicas?: RunConfig['replicas'],
): number[] {
  const count = profile.layers.length;
  const seconds = profile.layers.map((layer, i) => {
    const extra = (i === 0 ? profile.input : 0) + (i === count - 1 ? profile.loss : 0);
    return secondsOf(layer) + extra;
  });
  const counts = replicasOf({ schedule, stages, replicas });
  if (!isLocal(schedule)) return cut(seconds, null, stageCount(schedule, stages), [], counts);
  const saved = profile.layers.map((layer) => layer.inputGradient);
  return cut(seconds, profile.heads.map(secondsOf), stages, saved, counts);
}

/**
 * Cuts a profiled model for a schedule, and predicts by simulation what it does.
 *
 * A microbatch is counted as its share of the batch; profile the microbatches themselves (as `profileRun` does) to be exact.
 */
export function plan(profile: Profile, options: PlanOptions): Plan {
  checkOptions('plan', options, ['schedule', 'stages', 'replicas', 'microbatches', 'queueCapacity', 'cut', 'cores']);
  const { schedule, queueCapacity = 2 } = options;
  const count = stageCount(schedule, options.stages);
  const microbatches = microbatchCount(schedule, options.microbatches ?? 1);
  const replicas = replicasOf(options);
  const borders = options.cut
    ? checkCut(options.cut, profile.layers.length, count)
    : planCut(profile, schedule, count, replicas);
  const actions = scheduleFor(schedule, count, microbatches, replicas);
  const stages = stagePlans(profile, schedule, borders, microbatches, replicas);
  const times = stageTimes(profile, stages, microbatches);
  const batches = 8 * count;
  const simulation = simulate(actions, times, { gradients: needsGradients(schedule), batches, queueCapacity });
  const oneByOne = sumOf(stagePlans(profile, schedule, borders, microbatches), ({ total }) => total);
  const inTurns = sumOf(stages, ({ total }) => total);
  const busy = actions.length === 1 ? stages.map(() => inTurns) : stages.map((stage) => stage.total);
  const workers = workersOf(options).length;
  const { cores = null } = options;
  const atOnce = cores === null || profile.device !== 'cpu' ? workers : workersAtOnce(workers, profile.threads, cores);
  // Workers that share cores: no batch takes less than all of its work on all of the cores.
  const period = Math.max(simulation.period, sumOf(stages, (stage) => stage.total * stage.replicas) / atOnce);
  return {
    profile,
    schedule,
    cut: borders,
    microbatches,
    stages,
    simulation,
    workers,
    cores,
    atOnce,
    period,
    samplesPerSecond: profile.batchSize / period,
    speedUp: oneByOne / period,
    fullSpeedUp: oneByOne / simulation.period,
    idle: busy.map((seconds) => Math.max(0, 1 - seconds / period)),
  };
}

/** How many workers of so many threads each can work at once; 1 at least. */
export function workersAtOnce(workers: number, threads: number, cores: number): number {
  return Math.max(1, Math.min(workers, Math.floor(cores / threads)));
}

/** Checks borders given by the user. @throws ConfigError */
export function checkCut(borders: readonly number[], layers: number, stages: number): number[] {
  const rising = borders.every((b, i) => Number.isInteger(b) && b > (i === 0 ? -1 : borders[i - 1]!));
  if (borders.length !== stages - 1 || !rising || (borders[borders.length - 1] ?? -1) > layers - 2) {
    throw new ConfigError(
      `Expected a cut of ${stages - 1} rising borders between 0 and ${layers - 2} (border b lies after layer b), ` +
        `got [${borders.join(', ')}].`,
    );
  }
  return [...borders];
}

/** What a microbatch takes on each stage, its way to the next apart. */
export function stageTimes(profile: Profile, stages: readonly StagePlan[], microbatches: number): StageTimes[] {
  return stages.map((stage, s) => ({
    // The first stage makes the whole batch before its first forward; a share on each microbatch comes to the same.
    forward: (stage.forward + (s === 0 ? profile.input : 0) / stage.replicas) / microbatches,
    backward: (stage.backward + (s === stages.length - 1 ? profile.loss : 0) / stage.replicas) / microbatches,
    head: stage.head ? (stage.head.forward + stage.head.backward) / microbatches : 0,
    reduce: stage.reduce,
    update: stage.update + (stage.head?.update ?? 0),
  }));
}

/** What each stage of a cut holds and costs. */
export function stagePlans(
  profile: Profile,
  schedule: ScheduleName,
  borders: readonly number[],
  microbatches: number,
  replicas: readonly number[] = [],
): StagePlan[] {
  const { layers, heads } = profile;
  const starts = [0, ...borders.map((b) => b + 1)];
  const count = starts.length;
  const inFlight = peakInFlight(scheduleFor(schedule, count, microbatches));
  return starts.map((from, s) => {
    const to = starts[s + 1] ?? layers.length;
    const own = layers.slice(from, to);
    const share = replicas[s] ?? 1;
    const head = isLocal(schedule) && s < count - 1 ? shareOf(heads[to - 1]!, share) : null;
    const whole = sumCosts(own);
    const saved = isLocal(schedule) && s > 0 ? own[0]!.inputGradient : 0;
    const body = shareOf({ ...whole, backward: whole.backward - saved }, share);
    const other = ((s === 0 ? profile.input : 0) + (s === count - 1 ? profile.loss : 0)) / share;
    const reduce = share > 1 ? body.update + (head?.update ?? 0) : 0;
    const parameters = body.parameters + (head?.parameters ?? 0);
    const held = (body.activationBytes * inFlight[s]!) / microbatches + (head?.activationBytes ?? 0);
    return {
      ...body,
      replicas: share,
      from,
      to,
      layers: own.map((layer) => layer.name),
      head,
      other,
      reduce,
      total: secondsOf(body) + (head ? secondsOf(head) : 0) + other + reduce,
      bytes: parameters * 4 * 3 + held,
    };
  });
}

/** What a replica does of a batch that so many share: each makes the whole update. */
function shareOf(cost: Cost, replicas: number): Cost {
  const { forward, backward, activationBytes, ...whole } = cost;
  return {
    ...whole,
    forward: forward / replicas,
    backward: backward / replicas,
    activationBytes: activationBytes / replicas,
  };
}

/** Forward, backward and update of a batch. */
export function secondsOf(cost: Cost): number {
  return cost.forward + cost.backward + cost.update;
}

function sumCosts(costs: readonly Cost[]): Cost {
  const sum = (key: keyof Cost): number => sumOf(costs, (cost) => cost[key]);
  return {
    forward: sum('forward'),
    backward: sum('backward'),
    update: sum('update'),
    activationBytes: sum('activationBytes'),
    parameters: sum('parameters'),
  };
}

function sumOf<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((sum, value) => sum + of(value), 0);
}
