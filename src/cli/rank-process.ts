// The processes of ranks on this machine: how they start, print, are told of signals, and how their ends are told.

import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { ConfigError } from '../torch/errors.js';
import type { RankVariables } from './spare.js';

export interface Rank {
  readonly name: string;
  readonly variables: RankVariables;
  readonly child: ChildProcess;
  readonly ended: Promise<number>;
  /** Pipes of what it writes. */
  readonly outputs: readonly Socket[];
  /** When all that came by them is passed on. */
  readonly printed: Promise<unknown>;
  /** For how long it stood still before it was killed; else 0. */
  stoodMs: number;
}

/** Starts ranks, each by the same command. */
export class Starter {
  #spare: ChildProcess | null = null;

  /** @param words - a program with its options, or those of a command of headrace */
  constructor(private readonly words: readonly string[]) {}

  /** Starts a process ahead, which the next rank that is lost finds ready. @param common - what holds for any rank here */
  keepSpare(common: RankVariables): void {
    const spare = start([beside('spare-main.js'), ...this.#program], { ...common, HEADRACE_SPARE: '1' }, [
      'ignore',
      'pipe',
      'pipe',
      'ipc',
    ]);
    // What it says before it is a rank would be said again: then.
    spare.stdout!.resume();
    spare.stderr!.resume();
    spare.on('error', () => {}); // of a message to one that is gone
    this.#spare = spare;
  }

  /** Starts a rank: in the spare process where there is one. */
  start(variables: RankVariables): Rank {
    const plain = variables.RANK === '0';
    const spare = this.#spare !== null && isAlive(this.#spare) ? this.#spare : null;
    this.#spare = null;
    spare?.send(variables);
    // In a file or a pipe lines of several ranks stay whole; a terminal is rank 0's own, which draws its progress there.
    const way = (to: NodeJS.WriteStream) => (plain && to.isTTY ? 'inherit' : 'pipe');
    const child = spare ?? start(this.#program, variables, ['ignore', way(process.stdout), way(process.stderr)]);
    return rankOf(child, variables);
  }

  get #program(): readonly string[] {
    const [file] = this.words as [string, ...string[]];
    if (!/\.[cm]?[jt]s$/.test(file)) return [beside('main.js'), ...this.words];
    if (existsSync(file)) return this.words;
    throw new ConfigError(`expected a program, and there is no file ${file}`);
  }

  close(): void {
    if (this.#spare !== null) signal(this.#spare, 'SIGKILL');
  }
}

const beside = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** In a process group of its own: the terminal's Ctrl-C reaches the launcher alone, which passes it on once. */
function start(program: readonly string[], variables: RankVariables, stdio: StdioOptions): ChildProcess {
  const env = { ...process.env, ...variables };
  return spawn(process.execPath, [...process.execArgv, ...program], { env, stdio, detached: true });
}

function rankOf(child: ChildProcess, variables: RankVariables): Rank {
  const name = `rank ${variables.RANK}`;
  const pass = variables.RANK === '0' ? wholeLines : prefixed(name);
  const ways = [
    { from: child.stdout as Socket | null, to: process.stdout },
    { from: child.stderr as Socket | null, to: process.stderr },
  ];
  const pipes = ways.flatMap(({ from, to }) => (from === null ? [] : [{ from, to }]));
  const printed = Promise.all(pipes.map(({ from, to }) => pass(from, to)));
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    // What it wrote before is passed on before anything is said of its end.
    child.on('exit', (code, by) => setImmediate(() => resolve(code ?? 128 + constants.signals[by!])));
  });
  return { name, variables, child, ended, outputs: pipes.map(({ from }) => from), printed, stoodMs: 0 };
}

/** Resolves at the end of what comes. */
type Pass = (from: Readable, to: Writable) => Promise<unknown>;

/** As it is, but in whole lines. */
const wholeLines: Pass = async (from, to) => {
  const begun: Buffer[] = [];
  from.on('data', (chunk: Buffer) => {
    const end = Math.max(chunk.lastIndexOf('\n'), chunk.lastIndexOf('\r')) + 1;
    if (end > 0) to.write(Buffer.concat([...begun.splice(0), chunk.subarray(0, end)]));
    if (end < chunk.length) begun.push(chunk.subarray(end));
  });
  await once(from, 'close');
  to.write(Buffer.concat(begun));
};

const prefixed =
  (name: string): Pass =>
  async (from, to) => {
    const lines = createInterface({ input: from, crlfDelay: Number.POSITIVE_INFINITY });
    lines.on('line', (line) => to.write(`[${name}] ${line}\n`));
    await once(lines, 'close');
  };

export function wordsOfEnd({ name, stoodMs }: Rank, code: number): string {
  if (stoodMs > 0) return `${name} was stopped (SIGSTOP) for longer than ${stoodMs / 1000} s, and is killed`;
  return `${name} ended ${code > 128 ? `by ${nameOfSignal(code - 128)}` : `with code ${code}`}`;
}

export const wordsOfStopped = ({ name }: Rank): string => `${name} was stopped (SIGSTOP)`;

const isAlive = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

export const isRunning = ({ child }: Rank): boolean => isAlive(child);

/** Whether a rank stands still, where the system tells. */
export function isStopped({ child }: Rank): boolean {
  try {
    const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
  } catch {
    return false; // it has ended, or this is not Linux
  }
}

const nameOfSignal = (number: number): string =>
  Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `signal ${number}`;

/** To a rank and all that it started. One that was stopped (SIGSTOP) goes on, so that it can end. */
export function signal({ pid }: ChildProcess, name: NodeJS.Signals): void {
  for (const each of name === 'SIGKILL' ? [name] : ([name, 'SIGCONT'] as const)) {
    try {
      if (pid !== undefined) process.kill(-pid, each);
    } catch {
      // It has ended.
    }
  }
}
