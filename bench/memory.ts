/** The most memory that a training process holds: all its threads, Node and libtorch together. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ScheduleName } from 'headrace/pipeline';
import type { ModelName } from './models.js';
import { Turns } from './progress.js';
import { runRanks } from './rank-processes.js';
import { type PartOptions, type PartResult, type Row, ratio, row } from './results.js';

const program = fileURLToPath(new URL('./memory-run.js', import.meta.url));

interface Variant {
  readonly model: ModelName;
  readonly schedule: ScheduleName;
  readonly stages: number;
  /** Processes that share the stages. */
  readonly ranks?: number;
}

const variants: readonly Variant[] = [
  { model: 'resnet32', schedule: 'bp', stages: 1 },
  { model: 'resnet32', schedule: 'sequential', stages: 2 },
  { model: 'resnet32', schedule: 'ppll', stages: 2 },
  { model: 'resnet32', schedule: 'ppll', stages: 4 },
  { model: 'resnet32', schedule: '1f1b', stages: 2 },
  { model: 'resnet32', schedule: 'ppll', stages: 2, ranks: 2 },
  { model: 'vit-tiny-p4', schedule: 'bp', stages: 1 },
  { model: 'vit-tiny-p4', schedule: 'ppll', stages: 2 },
  { model: 'vit-tiny-p4', schedule: 'ppll', stages: 4 },
  { model: 'vit-tiny-p4', schedule: 'ppll', stages: 2, ranks: 2 },
];

const nameOf = ({ model, schedule, stages, ranks = 1 }: Variant): string =>
  `${model}, ${schedule}${stages > 1 ? `, ${stages} stages` : ''}${ranks > 1 ? `, ${ranks} processes` : ''}`;

/** MiB of each process. */
async function run({ model, schedule, stages, ranks = 1 }: Variant, steps: number): Promise<number[]> {
  const args = [program, model, schedule, String(stages), String(steps)];
  const said =
    ranks > 1
      ? await runRanks(ranks, process.execPath, args)
      : [(await promisify(execFile)(process.execPath, args)).stdout];
  return said.map((text) => Number(text) / 2 ** 20);
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

export async function memoryPart({ rounds, quick, models }: PartOptions): Promise<PartResult> {
  const chosen = variants.filter(({ model }) => models.includes(model));
  const turns = new Turns('memory', rounds * chosen.length);
  const found = new Map(chosen.map((variant) => [variant, [] as number[][]]));
  for (let round = 0; round < rounds; round++) {
    for (const variant of chosen) {
      const steps = quick ? 3 : variant.model === 'resnet32' ? 20 : 8;
      const mebibytes = await run(variant, steps);
      found.get(variant)!.push(mebibytes);
      turns.done(`${nameOf(variant)}  ${mebibytes.map((value) => value.toFixed(0)).join(' + ')} MiB`);
    }
  }
  return {
    title: 'Peak resident memory of training',
    settings: { batch: 128, models: models.join(', ') },
    rows: chosen.flatMap((variant) => rowsOf(variant, found)),
    notes: [
      'Batch 128, one thread a stage; 1f1b with 4 microbatches. Of several processes the sum, in which the pages of Node and ' +
        'libtorch that they share (some 150 MiB) count once for each, and the largest.',
    ],
  };
}

function rowsOf(variant: Variant, found: ReadonlyMap<Variant, readonly number[][]>): Row[] {
  const [base] = [...found].find(([{ model, schedule }]) => model === variant.model && schedule === 'bp')!.slice(1) as [
    readonly number[][],
  ];
  const [own, bp] = [found.get(variant)!, base.map(sum)];
  const name = nameOf(variant);
  const rows = [row(name, 'MiB', own.map(sum))];
  if (variant.schedule !== 'ppll') return rows;
  rows.push(ratio(`${name} / bp`, own.map(sum), bp, { most: 1 }));
  if (variant.ranks) {
    const largest = own.map((each) => Math.max(...each));
    rows.push(
      row(`${name}, the largest`, 'MiB', largest),
      ratio(`${name}, the largest / bp`, largest, bp, { most: 0.55 }),
    );
  }
  return rows;
}
