/** Branches of a sentiment model that learn by their own losses: each on its thread against all in turns. */
import { type BranchTimes, prepareData, SeedTrainer, type SentimentConfig, sentimentRecipe } from 'headrace/sentiment';
import { setNumThreads } from 'headrace/torch';
import { interleave, type Side } from './interleave.js';
import { median, type PartOptions, type PartResult, type Row, ratio, row } from './results.js';
import { COUNT, randomUtterances } from './utterances.js';

/** Texts of MOSI's length under the recipe's small encoder; audio and vision as long as in MMSA's unaligned file of MOSI. */
const sizes = { words: [4, 20], audio: { dims: 5, longest: 375 }, vision: { dims: 20, longest: 500 } } as const;
const schedules = ['sequential', 'ppll'] as const;
type Times = Readonly<Record<string, BranchTimes>>;

export async function branchesPart({ rounds, quick, turn }: PartOptions): Promise<PartResult> {
  setNumThreads(1);
  // The first epoch does not count: threads start, heaps grow.
  const epochs = quick ? 2 : 4;
  const config: SentimentConfig = {
    ...sentimentRecipe('self-mm', { modalities: ['text', 'audio', 'vision'] }),
    threads: 1,
    maxEpochs: epochs,
    patience: epochs,
  };
  const prepared = prepareData(config, randomUtterances(sizes));
  const times = new Map<string, Times>();
  const sides = schedules.map((schedule): [string, Side] => [
    schedule,
    async () => {
      const onTimes = (found: Times): void => void times.set(schedule, found);
      const speeds: number[] = [];
      const onEpoch = ({ utterancesPerSecond }: { utterancesPerSecond: number }): void =>
        void speeds.push(utterancesPerSecond);
      await new SeedTrainer({ ...config, schedule }, prepared, 1, { onTimes }).run({ onEpoch });
      return median(speeds.slice(1));
    },
  ]);
  const found = await interleave('branches', 'utterances/s', new Map(sides), rounds, turn);
  const rows: Row[] = [...found].map(([label, speeds]) => row(`self-mm, ${label}`, 'utterances/s', speeds));
  rows.push(ratio('self-mm, ppll / sequential', found.get('ppll')!, found.get('sequential')!, { least: 1.4 }));
  const notes = [
    `${COUNT} utterances of random words and features, batches of ${config.batchSize}; ${epochs - 1} epochs timed in a turn.`,
    bound(times.get('sequential')!),
    ...schedules.map((schedule) => `${schedule}, seconds of the last epoch: ${spell(times.get(schedule)!)}.`),
  ];
  const settings = { sizes, threads: 1, epochs, times: Object.fromEntries(times) };
  return { title: 'Branches of a sentiment model: each on its thread of one core', settings, rows, notes };
}

/** No schedule of whole branches is faster than the busiest of them. */
function bound(times: Times): string {
  const [name, { busyMs }] = Object.entries(times).reduce((a, b) => (b[1].busyMs > a[1].busyMs ? b : a));
  const total = Object.values(times).reduce((sum, time) => sum + time.busyMs, 0);
  return (
    `The branches are uneven: ${name} is ${((100 * busyMs) / total).toFixed(0)} % of the work in turns, so threads of whole ` +
    `branches come to ${(total / busyMs).toFixed(2)} times at most, and to the number of cores at most.`
  );
}

function spell(times: Times): string {
  const seconds = (ms: number): string => (ms / 1000).toFixed(2);
  return Object.entries(times)
    .map(([name, { busyMs, waitMs }]) => `${name} busy ${seconds(busyMs)}, waiting ${seconds(waitMs)}`)
    .join('; ');
}
