// Starts the ranks of a run on this machine: processes that know each other by torchrun's variables. One that fails ends all.

import { setImmediate as nextPoll, setTimeout as sleep } from 'node:timers/promises';
import { readPatience } from '../distributed/launcher.js';
import { awake } from '../run/awake.js';
import { ConfigError } from '../torch/errors.js';
import { type LaunchFlags, type Placement, placement, rankVariables } from './placement.js';
import { isRunning, isStopped, type Rank, Starter, signal, wordsOfEnd, wordsOfStopped } from './rank-process.js';
import { exitCodes, say } from './report.js';

/** A rank that stands still is killed after so long, where nothing else is said. */
const PATIENCE_MS = 10_000;
/** A rank that fails makes others fail, which may know better why: they are given so long to say it. */
const TELL_MS = 1000;
const KILL_AFTER_MS = 5000;
/** Whoever left a rank's process group and holds its pipes is waited for, but not for longer without a word. */
const PRINT_MS = 1000;

interface Failure {
  readonly code: number;
  /** In words: `rank 1 ended by SIGKILL`. */
  readonly what: string;
  /** Whether the same would come again: a rank was asked to end, or found a mistake in the command. */
  readonly final: boolean;
}

/**
 * Runs the ranks to their end, and starts all of them again when one has failed, as often as `--restarts` says. `process.exitCode`
 * is that of the first that failed in the last round.
 */
export async function launch(words: readonly string[], flags: LaunchFlags): Promise<void> {
  const { restarts, timeout, recovery } = flags;
  const patienceMs = timeout === undefined ? (readPatience(process.env) ?? PATIENCE_MS) : 1000 * timeout;
  if (recovery === 'stage' && restarts === 0) {
    throw new ConfigError('expected --restarts N with --recovery stage: how often ranks may be started again');
  }
  const ranks: Rank[] = [];
  const starter = new Starter(words);
  const asked = passSignals(ranks);
  const starts = new Restarts(restarts);
  try {
    for (let round = 0; ; round++) {
      const place = await placement(flags, process.env);
      const variables = rankVariables(place, { restarts, round, timeout, recovery });
      const failure = await withStore(recovery === 'stage' ? place : null, () => {
        ranks.splice(0, Infinity, ...variables.map((each) => starter.start(each)));
        return runRound(ranks, asked, patienceMs, recovery === 'stage' ? new Recovery(starter, starts) : null);
      });
      if (failure === null) return;
      if (!asked.yet && !failure.final && starts.take()) say(`headrace: starting all ranks again, ${starts.words}`);
      else {
        process.exitCode = failure.code;
        if (starts.isOver && !asked.yet)
          say(`headrace: gave up after ${counted(restarts, 'restart')}: ${failure.what}`);
        return;
      }
    }
  } finally {
    asked.release();
    starter.close();
  }
}

/** How often ranks may be started again. */
class Restarts {
  #used = 0;

  constructor(private readonly most: number) {}

  /** Whether there was one left, which is used now. */
  take(): boolean {
    if (this.#used >= this.most) return false;
    this.#used++;
    return true;
  }

  get isOver(): boolean {
    return this.most > 0 && this.#used === this.most;
  }

  get words(): string {
    return `restart ${this.#used} of ${this.most}`;
  }
}

/** How ranks are started again, each by itself: in a process that is kept ready. */
class Recovery {
  constructor(
    private readonly starter: Starter,
    readonly restarts: Restarts,
  ) {}

  again({ variables }: Rank): Rank {
    const rank = this.starter.start(variables);
    this.prepare(rank);
    return rank;
  }

  /** For the next that is lost, as long as one may be started again. */
  prepare({ variables }: Rank): void {
    const { GROUP_RANK } = variables;
    if (!this.restarts.isOver) this.starter.keepSpare({ GROUP_RANK: GROUP_RANK! });
  }
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count > 1 ? 's' : ''}`;

/** Keeps the ranks' store meanwhile, on the first machine. @param place - null where rank 0 keeps it */
async function withStore<T>(place: Placement | null, body: () => Promise<T>): Promise<T> {
  if (place === null || place.node.number > 1) return body();
  const { TCPStore } = await import('../distributed/index.js');
  const store = TCPStore.open({ ...place.master, serve: true });
  try {
    return await body();
  } finally {
    store.close();
  }
}

/**
 * Runs ranks that were started to their end. @returns the first failure, if there was one
 * @param recovery - of ranks that were killed, each by itself; null where their end is a failure of all
 */
async function runRound(
  ranks: Rank[],
  asked: Asked,
  timeoutMs: number,
  recovery: Recovery | null,
): Promise<Failure | null> {
  const watch = watchStopped(ranks, timeoutMs);
  recovery?.prepare(ranks[0]!);
  try {
    return await allEnded(ranks, asked, recovery);
  } finally {
    clearInterval(watch);
    for (const { child } of ranks) signal(child, 'SIGKILL'); // what they started, and left
    await allPrinted(ranks);
  }
}

/** Waits for the last lines of ranks that have ended. */
async function allPrinted(ranks: readonly Rank[]): Promise<void> {
  const all = Promise.all(ranks.map(({ printed }) => printed)).then(() => true);
  const read = (): number =>
    ranks.reduce((sum, { outputs }) => sum + outputs.reduce((n, each) => n + each.bytesRead, 0), 0);
  for (let before = -1; read() > before; ) {
    before = read();
    if (await Promise.race([all, sleep(PRINT_MS, false, { ref: false })])) return;
    await nextPoll(); // timers come first where this process was kept from its work, and pipes are full of lines
  }
}

/** Ends ranks that stand still (SIGSTOP) for longer than the time-out, whether or not another rank misses them. */
function watchStopped(ranks: readonly Rank[], timeoutMs: number): NodeJS.Timeout {
  const looks = 4;
  const seen = new Map<Rank, number>();
  return setInterval(() => {
    for (const rank of ranks) {
      seen.set(rank, isStopped(rank) ? (seen.get(rank) ?? 0) + 1 : 0);
      if (seen.get(rank)! <= looks) continue;
      rank.stoodMs = timeoutMs;
      signal(rank.child, 'SIGKILL');
    }
  }, timeoutMs / looks);
}

/**
 * Waits for all; the first that fails ends the others, unless they are asked to end: then each saves its work first.
 * @returns how the first failed
 */
async function allEnded(ranks: Rank[], asked: Asked, recovery: Recovery | null): Promise<Failure | null> {
  let failure: Failure | null = null;
  const over = new AbortController();
  /** To the last end of a rank, which may be started again by itself. */
  const lastEnd = async (place: number): Promise<number> => {
    for (;;) {
      const rank = ranks[place]!;
      const code = await rank.ended;
      // Who lost the others may have lost them to a failure that one of them is about to tell.
      if (code === exitCodes.lost) await awake(TELL_MS);
      const recoverable = code > exitCodes.interrupted || code === exitCodes.lost;
      if (!recovery || !recoverable || failure !== null || asked.yet || !recovery.restarts.take()) return code;
      say(`headrace: ${wordsOfEnd(rank, code)}; starting it again, ${recovery.restarts.words}`);
      signal(rank.child, 'SIGKILL'); // what it started, and left
      ranks[place] = recovery.again(rank);
    }
  };
  await Promise.all(
    ranks.map(async (_, place) => {
      const code = await lastEnd(place);
      const rank = ranks[place]!;
      const mistake = code === exitCodes.usage;
      if (code === 0 || (failure !== null && !mistake)) return;
      const others = ranks.filter(isRunning);
      const what = [...others.filter(isStopped).map(wordsOfStopped), wordsOfEnd(rank, code)].join('; ');
      const first = failure === null;
      failure = { code, what, final: mistake || code === exitCodes.interrupted };
      if (!first) return;
      if (asked.yet) return;
      say(`headrace: ${what}${others.length > 0 ? '; ending the others' : ''}`);
      void end(others, over.signal);
    }),
  );
  over.abort();
  return failure;
}

/** Asks ranks to end once they had time to say what they know, and ends those that do not. */
async function end(ranks: readonly Rank[], over: AbortSignal): Promise<void> {
  const all = (name: NodeJS.Signals): void => {
    for (const { child } of ranks) signal(child, name);
  };
  try {
    await awake(TELL_MS, over);
    all('SIGTERM');
    await awake(KILL_AFTER_MS, over);
    all('SIGKILL');
  } catch {
    // They have ended.
  }
}

interface Asked {
  readonly yet: boolean;
  release(): void;
}

/** The first Ctrl-C, SIGTERM or SIGHUP goes to all ranks, which end in their way; the second kills them. */
function passSignals(ranks: readonly Rank[]): Asked {
  let yet = false;
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const onSignal = (name: NodeJS.Signals): void => {
    for (const { child } of ranks) signal(child, yet ? 'SIGKILL' : name);
    yet = true;
  };
  for (const name of names) process.on(name, onSignal);
  return {
    get yet() {
      return yet;
    },
    release: () => {
      for (const name of names) process.off(name, onSignal);
    },
  };
}
