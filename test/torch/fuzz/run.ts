/**
 * Calls every operator with random arguments, in child processes, and lists the calls that ended one.
 * Usage: node build/test/torch/fuzz/run.js [ROUNDS [SEED [PATTERN]]]
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('./child.js', import.meta.url));
/** However busy the machine is, no call takes so long, nor the start of a child. */
const SILENT_MS = 120_000;

/** Runs a child until it ends; kills it if one call takes too long. */
function runChild(log: string, args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [CHILD, log, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-2000);
  });
  const started = Date.now();
  const watch = setInterval(() => {
    const lastCall = Math.max(started, statSync(log, { throwIfNoEntry: false })?.mtimeMs ?? 0);
    if (Date.now() - lastCall > SILENT_MS) child.kill('SIGKILL');
  }, 1000);
  return new Promise((resolve) =>
    child.on('close', (code, signal) => {
      clearInterval(watch);
      resolve(signal ?? (code === 0 ? '' : `code ${code}: ${errors}`));
    }),
  );
}

export interface Crash {
  readonly call: string;
  readonly how: string;
}

/** @returns the calls that ended a process, one for each operator */
export async function fuzz(rounds: number, seed: number, pattern = ''): Promise<Crash[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'fuzz-'));
  const log = path.join(folder, 'call');
  const crashes: Crash[] = [];
  try {
    for (let first = 0; ; ) {
      const how = await runChild(log, [first, rounds, seed, pattern].map(String));
      const text = readFileSync(log, 'utf8').trim();
      if (text === 'done') return crashes;
      const [, index, call] = /^(\d+) (.*)$/s.exec(text) ?? [];
      if (index === undefined || call === undefined) throw new Error(`a child ended before its first call: ${how}`);
      crashes.push({ call, how });
      first = Number(index) + 1;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , rounds = '20', seed = '1', pattern = ''] = process.argv;
  for (const { call, how } of await fuzz(Number(rounds), Number(seed), pattern)) console.log(`${how}: ${call}`);
}
