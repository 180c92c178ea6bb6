/** What faults cost where a killed rank is started again alone: two kills a minute, beside runs without any. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventsPath, readEvents } from 'headrace/pipeline';
import { Generator, randint, scope } from 'headrace/torch';
import { launchRanks, ranksOf } from './faulted.js';
import { Turns } from './progress.js';
import { type PartOptions, type PartResult, ratio, row } from './results.js';

const RANKS = 2;
/** Of a round, in each of its two runs. */
const SECONDS = 60;
const EVERY_SECONDS = 30;
const CHECKPOINT_EVERY = 10;
/** Steps of the last stage before the clock starts. */
const WARM_UP = 2 * CHECKPOINT_EVERY;

const words = (out: string): string[] => [
  ...[
    'train',
    'resnet20',
    '--data',
    'mnist',
    '--limit',
    '2048',
    '--batch',
    '64',
    '--stages',
    String(RANKS),
    '--cut',
    '8',
  ],
  ...[
    '--epochs',
    '100000',
    '--threads',
    '1',
    '--eval-every',
    '0',
    '--checkpoint-every',
    String(CHECKPOINT_EVERY),
    '--out',
    out,
  ],
];

export async function recoveryPart({ rounds, quick, turn }: PartOptions): Promise<PartResult> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-recovery-'));
  const [length, every] = quick ? [20, 20] : [SECONDS, EVERY_SECONDS];
  const speeds: { calm: number[]; disturbed: number[] } = { calm: [], disturbed: [] };
  let faults = 0;
  try {
    const turns = new Turns('recovery', 2 * rounds);
    for (let round = 0; round < rounds; round++) {
      for (const kind of round % 2 === 0 ? (['calm', 'disturbed'] as const) : (['disturbed', 'calm'] as const)) {
        const out = join(folder, `${round}-${kind}`);
        const kills = kind === 'calm' ? [] : moments(round, length, every);
        const measure = (): Promise<number> => {
          rmSync(out, { recursive: true, force: true }); // a turn that was disturbed is taken again
          return stepsPerSecond(out, length, kills);
        };
        speeds[kind].push(await turn(measure));
        faults += kills.length;
        turns.done(`${kind}: ${speeds[kind].at(-1)!.toFixed(2)} steps/s`);
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return {
    title: 'Ranks that are killed and started again alone',
    settings: { model: 'resnet20', ranks: RANKS, batch: 64, checkpointEvery: CHECKPOINT_EVERY, secondsOfARun: length },
    rows: [
      row('kills', '', [faults]),
      row('steps a second without faults', '1/s', speeds.calm),
      row('steps a second with two kills a minute', '1/s', speeds.disturbed),
      ratio('with kills / without', speeds.disturbed, speeds.calm, { least: 0.95 }),
    ],
    notes: [
      `SIGKILL of a random rank at a random moment of each ${every} s, by --recovery stage. 30 rounds are 60 faults in 30 minutes.`,
    ],
  };
}

interface Kill {
  readonly rank: number;
  /** Seconds from the start of the clock. */
  readonly at: number;
}

function moments(seed: number, length: number, every: number): Kill[] {
  const generator = new Generator(seed + 1);
  const whole = (below: number): number => scope(() => randint(0, below, [1], { generator }).item());
  return Array.from({ length: length / every }, (_, i) => ({
    rank: whole(RANKS),
    at: i * every + whole(1000 * every) / 1000,
  }));
}

/** Of the last stage. A step that is done again is progress only once. */
async function stepsPerSecond(out: string, length: number, kills: readonly Kill[]): Promise<number> {
  const run = launchRanks(words(out), RANKS, { restarts: kills.length + 1, recovery: 'stage' });
  const ended = new Promise<void>((resolve) => run.on('close', () => resolve()));
  try {
    while (reached(out) < WARM_UP) {
      if (run.exitCode !== null) throw new Error(`the run ended with ${run.exitCode} before its clock started`);
      await sleep(200);
    }
    const start = Date.now();
    for (const { rank, at } of kills) {
      await sleep(Math.max(0, start + 1000 * at - Date.now()));
      const pid = ranksOf(run.pid!).get(rank);
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
    }
    await sleep(Math.max(0, start + 1000 * length - Date.now()));
    const end = Date.now();
    await sleep(2000); // events are written once a second
    return (reached(out, end) - reached(out, start)) / ((end - start) / 1000);
  } finally {
    for (const pid of ranksOf(run.pid!).values()) process.kill(pid, 'SIGTERM');
    run.kill('SIGTERM');
    await ended;
  }
}

/** The last step of the last stage, up to a time. */
function reached(out: string, until = Number.POSITIVE_INFINITY): number {
  const path = eventsPath(out, RANKS - 1);
  if (!existsSync(path)) return 0;
  return readEvents(path).reduce(
    (most, each) => (each.type === 'step' && each.time <= until ? Math.max(most, each.step) : most),
    0,
  );
}
