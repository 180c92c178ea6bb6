// The events of a run: what each stage did, one JSON object a line, one file a stage (`events-<stage>.jsonl`). They are the
// single source for progress lines, summaries and traces.

import { closeSync, fstatSync, ftruncateSync, openSync, readdirSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../io/index.js';
import { DataError } from '../torch/errors.js';

interface EventBase {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly stage: number;
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

/** One optimizer step of one stage. */
export interface StepEvent extends EventBase {
  readonly type: 'step';
  /** Counted from 1 over the whole run. */
  readonly step: number;
  /** Counted from 0. */
  readonly epoch: number;
  /** Of the stage's own objective; null where it has none, or the value is not finite. */
  readonly loss: number | null;
  readonly lr: number;
  /** Images in the batch. */
  readonly images: number;
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
  /** Share of right answers, 0 to 1. */
  readonly accuracy: number;
  readonly loss: number | null;
  readonly count: number;
}

export interface CheckpointEvent extends EventBase {
  readonly type: 'checkpoint';
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
  | StartEvent
  | FreshHeadEvent
  | StepEvent
  | EvalEvent
  | CheckpointEvent
  | MemoryEvent
  | SpanEvent
  | ErrorEvent;

/** Written in bulk; all others reach the file at once. */
const buffered: ReadonlySet<RunEvent['type']> = new Set(['step', 'memory', 'span']);

/** The file of a stage's events in a run's folder. */
export function eventsPath(folder: string, stage: number): string {
  return join(folder, `events-${stage}.jsonl`);
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

/**
 * The events of one file. A last line without an end is left out, since its writer may be at work.
 * @throws DataError when the file cannot be read, or names the line that is not an event
 */
export function readEvents(path: string): RunEvent[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new DataError(`Cannot read events from ${path}: ${(error as Error).message}`, { cause: error });
  }
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .slice(0, -1)
    .map((line, i) => {
      try {
        const event = JSON.parse(line) as RunEvent;
        if (typeof event.type === 'string') return event;
      } catch {
        // Reported below, with the place.
      }
      throw new DataError(
        `Expected an event (a JSON object with a type) at ${path}:${i + 1}, got ${line.slice(0, 60)}`,
      );
    });
}

/** The events of all stages of a run's folder, in order of time. @throws DataError as `readEvents` */
export function readRun(folder: string): RunEvent[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    throw new DataError(`Cannot read the run in ${folder}: ${(error as Error).message}`, { cause: error });
  }
  const files = names.filter((name) => /^events-\d+\.jsonl$/.test(name));
  return files.flatMap((name) => readEvents(join(folder, name))).sort((a, b) => a.time - b.time);
}

export interface StageMetrics {
  readonly stage: number;
  /** Of the last step. */
  readonly loss: number | null;
  /** Mean milliseconds of work a step, and of waiting. */
  readonly busy: number;
  readonly wait: number;
  /** Mean depth of the input queue. */
  readonly queue: number | null;
}

/** What `metrics.json` holds. */
export interface RunMetrics {
  readonly steps: number;
  readonly images: number;
  /** From the first start to the last event. */
  readonly seconds: number;
  /** Of the last stage, from the end of its first step to the end of its last; null with fewer than two steps. */
  readonly imagesPerSecond: number | null;
  readonly accuracy: number | null;
  readonly loss: number | null;
  readonly perStage: readonly StageMetrics[];
  readonly evaluations: readonly { step: number; epoch: number; accuracy: number; loss: number | null }[];
}

/** Sums up a run. Of a step done twice (a run resumed from before it), the later counts. */
export function summarise(events: readonly RunEvent[]): RunMetrics {
  const stages = new Map<number, Map<number, StepEvent>>();
  for (const event of events) {
    if (event.type !== 'step') continue;
    const own = stages.get(event.stage) ?? new Map<number, StepEvent>();
    own.set(event.step, event);
    stages.set(event.stage, own);
  }
  const order = [...stages.keys()].sort((a, b) => a - b);
  const last = [...(stages.get(order[order.length - 1] ?? -1)?.values() ?? [])].sort((a, b) => a.step - b.step);
  const evaluations = events
    .filter((event) => event.type === 'eval')
    .map(({ step, epoch, accuracy, loss }) => ({ step, epoch, accuracy, loss }));
  const final = evaluations[evaluations.length - 1];
  const times = events.map((event) => event.time);
  return {
    steps: last[last.length - 1]?.step ?? 0,
    images: last.reduce((sum, event) => sum + event.images, 0),
    seconds: times.length > 0 ? (Math.max(...times) - Math.min(...times)) / 1000 : 0,
    imagesPerSecond: throughput(last),
    accuracy: final?.accuracy ?? null,
    loss: final?.loss ?? null,
    perStage: order.map((stage) => stageMetrics(stage, [...stages.get(stage)!.values()])),
    evaluations,
  };
}

/** Images per second between the first and the last of some steps of one stage; null with fewer than two. */
export function throughput(steps: readonly StepEvent[]): number | null {
  if (steps.length < 2) return null;
  const seconds = (steps[steps.length - 1]!.time - steps[0]!.time) / 1000;
  const images = steps.slice(1).reduce((sum, event) => sum + event.images, 0);
  return seconds > 0 ? images / seconds : null;
}

function stageMetrics(stage: number, steps: readonly StepEvent[]): StageMetrics {
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const queues = steps.flatMap((event) => (event.queue === null ? [] : [event.queue]));
  return {
    stage,
    loss: steps[steps.length - 1]?.loss ?? null,
    busy: mean(steps.map((event) => event.busy)),
    wait: mean(steps.map((event) => event.wait)),
    queue: queues.length > 0 ? mean(queues) : null,
  };
}

/** Writes `metrics.json` of a run's folder: the result, and the summary of its events. */
export function writeMetrics(folder: string, result: object, events: readonly RunEvent[]): void {
  const text = JSON.stringify({ ...summarise(events), ...result }, null, 2);
  writeFileAtomic(join(folder, 'metrics.json'), `${text}\n`);
}
