// The demonstration behind `npm run demo`: one small ResNet on 8,000 real handwritten digits, trained four ways.
//
//   bp          ordinary backprop, one worker
//   sequential  local learning, its two stages in turns on one worker
//   ppll        the same stages on a worker each: the same weights, bit for bit, in about half the time
//   1f1b        a backprop pipeline of two stages, four microbatches a batch
//
// Every worker has one thread. Options: --epochs N (default 3), --model NAME (resnet20), --json.

import { parseArgs } from 'node:util';
import {
  chooseCut,
  Progress,
  type RunConfig,
  type RunResult,
  runDefaults,
  type ScheduleName,
  Trainer,
} from 'headrace/pipeline';
import { loadDataset, recipe, visionModelRef } from 'headrace/vision';

const { values } = parseArgs({
  options: {
    epochs: { type: 'string', default: '3' },
    model: { type: 'string', default: 'resnet20' },
    json: { type: 'boolean', default: false },
  },
});
const epochs = Number(values.epochs);

const digits = await loadDataset('mnist');
const [channels, ...imageSize] = digits.inputShape;
const classes = digits.classes.length;
const base: RunConfig = {
  ...runDefaults,
  ...recipe(values.model, 'mnist', { epochs }),
  model: visionModelRef({ name: values.model, classes, channels, imageSize: imageSize as [number, number] }),
  modelName: values.model,
  data: { module: 'headrace/vision', export: 'loadDataset', options: { spec: 'mnist' } },
};

async function train(change: Partial<RunConfig> & { schedule: ScheduleName }): Promise<RunResult> {
  say(`\n${change.schedule}`);
  const run = new Trainer({ ...base, ...change });
  const progress = new Progress(process.stderr);
  try {
    for await (const event of run) progress.update(event);
  } finally {
    progress.finish();
  }
  return run.result;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function table(rows: readonly RunResult[]): string {
  const sequential = rows.find((row) => row.schedule === 'sequential')!;
  const header = ['schedule', 'workers', 'images/s', 'test accuracy', 'test loss', 'ratio to sequential'];
  const cells = rows.map((row) => [
    row.schedule,
    row.schedule === 'bp' || row.schedule === 'sequential' ? '1' : String(row.stages),
    row.samplesPerSecond!.toFixed(0),
    `${(row.metrics!.accuracy! * 100).toFixed(2)} %`,
    row.metrics!.loss!.toFixed(6),
    (row.samplesPerSecond! / sequential.samplesPerSecond!).toFixed(2),
  ]);
  const widths = header.map((_, column) => Math.max(...[header, ...cells].map((row) => row[column]!.length)));
  const line = (row: string[]): string =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ');
  return [header, ...cells].map(line).join('\n');
}

const { train: training, test } = digits;
say(
  `${values.model} on ${training.length} handwritten digits, ${epochs} epochs; ${test.length} held-out digits to test.`,
);
say('Measuring the layers, to cut the model into two equal stages ...');
const cut = await chooseCut(base);
say(`Cut after layer ${cut.join(', ')}.`);

const rows = [
  await train({ schedule: 'bp' }),
  await train({ schedule: 'sequential', cut }),
  await train({ schedule: 'ppll', cut }),
  await train({ schedule: '1f1b', microbatches: 4 }),
];
const [, sequential, ppll] = rows as [RunResult, RunResult, RunResult, RunResult];
const equal = JSON.stringify(sequential.metrics) === JSON.stringify(ppll.metrics);
process.stdout.write(`\n${table(rows)}\n\n`);
process.stdout.write(
  equal
    ? 'sequential and ppll end with the same test loss, to the last bit: the pipeline changes the speed and nothing else.\n'
    : 'sequential and ppll differ, which they must not: please report it.\n',
);
if (values.json) process.stdout.write(`${JSON.stringify({ cut, results: rows })}\n`);
if (!equal) process.exitCode = 1;
