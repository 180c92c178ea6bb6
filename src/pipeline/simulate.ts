// What a schedule would do, from the times of its stages: when every action runs, how long a batch takes, how much the
// workers wait, and whether it ends at all with queues of a given capacity. Nothing is run.

import { ConfigError } from '../torch/errors.js';
import { type Action, drawSchedule, formatAction, type Schedule, sizeOf, validateSchedule } from './schedule.js';

/** Seconds that one stage takes. Forward, backward and head are of one microbatch. */
export interface StageTimes {
  readonly forward: number;
  readonly backward: number;
  /** Forward and backward of the local head and its loss; runs after the stage's output has been sent. */
  readonly head?: number;
  /** The sum over its replicas. */
  readonly reduce?: number;
  /** The optimizer step. */
  readonly update?: number;
  /** What its output is on the way next door, one after another; the worker does not wait. */
  readonly send?: number;
  /** The same of its gradient, to the stage before. Default: `send`. */
  readonly sendBack?: number;
}

export interface SimulationOptions {
  /** Whether gradients cross borders (`needsGradients`). */
  readonly gradients: boolean;
  /** Batches one after another. Default 1. */
  readonly batches?: number;
  /** How many tensors a queue holds before its sender must wait. Default: no limit. */
  readonly queueCapacity?: number;
}

export interface TimelineEntry {
  readonly worker: number;
  readonly batch: number;
  readonly action: Action;
  readonly start: number;
  readonly end: number;
}

export interface Simulation {
  /** Every action of every batch, by worker, then in order. */
  readonly timeline: TimelineEntry[];
  /** Seconds from the first start to the last end. */
  readonly makespan: number;
  /** Seconds per batch once the pipeline is full (the mean of the later half of the batches). */
  readonly period: number;
  /** 1 / period. */
  readonly batchesPerSecond: number;
  /** For each worker, the share of the makespan in which it does nothing. */
  readonly idle: number[];
  /** The share of all workers together. */
  readonly idleShare: number;
  /** For each stage, the most microbatches whose activations it holds at once (forward begun, backward not ended). */
  readonly peakInFlight: number[];
  /** For each border, the most outputs that wait in its queue at once. */
  readonly peakQueued: number[];
}

/**
 * Plays `batches` batches of a schedule.
 *
 * @param times for each stage
 * @throws ConfigError when the schedule is malformed, or when workers wait for each other for ever (the grid is drawn)
 */
export function simulate(schedule: Schedule, times: readonly StageTimes[], options: SimulationOptions): Simulation {
  validateSchedule(schedule, options);
  const { stages } = sizeOf(schedule);
  const { gradients, batches = 1, queueCapacity = Number.POSITIVE_INFINITY } = options;
  if (times.length !== stages) throw new ConfigError(`Expected the times of ${stages} stages, got ${times.length}.`);
  if (!(queueCapacity >= 1)) throw new ConfigError(`Expected a queue capacity of at least 1, got ${queueCapacity}.`);
  if (!Number.isInteger(batches) || batches < 1) {
    throw new ConfigError(`Expected a whole number of batches >= 1, got ${batches}.`);
  }
  const borders = new Borders(times, gradients, queueCapacity);
  const workers = schedule.map((actions, i) => new Worker(i, actions, batches, times, borders));
  while (workers.map((worker) => worker.advance()).some(Boolean));
  const stuck = workers.filter((worker) => !worker.finished);
  if (stuck.length > 0) {
    const reasons = stuck.map((worker) => worker.reason()).join('; ');
    const grid = drawSchedule(
      schedule,
      stuck.flatMap((worker) => worker.standsAt()),
    );
    throw new ConfigError(`The schedule never ends with queues of ${queueCapacity}: ${reasons}.\n${grid}`);
  }
  return summarise(schedule, workers, borders, batches);
}

/** A bounded queue, known by the times at which its n-th item was put, arrived and was taken. */
class Border {
  readonly put: number[] = [];
  readonly arrived: number[] = [];
  readonly taken: number[] = [];

  constructor(
    readonly name: string,
    private readonly delay: number,
    private readonly capacity: number,
  ) {}

  /** The time from which the next item has a place, undefined while that is not known. */
  freeFrom(): number | undefined {
    const n = this.put.length;
    return n < this.capacity ? 0 : this.taken[n - this.capacity];
  }

  add(time: number): void {
    this.put.push(time);
    this.arrived.push(Math.max(time, this.arrived.at(-1) ?? 0) + this.delay);
  }

  /** The most items that waited at once. */
  peak(): number {
    let taken = 0;
    let peak = 0;
    this.put.forEach((time, n) => {
      while (taken < this.taken.length && this.taken[taken]! <= time && taken < n) taken++;
      peak = Math.max(peak, n + 1 - taken);
    });
    return peak;
  }
}

/** The queues of a chain: outputs go down it, gradients (where the schedule has any) come back. */
class Borders {
  readonly outputs: Border[];
  readonly gradients: Border[];

  constructor(times: readonly StageTimes[], gradients: boolean, capacity: number) {
    const outputOf = (t: StageTimes, s: number) => new Border(`output queue ${s} to ${s + 1}`, t.send ?? 0, capacity);
    const gradientOf = (t: StageTimes, s: number) =>
      new Border(`gradient queue ${s + 1} to ${s}`, t.sendBack ?? t.send ?? 0, capacity);
    this.outputs = times.slice(0, -1).map(outputOf);
    this.gradients = gradients ? times.slice(1).map(gradientOf) : [];
  }

  source({ stage, kind }: Action): Border | undefined {
    if (kind === 'F') return this.outputs[stage - 1];
    return kind === 'B' ? this.gradients[stage] : undefined;
  }

  target({ stage, kind }: Action): Border | undefined {
    if (kind === 'F') return this.outputs[stage];
    return kind === 'B' ? this.gradients[stage - 1] : undefined;
  }
}

/** Walks its actions as far as the times of the others are known. */
class Worker {
  readonly timeline: TimelineEntry[] = [];
  busy = 0;
  private clock = 0;
  private position = 0;
  private putting: { border: Border; action: Action } | undefined;

  constructor(
    private readonly index: number,
    private readonly actions: readonly Action[],
    private readonly batches: number,
    private readonly times: readonly StageTimes[],
    private readonly borders: Borders,
  ) {}

  get finished(): boolean {
    return this.next() === undefined && this.putting === undefined;
  }

  /** True when anything moved. */
  advance(): boolean {
    let moved = false;
    while (this.putting ? this.finishPut(this.putting.border) : this.runNext()) moved = true;
    return moved;
  }

  standsAt(): Action[] {
    const action = this.putting?.action ?? this.next();
    return action ? [action] : [];
  }

  reason(): string {
    const [action] = this.standsAt();
    if (!action) return '';
    const place = `worker ${this.index} stands at ${formatAction(action)} of batch ${this.batch()}`;
    return this.putting
      ? `${place}, as ${this.putting.border.name} is full`
      : `${place}, as ${this.borders.source(action)?.name} is empty`;
  }

  private next(): Action | undefined {
    const count = this.actions.length;
    return this.position < count * this.batches ? this.actions[this.position % count] : undefined;
  }

  private batch(): number {
    return Math.floor((this.position - (this.putting ? 1 : 0)) / this.actions.length);
  }

  private runNext(): boolean {
    const action = this.next();
    if (!action) return false;
    const source = this.borders.source(action);
    let start = this.clock;
    if (source) {
      const arrival = source.arrived[source.taken.length];
      if (arrival === undefined) return false;
      start = Math.max(start, arrival);
      source.taken.push(start);
    }
    const seconds = duration(action, this.times[action.stage]!);
    this.timeline.push({ worker: this.index, batch: this.batch(), action, start, end: start + seconds });
    this.busy += seconds;
    this.clock = start + seconds;
    this.position++;
    const border = this.borders.target(action);
    if (border) this.putting = { border, action };
    return true;
  }

  private finishPut(border: Border): boolean {
    const free = border.freeFrom();
    if (free === undefined) return false;
    this.clock = Math.max(this.clock, free);
    border.add(this.clock);
    this.putting = undefined;
    return true;
  }
}

function duration({ kind }: Action, times: StageTimes): number {
  if (kind === 'F') return times.forward;
  if (kind === 'B') return times.backward + (times.head ?? 0);
  return (kind === 'R' ? times.reduce : times.update) ?? 0;
}

function summarise(schedule: Schedule, workers: readonly Worker[], borders: Borders, batches: number): Simulation {
  const timeline = workers.flatMap((worker) => worker.timeline);
  const completed = Array.from({ length: batches }, () => 0);
  for (const { batch, end } of timeline) completed[batch] = Math.max(completed[batch]!, end);
  const makespan = completed[batches - 1]!;
  const middle = Math.floor((batches - 1) / 2);
  const period = batches > 1 ? (makespan - completed[middle]!) / (batches - 1 - middle) : makespan;
  const busy = workers.reduce((sum, worker) => sum + worker.busy, 0);
  return {
    timeline,
    makespan,
    period,
    batchesPerSecond: 1 / period,
    idle: workers.map((worker) => 1 - worker.busy / makespan),
    idleShare: 1 - busy / (makespan * workers.length),
    peakInFlight: peakInFlight(schedule),
    peakQueued: borders.outputs.map((border) => border.peak()),
  };
}

/** For each stage, the most microbatches at once between their forward and the end of their backward. */
export function peakInFlight(schedule: Schedule): number[] {
  const { stages } = sizeOf(schedule);
  return Array.from({ length: stages }, (_, stage) => {
    let held = 0;
    let peak = 0;
    for (const action of schedule.flat()) {
      if (action.stage !== stage) continue;
      if (action.kind === 'F') held++;
      if (action.kind === 'B') held--;
      peak = Math.max(peak, held);
    }
    return peak;
  });
}
