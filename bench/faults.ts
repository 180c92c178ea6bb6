/** Random faults in runs over ranks: each run is to end with the weights of one that had none. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drawFaults, type Fault, type FaultedOptions, main, readWhole, runFaulted } from './faulted.js';
import { Network } from './network.js';
import { Turns } from './progress.js';
import { median, type PartOptions, type PartResult, row } from './results.js';

const FAULTS = 5;
/** Three rounds give 210 faults. */
const RUNS = 14;
const RANKS = 2;
const STEPS = 60;
/** The time-out of a second, the second that ranks have to say why they end, what it takes to end them, and a link's 3 s. */
const LONGEST_S = 12;

const size = ['--limit', '24', '--batch', '8', '--stages', '2', '--cut', '8', '--steps', String(STEPS)];
const words = (out: string): string[] => [
  ...['train', 'resnet20', '--data', 'mnist', ...size, '--threads', '1', '--eval-every', '0'],
  ...['--checkpoint-every', '1', '--out', out],
];

export async function faultsPart({ rounds, quick }: PartOptions): Promise<PartResult> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-faults-'));
  const network = await Network.open();
  try {
    const alone = join(folder, 'alone');
    execFileSync(process.execPath, [main, ...words(alone)], { stdio: 'ignore' });
    const weights = readWhole(alone);
    const found = [];
    const runs = quick ? 2 : rounds * RUNS;
    const turns = new Turns('faults', runs);
    for (let seed = 1; seed <= runs; seed++) {
      const out = join(folder, String(seed));
      const run = { ranks: RANKS, steps: STEPS - 15, lastMs: 600, links: network !== null };
      const recovery = seed % 2 === 0 ? 'stage' : 'all';
      found.push(await disturbed(out, drawFaults(seed, FAULTS, run), weights, { network, recovery }));
      rmSync(out, { recursive: true, force: true });
      turns.done(`${found.at(-1)!.waits.length} faults`);
    }
    return summary(found, network !== null);
  } finally {
    network?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Found {
  readonly waits: readonly number[];
  readonly wrong: boolean;
  readonly left: number;
}

async function disturbed(
  out: string,
  faults: readonly Fault[],
  weights: ReadonlyMap<string, Uint8Array>,
  options: Pick<FaultedOptions, 'network' | 'recovery'>,
): Promise<Found> {
  const { code, stderr, waits, left } = await runFaulted(words(out), out, RANKS, faults, options);
  if (code !== 0)
    throw new Error(
      `a run with the faults ${JSON.stringify(faults)}, recovery ${options.recovery}, ended with ${code}:\n${stderr}`,
    );
  const state = readWhole(out);
  const wrong =
    state.size !== weights.size ||
    [...weights].some(([key, value]) => Buffer.compare(state.get(key) ?? new Uint8Array(), value) !== 0);
  return { waits, wrong, left: left.length };
}

function summary(found: readonly Found[], links: boolean): PartResult {
  const seconds = found.flatMap(({ waits }) => waits.map((ms) => ms / 1000));
  return {
    title: 'Random faults in runs over two ranks',
    settings: { model: 'resnet20', ranks: RANKS, steps: STEPS, faults: FAULTS, timeoutSeconds: 1 },
    rows: [
      row('faults', '', [seconds.length]),
      row('runs that ended with other weights', '', [found.filter(({ wrong }) => wrong).length], { most: 0 }),
      row('processes left behind', '', [found.reduce((sum, { left }) => sum + left, 0)], { most: 0 }),
      row('from a fault to its end, longest', 's', [Math.max(...seconds)], { most: LONGEST_S }),
      row('from a fault to its end, median', 's', [median(seconds)]),
    ],
    notes: [
      `SIGKILL or SIGSTOP of a random rank${links ? ', or its link down for 3 s,' : ''} at a random moment, ${FAULTS} in each run of ${STEPS} steps with a checkpoint after ` +
        'each; every second run recovers by stage. Its end is the next start of its rank, or the next checkpoint where a link was ' +
        'cut and ranks are started one by one; the checkpoint is read whole then. Faults that come after the end of their run are ' +
        'not counted.',
    ],
  };
}
