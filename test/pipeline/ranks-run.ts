// A run of the fixture over ranks: node ranks-run.js CHANGE. Rank 0 says how it ended, as a line of JSON.
import { ProcessGroup, readLaunch } from 'headrace/distributed';
import { overRanks, type RunConfig, type RunEvent, Trainer } from 'headrace/pipeline';
import type { StageError } from 'headrace/torch';
import { config } from './fixture.js';

// Where another rank fails, this one says why before it goes, as headrace's verbs do: the launcher gives it 6 s.
process.on('SIGTERM', () => {});

const group = ProcessGroup.join(readLaunch(process.env)!);
const {
  resume = group.starts > 1 ? 'auto' : false,
  apart,
  ...change
} = JSON.parse(process.argv[2]!) as Partial<RunConfig> & {
  resume?: boolean;
  apart?: boolean;
};

async function lead(): Promise<object> {
  const run = new Trainer(config(change), { resume, group });
  const events: RunEvent[] = [];
  try {
    for await (const event of run) events.push(event);
    return { events, result: await run.result };
  } catch (error) {
    process.exitCode = 1;
    const { name, message, stage } = error as StageError;
    return { name, message, stage };
  }
}

const options = apart ? { sharedFolder: false } : {};
const whole = await overRanks(group, async () => console.log(JSON.stringify(await lead())), options);
if (!whole) process.exitCode = 1;
