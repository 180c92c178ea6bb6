/** Trains for some steps in a process of its own and prints the most memory that the process ever held, in bytes. */
import { existsSync, readFileSync } from 'node:fs';
import { type ScheduleName, Trainer } from 'headrace/pipeline';
import { type ModelName, randomRun } from './models.js';

const [model, schedule, steps] = process.argv.slice(2) as [ModelName, ScheduleName, string];
const microbatches = schedule === 'gpipe' || schedule === '1f1b' ? 4 : 1;
const cut = schedule === 'bp' ? [] : { resnet32: [7], 'vit-tiny-p4': [6] }[model];
await new Trainer(randomRun(model, { schedule, microbatches, steps: Number(steps), cut, evaluation: false })).result;
process.stdout.write(`${peakBytes()}\n`);

// What getrusage tells begins with the parent's memory at the fork; the kernel's own mark is of this program alone.
function peakBytes(): number {
  const mark = existsSync('/proc/self/status') && /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'));
  return 1024 * (mark ? Number(mark[1]) : process.resourceUsage().maxRSS);
}
