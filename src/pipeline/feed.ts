/**
 * Feeds stages from the thread that started them and hears what they tell, so that what comes next can hang on what came of
 * it. It waits for messages alone: nothing blocks its thread, and nothing polls.
 */

import type { RunEvent } from '../run/events.js';
import { ConfigError, type HeadraceError, type Tensor } from '../torch/index.js';
import type { Channel, ControlMessage, Envelope } from './messages.js';
import type { RankRun } from './rank-messages.js';
import { recovers } from './recovery.js';
import type { FailedAt } from './threads.js';
import { Channels } from './transport.js';
import type { Predicted, ProgramPlan } from './wiring.js';
import { Workers } from './workers.js';

/** Batches that may be under way, from the feed to the end of the last stage. */
const UNDER_WAY = 6;
/** Messages besides batches that may wait before a stage. */
const CONTROLS = 4;
/** What an edge from the feed must hold. */
export const FEED_CAPACITY = UNDER_WAY + CONTROLS;

/** What the workers of every fed program tell. */
export type FedNotice = { readonly kind: 'event'; readonly event: RunEvent } | Predicted;

export interface FeedOptions<Notice> {
  /** Ranks that share the workers. Default: this process has all. */
  readonly ranks?: RankRun | null;
  /** The stage with which a batch is through. */
  readonly last: number;
  readonly onNotice: (notice: Notice, tensors: readonly Tensor[]) => void;
  readonly errorOf: (message: string, at: FailedAt) => HeadraceError;
}

export class Feed<Notice extends { readonly kind: string }> {
  readonly #workers: Workers<Notice | FedNotice>;
  readonly #channels: Channels;
  /** One for each stage that takes batches. */
  readonly #inputs: readonly Channel[];
  #underWay = 0;
  #wake = (): void => {};

  /** Starts the workers. */
  constructor(
    private readonly plan: ProgramPlan,
    private readonly options: FeedOptions<Notice | FedNotice>,
  ) {
    const { errorOf, ranks = null } = options;
    if (recovers(ranks?.group)) {
      throw new ConfigError(
        'Recovery by stage is for headrace train and chains of stages: leave it out, and all ranks start again.',
      );
    }
    const onFailure = (): void => this.#wake();
    this.#workers = new Workers<Notice | FedNotice>(plan, ranks, {
      onNotice: (notice, tensors) => this.#hear(notice, tensors),
      errorOf,
      onFailure,
    });
    this.#workers.begin();
    this.#channels = new Channels(plan.job.timeoutMs);
    this.#inputs = this.#workers.sources().map((ref) => this.#channels.open(ref));
  }

  /** Waits until there is room for a batch. @throws what ended the run */
  room(): Promise<void> {
    return this.until(() => this.#underWay < UNDER_WAY);
  }

  /** Puts a batch, for which there is {@link room}: what each stage takes of it. */
  batch(parts: readonly Envelope[]): void {
    this.#underWay++;
    for (const [i, part] of parts.entries()) this.#put(this.#inputs[i]!, part);
  }

  /** Puts a message before every stage that takes batches. */
  control(meta: ControlMessage): void {
    for (const input of this.#inputs) this.#put(input, { meta, tensors: [] });
  }

  /** Waits for the end of work that was told to stop, once what it says at its end has been heard. @throws what ended the run */
  async ended(): Promise<void> {
    this.#channels.close();
    await this.#workers.ended();
  }

  /** Waits for messages until what they brought is enough. @throws what ended the run; HeadraceError when none comes for long */
  async until(enough: () => boolean): Promise<void> {
    for (;;) {
      if (this.#workers.failure) throw this.#workers.failure;
      if (enough()) return;
      await this.#message();
    }
  }

  /** Ends the threads, if they have not ended, and frees the queues. */
  close(): Promise<void> {
    return this.#workers.close();
  }

  #put(input: Channel, envelope: Envelope): void {
    // A failure closes the channels; whoever waits next is told of it.
    if (!this.#workers.failure) input.put(envelope);
  }

  #message(): Promise<void> {
    const { errorOf } = this.options;
    const { timeoutMs } = this.plan.job;
    return new Promise((resolve, reject) => {
      const give = (): void => {
        const message = `waited ${timeoutMs / 1000} s for a stage; one of them is stuck`;
        reject(errorOf(message, { stage: -1, action: null, step: null, code: 'TIMEOUT' }));
      };
      const timer = setTimeout(give, timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #hear(notice: Notice | FedNotice, tensors: readonly Tensor[]): void {
    if (this.#isThrough(notice as FedNotice)) this.#underWay--;
    this.options.onNotice(notice, tensors);
    this.#wake();
  }

  /** Whether a notice says that a batch has left the last stage. */
  #isThrough(notice: FedNotice): boolean {
    if (notice.kind !== 'event') return notice.kind === 'predicted';
    return notice.event.type === 'step' && notice.event.stage === this.options.last;
  }
}
