/** Schedules against each other: two stages of one thread, random images of CIFAR-10's form, batch 128. */
import { compare, type Variant } from 'headrace/pipeline';
import { type ModelName, randomRun } from './models.js';
import { Turns } from './progress.js';
import { type PartOptions, type PartResult, type Row, ratio, row, type Target } from './results.js';

const variants: readonly Variant[] = [
  { label: 'sequential', schedule: 'sequential' },
  { label: 'ppll', schedule: 'ppll' },
  { label: '1f1b, 4 microbatches', schedule: '1f1b', microbatches: 4 },
  { label: '1f1b, 8 microbatches', schedule: '1f1b', microbatches: 8 },
  { label: 'gpipe, 4 microbatches', schedule: 'gpipe', microbatches: 4 },
  { label: 'bp', schedule: 'bp' },
  { label: 'ppll, bfloat16', schedule: 'ppll', compute: 'bfloat16' },
  { label: 'sequential, dgl heads', schedule: 'sequential', head: { kind: 'dgl' } },
  { label: 'ppll, dgl heads', schedule: 'ppll', head: { kind: 'dgl' } },
];

const targets: readonly (readonly [string, string, Target?])[] = [
  ['ppll', 'sequential', { least: 1.85 }],
  ['ppll', '1f1b, 4 microbatches', { least: 1.15 }],
  ['ppll', '1f1b, 8 microbatches', { least: 1 }],
  ['ppll', 'gpipe, 4 microbatches'],
  ['ppll', 'bp'],
  ['ppll, bfloat16', 'ppll'],
  ['ppll, dgl heads', 'sequential, dgl heads', { least: 1.85 }],
  ['ppll, dgl heads', '1f1b, 4 microbatches', { least: 1.15 }],
  ['ppll, dgl heads', '1f1b, 8 microbatches', { least: 1 }],
];

/** Steps that are timed in a turn: some ten seconds of ppll, for it to be steady. */
const stepsOf: Readonly<Record<ModelName, number>> = { resnet32: 30, 'vit-tiny-p4': 6 };

export async function pipelinePart({ rounds, quick, models, turn }: PartOptions): Promise<PartResult> {
  const rows: Row[] = [];
  const notes: string[] = [];
  const settings: Record<string, unknown> = { stages: 2, threads: 1, batch: 128 };
  for (const model of models) {
    const base = randomRun(model);
    const turns = new Turns(`pipeline ${model}`, rounds * variants.length);
    const steps = quick ? 2 : stepsOf[model];
    const { results } = await compare(base, {
      schedules: variants,
      steps,
      rounds,
      warmUp: quick ? 1 : 3,
      turn,
      onRound: (label, _, speed) => turns.done(`${label}  ${speed.toFixed(1)} images/s`),
    });
    for (const { label } of variants) rows.push(row(`${model}, ${label}`, 'images/s', results[label]!.rounds));
    for (const [a, b, target] of targets) {
      rows.push(ratio(`${model}, ${a} / ${b}`, results[a]!.rounds, results[b]!.rounds, target));
    }
    const { kind, depth } = base.head;
    const cuts = variants.map(({ label }) => `${label} [${results[label]!.cut}]`).join('; ');
    notes.push(
      `${model}: head ${kind}, depth ${depth}, where no other is named; ${steps} steps timed in a turn. Cut after layer: ${cuts}.`,
    );
    settings[model] = { steps, head: base.head, cuts: Object.fromEntries(cutsOf(results)) };
  }
  return { title: 'Pipelines: two stages of one thread, batch 128', settings, rows, notes };
}

function cutsOf(results: Readonly<Record<string, { cut: readonly number[] }>>): [string, readonly number[]][] {
  return Object.entries(results).map(([label, { cut }]) => [label, cut]);
}
