/** Loops with scopes and without: what the collector's care costs, and how much memory it lets pile up. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Turns } from './progress.js';
import { type PartOptions, type PartResult, type Row, row } from './results.js';

const loops = ['training', 'requests', 'loader'] as const;
export type Loop = (typeof loops)[number];

/** Of one run: the mean seconds of a turn, and the most bytes that its process ever held. */
export interface LoopResult {
  readonly seconds: number;
  readonly peak: number;
}

const program = fileURLToPath(new URL('./scopes-run.js', import.meta.url));
const turnsOf: Readonly<Record<Loop, number>> = { training: 1000, requests: 1000, loader: 6 };

async function run(loop: Loop, turns: number, scoped: boolean): Promise<LoopResult> {
  const args = [program, loop, String(turns), scoped ? 'scoped' : 'unscoped'];
  return JSON.parse((await promisify(execFile)(process.execPath, args)).stdout) as LoopResult;
}

export async function scopesPart({ rounds, quick, turn }: PartOptions): Promise<PartResult> {
  const progress = new Turns('scopes', rounds * loops.length);
  const found = new Map(loops.map((loop) => [loop, { scoped: [] as LoopResult[], unscoped: [] as LoopResult[] }]));
  for (let round = 0; round < rounds; round++) {
    for (const loop of loops) {
      const turns = quick ? Math.ceil(turnsOf[loop] / 50) : turnsOf[loop];
      const scoped = await turn(() => run(loop, turns, true));
      const unscoped = await turn(() => run(loop, turns, false));
      found.get(loop)!.scoped.push(scoped);
      found.get(loop)!.unscoped.push(unscoped);
      progress.done(`${loop}  ${(unscoped.peak / 2 ** 20).toFixed(0)} MiB without scopes`);
    }
  }
  return {
    title: 'Loops with and without scopes',
    settings: { threads: 1, turns: quick ? null : turnsOf },
    rows: [...found].flatMap(([loop, { scoped, unscoped }]): Row[] => [
      row(
        `${loop}, scoped`,
        'ms',
        scoped.map(({ seconds }) => 1000 * seconds),
      ),
      row(
        `${loop}, speed unscoped / scoped`,
        'x',
        unscoped.map(({ seconds }, i) => scoped[i]!.seconds / seconds),
      ),
      row(
        `${loop}, peak memory, scoped`,
        'MiB',
        scoped.map(({ peak }) => peak / 2 ** 20),
      ),
      row(
        `${loop}, peak memory, unscoped`,
        'MiB',
        unscoped.map(({ peak }) => peak / 2 ** 20),
        { most: 600 },
      ),
    ]),
    notes: [
      'Training: a step of an MLP 512-1024-1024-1, 64 rows, SGD. Requests: four at once, each 16 rows through that MLP with an ' +
        'await between. Loader: an epoch of 20,000 grey images of 64 x 64, as its own documentation loops over it.',
    ],
  };
}
