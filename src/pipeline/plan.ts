// The planner: from the measured cost of every layer and head (profile.ts), where to cut a model so that its slowest
// stage is as fast as can be, and what any schedule would then do. Pure functions; nothing is run.

import { ConfigError } from '../torch/errors.js';
import { checkOptions } from '../torch/options.js';
import { formatColumns } from './columns.js';
import { isLocal, microbatchCount, needsGradients, type ScheduleName, scheduleFor, stageCount } from './schedule.js';
import { peakInFlight, type Simulation, type StageTimes, simulate } from './simulate.js';

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
 * @returns `stages - 1` borders, rising: border b lies after layer b
 * @throws ConfigError when there are fewer layers than stages, or no permitted cut
 */
export function cut(
  layers: readonly number[],
  heads: readonly number[] | null,
  stages: number,
  saved: readonly number[] = [],
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
  const cost = stageCosts(layers, heads, saved);
  const slowest = bestCut(count, stages, cost, Math.max);
  if (!Number.isFinite(slowest.value)) {
    throw new ConfigError(`Found no permitted cut into ${stages} stages: too many borders are forbidden.`);
  }
  const bounded = (from: number, to: number): number => {
    const seconds = cost(from, to);
    return seconds <= slowest.value ? seconds * seconds : Number.POSITIVE_INFINITY;
  };
  return bestCut(count, stages, bounded, (a, b) => a + b).borders;
}

type StageCost = (from: number, to: number) => number;

/** The cost of a stage that holds layers `from` to `to - 1`. */
function stageCosts(layers: readonly number[], heads: readonly number[] | null, saved: readonly number[]): StageCost {
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
  let best = Array.from({ length: count + 1 }, (_, to) => (to === 0 ? Number.POSITIVE_INFINITY : cost(0, to)));
  const starts: number[][] = [best.map(() => 0)];
  for (let k = 1; k < stages; k++) {
    const next = best.map(() => Number.POSITIVE_INFINITY);
    const start = best.map(() => k);
    for (let to = k + 1; to <= count; to++) {
      for (let from = k; from < to; from++) {
        const value = join(best[from]!, cost(from, to));
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
  /** Default 1 for local schedules. */
  readonly microbatches?: number;
  /** Default 2. */
  readonly queueCapacity?: number;
  /** Borders to use in place of the best ones. */
  readonly cut?: readonly number[];
  /** Of the machine that it will run on; counted for work on the CPU. Default: one for each thread of each worker. */
  readonly cores?: number;
}

/** One stage of a plan: its layers `from` to `to - 1`, and what a batch costs on it, the head apart. */
export interface StagePlan extends Cost {
  readonly from: number;
  readonly to: number;
  readonly layers: readonly string[];
  /** Null for the last stage, and where the schedule has no heads. */
  readonly head: Cost | null;
  /** Loading, on the first stage; the loss, on the last. */
  readonly other: number;
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
export function planCut(profile: Profile, schedule: ScheduleName, stages: number): number[] {
  const count = profile.layers.length;
  const seconds = profile.layers.map((layer, i) => {
    const extra = (i === 0 ? profile.input : 0) + (i === count - 1 ? profile.loss : 0);
    return secondsOf(layer) + extra;
  });
  if (!isLocal(schedule)) return cut(seconds, null, stageCount(schedule, stages));
  const saved = profile.layers.map((layer) => layer.inputGradient);
  return cut(seconds, profile.heads.map(secondsOf), stages, saved);
}

/**
 * Cuts a profiled model for a schedule, and predicts by simulation what it does.
 *
 * A microbatch is counted as its share of the batch; profile the microbatches themselves (as `profileRun` does) to be exact.
 */
export function plan(profile: Profile, options: PlanOptions): Plan {
  checkOptions('plan', options, ['schedule', 'stages', 'microbatches', 'queueCapacity', 'cut', 'cores']);
  const { schedule, queueCapacity = 2 } = options;
  const count = stageCount(schedule, options.stages);
  const microbatches = microbatchCount(schedule, options.microbatches ?? 1);
  const borders = options.cut ? checkCut(options.cut, profile.layers.length, count) : planCut(profile, schedule, count);
  const actions = scheduleFor(schedule, count, microbatches);
  const stages = stagePlans(profile, schedule, borders, microbatches);
  const times = stages.map(
    (stage, s): StageTimes => ({
      // The first stage makes the whole batch before its first forward; a share on each microbatch comes to the same.
      forward: (stage.forward + (s === 0 ? profile.input : 0)) / microbatches,
      backward: (stage.backward + (s === count - 1 ? profile.loss : 0)) / microbatches,
      head: stage.head ? (stage.head.forward + stage.head.backward) / microbatches : 0,
      update: stage.update + (stage.head?.update ?? 0),
    }),
  );
  const batches = 8 * count;
  const simulation = simulate(actions, times, { gradients: needsGradients(schedule), batches, queueCapacity });
  const oneByOne = stages.reduce((sum, stage) => sum + stage.total, 0);
  const busy = actions.length === 1 ? stages.map(() => oneByOne) : stages.map((stage) => stage.total);
  const workers = actions.length;
  const { cores = null } = options;
  const atOnce = cores === null || profile.device !== 'cpu' ? workers : workersAtOnce(workers, profile.threads, cores);
  // Workers that share cores: no batch takes less than all of its work on all of the cores.
  const period = Math.max(simulation.period, oneByOne / atOnce);
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

function stagePlans(profile: Profile, schedule: ScheduleName, borders: number[], microbatches: number): StagePlan[] {
  const { layers, heads } = profile;
  const starts = [0, ...borders.map((b) => b + 1)];
  const count = starts.length;
  const inFlight = peakInFlight(scheduleFor(schedule, count, microbatches));
  return starts.map((from, s) => {
    const to = starts[s + 1] ?? layers.length;
    const own = layers.slice(from, to);
    const head = isLocal(schedule) && s < count - 1 ? heads[to - 1]! : null;
    const whole = sumCosts(own);
    const saved = isLocal(schedule) && s > 0 ? own[0]!.inputGradient : 0;
    const body = { ...whole, backward: whole.backward - saved };
    const other = (s === 0 ? profile.input : 0) + (s === count - 1 ? profile.loss : 0);
    const parameters = body.parameters + (head?.parameters ?? 0);
    const held = (body.activationBytes * inFlight[s]!) / microbatches + (head?.activationBytes ?? 0);
    return {
      ...body,
      from,
      to,
      layers: own.map((layer) => layer.name),
      head,
      other,
      total: secondsOf(body) + (head ? secondsOf(head) : 0) + other,
      bytes: parameters * 4 * 3 + held,
    };
  });
}

/** Forward, backward and update of a batch. */
export function secondsOf(cost: Cost): number {
  return cost.forward + cost.backward + cost.update;
}

function sumCosts(costs: readonly Cost[]): Cost {
  const sum = (key: keyof Cost): number => costs.reduce((total, cost) => total + cost[key], 0);
  return {
    forward: sum('forward'),
    backward: sum('backward'),
    update: sum('update'),
    activationBytes: sum('activationBytes'),
    parameters: sum('parameters'),
  };
}

/** A plan as a table to read, with what it predicts and what would change it. */
export function formatPlan(p: Plan): string {
  const { profile } = p;
  const rows = p.stages.map((stage, s) => [
    String(s),
    stage.layers.length === 1
      ? String(stage.layers[0])
      : `${stage.layers[0]} .. ${stage.layers[stage.layers.length - 1]}`,
    milliseconds(stage.forward),
    milliseconds(stage.backward),
    milliseconds(stage.head ? secondsOf(stage.head) : 0),
    milliseconds(stage.update + stage.other),
    milliseconds(stage.total),
    percent(p.idle[s]!),
    String(stage.parameters + (stage.head?.parameters ?? 0)),
    megabytes(stage.bytes),
  ]);
  const header = ['stage', 'layers', 'forward', 'backward', 'head', 'other', 'total ms', 'idle', 'parameters', 'MiB'];
  const heads = isLocal(p.schedule) ? `, ${profile.headKind} heads` : '';
  const parts = p.microbatches > 1 ? `, ${p.microbatches} microbatches` : '';
  return [
    `${profile.model}, batches of ${profile.batchSize} on ${profile.device}, ${profile.threads} thread(s) a stage: ` +
      `${p.schedule}, ${p.stages.length} stage(s)${parts}${heads}`,
    formatColumns([header, ...rows], [1]),
    `cut after layers: ${p.cut.length > 0 ? p.cut.join(', ') : 'none'}`,
    `predicted: ${p.samplesPerSecond.toFixed(1)} samples/s, ${milliseconds(p.period)} ms a batch, ` +
      `${p.speedUp.toFixed(2)} times one worker; workers idle ${percent(mean(p.idle))} of the time`,
    advice(p),
    ...(p.atOnce < p.workers ? [coresNote(p)] : []),
  ].join('\n');
}

function coresNote({ workers, cores, atOnce, profile, speedUp, fullSpeedUp }: Plan): string {
  const threads = profile.threads > 1 ? `${profile.threads} threads each` : 'one thread each';
  return (
    `counted for the ${cores} cores of this machine, on which ${atOnce} of the ${workers} workers (${threads}) can work at ` +
    `once: ${speedUp.toFixed(2)} times one worker; on ${workers * profile.threads} cores it would be ${fullSpeedUp.toFixed(2)}.`
  );
}

/** What holds the plan back, and what to try. */
function advice(p: Plan): string {
  if (p.stages.length === 1) return 'one stage: nothing to balance.';
  if (p.period > p.simulation.period)
    return `limit: ${p.cores} cores; more stages than they can work on bring no more speed.`;
  const totals = p.stages.map((stage) => stage.total);
  const slowest = totals.indexOf(Math.max(...totals));
  const over = totals[slowest]! / mean(totals) - 1;
  const stage = p.stages[slowest]!;
  const name = `stage ${slowest}, ${percent(over)} above the mean`;
  const heads = mean(p.stages.map(({ head }) => (head ? secondsOf(head) : 0))) / mean(totals);
  if (needsGradients(p.schedule) && mean(p.idle) > over + 0.05) {
    return `limit: the bubble (${percent(mean(p.idle))} idle); more microbatches make it smaller.`;
  }
  if (heads > 0.2) return `limit: heads take ${percent(heads)} of the work; lighter heads would speed up every stage.`;
  if (over < 0.03) return `balanced: the slowest is ${name}.`;
  if (stage.layers.length === 1) return `limit: ${name}; it is the one layer ${stage.layers[0]}: try fewer stages.`;
  return `limit: ${name}; no other cut is better: layers are coarse for ${p.stages.length} stages.`;
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

function milliseconds(seconds: number): string {
  return (seconds * 1000).toFixed(2);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function megabytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
