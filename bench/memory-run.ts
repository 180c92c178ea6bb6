/** Trains for some steps in a process of its own and prints the most memory that the process ever held, in bytes. */
import { type ScheduleName, Trainer } from 'headrace/pipeline';
import { type ModelName, randomRun } from './models.js';
import { peakBytes } from './peak.js';

const [model, schedule, steps] = process.argv.slice(2) as [ModelName, ScheduleName, string];
const microbatches = schedule === 'gpipe' || schedule === '1f1b' ? 4 : 1;
const cut = schedule === 'bp' ? [] : { resnet32: [7], 'vit-tiny-p4': [6] }[model];
await new Trainer(randomRun(model, { schedule, microbatches, steps: Number(steps), cut, evaluation: false })).result;
process.stdout.write(`${peakBytes()}\n`);
