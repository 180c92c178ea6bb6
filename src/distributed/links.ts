/**
 * Connections between two ranks that outlive either of them. Where ranks are started again one by one, a connection that breaks is
 * made anew, to whichever process has the other rank's place by then. The end that receives says first from where on it wants what
 * passes. Both agree by keys in the ranks' store; those of each try have a name of their own.
 */
import { translating } from '../torch/errors.js';
import { ConfigError, HeadraceError, QueueError, RankError } from '../torch/index.js';
import { ranks } from './addon.js';
import { RankChannel } from './channel.js';
import type { ProcessGroup } from './group.js';
import { sleep } from './time.js';

/** For a connection, once both ends are at it. */
const CONNECT_MS = 10_000;
/** How often one process is tried: another is another matter. */
const MOST_TRIES = 3;
/** A rank that does not come back within this time is lost for good. */
const BACK_MS = 60_000;
const PAUSE_MS = 10;
const BEAT_MS = 1000;

export interface LinkOptions {
  /** The same at both ends, and of this direction between them alone. */
  readonly name: string;
  readonly capacity: number;
  /** For each put and get, and for the other end to come. */
  readonly timeoutMs: number;
  readonly wire?: 'exact' | 'bfloat16' | undefined;
}

/** What the end that receives has asked for. */
export interface Offer<M> {
  readonly from: string;
  /** Null where the other end is gone again. */
  take(): RankChannel<M> | null;
  /** Says that it cannot be had any more. */
  refuse(): void;
}

/** One end of one direction between two ranks of a group whose ranks are started one by one. */
export class RankLink<M = unknown> {
  #peerStart = 0;
  #tries = 0;
  /** What is connected: the group of both ranks, its border, and the key of the try. */
  #group: number | null = null;
  #channel: RankChannel<M> | null = null;
  #connected = '';

  constructor(
    private readonly group: ProcessGroup,
    private readonly peer: number,
    private readonly receives: boolean,
    private readonly options: LinkOptions,
  ) {
    if (group.starts === 0) throw new ConfigError('expected a group of ranks that are started one by one');
  }

  /**
   * Waits until the other end sends.
   * @param from - what it is asked to begin with
   * @throws RankError where it is lost for good, or has not kept what was asked for
   */
  receive(from: string): RankChannel<M> {
    const { store } = this.group;
    const patience = new Patience(this.group, this.peer, this.options.timeoutMs);
    let asked: string | null = null;
    for (;;) {
      const key = this.#key();
      if (key !== null && key !== asked) store.set(`${key}/from`, from);
      asked = key;
      if (key !== null && store.has(`${key}/refused`)) {
        throw new RankError(`rank ${this.peer} has not kept what rank ${this.group.rank} asks for: start it again`, {
          code: 'RANK_LOST',
        });
      }
      if (key !== null && store.has(`${key}/taken`)) {
        const channel = this.#connect(key);
        if (channel !== null) return channel;
        patience.tried(this.#peerStart);
      } else patience.pause();
    }
  }

  /** What the other end asks for, where it waits for an answer. */
  offer(): Offer<M> | null {
    const { store } = this.group;
    const key = this.#key();
    if (key === null || store.has(`${key}/refused`) || !store.has(`${key}/from`)) return null;
    return {
      from: store.get(`${key}/from`),
      take: () => {
        store.set(`${key}/taken`, '');
        return this.#connect(key);
      },
      refuse: () => store.set(`${key}/refused`, ''),
    };
  }

  /** Waits for {@link offer}. */
  waitForOffer(): Offer<M> {
    const patience = new Patience(this.group, this.peer, this.options.timeoutMs);
    for (let offer = this.offer(); ; offer = this.offer()) {
      if (offer !== null) return offer;
      patience.pause();
    }
  }

  /** @throws RankError (LINK_LOST) where the connection is known to be lost, as one may be over which nothing passes */
  check(): void {
    if (this.#group !== null) translating(() => ranks().groupCheck(this.#group!));
  }

  /** Gives the connection up: it broke. The other end is told. @throws what ended all, where that is the cause */
  giveUp(): void {
    this.#channel?.drop();
    if (this.#group !== null) ranks().groupDrop(this.#group);
    this.#channel = null;
    this.#group = null;
    this.group.check();
    this.group.store.set(`${this.#connected}/broken`, '');
  }

  #connect(key: string): RankChannel<M> | null {
    const { capacity, timeoutMs, wire = 'exact' } = this.options;
    const [own, peer] = this.receives ? [1, 0] : [0, 1];
    const replaced = `started/${this.peer}/${this.#peerStart + 1}`;
    this.#connected = key;
    try {
      const link = () => ranks().groupLink(this.group.id, key, own, `${key}/broken`, replaced, CONNECT_MS);
      const id = translating(link);
      this.#group = id;
      const ends = { id, rank: own, worldSize: 2 };
      const channel = RankChannel.open(ends, peer, { number: 0, capacity, timeoutMs, wire }, this.receives);
      this.#channel = channel as RankChannel<M>;
      return this.#channel;
    } catch (error) {
      if (!isLost(error)) throw error;
      this.giveUp();
      return null;
    }
  }

  /** What the keys of the present try begin with; null before the other rank was started. */
  #key(): string | null {
    const { store, starts } = this.group;
    const start = store.add(`starts/${this.peer}`, 0);
    if (start === 0) return null;
    if (start !== this.#peerStart) [this.#peerStart, this.#tries] = [start, 0];
    const ends = this.receives ? `${start}.${starts}` : `${starts}.${start}`;
    for (;;) {
      const key = `links/${this.options.name}/${ends}/${this.#tries}`;
      if (!store.has(`${key}/broken`)) return key;
      this.#tries++;
    }
  }
}

/** Whether an error says that a connection which can be made anew is lost. */
export function isLost(error: unknown): boolean {
  return (error as { code?: string } | null)?.code === 'LINK_LOST';
}

/** Waits for another rank, which may just be started anew, but not for one that is gone for good. */
class Patience {
  readonly #begun = performance.now();
  #beats = -1;
  #heardAt = performance.now();
  #lookedAt = 0;
  #tried = { start: 0, times: 0 };

  constructor(
    private readonly group: ProcessGroup,
    private readonly peer: number,
    private readonly timeoutMs: number,
  ) {}

  /** Sleeps a little. @throws where there is nothing to wait for any more */
  pause(): void {
    this.group.check();
    if (this.group.done) throw new QueueError('the run is over', { code: 'QUEUE_CLOSED' });
    const now = performance.now();
    if (now - this.#lookedAt > BEAT_MS) this.#look(now);
    if (now - this.#begun > this.timeoutMs) {
      throw new HeadraceError(
        `waited ${this.timeoutMs / 1000} s for rank ${this.peer} to connect: it is stuck or slow`,
        {
          code: 'TIMEOUT',
        },
      );
    }
    sleep(PAUSE_MS);
  }

  /**
   * One more connection to the process of such a start could not be made, though it wants one.
   * @throws where it lives and cannot be reached
   */
  tried(start: number): void {
    this.#tried = { start, times: start === this.#tried.start ? this.#tried.times + 1 : 1 };
    if (this.#tried.times < MOST_TRIES) return;
    throw new RankError(
      `rank ${this.peer} could not be connected to, ${MOST_TRIES} times: the network between the two is cut`,
      { code: 'RANK_LOST' },
    );
  }

  #look(now: number): void {
    this.#lookedAt = now;
    const beats = this.group.store.add(`beat/${this.peer}`, 0);
    if (beats !== this.#beats) [this.#beats, this.#heardAt] = [beats, now];
    if (now - this.#heardAt < BACK_MS) return;
    throw new RankError(`rank ${this.peer} was lost, and has not come back within ${BACK_MS / 1000} s`, {
      code: 'RANK_LOST',
    });
  }
}
