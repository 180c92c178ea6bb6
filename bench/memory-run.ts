/**
 * Trains for some steps in a process of its own, or as a rank of several, and prints the most memory that the process ever
 * held, in bytes: memory-run MODEL SCHEDULE STAGES STEPS.
 */
import { ProcessGroup, readLaunch } from 'headrace/distributed';
import { overRanks, type ScheduleName, Trainer } from 'headrace/pipeline';
import { type ModelName, randomRun } from './models.js';
import { peakBytes } from './peak.js';

const [model, schedule, stages, steps] = process.argv.slice(2) as [ModelName, ScheduleName, string, string];
const microbatches = schedule === 'gpipe' || schedule === '1f1b' ? 4 : 1;
const cuts: Readonly<Record<ModelName, Readonly<Record<string, number[]>>>> = {
  resnet32: { 1: [], 2: [7], 4: [3, 7, 11] },
  'vit-tiny-p4': { 1: [], 2: [6], 4: [3, 6, 9] },
};
const launch = readLaunch(process.env);
const group = launch && ProcessGroup.join(launch);

async function train(): Promise<void> {
  const shape = { schedule, microbatches, stages: Number(stages), cut: cuts[model][stages]! };
  await new Trainer(randomRun(model, { ...shape, steps: Number(steps), evaluation: false }), { group }).result;
}

await (group ? overRanks(group, train) : train());
process.stdout.write(`${peakBytes()}\n`);
