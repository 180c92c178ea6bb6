// Starts the ranks of a run on this machine: processes that know each other by torchrun's variables. One that fails ends all.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setImmediate as nextPoll, setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { awake } from '../run/awake.js';
import { ConfigError } from '../torch/errors.js';
import { type LaunchFlags, type Placement, placement, rankVariables } from './placement.js';
import { exitCodes, say } from './report.js';

/** A rank that fails makes others fail, which may know better why: they are given so long to say it. */
const TELL_MS = 1000;
const KILL_AFTER_MS = 5000;
/** Whoever left a rank's process group and holds its pipes is waited for, but not for longer without a word. */
const PRINT_MS = 1000;

interface Failure {
  readonly code: number;
  /** In words: `rank 1 ended by SIGKILL`. */
  readonly what: string;
  /** Whether the same would come again: a rank was asked to end, or found a mistake in the command. */
  readonly final: boolean;
}

/**
 * Runs the ranks to their end, and starts all of them again when one has failed, as often as `--restarts` says. `process.exitCode`
 * is that of the first that failed in the last round.
 */
export async function launch(words: readonly string[], flags: LaunchFlags): Promise<void> {
  const { restarts, timeout, recovery } = flags;
  if (recovery === 'stage' && restarts === 0) {
    throw new ConfigError('expected --restarts N with --recovery stage: how often ranks may be started again');
  }
  const ranks: Rank[] = [];
  const asked = passSignals(ranks);
  const starts = new Restarts(restarts);
  try {
    for (let round = 0; ; round++) {
      const place = await placement(flags, process.env);
      const variables = rankVariables(place, { restarts, round, timeout, recovery });
      const failure = await withStore(recovery === 'stage' ? place : null, () => {
        ranks.splice(0, Infinity, ...variables.map((each) => startRank(words, each)));
        return runRound(ranks, asked, 1000 * timeout, recovery === 'stage' ? starts : null);
      });
      if (failure === null) return;
      if (!asked.yet && !failure.final && starts.take()) say(`headrace: starting all ranks again, ${starts.words}`);
      else {
        process.exitCode = failure.code;
        if (starts.isOver && !asked.yet)
          say(`headrace: gave up after ${counted(restarts, 'restart')}: ${failure.what}`);
        return;
      }
    }
  } finally {
    asked.release();
  }
}

/** How often ranks may be started again. */
class Restarts {
  #used = 0;

  constructor(private readonly most: number) {}

  /** Whether there was one left, which is used now. */
  take(): boolean {
    if (this.#used >= this.most) return false;
    this.#used++;
    return true;
  }

  get isOver(): boolean {
    return this.most > 0 && this.#used === this.most;
  }

  get words(): string {
    return `restart ${this.#used} of ${this.most}`;
  }
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count > 1 ? 's' : ''}`;

/** Keeps the ranks' store meanwhile, on the first machine. @param place - null where rank 0 keeps it */
async function withStore<T>(place: Placement | null, body: () => Promise<T>): Promise<T> {
  if (place === null || place.node.number > 1) return body();
  const { TCPStore } = await import('../distributed/index.js');
  const store = TCPStore.open({ ...place.master, serve: true });
  try {
    return await body();
  } finally {
    store.close();
  }
}

/**
 * Runs ranks that were started to their end. @returns the first failure, if there was one
 * @param alone - restarts of ranks that were killed, each by itself; null where their end is a failure of all
 */
async function runRound(
  ranks: Rank[],
  asked: Asked,
  timeoutMs: number,
  alone: Restarts | null,
): Promise<Failure | null> {
  const watch = watchStopped(ranks, timeoutMs);
  try {
    return await allEnded(ranks, asked, alone);
  } finally {
    clearInterval(watch);
    for (const { child } of ranks) signal(child, 'SIGKILL'); // what they started, and left
    await allPrinted(ranks);
  }
}

/** Waits for the last lines of ranks that have ended. */
async function allPrinted(ranks: readonly Rank[]): Promise<void> {
  const all = Promise.all(ranks.map(({ printed }) => printed)).then(() => true);
  const read = (): number =>
    ranks.reduce((sum, { outputs }) => sum + outputs.reduce((n, each) => n + each.bytesRead, 0), 0);
  for (let before = -1; read() > before; ) {
    before = read();
    if (await Promise.race([all, sleep(PRINT_MS, false, { ref: false })])) return;
    await nextPoll(); // timers come first where this process was kept from its work, and pipes are full of lines
  }
}

/** Ends ranks that stand still (SIGSTOP) for longer than the time-out, whether or not another rank misses them. */
function watchStopped(ranks: readonly Rank[], timeoutMs: number): NodeJS.Timeout {
  const looks = 4;
  const seen = new Map<Rank, number>();
  return setInterval(() => {
    for (const rank of ranks) {
      seen.set(rank, isStopped(rank) ? (seen.get(rank) ?? 0) + 1 : 0);
      if (seen.get(rank)! <= looks) continue;
      rank.stoodMs = timeoutMs;
      signal(rank.child, 'SIGKILL');
    }
  }, timeoutMs / looks);
}

interface Rank {
  readonly name: string;
  /** The same once more. */
  again(): Rank;
  readonly child: ChildProcess;
  readonly ended: Promise<number>;
  /** Pipes of what it writes. */
  readonly outputs: readonly Socket[];
  /** When all that came by them is passed on. */
  readonly printed: Promise<unknown>;
  /** For how long it stood still before it was killed; else 0. */
  stoodMs: number;
}

function startRank(words: readonly string[], variables: Record<string, string>): Rank {
  const name = `rank ${variables.RANK}`;
  const own = /\.[cm]?[jt]s$/.test(words[0]!);
  if (own && !existsSync(words[0]!)) throw new ConfigError(`expected a program, and there is no file ${words[0]}`);
  const main = fileURLToPath(new URL('./main.js', import.meta.url));
  const plain = variables.RANK === '0';
  // In a file or a pipe lines of several ranks stay whole; a terminal is rank 0's own, which draws its progress there.
  const way = (to: NodeJS.WriteStream) => (plain && to.isTTY ? 'inherit' : 'pipe');
  // A process group of its own: the terminal's Ctrl-C reaches the launcher alone, which passes it on once.
  const child = spawn(process.execPath, [...process.execArgv, ...(own ? words : [main, ...words])], {
    env: { ...process.env, ...variables },
    stdio: ['ignore', way(process.stdout), way(process.stderr)],
    detached: true,
  });
  const pass = plain ? passLines : prefixLines(name);
  const pipes = (
    [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ] as const
  ).flatMap(([from, to]) => (from === null ? [] : [{ from: from as Socket, to }]));
  const printed = Promise.all(pipes.map(({ from, to }) => pass(from, to)));
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    // What it wrote before is passed on before anything is said of its end.
    child.on('exit', (code, by) => setImmediate(() => resolve(code ?? 128 + constants.signals[by!])));
  });
  const outputs = pipes.map(({ from }) => from);
  return { name, child, ended, outputs, printed, stoodMs: 0, again: () => startRank(words, variables) };
}

/** Passes on what comes as it is, but in whole lines. Resolves at its end. */
async function passLines(from: Readable, to: Writable): Promise<void> {
  const begun: Buffer[] = [];
  from.on('data', (chunk: Buffer) => {
    const end = Math.max(chunk.lastIndexOf('\n'), chunk.lastIndexOf('\r')) + 1;
    if (end > 0) to.write(Buffer.concat([...begun.splice(0), chunk.subarray(0, end)]));
    if (end < chunk.length) begun.push(chunk.subarray(end));
  });
  await once(from, 'close');
  to.write(Buffer.concat(begun));
}

/** Passes on lines with a name before each. Resolves at the end of what comes. */
const prefixLines =
  (name: string) =>
  async (from: Readable, to: Writable): Promise<void> => {
    const lines = createInterface({ input: from, crlfDelay: Number.POSITIVE_INFINITY });
    lines.on('line', (line) => to.write(`[${name}] ${line}\n`));
    await once(lines, 'close');
  };

/**
 * Waits for all; the first that fails ends the others, unless they are asked to end: then each saves its work first.
 * @returns how the first failed
 */
async function allEnded(ranks: Rank[], asked: Asked, alone: Restarts | null): Promise<Failure | null> {
  let failure: Failure | null = null;
  const over = new AbortController();
  /** To the last end of a rank, which may be started again by itself. */
  const lastEnd = async (place: number): Promise<number> => {
    for (;;) {
      const rank = ranks[place]!;
      const code = await rank.ended;
      // Who lost the others may have lost them to a failure that one of them is about to tell.
      if (code === exitCodes.lost) await awake(TELL_MS);
      const recoverable = code > exitCodes.interrupted || code === exitCodes.lost;
      if (!alone || !recoverable || failure !== null || asked.yet || !alone.take()) return code;
      say(`headrace: ${wordsOfEnd(rank, code)}; starting it again, ${alone.words}`);
      signal(rank.child, 'SIGKILL'); // what it started, and left
      ranks[place] = rank.again();
    }
  };
  await Promise.all(
    ranks.map(async (_, place) => {
      const code = await lastEnd(place);
      const rank = ranks[place]!;
      const mistake = code === exitCodes.usage;
      if (code === 0 || (failure !== null && !mistake)) return;
      const others = ranks.filter(isAlive);
      const what = [...others.filter(isStopped).map(wordsOfStopped), wordsOfEnd(rank, code)].join('; ');
      const first = failure === null;
      failure = { code, what, final: mistake || code === exitCodes.interrupted };
      if (!first) return;
      if (asked.yet) return;
      say(`headrace: ${what}${others.length > 0 ? '; ending the others' : ''}`);
      void end(others, over.signal);
    }),
  );
  over.abort();
  return failure;
}

/** Asks ranks to end once they had time to say what they know, and ends those that do not. */
async function end(ranks: readonly Rank[], over: AbortSignal): Promise<void> {
  const all = (name: NodeJS.Signals): void => {
    for (const { child } of ranks) signal(child, name);
  };
  try {
    await awake(TELL_MS, over);
    all('SIGTERM');
    await awake(KILL_AFTER_MS, over);
    all('SIGKILL');
  } catch {
    // They have ended.
  }
}

function wordsOfEnd({ name, stoodMs }: Rank, code: number): string {
  if (stoodMs > 0) return `${name} was stopped (SIGSTOP) for longer than ${stoodMs / 1000} s, and is killed`;
  return `${name} ended ${code > 128 ? `by ${nameOfSignal(code - 128)}` : `with code ${code}`}`;
}

const wordsOfStopped = ({ name }: Rank): string => `${name} was stopped (SIGSTOP)`;

const isAlive = ({ child }: Rank): boolean => child.exitCode === null && child.signalCode === null;

/** Whether a rank stands still, where the system tells. */
function isStopped({ child }: Rank): boolean {
  try {
    const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
  } catch {
    return false; // it has ended, or this is not Linux
  }
}

const nameOfSignal = (number: number): string =>
  Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `signal ${number}`;

interface Asked {
  readonly yet: boolean;
  release(): void;
}

/** The first Ctrl-C, SIGTERM or SIGHUP goes to all ranks, which end in their way; the second kills them. */
function passSignals(ranks: readonly Rank[]): Asked {
  let yet = false;
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const onSignal = (name: NodeJS.Signals): void => {
    for (const { child } of ranks) signal(child, yet ? 'SIGKILL' : name);
    yet = true;
  };
  for (const name of names) process.on(name, onSignal);
  return {
    get yet() {
      return yet;
    },
    release: () => {
      for (const name of names) process.off(name, onSignal);
    },
  };
}

/** To a rank and all that it started. One that was stopped (SIGSTOP) goes on, so that it can end. */
function signal({ pid }: ChildProcess, name: NodeJS.Signals): void {
  for (const each of name === 'SIGKILL' ? [name] : ([name, 'SIGCONT'] as const)) {
    try {
      if (pid !== undefined) process.kill(-pid, each);
    } catch {
      // It has ended.
    }
  }
}
