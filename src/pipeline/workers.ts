/** The workers of a program that this process holds, and what those of other ranks tell: how every program is started. */
import type { RankChannel } from '../distributed/index.js';
import { type HeadraceError, Queue, type Tensor } from '../torch/index.js';
import { TOLD } from './post.js';
import { type ApartNotice, type RankRun, tell, toRank } from './rank-messages.js';
import type { RankNoticesJob } from './rank-notices.js';
import { Board, recovers } from './recovery.js';
import { Threads, type ThreadsOptions } from './threads.js';
import { Transport } from './transport.js';
import { type Border, type ChannelRef, type ProgramPlan, rankOf, type StationJob, type ThreadJob } from './wiring.js';

/** Notices with tensors that may wait to be heard. */
const CAPACITY = 16;

const isApart = (notice: SomeNotice): notice is ApartNotice => notice.kind === 'apart';

interface SomeNotice {
  readonly kind: string;
  readonly step?: number;
}

export interface WorkersOptions<Notice, Failure extends HeadraceError>
  extends Omit<ThreadsOptions<Notice, Failure>, 'onNotice'> {
  /** Told what the workers tell, but for their ends. What it throws fails the run. */
  readonly onNotice: (notice: Notice, tensors: readonly Tensor[]) => void;
  /** What workers of a rank that does not see the plan's mark begin with; its tensors are disposed of. */
  readonly apart?: (workers: readonly number[]) => Pick<ProgramPlan, 'job' | 'tensors'>;
}

export class Workers<Notice extends SomeNotice, Failure extends HeadraceError = HeadraceError> extends Threads<
  Notice,
  Failure
> {
  readonly #transport: Transport;
  readonly #told = Queue.create<Notice>(CAPACITY);
  readonly #borders = new Map<number, RankChannel>();

  /** @param ranks - that share the workers: all are told the plan by rank 0; null where this process has all */
  constructor(
    private readonly plan: ProgramPlan<ThreadJob, StationJob<Border>>,
    private readonly ranks: RankRun | null,
    { onNotice, apart, ...others }: WorkersOptions<Notice, Failure>,
  ) {
    super({
      ...others,
      onNotice: (notice) => {
        if (isApart(notice)) return this.#sendApart(notice.peer, apart!);
        const { meta, tensors } = notice.kind === TOLD.kind ? this.#told.get(0) : { meta: notice, tensors: [] };
        onNotice(meta, tensors as Tensor[]);
      },
    });
    this.#transport = new Transport(plan.wiring.workers.length, ranks, plan.recovery);
    this.own(this.#told, this.#transport);
  }

  /** Where batches are put; in rank 0. */
  sources(): ChannelRef[] {
    return this.plan.wiring.sources.map((edge) => this.#transport.open(edge));
  }

  begin(): void {
    if (this.ranks?.group.rank === 0) this.#lead(this.ranks);
    for (const [worker, stations] of this.plan.wiring.workers.entries()) {
      if (this.#transport.holds(worker)) this.#begin(worker, stations);
    }
  }

  #begin(worker: number, stations: readonly StationJob<Border>[]): void {
    const { job, tensors } = this.plan;
    const queue = Queue.create<null>(1);
    this.own(queue);
    queue.put({ meta: null, tensors: [...tensors] });
    const own = { worker, stations: this.#transport.stations(stations), tensors: queue.id, told: this.#told.id };
    const name = stations.map((station) => station.name).join(', ');
    this.spawn('./worker.js', { ...job, ...own } satisfies ThreadJob, name, stations[0]!.index);
  }

  /** Tells the other ranks what to do; what their workers tell comes by a thread each, as if they were this process's. */
  #lead(ranks: RankRun): void {
    const { group, number } = ranks;
    const listener = { group: group.id, number, told: this.#told.id, timeoutMs: this.plan.job.timeoutMs };
    if (recovers(group)) new Board(group).plan = this.plan;
    for (let peer = 1; peer < group.worldSize; peer++) {
      if (!recovers(group)) this.#sendPlan(ranks, peer);
      this.spawn('./rank-notices.js', { ...listener, peer } satisfies RankNoticesJob, `rank ${peer}`, -1);
    }
  }

  #sendPlan(ranks: RankRun, peer: number): void {
    const { wiring, job, tensors, mark } = this.plan;
    const border = toRank(ranks, peer);
    this.#borders.set(peer, border);
    tell(border, { wiring, job, mark }, tensors);
  }

  #sendApart(peer: number, apart: NonNullable<WorkersOptions<Notice, Failure>['apart']>): void {
    const { length } = this.plan.wiring.workers;
    const all = Array.from({ length }, (_, worker) => worker);
    const { job, tensors } = apart(
      all.filter((worker) => rankOf(worker, length, this.ranks!.group.worldSize) === peer),
    );
    tell(this.#borders.get(peer)!, job, tensors);
    for (const tensor of tensors) tensor.dispose();
  }

  /** Starts a thread of the engine. @param file - of its module, beside this one. @param stage - -1: none */
  spawn(file: string, job: object, name: string, stage: number): void {
    void this.start(new URL(file, import.meta.url).href, job, { name, stage, finished: false });
  }
}
