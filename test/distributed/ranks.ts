// Starts processes that are ranks of one run, on loopback.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { freePort, isAvailable } from 'headrace/distributed';

const program = fileURLToPath(new URL('./rank.js', import.meta.url));

/** Options of tests that need other ranks. */
export const needsGloo = { skip: isAvailable() ? false : 'the addon was built without Gloo' };

/** What a rank has said: a line of JSON each; and how it ended. */
export interface Outcome {
  readonly said: unknown[];
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly errors: string;
  readonly seconds: number;
}

export interface Rank {
  readonly child: ChildProcess;
  /** Resolves when it says `word`. @throws where it ends without */
  says(word: string): Promise<void>;
  readonly ended: Promise<Outcome>;
}

/** Runs the part `name` of rank.ts as one rank. @param on - what its command begins with, where it runs elsewhere */
export function startRank(
  name: string,
  rank: number,
  worldSize: number,
  port: number,
  env: object = {},
  on: readonly string[] = [],
): Rank {
  const variables = { RANK: rank, WORLD_SIZE: worldSize, MASTER_ADDR: '127.0.0.1', MASTER_PORT: port, ...env };
  const text = Object.fromEntries(Object.entries(variables).map(([key, value]) => [key, String(value)]));
  const start = performance.now();
  const line = [...on, process.execPath, program, name];
  const child = spawn(line[0]!, line.slice(1), {
    env: { ...process.env, OMP_NUM_THREADS: '1', ...text },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let [output, errors] = ['', ''];
  const listeners = new Set<() => void>();
  child.stdout.on('data', (chunk) => {
    output += chunk;
    for (const listener of listeners) listener();
  });
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const says = (word: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (output.includes(`"${word}"\n`)) resolve();
      };
      listeners.add(look);
      child.on('close', () => reject(new Error(`rank ${rank} ended before it said '${word}': ${output}${errors}`)));
      look();
    });
  const ended = new Promise<Outcome>((resolve) => {
    child.on('close', (code, signal) => {
      const lines = output
        .trim()
        .split('\n')
        .filter((line) => line !== '');
      const said = lines.map((line) => JSON.parse(line) as unknown);
      resolve({ said, code, signal, errors, seconds: (performance.now() - start) / 1000 });
    });
  });
  return { child, says, ended };
}

/** Lets ranks that stand at their start line begin, all at once: however long each took to get there. */
export async function begin(ranks: readonly Rank[]): Promise<void> {
  await Promise.all(ranks.map(({ says }) => says('ready')));
  for (const { child } of ranks) child.stdin!.end();
}

/** All ranks of a world, each to its end. @throws where one did not end well */
export async function runRanks(name: string, worldSize: number): Promise<unknown[][]> {
  const port = await freePort();
  const started = Array.from({ length: worldSize }, (_, rank) => startRank(name, rank, worldSize, port));
  const outcomes = await Promise.all(started.map(({ ended }) => ended));
  const failed = outcomes.find(({ code }) => code !== 0);
  if (failed !== undefined) throw new Error(`a rank ended with ${failed.code ?? failed.signal}: ${failed.errors}`);
  return outcomes.map(({ said }) => said);
}
