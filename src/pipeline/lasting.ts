/**
 * Edges between ranks that outlive either: where a rank is started again by itself, the one before it feeds it again, and the one
 * after it gets the rest of what it was promised. Nothing is lost, nothing comes twice; while the other end is away, the end that
 * sends works on as long as it has room for what it makes.
 */
import { join } from 'node:path';
import type { ProcessGroup, RankChannel } from '../distributed/index.js';
import { isLost, RankLink } from '../distributed/links.js';
import { after, beginning, isBefore, KeptMessages, type Position } from './kept.js';
import { MessageStore } from './message-store.js';
import type { Channel, Envelope, Message } from './messages.js';
import { Board } from './recovery.js';

/** How an edge of a rank that may be started again is opened. */
export interface LastingEdge {
  readonly peer: number;
  readonly name: string;
  readonly capacity: number;
  readonly timeoutMs: number;
  /** The step of the checkpoint that this rank has gone on from. */
  readonly from: number;
  /** Where what does not fit into memory is kept. */
  readonly folder: string;
  readonly wire?: 'exact' | 'bfloat16' | undefined;
}

const linkOptions = ({ name, capacity, timeoutMs, wire }: LastingEdge) => ({
  name,
  // One that holds a single message knows whether it was taken only by waiting for it.
  capacity: Math.max(2, capacity),
  timeoutMs,
  wire,
});

/** What the end that sends waits for room, where it need not. */
const LOOK_MS = 1;

export class LastingSender implements Channel {
  readonly #board: Board;
  readonly #link: RankLink<Message>;
  readonly #store: MessageStore;
  readonly #kept: KeptMessages<Envelope>;
  #channel: RankChannel<Message> | null = null;
  /** The place of the first message that the other end does not have yet, as far as this end knows. */
  #next: Position;

  constructor(group: ProcessGroup, edge: LastingEdge) {
    this.#board = new Board(group);
    this.#link = new RankLink(group, edge.peer, false, linkOptions(edge));
    this.#store = new MessageStore(join(edge.folder, edge.name));
    this.#kept = new KeptMessages(edge.from, (envelope) => this.#store.keep(envelope));
    this.#next = beginning(edge.from);
  }

  put(envelope: Envelope): void {
    this.#kept.add(envelope);
    if (envelope.meta.kind === 'checkpoint') this.#kept.trim(this.#board.committed, this.#next);
    this.tend();
  }

  get(): Envelope {
    throw new Error('this end of the edge sends');
  }

  depth(): number {
    return this.#channel?.depth() ?? 0;
  }

  /** Sends what is to be sent: waiting for room as ever, or no longer than a moment where the other end was away. */
  tend(): void {
    for (;;) {
      try {
        this.#link.check();
        if (this.#channel === null && !this.#connect()) return;
        if (this.#send(this.#channel!)) return;
      } catch (error) {
        if (!isLost(error)) throw error;
        this.#channel = null;
        this.#link.giveUp();
      }
    }
  }

  /** @returns whether nothing more can be done now */
  #send(channel: RankChannel<Message>): boolean {
    while (isBefore(this.#next, this.#kept.end)) {
      const message = this.#kept.at(this.#next);
      const waits = this.#store.full || this.#kept.countFrom(this.#next) === 1;
      if (waits) channel.put(message);
      else if (!channel.tryPut(message, LOOK_MS)) return true;
      this.#next = after(this.#next, message.meta);
    }
    return true;
  }

  /** To the other end where it waits; where there is no room to go on without it, it is waited for. */
  #connect(): boolean {
    for (;;) {
      const offer = this.#store.full ? this.#link.waitForOffer() : this.#link.offer();
      if (offer === null) return false;
      const from = JSON.parse(offer.from) as Position;
      if (!this.#kept.reaches(from)) offer.refuse();
      else {
        this.#next = from;
        this.#channel = offer.take();
        if (this.#channel !== null) return true;
      }
    }
  }
}

export class LastingReceiver implements Channel {
  readonly #link: RankLink<Message>;
  #channel: RankChannel<Message> | null = null;
  /** The place of the next message. */
  #place: Position;

  constructor(group: ProcessGroup, edge: LastingEdge) {
    this.#link = new RankLink(group, edge.peer, true, linkOptions(edge));
    this.#place = beginning(edge.from);
  }

  put(): void {
    throw new Error('this end of the edge receives');
  }

  get(): Envelope {
    for (;;) {
      try {
        this.#channel ??= this.#link.receive(JSON.stringify(this.#place));
        const envelope = this.#channel.get();
        this.#place = after(this.#place, envelope.meta);
        return envelope;
      } catch (error) {
        if (!isLost(error)) throw error;
        this.#channel = null;
        this.#link.giveUp();
      }
    }
  }

  depth(): number {
    return this.#channel?.depth() ?? 0;
  }
}
