/**
 * A rank of the benchmark: `border FLOATS MESSAGES ROUNDS` sends messages from rank 0 to rank 1, `train STEPS` trains ResNet-32 in
 * two stages. Rank 0 prints what it measured, as JSON.
 */
import { ProcessGroup, type RankChannel, readLaunch } from 'headrace/distributed';
import { overRanks, Trainer } from 'headrace/pipeline';
import { ones, scope, setNumThreads } from 'headrace/torch';
import { randomRun } from './models.js';

/** Of messages under way: as many as Gloo's peer has, with four receives posted at one end and four sends begun at the other. */
const CAPACITY = 8;

setNumThreads(1);
const [what, ...given] = process.argv.slice(2) as [string, ...string[]];
const numbers = given.map(Number) as [number, number, number];
const launch = readLaunch(process.env);
const group = launch && ProcessGroup.join(launch);

/** Seconds a message, round by round: each ends when the other side has taken all. */
function border([floats, messages, rounds]: [number, number, number], { rank, ...ends }: Ends): number[] {
  const sent = ones([floats]);
  const seconds: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    for (let i = 0; i < messages; i++) {
      if (rank === 0) ends.there.put({ meta: i, tensors: [sent] });
      else scope(() => void ends.there.get());
    }
    if (rank === 0) scope(() => void ends.back.get());
    else ends.back.put({ meta: null, tensors: [] });
    seconds.push((performance.now() - start) / 1000 / messages);
  }
  return seconds;
}

interface Ends {
  readonly rank: number;
  readonly there: RankChannel;
  readonly back: RankChannel;
}

function endsOf(ranks: ProcessGroup): Ends {
  const { rank } = ranks;
  const [there, back] = [0, 1].map((number) =>
    rank === number
      ? ranks.channelTo(1 - rank, { number, capacity: CAPACITY })
      : ranks.channelFrom(1 - rank, { number, capacity: CAPACITY }),
  ) as [RankChannel, RankChannel];
  return { rank, there, back };
}

async function train(steps: number): Promise<number | null> {
  const run = new Trainer(randomRun('resnet32', { schedule: 'ppll', steps, cut: [7], evaluation: false }), { group });
  return (await run.result).samplesPerSecond;
}

const say = (found: unknown): void => void process.stdout.write(JSON.stringify(found));
if (what === 'border') {
  const found = border(numbers, endsOf(group!));
  group!.close();
  if (group!.rank === 0) say(found);
} else if (group) await overRanks(group, async () => say(await train(numbers[0])));
else say(await train(numbers[0]));
