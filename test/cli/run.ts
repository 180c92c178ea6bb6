// Runs the command line.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

const main = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

interface RunOptions {
  readonly env?: Record<string, string>;
  /** In a process of its own, as a user's is: where signals, libtorch's variables or the end of the process matter. */
  readonly asProcess?: boolean;
  /** Called with the process, to send it signals. */
  readonly whenStarted?: (child: ChildProcess) => void;
}

/**
 * Runs the command line: the program itself, with arguments, environment, output and exit code of its own; as a thread, which
 * spares loading libtorch once more.
 */
export async function headrace(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const env = { ...process.env, ...options.env };
  const begun = performance.now();
  const [output, ended] = start(args, env, options);
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    output[name].on('data', (chunk) => {
      said[name] += chunk;
    });
  }
  return { code: await ended, ...said, seconds: (performance.now() - begun) / 1000 };
}

type Output = { readonly stdout: Readable; readonly stderr: Readable };

function start(args: readonly string[], env: NodeJS.ProcessEnv, options: RunOptions): [Output, Promise<number | null>] {
  // What launches processes is one itself: it gives them its signals.
  if (options.asProcess || options.whenStarted || args[0] === 'launch') {
    const child = spawn(process.execPath, [main, ...args], { env });
    options.whenStarted?.(child);
    return [child, once(child, 'close').then(([code]) => code as number | null)];
  }
  const thread = new Worker(main, { argv: [...args], env, execArgv: [], stdout: true, stderr: true });
  const ends = [once(thread, 'exit'), finished(thread.stdout), finished(thread.stderr)] as const;
  return [thread, Promise.all(ends).then(([[code]]) => code as number)];
}

/**
 * Runs again what is to be interrupted at a moment that was over before this process had its turn.
 * @param run - is told the number of its try
 */
export async function interrupted(
  run: (attempt: number) => Promise<Outcome>,
  wasLate: (outcome: Outcome) => boolean,
): Promise<Outcome> {
  for (let attempt = 1; ; attempt++) {
    const outcome = await run(attempt);
    if (attempt === 4 || !wasLate(outcome)) return outcome;
  }
}

/** The last line of stdout, which `--json` promises to be one object. */
export function lastJson({ stdout }: Outcome): Record<string, unknown> {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Record<string, unknown>;
}

export function temporaryFolder(): { path: string; at(name: string): string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'headrace-cli-'));
  return { path, at: (name) => join(path, name), remove: () => rmSync(path, { recursive: true, force: true }) };
}
