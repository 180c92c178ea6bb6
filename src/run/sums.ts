/** What a run comes to, summed up as its events come: a run may last a week, and the memory for it does not grow. */
import { join } from 'node:path';
import { writeFileAtomic } from '../io/index.js';
import { median } from '../report/statistics.js';
import type { EvalEvent, RunEvent, StepEvent } from './events.js';

export interface StageMetrics {
  readonly stage: number;
  /** Which of its replicas, but for the first. */
  readonly replica?: number;
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
  readonly samples: number;
  /** From the first start to the last event. */
  readonly seconds: number;
  /** Of the last stage, from the end of its first step to the end of its last; null with fewer than two steps. */
  readonly samplesPerSecond: number | null;
  /** Of the last evaluation. */
  readonly metrics: EvalEvent['metrics'] | null;
  readonly perStage: readonly StageMetrics[];
  /** At most 10,000 of them: of more, every second, fourth, ..., and the last. */
  readonly evaluations: readonly Pick<EvalEvent, 'step' | 'epoch' | 'metrics'>[];
}

const mostEvaluations = 10_000;
/** Epochs whose speed is remembered. */
const mostEpochs = 1000;

/** A list that stays within bounds: when it is full, every second entry goes, and from then on only every second comes. */
class Thinned<T> {
  #kept: T[] = [];
  #last: T | null = null;
  #every = 1;
  #count = 0;

  constructor(private readonly most: number) {}

  add(value: T): void {
    if (this.#count++ % this.#every === 0) this.#kept.push(value);
    this.#last = value;
    if (this.#kept.length < this.most) return;
    this.#kept = this.#kept.filter((_, i) => i % 2 === 0);
    this.#every *= 2;
  }

  get last(): T | null {
    return this.#last;
  }

  values(): T[] {
    const last = this.#last;
    return last === null || this.#kept.at(-1) === last ? [...this.#kept] : [...this.#kept, last];
  }
}

/** Samples per second between the ends of the first and the last of some steps. */
class Speed {
  #from: number | null = null;
  #to = 0;
  #samples = 0;

  add({ time, samples }: StepEvent): void {
    if (this.#from === null) this.#from = time;
    else this.#samples += samples;
    this.#to = time;
  }

  /** Null with fewer than two steps. */
  get value(): number | null {
    const seconds = this.#from === null ? 0 : (this.#to - this.#from) / 1000;
    return seconds > 0 ? this.#samples / seconds : null;
  }
}

/** Of a stage, or of one of its replicas but the first. */
type Worker = Pick<StageMetrics, 'stage' | 'replica'>;

const nameOf = ({ stage, replica = 0 }: Worker): string => `${stage}.${replica}`;

/** The steps of one stage, or of one of its replicas. */
class StageSums {
  lastStep = 0;
  loss: number | null = null;
  samples = 0;
  readonly speed = new Speed();
  #steps = 0;
  #busy = 0;
  #wait = 0;
  #queue = 0;
  #queues = 0;
  #epoch = { number: -1, speed: new Speed() };
  readonly #epochSpeeds: number[] = [];

  constructor(readonly worker: Worker) {}

  add(event: StepEvent): void {
    this.#steps++;
    this.lastStep = event.step;
    this.loss = event.loss;
    this.samples += event.samples;
    this.#busy += event.busy;
    this.#wait += event.wait;
    if (event.queue !== null) {
      this.#queue += event.queue;
      this.#queues++;
    }
    this.speed.add(event);
    if (event.epoch !== this.#epoch.number) {
      this.#endEpoch();
      this.#epoch = { number: event.epoch, speed: new Speed() };
    }
    this.#epoch.speed.add(event);
  }

  #endEpoch(): void {
    const { value } = this.#epoch.speed;
    if (value === null) return;
    this.#epochSpeeds.push(value);
    if (this.#epochSpeeds.length > mostEpochs) this.#epochSpeeds.shift();
  }

  /** Each epoch by itself, so that evaluation between them does not count. */
  get medianSpeed(): number | null {
    const { value } = this.#epoch.speed;
    const speeds = value === null ? this.#epochSpeeds : [...this.#epochSpeeds, value];
    return speeds.length > 0 ? median(speeds) : null;
  }

  metrics(): StageMetrics {
    return {
      ...this.worker,
      loss: this.loss,
      busy: this.#busy / this.#steps,
      wait: this.#wait / this.#steps,
      queue: this.#queues > 0 ? this.#queue / this.#queues : null,
    };
  }
}

/** Sums over the events of one session, in which no step comes twice. */
export class RunSums {
  readonly #stages = new Map<string, StageSums>();
  readonly #evaluations = new Thinned<RunMetrics['evaluations'][number]>(mostEvaluations);
  #from = Number.POSITIVE_INFINITY;
  #to = Number.NEGATIVE_INFINITY;

  add(event: RunEvent): void {
    this.addTime(event.time);
    if (event.type === 'eval') {
      const { step, epoch, metrics } = event;
      this.#evaluations.add({ step, epoch, metrics });
    } else if (event.type === 'step') {
      const { stage, replica } = event;
      const name = nameOf(event);
      const own = this.#stages.get(name) ?? new StageSums(replica === undefined ? { stage } : { stage, replica });
      this.#stages.set(name, own);
      own.add(event);
    }
  }

  /** Of an event that counts for nothing else. */
  addTime(time: number): void {
    this.#from = Math.min(this.#from, time);
    this.#to = Math.max(this.#to, time);
  }

  /** Median over the epochs of the last stage, the last 1,000 of them. */
  get medianSpeed(): number | null {
    return this.#last?.medianSpeed ?? null;
  }

  get #ordered(): StageSums[] {
    const order = ({ stage, replica = 0 }: Worker, other: Worker): number =>
      stage - other.stage || replica - (other.replica ?? 0);
    return [...this.#stages.values()].sort((a, b) => order(a.worker, b.worker));
  }

  /** Its replicas are in step: the first counts. */
  get #last(): StageSums | undefined {
    return this.#ordered.findLast(({ worker }) => worker.replica === undefined);
  }

  metrics(): RunMetrics {
    const last = this.#last;
    const final = this.#evaluations.last;
    return {
      steps: last?.lastStep ?? 0,
      samples: last?.samples ?? 0,
      seconds: this.#to >= this.#from ? (this.#to - this.#from) / 1000 : 0,
      samplesPerSecond: last?.speed.value ?? null,
      metrics: final?.metrics ?? null,
      perStage: this.#ordered.map((sums) => sums.metrics()),
      evaluations: this.#evaluations.values(),
    };
  }
}

/** Sums up a run, of several sessions perhaps: of a step done twice (a run resumed from before it), the later counts. */
export function summarise(events: readonly RunEvent[]): RunMetrics {
  const sums = new RunSums();
  const workers = new Map<string, Map<number, StepEvent>>();
  for (const event of events) {
    if (event.type !== 'step') {
      sums.add(event);
      continue;
    }
    sums.addTime(event.time);
    const own = workers.get(nameOf(event)) ?? new Map<number, StepEvent>();
    workers.set(nameOf(event), own.set(event.step, event));
  }
  for (const own of workers.values()) {
    for (const event of [...own.values()].sort((a, b) => a.step - b.step)) sums.add(event);
  }
  return sums.metrics();
}

/** Samples per second between the first and the last of some steps of one stage; null with fewer than two. */
export function throughput(steps: readonly StepEvent[]): number | null {
  const speed = new Speed();
  for (const step of steps) speed.add(step);
  return speed.value;
}

/** Writes `metrics.json` of a run's folder: the result, and the summary of its events. */
export function writeMetrics(folder: string, result: object, run: RunMetrics | readonly RunEvent[]): void {
  const metrics = 'perStage' in run ? run : summarise(run);
  writeFileAtomic(join(folder, 'metrics.json'), `${JSON.stringify({ ...metrics, ...result }, null, 2)}\n`);
}
