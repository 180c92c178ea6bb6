// The live line of a run, on stderr: how far, how fast, the loss of each stage, and when it will end.

import { duration } from '../report/duration.js';
import { checkOptions } from '../torch/options.js';
import type { EvalEvent, PlanEvent, RunEvent, StepEvent } from './events.js';
import { throughput } from './sums.js';

/** What the progress needs of a stream; `process.stderr` is one. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface ProgressOptions {
  /** Milliseconds in which nothing is shown. Default 2,000: a short run needs no progress. */
  readonly quiet?: number;
  /** Milliseconds between lines. Default 100 on a terminal, where the line is rewritten in place, and 10,000 elsewhere. */
  readonly every?: number;
  /** The clock. */
  readonly now?: () => number;
}

interface Part {
  readonly rank: number;
  readonly text: string;
}

/** Samples per second are of the steps in the last this many milliseconds. */
const windowMilliseconds = 10_000;

/** Feed it every event of a run; it decides when to write. Call `finish` at the end. */
export class Progress {
  private readonly now: () => number;
  private readonly every: number;
  private readonly quiet: number;
  private readonly begun: number;
  private shown: number;
  private open = false;
  private stages = 1;
  private totalSteps = 0;
  /** Steps that were done before. */
  private before = 0;
  private plan: PlanEvent | null = null;
  private readonly latest = new Map<number, StepEvent>();
  private recent: StepEvent[] = [];
  private evaluation: EvalEvent | null = null;

  constructor(
    private readonly stream: ProgressStream,
    options: ProgressOptions = {},
  ) {
    checkOptions('Progress', options, ['quiet', 'every', 'now']);
    this.now = options.now ?? Date.now;
    this.every = options.every ?? (stream.isTTY ? 100 : 10_000);
    this.begun = this.now();
    this.quiet = options.quiet ?? 2000;
    this.shown = this.begun + this.quiet - this.every;
  }

  update(event: RunEvent): void {
    if (event.type === 'plan') {
      this.notePlan(event);
    } else if (event.type === 'start') {
      this.stages = event.stages;
      this.totalSteps = event.totalSteps;
      this.before = event.step;
      this.plan = null;
    } else if (event.type === 'eval') {
      this.evaluation = event;
      this.announce(event);
    } else if (event.type === 'freshHead') {
      this.say(`stage ${event.stage}: the checkpoint has no head for this border; it starts with fresh weights`);
    } else if (event.type === 'freshWeights') {
      this.say(`${event.keys.join(', ')}: of another shape in ${event.file}; they start with fresh weights`);
    } else if (event.type === 'step' && event.replica === undefined) {
      this.latest.set(event.stage, event);
      if (event.stage === this.stages - 1) this.note(event);
    }
    if ((this.latest.size > 0 || this.plan !== null) && this.now() - this.shown >= this.every) this.show();
  }

  /** Ends a line that is being rewritten, so that what follows starts on its own. */
  finish(): void {
    if (!this.open) return;
    this.show();
    this.stream.write('\n');
    this.open = false;
  }

  /** The line as it stands, in whole. */
  line(): string {
    return this.fit(Number.POSITIVE_INFINITY);
  }

  /** As much of the line as a width holds: what matters least goes first. */
  private fit(width: number): string {
    const parts = this.plan === null ? this.parts() : this.planned(this.plan);
    const text = (): string => parts.map((part) => part.text).join('  ');
    while (text().length > width && parts.length > 1) {
      const least = Math.max(...parts.map((part) => part.rank));
      parts.splice(
        parts.findIndex((part) => part.rank === least),
        1,
      );
    }
    return text().slice(0, width);
  }

  /** The parts in their order; the higher the rank, the less it matters. */
  private parts(): Part[] {
    const steps = [...this.latest.values()].sort((a, b) => a.stage - b.stage);
    const lead = this.recent[this.recent.length - 1];
    const total = this.totalSteps > 0 ? `/${this.totalSteps}` : '';
    const parts: Part[] = [{ rank: 0, text: `step ${lead?.step ?? this.before}${total}` }];
    const add = (rank: number, text: string): number => parts.push({ rank, text });
    if (lead) add(5, `epoch ${lead.epoch + 1}`);
    const rate = throughput(this.recent);
    if (rate !== null) add(2, `${rate.toFixed(rate < 100 ? 1 : 0)} samples/s`);
    add(3, `loss ${steps.map((event) => event.loss?.toFixed(3) ?? '-').join(' | ')}`);
    const queues = steps.filter((event) => event.queue !== null).map((event) => event.queue);
    if (queues.length > 0) add(6, `queue ${queues.join(' | ')}`);
    if (this.evaluation) add(4, formatMetrics(headline(this.evaluation)));
    const left = this.secondsLeft();
    if (left !== null) add(1, `ETA ${duration(left)}`);
    return parts;
  }

  private planned({ layers, sweeps, secondsLeft }: PlanEvent): Part[] {
    const parts: Part[] = [{ rank: 0, text: `measuring ${layers} layers to choose the cut` }];
    if (sweeps > 0) parts.push({ rank: 2, text: `sweep ${sweeps}` });
    if (secondsLeft !== null) parts.push({ rank: 1, text: `ETA ${duration(secondsLeft)}` });
    return parts;
  }

  /** Measuring takes half a minute with large models: that it began is told at once. */
  private notePlan(event: PlanEvent): void {
    if (event.cut !== null) {
      this.plan = null;
      this.say(`cut after layers: ${event.cut.join(', ')}`);
      return;
    }
    const begins = this.plan === null && event.sweeps === 0;
    this.plan = event;
    if (begins) this.show();
  }

  /** An evaluation is worth a line that stays, in a run that is long enough to be watched. */
  private announce({ epoch, metrics }: EvalEvent): void {
    if (this.now() - this.begun < this.quiet) return;
    this.say(`epoch ${epoch + 1}: ${formatMetrics(metrics)}`);
  }

  /** A line that stays. */
  private say(text: string): void {
    if (this.open) this.stream.write('\r\x1b[K');
    this.stream.write(`${text}\n`);
    this.open = false;
  }

  private note(event: StepEvent): void {
    this.recent.push(event);
    const from = event.time - windowMilliseconds;
    if (this.recent[0]!.time < from && this.recent.length > 2) {
      // Two steps at least stay, so that slow ones have a rate too.
      const first = this.recent.findIndex((other) => other.time >= from);
      this.recent = this.recent.slice(Math.min(first, this.recent.length - 2));
    }
  }

  private secondsLeft(): number | null {
    const last = this.recent[this.recent.length - 1];
    if (!last || this.recent.length < 2 || this.totalSteps === 0) return null;
    const perStep = (last.time - this.recent[0]!.time) / 1000 / (this.recent.length - 1);
    return Math.max(0, this.totalSteps - last.step) * perStep;
  }

  private show(): void {
    this.shown = this.now();
    if (!this.stream.isTTY) {
      this.stream.write(`${this.line()}\n`);
      return;
    }
    // A terminal that does not know its width (0 columns) gets the whole line.
    const width = this.stream.columns || Number(process.env.COLUMNS) || Number.POSITIVE_INFINITY;
    this.stream.write(`\r\x1b[K${this.fit(width - 1)}`);
    this.open = true;
  }
}

/** The metric that a line has room for: the first. */
function headline({ metrics }: EvalEvent): EvalEvent['metrics'] {
  return Object.fromEntries(Object.entries(metrics).slice(0, 1));
}

/** As people read them: `accuracy 98.00 %, loss 0.0712`. */
export function formatMetrics(metrics: EvalEvent['metrics']): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${formatMetric(name, value)}`)
    .join(', ');
}

/** Shares of right answers as per cent. */
function formatMetric(name: string, value: number | null): string {
  if (value === null || !Number.isFinite(value)) return 'not finite';
  return name === 'accuracy' || /^top\d+$/.test(name) ? `${(value * 100).toFixed(2)} %` : value.toFixed(4);
}
