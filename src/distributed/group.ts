/** Process groups over c10d's Gloo: ranks that exchange tensors. */
import { networkInterfaces } from 'node:os';
import { translating } from '../torch/errors.js';
import { writeTensors } from '../torch/frame.js';
import { ConfigError, checkOptions, HeadraceError, RankError, type Tensor } from '../torch/index.js';
import { ranks } from './addon.js';
import { type BorderOptions, RankChannel } from './channel.js';
import type { Launch } from './launcher.js';
import { TCPStore } from './store.js';
import { checkMs, sleep } from './time.js';

/** How ranks come together. */
export interface JoinOptions {
  /** For all of it. Default: HEADRACE_TIMEOUT, else 60 s. */
  readonly timeoutMs?: number;
  /**
   * Tells this group from those before, whose connections are dead, and from others of the same ranks. Default: the restarts,
   * where the launcher keeps the store; else 0, as the store is new each time.
   */
  readonly generation?: number | string;
  /** The network interface that tensors travel by; default: GLOO_SOCKET_IFNAME, else the way to the master. */
  readonly interface?: string;
  /** A rank that is not heard of for so long is lost, and every wait of the others ends. Default: HEADRACE_TIMEOUT, else 10 s. */
  readonly patienceMs?: number;
}

export interface NewGroupOptions {
  /** Tells it from other groups of the same ranks. */
  readonly name: string;
  /** For all of its ranks to come. Default 60 s. */
  readonly timeoutMs?: number;
}

export type Reduction = 'sum' | 'product' | 'min' | 'max';

/** A transfer or a collective that goes on. */
export class Work {
  /** @internal */
  constructor(private readonly id: number) {}

  /**
   * Blocks until it is done. After a time-out it can be waited for again.
   * @throws RankError: RANK_TIMEOUT, or RANK_LOST with the rank that is gone
   */
  wait(timeoutMs = 600_000): void {
    checkMs(timeoutMs);
    translating(() => ranks().workWait(this.id, timeoutMs));
  }
}

/** Ranks that exchange tensors. Collectives are begun in the same order by all, so by one thread a group. */
export class ProcessGroup {
  #failed = false;
  #store: TCPStore | null = null;

  private constructor(
    /** For {@link attach} in another thread of this process. */
    readonly id: number,
    readonly rank: number,
    readonly worldSize: number,
    /** How often this rank was started, where ranks are started again one by one (see {@link Launch.recovery}); else 0. */
    readonly starts: number,
    private readonly met: TCPStore | null,
  ) {}

  /**
   * Meets the other ranks at the master, and connects to each of them.
   * @throws RankError that names this rank and those that did not come, within the time-out
   */
  static join(launch: Launch, options: JoinOptions = {}): ProcessGroup {
    checkOptions('ProcessGroup.join', options, ['timeoutMs', 'generation', 'interface', 'patienceMs']);
    const {
      timeoutMs = launch.patienceMs ?? 60_000,
      generation = launch.storeKept ? launch.restarts : 0,
      patienceMs = launch.patienceMs ?? 10_000,
    } = options;
    checkMs(timeoutMs);
    const until = performance.now() + timeoutMs;
    const left = (): number => Math.max(1, until - performance.now());
    const { rank, worldSize } = launch;
    const wanted = options.interface ?? process.env.GLOO_SOCKET_IFNAME;
    const chosen = wanted ? addressOf(wanted, rank) : null;
    const prefix = `headrace/${generation}/`;
    return naming(launch, timeoutMs, () => {
      for (let twice: unknown; ; ) {
        try {
          const link = openStore(launch, Math.min(left(), TRY_MS));
          const store = link.within(prefix);
          const own = chosen ?? ranks().routeTo(launch.master.host, launch.master.port);
          const starts = begin(launch, store);
          const addresses = meet(launch, store, own, left());
          const address = chosen ?? reachable(own, addresses);
          const id = ranks().groupCreate(link.id, prefix, rank, worldSize, address, left(), patienceMs, starts);
          return new ProcessGroup(id, rank, worldSize, starts, store);
        } catch (error) {
          // The group before may still be ending: its store goes with it, and the new one comes.
          const { code } = error as RankError;
          if (code === 'RANK_TWICE') twice = error;
          if (!passing.has(code) || left() < PAUSE_MS) throw twice ?? error;
          sleep(PAUSE_MS);
        }
      }
    });
  }

  /** The group that another thread of this process has joined. */
  static attach(id: number): ProcessGroup {
    return translating(
      () => new ProcessGroup(id, ranks().groupRank(id), ranks().groupSize(id), ranks().groupStarts(id), null),
    );
  }

  /** Where its ranks have met. @internal */
  get store(): TCPStore {
    this.#store ??=
      this.met ?? translating(() => TCPStore.attach(ranks().groupStore(this.id), ranks().groupPrefix(this.id)));
    return this.#store;
  }

  /** @throws RankError with the reason for which all waits of the group end, if there is one. @internal */
  check(): void {
    translating(() => ranks().groupCheck(this.id));
  }

  /**
   * A group of some of these ranks, for collectives of their own. All of them call it, with the same ranks and the name.
   * @param ranks - rising; numbers in the new group are places among them
   * @throws RankError where they did not all come within the time-out
   */
  newGroup(members: readonly number[], options: NewGroupOptions): ProcessGroup {
    checkOptions('ProcessGroup.newGroup', options, ['name', 'timeoutMs']);
    const { name, timeoutMs = 60_000 } = options;
    checkMs(timeoutMs);
    const rank = members.indexOf(this.rank);
    const fits = (each: number, i: number): boolean =>
      Number.isSafeInteger(each) && each > (members[i - 1] ?? -1) && each < this.worldSize;
    if (rank < 0 || !members.every(fits)) {
      throw new ConfigError(
        `expected rising ranks of 0 to ${this.worldSize - 1} with ${this.rank} among them, got [${members}]`,
      );
    }
    const id = translating(() => ranks().groupPart(this.id, name, rank, members.length, timeoutMs));
    return new ProcessGroup(id, rank, members.length, 0, null);
  }

  /** Begins to send a contiguous tensor's elements; do not write to it before the work is done. */
  send(tensor: Tensor, to: number, tag = 0): Work {
    return this.#transfer(tensor, to, tag, false);
  }

  /** Begins to receive into a contiguous tensor, of the size and dtype that is sent. */
  receive(tensor: Tensor, from: number, tag = 0): Work {
    return this.#transfer(tensor, from, tag, true);
  }

  /** Reduces a tensor, or several of one dtype, in place, over all ranks. */
  allReduce(tensors: Tensor | readonly Tensor[], operation: Reduction = 'sum'): Work {
    return this.#begin(Array.isArray(tensors) ? tensors : [tensors as Tensor], () =>
      ranks().groupReduce(this.id, operation),
    );
  }

  /** Fills a tensor of all ranks with that of `root`. */
  broadcast(tensor: Tensor, root = 0): Work {
    return this.#begin([tensor], () => ranks().groupBroadcast(this.id, root));
  }

  /** Blocks until all ranks are here. */
  barrier(timeoutMs = 600_000): void {
    this.#begin([], () => ranks().groupBarrier(this.id)).wait(timeoutMs);
  }

  /** Where ranks are started one by one: tells all that there is nothing left to do. @internal */
  tellDone(): void {
    this.store.set('done', '');
  }

  /** @internal */
  get done(): boolean {
    return this.store.has('done');
  }

  /** One end of a border to another rank: this one puts. `number` is the border's, the same at both ends. */
  channelTo(peer: number, options: BorderOptions): RankChannel {
    return RankChannel.open(this, peer, options, false);
  }

  /** The other end, which gets. */
  channelFrom(peer: number, options: BorderOptions): RankChannel {
    return RankChannel.open(this, peer, options, true);
  }

  /** Ends all waits of all ranks, within about a second, with a RankError that gives the reason. */
  fail(reason: string): void {
    this.#failed = true;
    translating(() => ranks().groupFail(this.id, `rank ${this.rank}: ${reason}`));
  }

  /**
   * Leaves the group: the others will not miss this rank. Rank 0 waits until all have left, unless it said that it failed.
   * @throws RankError that names those that did not leave in time
   */
  close(timeoutMs = 60_000): void {
    checkMs(timeoutMs);
    translating(() => ranks().groupLeave(this.id));
    if (this.met === null || this.rank !== 0 || this.#failed) return;
    const others = Array.from({ length: this.worldSize - 1 }, (_, i) => `left/${i + 1}`);
    const missing = this.met.wait(others, timeoutMs);
    if (missing.length === 0) return;
    throw new RankError(
      `rank 0 waited ${timeoutMs / 1000} s for ${rankList(missing)} to close the process group: they are still at work, or lost`,
      { code: 'RANK_TIMEOUT' },
    );
  }

  #transfer(tensor: Tensor, peer: number, tag: number, receive: boolean): Work {
    if (!Number.isSafeInteger(tag) || tag < 0 || tag >= 2 ** 30) {
      throw new ConfigError(`expected a tag from 0 to 2^30 - 1, got ${tag}`);
    }
    return this.#begin([tensor], () => ranks().groupTransfer(this.id, peer, tag, receive));
  }

  #begin(tensors: readonly Tensor[], start: () => number): Work {
    writeTensors(tensors);
    return new Work(translating(start));
  }
}

const seconds = (ms: number): string => `${Math.round(ms / 100) / 10} s`;

const rankList = (keys: readonly string[]): string => {
  const numbers = keys.map((key) => key.slice(key.lastIndexOf('/') + 1));
  return `rank${numbers.length > 1 ? 's' : ''} ${numbers.join(', ')}`;
};

/** The IPv4 address of an interface, or its first one. */
function addressOf(name: string, rank: number): string {
  const all = networkInterfaces();
  const addresses = all[name] ?? [];
  const address = (addresses.find(({ family }) => family === 'IPv4') ?? addresses[0])?.address;
  if (address !== undefined) return address;
  throw new ConfigError(
    `rank ${rank}: expected a network interface with an address, got '${name}'; there are ${Object.keys(all).join(', ')}`,
  );
}

/** A store that does not answer is given up after so long, and looked for again. */
const TRY_MS = 5000;
const PAUSE_MS = 500;
const passing: ReadonlySet<string> = new Set(['STORE_UNREACHABLE', 'STORE_SILENT', 'RANK_TWICE']);

/** Another store of the process at the same place serves as well: a port can be taken once. */
const served = new Map<string, TCPStore>();

function openStore({ rank, master, storeKept }: Launch, timeoutMs: number): TCPStore {
  const place = `${master.host}:${master.port}`;
  const serve = rank === 0 && !storeKept;
  const store = served.get(place) ?? TCPStore.open({ ...master, serve, timeoutMs });
  if (serve) served.set(place, store);
  return store;
}

/** Tells that this rank was started. @returns how often, where ranks are started again one by one; else 0 */
function begin({ rank, recovery, storeKept }: Launch, store: TCPStore): number {
  const times = store.add(`starts/${rank}`, 1);
  if (recovery !== 'stage') {
    if (times === 1) return 0;
    throw new RankError('it was started twice, or the group before ended: join with another generation', {
      code: 'RANK_TWICE',
    });
  }
  if (!storeKept) throw new ConfigError('ranks that are started one by one need a launcher that keeps the store');
  if (store.has('failed')) throw new HeadraceError(`the run has failed: ${store.get('failed')}`);
  store.set(`started/${rank}/${times}`, '');
  return times;
}

/** Waits until all ranks have come. @returns their addresses */
function meet({ rank, worldSize, master }: Launch, store: TCPStore, own: string, timeoutMs: number): string[] {
  store.set(`here/${rank}`, JSON.stringify({ address: own, worldSize }));
  const keys = Array.from({ length: worldSize }, (_, i) => `here/${i}`);
  const missing = store.wait(keys, timeoutMs);
  if (missing.length > 0) {
    throw new RankError(
      `waited ${seconds(timeoutMs)} for ${rankList(missing)} of ${worldSize} at ${master.host}:${master.port}, ` +
        `which never came: start ${missing.length > 1 ? 'them' : 'it'}, or see why ${missing.length > 1 ? 'they' : 'it'} did not`,
      { code: 'RANK_TIMEOUT' },
    );
  }
  return keys.map((key, other) => {
    const said = JSON.parse(store.get(key)) as { address: string; worldSize: number };
    if (said.worldSize === worldSize) return said.address;
    throw new RankError(`it was started in a world of ${worldSize}, and rank ${other} in one of ${said.worldSize}`, {
      code: 'RANK_WORLD',
    });
  });
}

const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1';

/** A machine may know its own name as 127.0.1.1, where no other machine finds it: then its address on the way to one of them. */
function reachable(own: string, addresses: readonly string[]): string {
  const outside = isLoopback(own) ? addresses.find((address) => !isLoopback(address)) : undefined;
  return outside === undefined ? own : ranks().routeTo(outside, 9);
}

/** Says which rank an error comes from, and what to do about the master. */
function naming<T>({ rank, master }: Launch, timeoutMs: number, body: () => T): T {
  try {
    return translating(body);
  } catch (error) {
    if (!(error instanceof HeadraceError) || !(error instanceof RankError)) throw error;
    const place = `${master.host}:${master.port}`;
    const advice: Readonly<Record<string, string>> = {
      STORE_PORT_TAKEN: ` (the master's, ${place}): end that program, or choose another MASTER_PORT for all ranks`,
      STORE_UNREACHABLE: `. Is rank 0 running, and ${place} its address?`,
      STORE_SILENT: '. Is the port taken by another program? Choose another MASTER_PORT for all ranks',
    };
    const fact = error.message.split('\n')[0]!.replace(/\.$/, '');
    const waited = `waited ${seconds(timeoutMs)} for the master: `;
    const said = passing.has(error.code) && error.code !== 'RANK_TWICE' ? waited + fact : fact;
    throw new RankError(`rank ${rank}: ${said}${advice[error.code] ?? ''}`, { code: error.code, cause: error });
  }
}
