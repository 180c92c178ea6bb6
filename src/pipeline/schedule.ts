// Schedules are data: for each worker the ordered list of actions of one batch. The runtime walks the list, the tests
// compare it with tables drawn by hand, and the simulator proves that it ends.
//
// An action is spelt stage, kind, microbatch: `2F0` is the forward of microbatch 0 on stage 2, `2B0` its backward, `2R` adds
// up the gradients of stage 2's replicas, `2U` is its optimizer step (both once a batch, so they have no microbatch).
// Replicas of a stage do the same, each on a worker of its own; a schedule shows one of them.

import { formatColumns } from '../report/columns.js';
import { ConfigError } from '../torch/errors.js';

/** The schedules that run under the one runtime. */
export const scheduleNames = ['bp', 'sequential', 'ppll', 'gpipe', '1f1b'] as const;
export type ScheduleName = (typeof scheduleNames)[number];

export type ActionKind = 'F' | 'B' | 'R' | 'U';

/** One thing that one stage does: the forward or the backward of a microbatch, the sum over its replicas, its optimizer step. */
export type Action =
  | { readonly stage: number; readonly kind: 'F' | 'B'; readonly microbatch: number }
  | { readonly stage: number; readonly kind: 'R' | 'U'; readonly microbatch?: undefined };

/** For each worker, its actions of one batch, in order. Every batch repeats them. */
export type Schedule = readonly (readonly Action[])[];

/** True where stages learn by themselves (each with a loss of its own; no gradient crosses a border). */
export function isLocal(name: ScheduleName): boolean {
  return name === 'sequential' || name === 'ppll';
}

/** True where gradients travel back across borders. */
export function needsGradients(name: ScheduleName): boolean {
  return name === 'gpipe' || name === '1f1b';
}

/** The number of stages that `name` has when the user asks for `stages`: `bp` holds every layer in one. */
export function stageCount(name: ScheduleName, stages: number): number {
  return name === 'bp' ? 1 : stages;
}

/** The microbatches that `name` cuts a batch into when the user asks for `microbatches`: local schedules take it whole. */
export function microbatchCount(name: ScheduleName, microbatches: number): number {
  return isLocal(name) ? 1 : microbatches;
}

export function forward(stage: number, microbatch: number): Action {
  return { stage, kind: 'F', microbatch };
}

export function backward(stage: number, microbatch: number): Action {
  return { stage, kind: 'B', microbatch };
}

export function reduce(stage: number): Action {
  return { stage, kind: 'R' };
}

export function update(stage: number): Action {
  return { stage, kind: 'U' };
}

/**
 * The actions of one batch, per worker.
 *
 * - `bp`: one worker, one stage; forward and backward of each microbatch in turn (their gradients add up), then the update.
 * - `sequential`: local learning on one worker, stage after stage.
 * - `ppll`: the same actions with a worker for each stage. The forward of a local stage sends its output at once
 *   ("early forwarding"), so that the next stage starts a whole backward earlier.
 * - `gpipe`: all forwards, then all backwards. The backwards go in the order of the forwards, 0 to m-1, so that the
 *   gradients of microbatches are added in the same order as under `bp` and `1f1b`, and the three agree.
 * - `1f1b`: stage s first runs min(m, S-1-s) forwards, then one forward and one backward in turn, then the backwards left.
 *
 * Local schedules take the batch whole (a microbatch has no use where the stages do not wait for each other). A stage with
 * replicas adds up their gradients before its update.
 *
 * @param replicas - of each stage; one each where absent
 * @throws ConfigError for counts that are not whole numbers of at least 1, more than one stage for `bp`, or more than one
 * microbatch for a local schedule.
 */
export function scheduleFor(
  name: ScheduleName,
  stages: number,
  microbatches = 1,
  replicas: readonly number[] = [],
): Action[][] {
  const schedule = withoutReplicas(name, stages, microbatches);
  return schedule.map((actions) =>
    actions.flatMap((action) =>
      action.kind === 'U' && (replicas[action.stage] ?? 1) > 1 ? [reduce(action.stage), action] : [action],
    ),
  );
}

function withoutReplicas(name: ScheduleName, stages: number, microbatches: number): Action[][] {
  requireCount('stages', stages);
  requireCount('microbatches', microbatches);
  if (isLocal(name) && microbatches !== 1) {
    throw new ConfigError(
      `Schedule ${name} takes each batch whole: expected 1 microbatch, got ${microbatches}. ` +
        'Leave the number of microbatches at 1, or choose bp, gpipe or 1f1b.',
    );
  }
  const stageList = range(stages);
  const microbatchList = range(microbatches);
  switch (name) {
    case 'bp':
      if (stages !== 1) {
        throw new ConfigError(`Schedule bp holds the whole model in one stage: expected 1 stage, got ${stages}.`);
      }
      return [[...microbatchList.flatMap((m) => [forward(0, m), backward(0, m)]), update(0)]];
    case 'sequential':
      return [stageList.flatMap((s) => [forward(s, 0), backward(s, 0), update(s)])];
    case 'ppll':
      return stageList.map((s) => [forward(s, 0), backward(s, 0), update(s)]);
    case 'gpipe':
      return stageList.map((s) => [
        ...microbatchList.map((m) => forward(s, m)),
        ...microbatchList.map((m) => backward(s, m)),
        update(s),
      ]);
    case '1f1b':
      return stageList.map((s) => oneForwardOneBackward(s, stages, microbatches));
  }
}

function oneForwardOneBackward(stage: number, stages: number, microbatches: number): Action[] {
  const warmUp = Math.min(microbatches, stages - 1 - stage);
  const actions = range(warmUp).map((m) => forward(stage, m));
  for (let m = warmUp; m < microbatches; m++) actions.push(forward(stage, m), backward(stage, m - warmUp));
  for (let m = microbatches - warmUp; m < microbatches; m++) actions.push(backward(stage, m));
  actions.push(update(stage));
  return actions;
}

/** `2F0`, `2B0`, `2R`, `2U`. */
export function formatAction(action: Action): string {
  return `${action.stage}${action.kind}${action.microbatch ?? ''}`;
}

/** The action that `text` spells. @throws ConfigError */
export function parseAction(text: string): Action {
  const match = /^(\d+)(?:([FB])(\d+)|([RU]))$/.exec(text);
  if (!match) {
    throw new ConfigError(
      'Expected an action such as 2F0 (forward), 2B0 (backward), 2R (reduce) or 2U (update), ' +
        `got ${JSON.stringify(text)}.`,
    );
  }
  const stage = Number(match[1]);
  const [, , kind, microbatch, once] = match;
  if (once !== undefined) return once === 'R' ? reduce(stage) : update(stage);
  return { stage, kind: kind as 'F' | 'B', microbatch: Number(microbatch) };
}

/** A line for each worker: its actions, with a space between. `parseSchedule` reads it back. */
export function formatSchedule(schedule: Schedule): string {
  return schedule.map((actions) => actions.map(formatAction).join(' ')).join('\n');
}

/** Reads what `formatSchedule` wrote; empty lines are skipped. @throws ConfigError */
export function parseSchedule(text: string): Action[][] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => line.split(/\s+/).map(parseAction));
}

/**
 * A table with a column for each worker and a row for each step; `.` where a worker has nothing, `>2B0<` where the action
 * is marked.
 */
export function drawGrid(rows: readonly (readonly (Action | null)[])[], marked: readonly Action[] = []): string {
  const marks = new Set(marked.map(formatAction));
  const spell = (action: Action | null | undefined): string => {
    if (!action) return '.';
    const text = formatAction(action);
    return marks.has(text) ? `>${text}<` : text;
  };
  const workers = Math.max(0, ...rows.map((row) => row.length));
  const header = ['step', ...range(workers).map((w) => `worker ${w}`)];
  const table = [header, ...rows.map((row, i) => [String(i), ...range(workers).map((w) => spell(row[w]))])];
  return formatColumns(
    table,
    range(workers).map((w) => w + 1),
  );
}

/** The grid whose row i holds the i-th action of every worker, whenever it runs. */
export function drawSchedule(schedule: Schedule, marked: readonly Action[] = []): string {
  const length = Math.max(0, ...schedule.map((actions) => actions.length));
  return drawGrid(
    range(length).map((i) => schedule.map((actions) => actions[i] ?? null)),
    marked,
  );
}

/** What must be done before `action` may run, in a chain of `stages` stages. */
export function dependencies(action: Action, stages: number, microbatches: number, gradients: boolean): Action[] {
  const { stage, kind, microbatch } = action;
  if (kind === 'F') return stage > 0 ? [forward(stage - 1, microbatch)] : [];
  if (microbatch === undefined) return range(microbatches).map((m) => backward(stage, m));
  const own = [forward(stage, microbatch)];
  return gradients && stage < stages - 1 ? [...own, backward(stage + 1, microbatch)] : own;
}

export interface LaidOut {
  /** Row i: what each worker does in step i, null where it waits. */
  readonly steps: (Action | null)[][];
  /** For each worker that can never go on: the action it stands at and what that waits for. Empty when the schedule ends. */
  readonly stuck: { worker: number; action: Action; waitsFor: Action[] }[];
}

/** Runs a schedule in steps of equal length: the picture that one draws by hand, waiting places included. */
export function layOut(schedule: Schedule, options: { gradients: boolean }): LaidOut {
  const { stages, microbatches } = sizeOf(schedule);
  const done = new Set<string>();
  const position = schedule.map(() => 0);
  const missing = (action: Action): Action[] =>
    dependencies(action, stages, microbatches, options.gradients).filter((d) => !done.has(formatAction(d)));
  const steps: (Action | null)[][] = [];
  for (;;) {
    const row = schedule.map((actions, w) => {
      const next = actions[position[w]!];
      return next && missing(next).length === 0 ? next : null;
    });
    if (row.every((action) => action === null)) break;
    row.forEach((action, w) => {
      if (!action) return;
      done.add(formatAction(action));
      position[w]!++;
    });
    steps.push(row);
  }
  const stuck = schedule.flatMap((actions, worker) => {
    const action = actions[position[worker]!];
    return action ? [{ worker, action, waitsFor: missing(action) }] : [];
  });
  return { steps, stuck };
}

/**
 * Checks that a schedule is whole and ends: every stage sits on one worker; it runs each microbatch forward once, backward
 * once, then adds up its replicas' gradients where it has any, then updates once; neighbours handle microbatches in the same order (queues are first in, first out); and no
 * workers wait for each other for ever.
 *
 * @param options.gradients whether gradients cross borders (`needsGradients`)
 * @throws ConfigError with the grid drawn and the failing action marked
 */
export function validateSchedule(schedule: Schedule, options: { gradients: boolean }): void {
  const { stages, microbatches } = sizeOf(schedule);
  if (stages === 0) throw new ConfigError('Expected a schedule with at least one action, got an empty one.');
  for (let stage = 0; stage < stages; stage++) validateStage(schedule, stage, microbatches);
  for (let stage = 1; stage < stages; stage++) {
    validateOrder(schedule, 'F', stage - 1, stage);
    if (options.gradients) validateOrder(schedule, 'B', stage, stage - 1);
  }
  const { steps, stuck } = layOut(schedule, options);
  if (stuck.length === 0) return;
  const row = schedule.map((_, w) => stuck.find((s) => s.worker === w)?.action ?? null);
  const reasons = stuck.map(
    (s) =>
      `worker ${s.worker} stands at ${formatAction(s.action)}, which waits for ${s.waitsFor.map(formatAction).join(', ')}`,
  );
  const marked = stuck.map((s) => s.action);
  throw new ConfigError(`The schedule never ends: ${reasons.join('; ')}.\n${drawGrid([...steps, row], marked)}`);
}

function validateStage(schedule: Schedule, stage: number, microbatches: number): void {
  const workers = schedule.flatMap((actions, w) => (actions.some((a) => a.stage === stage) ? [w] : []));
  if (workers.length !== 1) {
    throw new ConfigError(
      `Expected stage ${stage} on exactly one worker, got ${workers.length === 0 ? 'none' : workers.join(' and ')}.\n` +
        drawSchedule(schedule),
    );
  }
  const own = schedule[workers[0]!]!.filter((a) => a.stage === stage);
  const reduces = own.some(({ kind }) => kind === 'R') ? [reduce(stage)] : [];
  const expected = [
    ...range(microbatches).flatMap((m) => [forward(stage, m), backward(stage, m)]),
    ...reduces,
    update(stage),
  ];
  for (const action of expected) {
    const count = own.filter((a) => formatAction(a) === formatAction(action)).length;
    if (count === 1) continue;
    throw new ConfigError(
      `Expected ${formatAction(action)} once, got it ${count} times.\n${drawSchedule(schedule, [action])}`,
    );
  }
  const last = own.at(-1)!;
  if (last.kind !== 'U') {
    throw new ConfigError(
      `Expected ${stage}U last on stage ${stage}, but ${formatAction(last)} follows it.\n${drawSchedule(schedule, [last])}`,
    );
  }
  const early = own.slice(own.findIndex(({ kind }) => kind === 'R') + 1, -1);
  if (reduces.length === 0 || early.length === 0) return;
  throw new ConfigError(
    `Expected ${stage}R after every backward of stage ${stage}, but ${early.map(formatAction).join(' ')} follows it.\n` +
      drawSchedule(schedule, early),
  );
}

function validateOrder(schedule: Schedule, kind: 'F' | 'B', from: number, to: number): void {
  const order = (stage: number): Action[] => schedule.flat().filter((a) => a.stage === stage && a.kind === kind);
  const sent = order(from);
  order(to).forEach((taken, i) => {
    const put = sent[i]!;
    if (put.microbatch === taken.microbatch) return;
    throw new ConfigError(
      `Queues are first in, first out: stage ${to} takes ${formatAction(taken)} where stage ${from} sends ` +
        `${formatAction(put)}.\n${drawSchedule(schedule, [put, taken])}`,
    );
  });
}

/** How many stages and microbatches a schedule speaks of. */
export function sizeOf(schedule: Schedule): { stages: number; microbatches: number } {
  const actions = schedule.flat();
  return {
    stages: Math.max(-1, ...actions.map((a) => a.stage)) + 1,
    microbatches: Math.max(-1, ...actions.map((a) => a.microbatch ?? -1)) + 1,
  };
}

function requireCount(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) {
    throw new ConfigError(`Expected ${name} to be a whole number >= 1, got ${value}.`);
  }
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}
