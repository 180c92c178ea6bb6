/** A run over ranks that gets faults while it works, by the command line, as a user's would. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { loadSafetensors } from 'headrace/io';
import { Generator, randint, scope } from 'headrace/torch';
import type { Network } from './network.js';

export const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

const CUT_MS = 3000;

export interface Fault {
  /** `cut`: its link is down for {@link CUT_MS}. */
  readonly signal: 'SIGKILL' | 'SIGSTOP' | 'cut';
  readonly rank: number;
  /** It comes when the run's checkpoint is of this step, or later; 0: from the start of its round's processes. */
  readonly step: number;
  readonly afterMs: number;
}

/** Faults of random ranks at random moments of a run, in its order. */
export function drawFaults(
  seed: number,
  count: number,
  run: { ranks: number; steps: number; lastMs: number; links?: boolean },
): Fault[] {
  const kinds: readonly Fault['signal'][] = run.links ? ['SIGKILL', 'SIGSTOP', 'cut'] : ['SIGKILL', 'SIGSTOP'];
  const generator = new Generator(seed);
  const whole = (below: number): number => randint(0, below, [1], { generator }).item();
  return scope(() => {
    const steps = Array.from({ length: count }, () => whole(run.steps)).sort((a, b) => a - b);
    return steps.map((step) => ({
      signal: kinds[whole(kinds.length)]!,
      rank: whole(run.ranks),
      step,
      afterMs: whole(run.lastMs),
    }));
  });
}

export interface Faulted {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /**
   * Milliseconds from each fault to the next start of its rank, or to the end. Where ranks are started again one by one a link that was
   * cut may cost none of them its process: then until a checkpoint is whole that is later than the fault.
   */
  readonly waits: readonly number[];
  /** Of each fault: which ranks were other processes after it. */
  readonly replaced: readonly (readonly number[])[];
  /** Processes of ranks that were there at its end. */
  readonly left: readonly number[];
}

export interface FaultedOptions {
  /** Of two machines, with a rank and a launcher each; without it one launcher starts all. */
  readonly network?: Network | null;
  /** Who is started again. Default: all ranks. */
  readonly recovery?: 'all' | 'stage';
  /** Seconds of silence after which a rank is lost; 1 by default. */
  readonly patience?: number;
}

/** `headrace launch` on this machine, which says nothing. */
export function launchRanks(
  words: readonly string[],
  processes: number,
  { restarts, recovery }: { readonly restarts: number; readonly recovery: 'all' | 'stage' },
): ChildProcess {
  const flags = ['--processes', String(processes), '--restarts', String(restarts), '--recovery', recovery];
  const env = { ...process.env, OMP_NUM_THREADS: '1' };
  return spawn(process.execPath, [main, 'launch', '--standalone', ...flags, '--', ...words], { env, stdio: 'ignore' });
}

/** The processes of a launcher's ranks. */
export const ranksOf = (launcher: number): Map<number, number> => new Map(childrenOf(launcher).flatMap(rankOf));

/**
 * `headrace launch` with faults, one after the other; those that come after the run's end are left out. After each the checkpoint is
 * read whole.
 * @param words - what is launched, with `--out`
 */
export async function runFaulted(
  words: readonly string[],
  out: string,
  ranks: number,
  faults: readonly Fault[],
  { network = null, recovery = 'all', patience = 1 }: FaultedOptions = {},
): Promise<Faulted> {
  const launchers = (network === null ? [null] : [0, 1]).map((rank) => {
    const where = rank === null ? [] : network!.on(rank);
    const which = rank === null ? ['--standalone'] : ['--node', `${rank + 1}/2`, '--master', network!.master];
    // Where each machine restarts its own, a fault may end a rank twice.
    const restarts = faults.length * (rank === null ? 1 : 3);
    const many = ['--processes', String(rank === null ? ranks : 1), '--restarts', String(restarts)];
    const options = [...which, ...many, '--timeout', String(patience), '--recovery', recovery];
    const [file, ...rest] = [...where, process.execPath, main, 'launch', ...options, '--', ...words];
    return spawn(file!, rest, { env: { ...process.env, OMP_NUM_THREADS: '1' } });
  });
  let [stdout, stderr] = ['', ''];
  for (const child of launchers) {
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
  }
  const codes = Promise.all(
    launchers.map((child) => new Promise<number | null>((resolve) => child.on('close', resolve))),
  );
  try {
    const { pids, ...found } = await disturb({ launchers, codes, out, ranks, network, recovery }, faults);
    const code = (await codes).find((each) => each !== 0) ?? 0;
    return { code, stdout, stderr, ...found, left: pids.filter(isAlive) };
  } finally {
    for (const launcher of launchers) launcher.kill('SIGTERM'); // of a run whose checkpoint is broken
  }
}

interface Running {
  readonly launchers: readonly ChildProcess[];
  readonly codes: Promise<unknown>;
  readonly out: string;
  readonly ranks: number;
  readonly network: Network | null;
  readonly recovery: 'all' | 'stage';
}

async function disturb(
  run: Running,
  faults: readonly Fault[],
): Promise<{ waits: number[]; replaced: number[][]; pids: number[] }> {
  const waits: number[] = [];
  const replaced: number[][] = [];
  const pids = new Set<number>();
  let over = false;
  const end = run.codes.then(() => {
    over = true;
  });
  /** Waits for all ranks, after a fault until it is mended. */
  const started = async (mended: (found: ReadonlyMap<number, number>) => boolean = () => true) => {
    for (;;) {
      const found: ReadonlyMap<number, number> = new Map(run.launchers.flatMap(({ pid }) => [...ranksOf(pid!)]));
      if (over || (found.size === run.ranks && mended(found))) return found;
      await sleep(10);
    }
  };
  let found = await started();
  for (const fault of faults) {
    for (const pid of found.values()) pids.add(pid);
    while (!over && stepOf(run.out) < fault.step) await sleep(5);
    await Promise.race([sleep(fault.afterMs), end]);
    // A rank may just have ended by what came before.
    while (!over && !strike(fault, found.get(fault.rank)!, run.network)) found = await started();
    if (over) break;
    const [struck, before, step] = [performance.now(), found, stepOf(run.out)];
    const isNew = (now: ReadonlyMap<number, number>): boolean => now.get(fault.rank) !== before.get(fault.rank);
    const goesOn = (): boolean => performance.now() - struck > CUT_MS && stepOf(run.out) > step + 1;
    found = await started(fault.signal === 'cut' && run.recovery === 'stage' ? goesOn : isNew);
    waits.push(performance.now() - struck);
    replaced.push([...found].flatMap(([rank, pid]) => (pid === before.get(rank) ? [] : [rank])));
    readCurrent(run.out);
  }
  for (const pid of found.values()) pids.add(pid);
  await end;
  return { waits, replaced, pids: [...pids] };
}

function strike({ signal, rank }: Fault, pid: number, network: Network | null): boolean {
  if (signal === 'cut') {
    network!.cut(rank, CUT_MS);
    return true;
  }
  try {
    return process.kill(pid, signal);
  } catch {
    return false; // it has ended
  }
}

/** Of a launcher's child: its rank and number. One that became a rank says so by its title. */
function rankOf(pid: number): [number, number][] {
  const [environment, title] = ['environ', 'cmdline'].map((file) => read(`/proc/${pid}/${file}`)) as [string, string];
  const rank = (/(?:^|\0)RANK=(\d+)/.exec(environment) ?? /^headrace rank (\d+)/.exec(title))?.[1];
  return rank === undefined ? [] : [[Number(rank), pid]];
}

const childrenOf = (pid: number): number[] =>
  read(`/proc/${pid}/task/${pid}/children`)
    .split(' ')
    .filter((each) => each !== '')
    .map(Number);

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return ''; // the process has ended
  }
}

/** A process that nobody has waited for yet is none any more. */
const isAlive = (pid: number): boolean => /^State:\s+[^ZX]/m.test(read(`/proc/${pid}/status`));

const stateOf = (out: string): string => read(join(out, 'checkpoint', 'state.json'));

function stepOf(out: string): number {
  const text = stateOf(out);
  return text === '' ? 0 : (JSON.parse(text) as { step: number }).step;
}

/** The same while ranks are at work, who may put the next in its place meanwhile. @throws where the current one is not whole */
function readCurrent(out: string): void {
  for (let state = stateOf(out); ; state = stateOf(out)) {
    try {
      readWhole(out);
      return;
    } catch (error) {
      if (stateOf(out) === state) throw error;
    }
  }
}

/** Reads all that the run's checkpoint names, where it has one. @returns its tensors' bytes, by file's part and key */
export function readWhole(out: string): Map<string, Uint8Array> {
  const folder = join(out, 'checkpoint');
  const text = stateOf(out);
  const state = new Map<string, Uint8Array>();
  if (text === '') return state;
  const { shards } = JSON.parse(text) as { shards: Record<string, string | null>[] };
  for (const [part, name] of shards.flatMap((shard) => Object.entries(shard))) {
    if (name === null) continue;
    for (const [key, value] of loadSafetensors(join(folder, name)).tensors) state.set(`${part}/${key}`, value.bytes());
  }
  return state;
}
