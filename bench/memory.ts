/** The most memory that a training process holds: all its threads, Node and libtorch together. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Turns } from './progress.js';
import { type PartOptions, type PartResult, row } from './results.js';

const program = fileURLToPath(new URL('./memory-run.js', import.meta.url));
const schedules = ['bp', 'sequential', 'ppll', '1f1b'] as const;

export async function memoryPart({ rounds, quick }: PartOptions): Promise<PartResult> {
  const steps = quick ? 3 : 20;
  const found = new Map(schedules.map((schedule) => [schedule, [] as number[]]));
  const turns = new Turns('memory', rounds * schedules.length);
  for (let round = 0; round < rounds; round++) {
    for (const schedule of schedules) {
      const run = promisify(execFile)(process.execPath, [program, 'resnet32', schedule, String(steps)]);
      const mebibytes = Number((await run).stdout) / 2 ** 20;
      found.get(schedule)!.push(mebibytes);
      turns.done(`${schedule}  ${mebibytes.toFixed(0)} MiB`);
    }
  }
  return {
    title: 'Peak resident memory of a training process',
    settings: { model: 'resnet32', batch: 128, stages: 2, steps },
    rows: [...found].map(([schedule, values]) => row(`resnet32, ${schedule}`, 'MiB', values)),
    notes: ['Two stages (one for bp), batch 128; 1f1b with 4 microbatches. Freed memory is kept for the next step.'],
  };
}
