/** Borders between processes beside torch.distributed's Gloo, and a run over processes beside the same over threads. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Turns } from './progress.js';
import { findPython, NO_PYTHON } from './python.js';
import { runRanks } from './rank-processes.js';
import { median, type PartOptions, type PartResult, type Row, ratio, row } from './results.js';

const program = fileURLToPath(new URL('./ranks-run.js', import.meta.url));
const peer = fileURLToPath(new URL('../../bench/python/gloo.py', import.meta.url));

/** What a border carries: a message of one number, and the activations of a batch of 128 behind ResNet-32's seventh layer. */
const loads = [
  { what: 'a message of 4 bytes', floats: 1, messages: 2000 },
  { what: 'a message of 4 MiB', floats: 2 ** 20, messages: 100 },
] as const;

/** Rounds within a process: the first warm it up. */
const WITHIN = 4;

export async function ranksPart({ rounds, quick, turn }: PartOptions): Promise<PartResult> {
  const python = findPython();
  const steps = quick ? 4 : 40;
  const turns = new Turns('ranks', rounds * (2 * loads.length + 2));
  const found = new Map<string, number[]>();
  const measure = async (what: string, unit: string, run: () => Promise<number>): Promise<void> => {
    const value = await turn(run);
    found.set(what, [...(found.get(what) ?? []), value]);
    turns.done(`${what} ${value.toFixed(1)} ${unit}`);
  };
  for (let round = 0; round < rounds; round++) {
    for (const { what, floats, messages } of loads) {
      const args = [floats, quick ? 10 : messages, WITHIN].map(String);
      const micros = async (command: string, before: readonly string[]): Promise<number> =>
        1e6 * median((JSON.parse((await runRanks(2, command, [...before, ...args]))[0]!) as number[]).slice(1));
      await measure(`${what}, Headrace`, 'us', () => micros(process.execPath, [program, 'border']));
      if (python) await measure(`${what}, torch.distributed`, 'us', () => micros(python, [peer]));
    }
    await measure('ppll, two threads', 'images/s', async () => speedOf(await overThreads(steps)));
    const command = [program, 'train', String(steps)];
    await measure('ppll, two processes', 'images/s', async () =>
      speedOf((await runRanks(2, process.execPath, command))[0]!),
    );
  }
  const of = (what: string): number[] => found.get(what) ?? [];
  const rows = loads.flatMap(({ what }): Row[] => [
    row(`${what}, Headrace`, 'us', of(`${what}, Headrace`)),
    ...(python
      ? [
          row(`${what}, torch.distributed`, 'us', of(`${what}, torch.distributed`)),
          ratio(
            `${what}, speed of Headrace / torch.distributed`,
            of(`${what}, torch.distributed`),
            of(`${what}, Headrace`),
            {
              least: 0.9,
            },
          ),
        ]
      : []),
  ]);
  const [threads, processes] = [of('ppll, two threads'), of('ppll, two processes')];
  return {
    title: 'Ranks over loopback',
    settings: { model: 'resnet32', batch: 128, stages: 2, steps, threads: 1 },
    rows: [
      ...rows,
      row('ppll, two threads', 'images/s', threads),
      row('ppll, two processes', 'images/s', processes),
      ratio('ppll, speed of processes / threads', processes, threads, { least: 0.97 }),
    ],
    notes: [
      'One way, eight messages under way at most: a border that holds eight, beside four receives posted and four sends begun. ' +
        'A round ends when the other side has taken all. A message of Headrace has a header besides, with what the tensors are.',
      ...(python ? [] : [NO_PYTHON]),
    ],
  };
}

async function overThreads(steps: number): Promise<string> {
  return (await promisify(execFile)(process.execPath, [program, 'train', String(steps)])).stdout;
}

function speedOf(said: string): number {
  const speed = JSON.parse(said) as number | null;
  if (speed === null) throw new Error('the run was too short to tell its speed');
  return speed;
}
