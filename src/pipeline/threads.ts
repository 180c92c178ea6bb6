/** The threads of a run and their queues: the first failure ends all, and nothing is left waiting. */
import type { Worker } from 'node:worker_threads';
import { awake } from '../run/awake.js';
import type { HeadraceError, Queue } from '../torch/index.js';
import { threadOf } from './kept-threads.js';
import { CAME_NOT_FINITE } from './not-finite.js';

/** Milliseconds that threads have to end by themselves after a failure. */
const GRACE_MS = 3000;
/** Milliseconds that a failure which another stage gave cause for waits for that one to be told. */
const CAUSE_MS = 3000;

/** Where a run failed. */
export interface FailedAt {
  readonly stage: number;
  readonly action: string | null;
  readonly step: number | null;
  /** Code of the error that a thread told of, and the thread's name. */
  readonly code?: string | undefined;
  readonly thread?: string;
  readonly cause?: unknown;
}

/** What every thread tells of its end. */
export type EndNotice =
  | { readonly kind: 'finished' }
  | ({ readonly kind: 'failed'; readonly message: string } & FailedAt);

/** A thread as the run knows it. */
export interface Member {
  /** For messages. */
  readonly name: string;
  /** The first of its stages; -1 without any. */
  readonly stage: number;
  /** Whether it has told that its work is done; one that need not tell is so from the start. */
  finished: boolean;
}

/** A queue, whatever passes it. */
export type OwnedQueue = Pick<Queue, 'abort' | 'destroy'>;

export interface ThreadsOptions<Notice, Failure extends HeadraceError = HeadraceError> {
  /** Told what the threads tell, but for their ends. What it throws fails the run. */
  readonly onNotice: (notice: Notice) => void;
  /** The error that a run ends with. */
  readonly errorOf: (message: string, at: FailedAt) => Failure;
  /** Called once, when the run has failed. */
  readonly onFailure?: (error: Failure) => void;
  /** Called when all threads have told that their work is done. */
  readonly onFinished?: () => void;
}

export class Threads<
  Notice extends { readonly kind: string; readonly step?: number },
  Failure extends HeadraceError = HeadraceError,
> {
  readonly #queues: OwnedQueue[] = [];
  readonly #workers: Worker[] = [];
  readonly #members: Member[] = [];
  /** That each thread has ended, and what says so of one that cannot be. */
  readonly #ends: { readonly end: Promise<void>; readonly giveUp: () => void }[] = [];
  /** Failures that wait for their cause, until one is told. */
  readonly #waiting: Promise<void>[] = [];
  readonly #told = new AbortController();
  #failure: Failure | null = null;
  #closing = false;
  #running = 0;

  constructor(private readonly options: ThreadsOptions<Notice, Failure>) {}

  get failure(): Failure | null {
    return this.#failure;
  }

  /** How many have not ended: after `ended`, those in a system call or a long computation that could not be. */
  get running(): number {
    return this.#running;
  }

  /** Takes queues over: they close with the first failure, and are freed in the end. */
  own(...queues: OwnedQueue[]): void {
    this.#queues.push(...queues);
  }

  /** Starts a thread of the module at a URL, which finds its job by `jobOf`. @returns settles when it has ended, or is given up */
  start(module: string, job: unknown, member: Member): Promise<void> {
    const worker = threadOf({ module, job });
    this.#workers.push(worker);
    this.#members.push(member);
    this.#running++;
    const { name, stage } = member;
    worker.on('message', (notice: Notice | EndNotice) => this.#receive(member, notice));
    worker.on('error', (cause: Error) =>
      this.fail(`${name}: ${cause.message}`, { stage, action: null, step: null, cause }),
    );
    let giveUp = (): void => {};
    const end = new Promise<void>((resolve) => {
      giveUp = resolve;
      worker.on('exit', (code) => {
        this.#exited(member, code);
        resolve();
      });
    });
    this.#ends.push({ end, giveUp });
    return end;
  }

  /** Waits for the ends of all threads. @throws what `errorOf` gave for the first failure */
  async ended(): Promise<void> {
    await Promise.all(this.#ends.map(({ end }) => end));
    if (!this.#failure) await Promise.all(this.#waiting);
    if (this.#failure) throw this.#failure;
  }

  fail(message: string, at: FailedAt): void {
    if (this.#failure || this.#closing) return;
    this.#failure = this.options.errorOf(message, at);
    this.#told.abort();
    this.#breakOff(message);
    this.options.onFailure?.(this.#failure);
  }

  /** Ends what still runs, and frees the queues. */
  async close(): Promise<void> {
    this.#closing = true;
    if (this.#running > 0 && !this.#failure) this.#breakOff('the run has ended');
    await Promise.all(this.#ends.map(({ end }) => end));
    for (const queue of this.#queues) queue.destroy();
  }

  /** What the starting thread does for the run (it writes checkpoints, too) may fail as well as what another does. */
  attempt(action: () => void, at: { readonly stage: number; readonly step: number | null }): void {
    try {
      action();
    } catch (cause) {
      const where = at.step === null ? '' : `checkpoint of step ${at.step}: `;
      this.fail(`${where}${cause instanceof Error ? cause.message : String(cause)}`, { ...at, action: null, cause });
    }
  }

  #receive(member: Member, notice: Notice | EndNotice): void {
    if (notice.kind === 'finished') {
      member.finished = true;
      if (this.#members.every(({ finished }) => finished)) this.options.onFinished?.();
    } else if (isFailed(notice)) this.#failed(member, notice);
    else if (!this.#failure || notice.kind === 'saved') {
      // A part that was saved before the failure may make a checkpoint whole.
      const step = notice.kind === 'saved' ? (notice.step ?? null) : null;
      this.attempt(() => this.options.onNotice(notice as Notice), { stage: member.stage, step });
    }
  }

  /** Numbers that are not finite go on before the stage that made them looks at its loss: its failure is the one to tell. */
  #failed(member: Member, notice: Extract<EndNotice, { kind: 'failed' }>): void {
    const tell = (): void => this.fail(notice.message, { thread: member.name, ...notice });
    member.finished = true;
    if (notice.code !== CAME_NOT_FINITE) tell();
    else this.#waiting.push(awake(CAUSE_MS, this.#told.signal).then(tell, () => {}));
  }

  #exited({ name, stage, finished }: Member, code: number): void {
    this.#running--;
    if (code !== 0 || (!finished && !this.#failure)) {
      const where = { stage, action: null, step: null };
      this.fail(`the thread of ${name} ended before its work was done (exit code ${code})`, where);
    }
  }

  /** Wakes whoever waits at a queue, and ends the threads that do not end by themselves. */
  #breakOff(reason: string): void {
    for (const queue of this.#queues) queue.abort(reason);
    setTimeout(() => {
      for (const worker of this.#workers) void worker.terminate();
    }, GRACE_MS).unref();
    // What hangs in a system call cannot be ended; nobody need wait for it.
    setTimeout(() => {
      for (const { giveUp } of this.#ends) giveUp();
    }, 2 * GRACE_MS).unref();
  }
}

function isFailed(notice: { readonly kind: string }): notice is Extract<EndNotice, { kind: 'failed' }> {
  return notice.kind === 'failed';
}
