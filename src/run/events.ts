// The events of a run: what each stage did, one JSON object a line, one file a stage (`events-<stage>.jsonl`) and replica. They are the
// single source for progress lines, summaries and traces.

import { closeSync, fstatSync, ftruncateSync, openSync, readdirSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../torch/errors.js';
import { checkOptions } from '../torch/options.js';

interface EventBase {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly stage: number;
  /** Which of the stage's replicas, but for the first. */
  readonly replica?: number;
}

/**
 * The layers are being measured, to choose where to cut the model: told when it begins, after each sweep over them, and at
 * the end, with the cut. It comes before any stage starts, and is not kept in the files.
 */
export interface PlanEvent extends EventBase {
  readonly type: 'plan';
  readonly layers: number;
  /** Sweeps done. */
  readonly sweeps: number;
  /** Until the cut is known; null before the first sweep, which tells how long one takes. */
  readonly secondsLeft: number | null;
  readonly cut: readonly number[] | null;
}

/** A stage is ready to work. */
export interface StartEvent extends EventBase {
  readonly type: 'start';
  readonly model: string;
  readonly schedule: string;
  readonly stages: number;
  /** Steps done before (a resumed run goes on after them). */
  readonly step: number;
  /** Steps that the run shall have in all. */
  readonly totalSteps: number;
  readonly layers: readonly string[];
  readonly device: string;
  readonly threads: number;
}

/** The checkpoint was cut elsewhere and has no head for this stage's border: the head starts with fresh weights. */
export interface FreshHeadEvent extends EventBase {
  readonly type: 'freshHead';
}

/** The file that the run begins with holds these weights in another shape: they start afresh. Live only. */
export interface FreshWeightsEvent extends EventBase {
  readonly type: 'freshWeights';
  readonly file: string;
  readonly keys: readonly string[];
}

/** One optimizer step of one stage. */
export interface StepEvent extends EventBase {
  readonly type: 'step';
  /** Counted from 1 over the whole run. */
  readonly step: number;
  /** Counted from 0. */
  readonly epoch: number;
  /** Of the stage's own objective; null where it has none, or the value is not finite. */
  readonly loss: number | null;
  /** All of its losses by name, where it has several. */
  readonly losses?: Readonly<Record<string, number | null>>;
  readonly lr: number;
  /** Samples in the batch. */
  readonly samples: number;
  /** Milliseconds of work. */
  readonly busy: number;
  /** Milliseconds spent waiting for input or for a place in the output queue. */
  readonly wait: number;
  /** Batches waiting in the input queue; null where the stage has none. */
  readonly queue: number | null;
}

/** The whole model on held-out data. */
export interface EvalEvent extends EventBase {
  readonly type: 'eval';
  readonly step: number;
  readonly epoch: number;
  /** By the model's task: `{ accuracy, loss }` of a classifier. Null where a number is not finite. */
  readonly metrics: Readonly<Record<string, number | null>>;
  /** Samples judged. */
  readonly count: number;
}

export interface CheckpointEvent extends EventBase {
  readonly type: 'checkpoint';
  readonly step: number;
  readonly path: string;
}

/** A picture of what a model makes by then, to be looked at. */
export interface SheetEvent extends EventBase {
  readonly type: 'sheet';
  readonly step: number;
  readonly path: string;
}

export interface MemoryEvent extends EventBase {
  readonly type: 'memory';
  readonly step: number;
  /** Native tensors alive on the stage's thread, between two batches. */
  readonly liveTensors: number;
  /** Resident bytes of the process. */
  readonly rss: number;
}

/** One action in time, for traces. */
export interface SpanEvent extends EventBase {
  readonly type: 'span';
  readonly step: number;
  /** As schedules spell it (`2F0`), or a name for other work (`load`, `put`). */
  readonly action: string;
  /** Its length in milliseconds; it began at `time`. */
  readonly ms: number;
}

export interface ErrorEvent extends EventBase {
  readonly type: 'error';
  readonly step: number;
  readonly action: string | null;
  readonly message: string;
}

export type RunEvent =
  | PlanEvent
  | StartEvent
  | FreshHeadEvent
  | FreshWeightsEvent
  | StepEvent
  | EvalEvent
  | CheckpointEvent
  | SheetEvent
  | MemoryEvent
  | SpanEvent
  | ErrorEvent;

/** Written in bulk; all others reach the file at once. */
const buffered: ReadonlySet<RunEvent['type']> = new Set(['step', 'memory', 'span']);

/** The file of a stage's events in a run's folder, or of one of its replicas. */
export function eventsPath(folder: string, stage: number, replica = 0): string {
  return join(folder, `events-${stage}${replica > 0 ? `-${replica}` : ''}.jsonl`);
}

/** Whether a file of a run's folder, by its name, is one of events. */
export function holdsEvents(name: string): boolean {
  return /^events-\d+(-\d+)?\.jsonl$/.test(name);
}

/** Appends events to a file. Numbers that are not finite become null, as JSON has none. */
export class EventWriter {
  private fd: number | null;
  private lines: string[] = [];
  private size = 0;
  private flushed = Date.now();

  /**
   * @param options.append go on with the file (after the last whole line; a crash may have left a part of one) rather than
   * start it anew
   * @param options.flushBytes options.flushMilliseconds how much, and how long, steps may stay in memory
   * @throws DataError when the file cannot be opened
   */
  constructor(
    readonly path: string,
    private readonly options: { append?: boolean; flushBytes?: number; flushMilliseconds?: number } = {},
  ) {
    checkOptions('EventWriter', options, ['append', 'flushBytes', 'flushMilliseconds']);
    try {
      this.fd = openSync(path, options.append ? 'a+' : 'w');
      if (options.append) dropUnfinishedLine(this.fd);
    } catch (error) {
      throw new DataError(`Cannot write events to ${path}: ${(error as Error).message}`, { cause: error });
    }
  }

  write(event: RunEvent): void {
    const line = `${JSON.stringify(event)}\n`;
    this.lines.push(line);
    this.size += line.length;
    const { flushBytes = 1 << 16, flushMilliseconds = 1000 } = this.options;
    const due = this.size >= flushBytes || event.time - this.flushed >= flushMilliseconds;
    if (due || !buffered.has(event.type)) this.flush();
  }

  /** @throws DataError when the disk takes no more */
  flush(): void {
    this.flushed = Date.now();
    if (this.size === 0) return;
    if (this.fd === null) throw new DataError(`Cannot write events to ${this.path}: the writer was closed`);
    const bytes = Buffer.from(this.lines.join(''));
    this.lines = [];
    this.size = 0;
    try {
      // A file that was removed takes bytes as before, and nobody would ever see them.
      if (fstatSync(this.fd).nlink === 0) throw new Error('the file was removed while the run was writing it');
      for (let done = 0; done < bytes.length; ) done += writeSync(this.fd, bytes, done);
    } catch (error) {
      throw new DataError(`Cannot write events to ${this.path}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Writes what is left. May be called again. */
  close(): void {
    if (this.fd === null) return;
    try {
      this.flush();
    } finally {
      closeSync(this.fd);
      this.fd = null;
    }
  }
}

/** The files of some stages' events in a run's folder. */
export class EventFiles {
  readonly #writers: ReadonlyMap<number, EventWriter>;
  readonly #replica: number;

  /**
   * @param options.append go on with the files, rather than start them anew
   * @param options.replica of all these stages
   */
  constructor(folder: string, stages: readonly number[], { append, replica }: { append: boolean; replica?: number }) {
    const open = (stage: number): EventWriter => new EventWriter(eventsPath(folder, stage, replica), { append });
    this.#writers = new Map(stages.map((stage) => [stage, open(stage)]));
    this.#replica = replica ?? 0;
  }

  /** Writes an event of one of the stages; those of others pass. */
  write(event: RunEvent): void {
    if ((event.replica ?? 0) === this.#replica) this.#writers.get(event.stage)?.write(event);
  }

  close(): void {
    for (const writer of this.#writers.values()) writer.close();
  }
}

function dropUnfinishedLine(fd: number): void {
  const chunk = Buffer.alloc(1 << 16);
  let end = fstatSync(fd).size;
  while (end > 0) {
    const start = Math.max(0, end - chunk.length);
    const length = readSync(fd, chunk, 0, end - start, start);
    const newline = chunk.lastIndexOf(0x0a, length - 1);
    if (newline >= 0) {
      ftruncateSync(fd, start + newline + 1);
      return;
    }
    end = start;
  }
  ftruncateSync(fd, 0);
}

/** The whole lines of a file, one by one: it may be larger than a text can be. A last line without an end is left out. */
function* linesOf(path: string): Generator<string> {
  const fd = openSync(path, 'r');
  try {
    const chunk = Buffer.alloc(1 << 20);
    let rest = Buffer.alloc(0);
    for (let length = readSync(fd, chunk); length > 0; length = readSync(fd, chunk)) {
      const bytes = Buffer.concat([rest, chunk.subarray(0, length)]);
      let from = 0;
      for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, from)) {
        yield bytes.toString('utf8', from, end);
        from = end + 1;
      }
      rest = bytes.subarray(from);
    }
  } finally {
    closeSync(fd);
  }
}

/**
 * The events of one file. A last line without an end is left out, since its writer may be at work.
 * @throws DataError when the file cannot be read, or names the line that is not an event
 */
export function readEvents(path: string): RunEvent[] {
  const events: RunEvent[] = [];
  try {
    for (const line of linesOf(path)) events.push(parseEvent(line, `${path}:${events.length + 1}`));
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`Cannot read events from ${path}: ${(error as Error).message}`, { cause: error });
  }
  return events;
}

function parseEvent(line: string, place: string): RunEvent {
  try {
    const event = JSON.parse(line) as RunEvent | null;
    if (typeof event?.type === 'string') return event;
  } catch {
    // Reported below, with the place.
  }
  throw new DataError(`Expected an event (a JSON object with a type) at ${place}, got ${line.slice(0, 60)}`);
}

/** The events of all stages of a run's folder, in order of time. @throws DataError as `readEvents` */
export function readRun(folder: string): RunEvent[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    throw new DataError(`Cannot read the run in ${folder}: ${(error as Error).message}`, { cause: error });
  }
  const files = names.filter(holdsEvents);
  return files.flatMap((name) => readEvents(join(folder, name))).sort((a, b) => a.time - b.time);
}
