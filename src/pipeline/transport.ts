/**
 * Makes channels of the edges of a wiring: lists within a worker, queues between threads, borders between ranks. Threads open
 * what they are told of by {@link Channels}.
 */
import { ProcessGroup, type RankChannel } from '../distributed/index.js';
import { sleep } from '../distributed/time.js';
import { Queue } from '../torch/index.js';
import { type LastingEdge, LastingReceiver, LastingSender } from './lasting.js';
import { type Channel, LocalChannel, type Message, QueueChannel } from './messages.js';
import { firstBorder, type RankRun } from './rank-messages.js';
import { keptFolder } from './recovery.js';
import { Replicas, type Siblings } from './replicas.js';
import { type Joint, ResplitChannel } from './resplit.js';
import { type Border, type ChannelRef, type Edge, type ProgramPlan, rankOf, type StationJob } from './wiring.js';

/** Between looks at who asks for what was sent. */
const SERVE_MS = 50;

/** The channels of a run, held by the thread that started it. */
export class Transport {
  readonly #queues = new Map<number, Queue<Message>>();

  /** @param ranks - that share so many workers; null where this process has all */
  constructor(
    private readonly workers: number,
    private readonly ranks: RankRun | null,
    private readonly recovery: ProgramPlan['recovery'] = null,
  ) {}

  /** Whether a worker, or the data loader, is this process's. */
  holds(worker: number): boolean {
    if (this.ranks === null) return true;
    const { rank, worldSize } = this.ranks.group;
    return rankOf(worker, this.workers, worldSize) === rank;
  }

  /** What a worker is told of its stations. */
  stations(stations: readonly StationJob<Border>[]): StationJob[] {
    return stations.map((station) => {
      const { siblings, ...opened } = eachLink(station, (border: Border) => this.open(border));
      return siblings ? { ...opened, siblings: this.#placed(siblings) } : opened;
    });
  }

  /** Replicas meet those of other ranks in a group of the run's own. */
  #placed(siblings: Siblings<ChannelRef>): Siblings<ChannelRef> {
    const { across } = siblings;
    if (!across) return siblings;
    const { group, number } = this.ranks!;
    return { ...siblings, across: { ...across, name: `run ${number}, ${across.name}`, group: group.id } };
  }

  /** What an end of a border is told. */
  open(border: Border): ChannelRef {
    return 'others' in border
      ? { kind: 'joint', joint: eachOther(border, (edge) => this.#edge(edge)) }
      : this.#edge(border);
  }

  /** Both ends get the same queue. */
  #edge({ number, name, from, to, capacity, wire }: Edge): ChannelRef {
    if (from === to) return { kind: 'local', id: number };
    if (!this.holds(from) || !this.holds(to)) {
      const receives = this.holds(to);
      const { group } = this.ranks!;
      const peer = rankOf(receives ? from : to, this.workers, group.worldSize);
      const border = firstBorder(this.ranks!) + number;
      const ref = { kind: 'rank', group: group.id, peer, number: border, capacity, receives, wire } as const;
      if (!this.recovery) return ref;
      const lasting = { name: `edge ${number}`, from: this.recovery.from, folder: keptFolder(this.recovery.out) };
      return { ...ref, lasting };
    }
    const queue = this.#queues.get(number) ?? Queue.create<Message>(capacity);
    this.#queues.set(number, queue);
    return { kind: 'queue', id: queue.id, name };
  }

  /** Ends all waits, with `reason`: those of other ranks too where this is rank 0, which the others tell what fails in them. */
  abort(reason: string): void {
    for (const queue of this.#queues.values()) queue.abort(reason);
    if (this.ranks?.group.rank === 0) this.ranks.group.fail(reason);
  }

  destroy(): void {
    for (const queue of this.#queues.values()) queue.destroy();
  }
}

type Links<Link> = Pick<
  StationJob<Link>,
  'inputs' | 'outputs' | 'gradientsIn' | 'gradientsOut' | 'peersIn' | 'peersOut' | 'siblings'
>;

/** A station with other ends of its channels. */
export function eachLink<A, B, S extends Links<A>>(
  station: S,
  open: (link: A) => B,
): Omit<S, keyof Links<A>> & Links<B> {
  const { inputs, outputs, gradientsIn, gradientsOut, peersIn = [], peersOut = [], siblings, ...place } = station;
  const all = (links: readonly A[]): B[] => links.map(open);
  return {
    ...place,
    inputs: all(inputs),
    outputs: all(outputs),
    gradientsIn: all(gradientsIn),
    gradientsOut: all(gradientsOut),
    peersIn: all(peersIn),
    peersOut: all(peersOut),
    ...(siblings ? { siblings: { ...siblings, from: all(siblings.from), to: all(siblings.to) } } : {}),
  };
}

function eachOther<A, B>({ own, others }: Joint<A>, open: (link: A) => B): Joint<B> {
  return { own, others: others.map(({ part, link }) => ({ part, link: open(link) })) };
}

/** Opens channels in a worker's thread; both ends of a local one are the same object. */
export class Channels {
  readonly #local = new Map<number, LocalChannel>();
  readonly #senders: { readonly group: ProcessGroup; readonly sender: LastingSender }[] = [];
  readonly #borders: { readonly number: number; readonly channel: RankChannel<Message> }[] = [];

  constructor(private readonly timeoutMs: number) {}

  open(ref: ChannelRef): Channel {
    if (ref.kind === 'queue') return new QueueChannel(ref.id, ref.name, this.timeoutMs);
    if (ref.kind === 'rank') return this.#border(ref);
    if (ref.kind === 'joint') return new ResplitChannel(eachOther(ref.joint, (link) => this.open(link)));
    const channel = this.#local.get(ref.id) ?? new LocalChannel();
    this.#local.set(ref.id, channel);
    return channel;
  }

  /** The replicas of a stage, from the side of one; waits until the other ranks that hold some are here. */
  replicas(siblings: Siblings<Channel>): Replicas {
    const { timeoutMs } = this;
    const { group: id, ranks, name } = siblings.across ?? { group: null };
    if (id === null) return new Replicas(siblings, null, null, timeoutMs);
    const part = (what: string): ProcessGroup => ProcessGroup.attach(id).newGroup(ranks!, { name: what, timeoutMs });
    const apart = ranks!.length === siblings.of;
    return new Replicas(siblings, part(name!), apart ? part(`${name}, gradients`) : null, timeoutMs);
  }

  #border({
    group: id,
    peer,
    number,
    capacity,
    receives,
    wire,
    lasting,
  }: Extract<ChannelRef, { kind: 'rank' }>): Channel {
    const group = ProcessGroup.attach(id);
    if (lasting) return this.#lasting(group, { ...lasting, peer, capacity, wire, timeoutMs: this.timeoutMs }, receives);
    const options = { number, capacity, timeoutMs: this.timeoutMs, ...(wire ? { wire } : {}) };
    const border = receives ? group.channelFrom(peer, options) : group.channelTo(peer, options);
    const channel = border as RankChannel<Message>;
    this.#borders.push({ number, channel });
    return channel;
  }

  #lasting(group: ProcessGroup, edge: LastingEdge, receives: boolean): Channel {
    if (receives) return new LastingReceiver(group, edge);
    const sender = new LastingSender(group, edge);
    this.#senders.push({ group, sender });
    return sender;
  }

  /** After the work, where ranks are started again one by one: what passed may be asked for again until the run is over. */
  serve(): void {
    while (this.#senders.some(({ group }) => !group.done)) {
      for (const { sender } of this.#senders) sender.tend();
      sleep(SERVE_MS);
    }
  }

  /** At the end of the work: returns when all has passed. Ranks go by the same order, so that none waits for ever. */
  close(): void {
    const ordered = [...this.#borders].sort((a, b) => a.number - b.number);
    for (const { channel } of ordered) channel.close();
  }
}
