/**
 * Waits for a quiet machine. On a virtual one, neighbours take a third of a core's speed for a minute at a time, now of
 * one core and now of the other: what runs on two cores then says little, and sides that take turns say little too.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { say } from './progress.js';
import { median } from './results.js';

/** A measurement, or what is put around one. */
export type Turn = <T>(run: () => Promise<T>) => Promise<T>;

/** A core counts as quiet when it is this near to the best that was seen of it: clocks drift by less, neighbours take more. */
const NEAR = 1.12;
const POLL_MS = 4000;
const WARM_UP = 8;
/** How long to wait for quiet before a measurement, and how often to repeat one that was disturbed. */
const WAIT_MS = 60_000;
const ATTEMPTS = 3;
/** A process that does not answer has died. */
const ANSWER_MS = 60_000;
/** Of more cores a neighbour disturbs few. */
const MOST_CORES = 16;

const corePath = fileURLToPath(new URL('./quiet-core.js', import.meta.url));

export class Quiet {
  readonly #best: number[];
  #turns = 0;
  #repeated = 0;
  #disturbed = 0;

  private constructor(private readonly cores: readonly ChildProcess[]) {
    this.#best = cores.map(() => Infinity);
  }

  /** Null where cores cannot be watched one by one: without `taskset`, or when there are too many. */
  static async start(): Promise<Quiet | null> {
    const cores = allowedCores();
    if (cores.length === 0 || cores.length > MOST_CORES) return null;
    const quiet = new Quiet(
      cores.map((core) => {
        const args = ['-c', String(core), process.execPath, corePath];
        return spawn('taskset', args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
      }),
    );
    // The first looks are compiled on the way.
    for (let look = 0; look < WARM_UP; look++) await quiet.#slowest();
    return quiet;
  }

  /**
   * Measures when every core has its full speed before and after. A disturbed measurement is repeated, and the last of a
   * few counts whatever the machine does, lest a busy one be waited for without end.
   */
  readonly turn: Turn = async <T>(run: () => Promise<T>): Promise<T> => {
    this.#turns++;
    for (let attempt = 1; ; attempt++) {
      await this.#settled();
      const value = await run();
      if ((await this.#slowest()) <= NEAR) return value;
      if (attempt === ATTEMPTS) {
        this.#disturbed++;
        return value;
      }
      this.#repeated++;
    }
  };

  /** What to say beside the numbers since the last time; nothing where none was watched. */
  notes(): string[] {
    const [turns, repeated, disturbed] = [this.#turns, this.#repeated, this.#disturbed];
    this.#turns = this.#repeated = this.#disturbed = 0;
    if (turns === 0) return [];
    const near = `${((NEAR - 1) * 100).toFixed(0)} %`;
    return [
      `A measurement began when each core was within ${near} of its best, or after ${WAIT_MS / 1000} s, and was repeated where ` +
        `one was not at its end: of ${turns}, ${repeated} repeats; ${disturbed} stayed disturbed.`,
    ];
  }

  close(): void {
    for (const core of this.cores) core.disconnect();
  }

  async #settled(): Promise<void> {
    const end = performance.now() + WAIT_MS;
    for (let told = false; (await this.#slowest()) > NEAR && performance.now() < end; told = true) {
      if (!told) say('waiting for a quiet machine');
      await setTimeout(POLL_MS);
    }
  }

  /** How much longer than at its best the most disturbed core takes. */
  async #slowest(): Promise<number> {
    const times = await Promise.all(
      this.cores.map(async (core) => {
        core.send('look');
        const [found] = await once(core, 'message', { signal: AbortSignal.timeout(ANSWER_MS) });
        return median(found as number[]);
      }),
    );
    for (const [i, time] of times.entries()) this.#best[i] = Math.min(this.#best[i]!, time);
    return Math.max(...times.map((time, i) => time / this.#best[i]!));
  }
}

/** The numbers of the cores that this process may use. */
function allowedCores(): number[] {
  try {
    const text = execFileSync('taskset', ['-cp', String(process.pid)], {
      stdio: ['ignore', 'pipe', 'ignore'],
    }).toString();
    return text
      .slice(text.lastIndexOf(':') + 1)
      .split(',')
      .flatMap((range) => {
        const [from, to = from] = range.split('-').map(Number) as [number, number?];
        return Array.from({ length: to - from + 1 }, (_, i) => from + i);
      });
  } catch {
    return [];
  }
}
