/** What a rank tells rank 0 that may be started again: what it then still has to know is told again. */
import type { ProcessGroup, RankChannel } from '../distributed/index.js';
import { isLost, RankLink } from '../distributed/links.js';
import { hear, tryTell } from './rank-messages.js';
import { Board, keptUntil } from './recovery.js';

const optionsOf = (rank: number) => ({ name: `notices of rank ${rank}`, capacity: 16, timeoutMs: 1e12 });

/** The end of a rank other than 0. It never waits. */
export class NoticeSender<Notice extends Parameters<typeof keptUntil>[0]> {
  readonly #board: Board;
  readonly #link: RankLink;
  #channel: RankChannel | null = null;
  #kept: { readonly notice: Notice; readonly until: number | null }[] = [];
  /** How many of those have been sent to the rank 0 that is there. */
  #sent = 0;

  constructor(group: ProcessGroup) {
    this.#board = new Board(group);
    this.#link = new RankLink(group, 0, false, optionsOf(group.rank));
  }

  tell(notice: Notice): void {
    this.#kept.push({ notice, until: keptUntil(notice) });
    if (notice.kind === 'saved') this.#trim();
    this.tend();
  }

  /** Sends what has not been sent, as far as there is room. */
  tend(): void {
    try {
      this.#link.check();
      const offer = this.#channel === null ? this.#link.offer() : null;
      if (offer !== null) {
        this.#sent = 0;
        this.#channel = offer.take();
      }
      if (this.#channel === null) return;
      for (const { notice } of this.#kept.slice(this.#sent)) {
        if (!tryTell(this.#channel, notice)) break;
        this.#sent++;
      }
      this.#forget(({ until }) => until === null);
    } catch (error) {
      if (!isLost(error)) throw error;
      this.#channel = null;
      this.#sent = 0;
      this.#link.giveUp();
    }
  }

  #trim(): void {
    const { committed } = this.#board;
    this.#forget(({ until }) => until !== null && until < committed);
  }

  /** Lets go of some that have been sent. */
  #forget(past: (kept: { readonly until: number | null }) => boolean): void {
    const stays = this.#kept.map((each, i) => i >= this.#sent || !past(each));
    const sent = stays.slice(0, this.#sent).filter((each) => each).length;
    this.#kept = this.#kept.filter((_, i) => stays[i]);
    this.#sent = sent;
  }
}

/** The end of rank 0: hands on what another tells, until the run is over. */
export function hearNotices<Notice>(group: ProcessGroup, peer: number, heard: (notice: Notice) => void): void {
  const link = new RankLink(group, peer, true, optionsOf(peer));
  for (let channel: RankChannel | null = null; ; ) {
    try {
      channel ??= link.receive('');
      heard(hear(channel).value as Notice);
    } catch (error) {
      if (group.done) return;
      if (!isLost(error)) throw error;
      channel = null;
      link.giveUp();
    }
  }
}
