/**
 * A run over ranks: rank 0 has the folder, the data and the last word, and sends the plan; each rank runs its workers, and
 * tells rank 0 what they tell. Between workers nothing changes: edges between ranks are borders.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessGroup, RankChannel } from '../distributed/index.js';
import { ConfigError, checkOptions, type HeadraceError, RankError, StageError } from '../torch/index.js';
import { type HeldCheckpoint, holdCheckpoint } from './checkpoint.js';
import { NoticeSender } from './lasting-notices.js';
import { type ApartNotice, fromRank, hear, type RankRun, tell, toRank } from './rank-messages.js';
import { Board, recovers } from './recovery.js';
import type { EndNotice, FailedAt } from './threads.js';
import type { FolderMark, ProgramPlan } from './wiring.js';
import { Workers } from './workers.js';

/** @throws ConfigError where there are more ranks than workers, or it is not rank 0 that asks */
export function checkRanks({ rank, worldSize }: ProcessGroup, workers: number): void {
  if (rank !== 0)
    throw new ConfigError(`expected the trainer in rank 0, got rank ${rank}: there overRanks works for it`);
  if (worldSize <= workers) return;
  throw new ConfigError(
    `expected at most as many ranks as stages that work side by side, ${workers} here, got ${worldSize}: ` +
      'start fewer processes, or train by a schedule of more stages at once, such as ppll',
  );
}

/** How many runs each group has had. */
const runs = new Map<number, number>();

/** The group's next run, in rank 0. They follow each other: one is over when the next begins. */
export function nextRun(group: ProcessGroup): RankRun {
  const number = runs.get(group.id) ?? 0;
  if (number > 0 && recovers(group)) {
    throw new ConfigError(
      'Ranks that are started again one by one do one run: a second one would not know what was done.',
    );
  }
  runs.set(group.id, number + 1);
  return { group, number };
}

export interface RankOptions {
  /** Whether this rank writes to the run's folder itself, or sends rank 0 what is to be kept. Default: where it sees it. */
  readonly sharedFolder?: boolean;
}

/**
 * A rank's part in training over ranks: rank 0 does `lead`, in which it trains; the others work for it until it is done. Whatever
 * fails in one of them ends all. Modules have the same paths in all ranks.
 * @returns false in a rank where its own work failed, and rank 0 said why
 */
export async function overRanks(
  group: ProcessGroup,
  lead: () => Promise<void>,
  options: RankOptions = {},
): Promise<boolean> {
  checkOptions('overRanks', options, ['sharedFolder']);
  let whole = true;
  try {
    if (group.rank === 0) await lead();
    else whole = await (recovers(group) ? followLasting(group, options) : follow(group, options));
    if (group.rank === 0) release(group);
  } catch (error) {
    // Who has lost the others is started again by itself, and they go on.
    if (!(recovers(group) && error instanceof RankError)) group.fail((error as Error).message);
    throw error;
  }
  group.close();
  return whole;
}

/** Tells the other ranks that no run is to come. */
function release(group: ProcessGroup): void {
  if (recovers(group)) {
    group.tellDone();
    return;
  }
  const run = nextRun(group);
  for (let peer = 1; peer < group.worldSize; peer++) tell(toRank(run, peer), null);
}

/** One run after the other, as rank 0 says. */
async function follow(group: ProcessGroup, { sharedFolder }: RankOptions): Promise<boolean> {
  for (let number = 0; ; number++) {
    const run = { group, number };
    const border = fromRank(run, 0);
    const { value, tensors } = hear(border);
    if (value === null) return true;
    const plan: ProgramPlan = { ...(value as Omit<ProgramPlan, 'tensors'>), tensors };
    const notices = toRank(run, 0);
    const sees = plan.mark ? (sharedFolder ?? isSeen(plan.mark)) : true;
    if (!(await work(sees ? plan : askApart(plan, group, border, notices), run, notices))) return false;
  }
}

function isSeen({ path, token }: FolderMark): boolean {
  try {
    return readFileSync(path, 'utf8').includes(token);
  } catch {
    return false;
  }
}

/** The plan of a rank that does not see the run's folder: rank 0 sends what is in place of it. */
function askApart(plan: ProgramPlan, { rank }: ProcessGroup, border: RankChannel, notices: RankChannel): ProgramPlan {
  tell(notices, { kind: 'apart', peer: rank } satisfies ApartNotice);
  const { value, tensors } = hear(border);
  return { ...plan, job: value as ProgramPlan['job'], tensors };
}

/**
 * A run of ranks that are started again one by one: from its last checkpoint, to its end, which rank 0 tells. Until then what this
 * rank has sent, or told, may be asked for again.
 */
async function followLasting(group: ProcessGroup, { sharedFolder }: RankOptions): Promise<boolean> {
  const plan = await planOf(group);
  if (plan === null) return true;
  const { mark } = plan;
  if (group.starts === 1 && mark && !(sharedFolder ?? isSeen(mark))) {
    throw new ConfigError(
      `Recovery by stage expected a folder that all ranks see, and rank ${group.rank} does not see ${mark.path}.`,
    );
  }
  const held = holdCheckpoint(plan.recovery!.out);
  const notices = new NoticeSender<EndNotice>(group);
  let told = false;
  const errorOf = (message: string, { cause: _, ...at }: FailedAt): HeadraceError => {
    if (at.code === 'RANK_LOST') return new RankError(message, { code: at.code });
    told = !group.done;
    if (told) notices.tell({ kind: 'failed', message, ...at });
    return new StageError(message, at);
  };
  const onNotice = (notice: object): void => notices.tell(notice as EndNotice);
  const onFinished = (): void => notices.tell({ kind: 'finished' });
  const workers = new Workers(goOn(plan, held), { group, number: 0 }, { onNotice, errorOf, onFinished });
  const tending = setInterval(() => workers.attempt(() => notices.tend(), { stage: -1, step: null }), TEND_MS);
  try {
    workers.begin();
    await workers.ended();
    while (!group.done) {
      group.check();
      await sleep(TEND_MS);
    }
    return true;
  } catch (error) {
    if (group.done) return true;
    if (!told) throw error;
    await hasEnded(group);
    return false; // rank 0 says why
  } finally {
    clearInterval(tending);
    await workers.close();
    held?.close();
  }
}

/** For the last word of a rank to reach rank 0. */
const HEARD_MS = 10_000;

/** Waits until rank 0 has ended the run for all, for which it was told why. */
async function hasEnded(group: ProcessGroup): Promise<void> {
  for (let left = HEARD_MS; left > 0 && !group.done; left -= TEND_MS) {
    try {
      group.check();
    } catch {
      return;
    }
    await sleep(TEND_MS);
  }
}

/** Between looks at who asks for what was told. */
const TEND_MS = 100;

/** What rank 0 tells; null where the run is over. */
async function planOf(group: ProcessGroup): Promise<ProgramPlan | null> {
  const board = new Board(group);
  for (;;) {
    if (group.done) return null;
    const { plan } = board;
    if (plan !== null) return plan as ProgramPlan;
    group.check();
    await sleep(TEND_MS / 4);
  }
}

/** The same plan from the last checkpoint on. */
function goOn(plan: ProgramPlan, held: HeldCheckpoint | null): ProgramPlan {
  const { out } = plan.recovery!;
  const from = held?.state.step ?? 0;
  const job = { ...plan.job, fromStep: from, load: held && { out, state: held.state, held: held.held } };
  return { ...plan, job, recovery: { out, from } };
}

/** The workers of this rank, to the end of a run. @returns false where one failed and rank 0 was told, which says why */
async function work(plan: ProgramPlan, run: RankRun, notices: RankChannel): Promise<boolean> {
  let told = false;
  const errorOf = (message: string, { cause: _, ...at }: FailedAt): HeadraceError => {
    try {
      tell(notices, { kind: 'failed', message, ...at } satisfies EndNotice);
      told = true;
    } catch {
      // The error says it, to all.
    }
    return new StageError(message, at);
  };
  const workers = new Workers(plan, run, { onNotice: (notice, tensors) => tell(notices, notice, tensors), errorOf });
  try {
    workers.begin();
    await workers.ended();
    tell(notices, { kind: 'finished' } satisfies EndNotice);
    notices.close();
    return true;
  } catch (error) {
    if (!told) throw error;
    letHear(notices);
    return false;
  } finally {
    await workers.close();
  }
}

/** Returns once rank 0 has heard all: a connection that ends before may take with it what it has not read. */
function letHear(notices: RankChannel): void {
  try {
    notices.close('a worker failed', HEARD_MS);
  } catch {
    // It is gone as well, or hears no more.
  }
}
