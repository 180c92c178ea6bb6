/**
 * One-stage recovery: a rank that is killed is started again alone, goes on from the last whole checkpoint, and is fed again what
 * came after it, while the others wait or work on. What ranks know of the run meanwhile stands on a board in their store.
 */
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import type { ProcessGroup } from '../distributed/index.js';
import type { RunEvent } from '../run/events.js';
import { ConfigError } from '../torch/index.js';
import { type RunConfig, replicasOf } from './config.js';
import type { EndNotice } from './threads.js';
import type { WorkerNotice } from './wiring.js';

/** Whether a group's ranks are started again one by one. */
export const recovers = (group: ProcessGroup | null | undefined): boolean => (group?.starts ?? 0) > 0;

/** @throws ConfigError for runs that know no recovery by stage */
export function checkRecovery(config: RunConfig): void {
  const { schedule, checkpointEvery, patience, out } = config;
  const missing = [
    ...(schedule === 'ppll'
      ? []
      : [`the schedule ppll, got ${schedule}: elsewhere stages wait for each other's gradients`]),
    ...(replicasOf(config).every((count) => count === 1)
      ? []
      : ['stages without replicas, whose gradients are added up']),
    ...(checkpointEvery > 0 ? [] : ['checkpointEvery of at least 1, since stages keep what they sent so long']),
    ...(patience === undefined ? [] : ['no patience: where a run ends must not hang on what comes back']),
    ...(out === null ? ['a folder of the run (out) that all ranks see'] : []),
  ];
  if (missing.length > 0)
    throw new ConfigError(
      `Recovery by stage expected ${missing.join('; and ')}. Or leave it out: then all ranks start again.`,
    );
}

/** Where edges keep what does not fit into memory. */
export const keptFolder = (out: string): string => join(out, 'kept');

export class Board {
  constructor(private readonly group: ProcessGroup) {}

  /** The step that the run began with, once its first plan was made. */
  get begun(): number | null {
    return this.#number('begun');
  }

  begin(step: number): void {
    this.group.store.set('begun', String(step));
  }

  /** The step of the last whole checkpoint: nobody goes on from one before it any more. */
  get committed(): number {
    return this.#number('committed') ?? this.begun ?? 0;
  }

  commit(step: number): void {
    this.group.store.set('committed', String(step));
  }

  /** No step after this one has been fed, by whichever process was rank 0. */
  get fed(): number {
    return this.#number('fed') ?? 0;
  }

  set fed(step: number) {
    this.group.store.set('fed', String(step));
  }

  /** What rank 0 tells the others to do: plain data. */
  get plan(): unknown {
    const { store } = this.group;
    return store.has('plan') ? deserialize(Buffer.from(store.get('plan'), 'base64')) : null;
  }

  set plan(plan: unknown) {
    this.group.store.set('plan', serialize(plan).toString('base64'));
  }

  #number(key: string): number | null {
    const { store } = this.group;
    return store.has(key) ? Number(store.get(key)) : null;
  }
}

/** Steps that are told to be fed at once. */
const FED_AHEAD = 32;

/**
 * Whether a run that is asked to end does so in place of a step. What ranks have got from a rank 0 that is gone is to come in the same
 * way again: it does not end before.
 */
export function stopper(board: Pick<Board, 'fed'>, asked: () => boolean, ahead = FED_AHEAD): (step: number) => boolean {
  const before = board.fed;
  let told = before;
  return (step) => {
    if (asked() && step > before) return true;
    if (step > told) {
      told = step + ahead;
      board.fed = told;
    }
    return false;
  };
}

type Notice = WorkerNotice | EndNotice;

/**
 * How long what a rank has told is kept for a rank 0 that is started again: while the last whole checkpoint is not later than
 * this step; null for what need not be told again.
 */
export function keptUntil(notice: Notice): number | null {
  if (notice.kind === 'finished' || notice.kind === 'failed') return Number.POSITIVE_INFINITY;
  if (notice.kind === 'saved') return notice.step - 1;
  return notice.kind === 'event' && notice.event.type === 'eval' ? notice.event.step : null;
}

/** Tells what has been heard before, as ranks that do steps again tell of them again. */
export class Heard {
  readonly #last = new Map<string, number>();

  isNew(notice: WorkerNotice): boolean {
    if (notice.kind === 'event')
      return !hasStep(notice.event) || this.#passes(notice.event.type, notice.event, notice.event.step);
    if (notice.kind !== 'saved') return true;
    return this.#passes(notice.best ? 'best' : 'saved', { stage: notice.saved.stage }, notice.step);
  }

  #passes(what: string, { stage, replica = 0 }: { stage: number; replica?: number }, step: number): boolean {
    const key = `${what} ${stage} ${replica}`;
    if (step <= (this.#last.get(key) ?? -1)) return false;
    this.#last.set(key, step);
    return true;
  }
}

const hasStep = (event: RunEvent): event is Extract<RunEvent, { type: 'step' | 'eval' }> =>
  event.type === 'step' || event.type === 'eval';
