// One rank of trainings by branches, one after the other, as the JSON of the first argument changes each. Rank 0 says what came of them.
import { ProcessGroup, readLaunch } from 'headrace/distributed';
import { nextRun, overRanks } from 'headrace/pipeline';
import { prepareData, type SeedOptions, SeedTrainer, type SentimentConfig } from 'headrace/sentiment';
import { smallConfig, smallData } from './train-support.js';

// Where another rank fails, this one says why before it goes, as headrace's verbs do: the launcher gives it 6 s.
process.on('SIGTERM', () => {});

const group = ProcessGroup.join(readLaunch(process.env)!);
const runs = JSON.parse(process.argv[2]!) as { change: Partial<SentimentConfig>; faults?: SeedOptions['faults'] }[];

const whole = await overRanks(group, async () => {
  for (const { change, faults } of runs) {
    const config = smallConfig('self-mm', { schedule: 'ppll', batchSize: 7, ...change });
    const options = { ranks: nextRun(group), ...(faults ? { faults } : {}) };
    const trainer = new SeedTrainer(config, prepareData(config, smallData()), 1, options);
    const result = await trainer.run();
    const weights = [...trainer.network.stateDict()].map(([key, value]) => [key, [...value.bytes()]]);
    console.log(JSON.stringify({ result, weights: Object.fromEntries(weights) }));
  }
});
if (!whole) process.exitCode = 1;
