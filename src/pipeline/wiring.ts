/**
 * Which worker holds which stages, and the channels between them: what a run's threads are started with.
 */

import type { RunEvent } from '../run/events.js';
import type { Tensor } from '../torch/index.js';
import type { CheckpointState, HeldFiles, ShardKeys } from './checkpoint.js';
import type { SavedPart } from './checkpoint-commits.js';
import { type RunConfig, replicasOf } from './config.js';
import type { LastingEdge } from './lasting.js';
import { overlap, type Part } from './parts.js';
import type { Siblings } from './replicas.js';
import type { Joint } from './resplit.js';
import { isLocal, microbatchCount, needsGradients, scheduleFor, stageCount } from './schedule.js';

/** One direction from a worker to another, or to itself. A transport opens it. */
export interface Edge {
  readonly number: number;
  /** For messages, such as `stage 0 -> stage 1`. */
  readonly name: string;
  /** The workers at its ends; the data loader is {@link LOADER}. */
  readonly from: number;
  readonly to: number;
  /** How many messages may wait in it. */
  readonly capacity: number;
  /** How float32 crosses to another rank. Default 'exact'. */
  readonly wire?: RunConfig['wire'];
}

/** The data loader, among the workers. */
export const LOADER = -1;

/** Which rank holds a worker: all as many, neighbours together. The data loader is rank 0's. */
export function rankOf(worker: number, workers: number, ranks: number): number {
  return worker === LOADER ? 0 : Math.floor((worker * ranks) / workers);
}

/** An edge to a neighbouring stage, or one to each of its replicas. */
export type Border = Edge | Joint<Edge>;

/** One end of a channel, as a thread is told of it. */
export type ChannelRef =
  | { readonly kind: 'queue'; readonly id: number; readonly name: string }
  | { readonly kind: 'local'; readonly id: number }
  | { readonly kind: 'joint'; readonly joint: Joint<ChannelRef> }
  /** To or from another rank of a process group, by its border's number. */
  | {
      readonly kind: 'rank';
      readonly group: number;
      readonly peer: number;
      readonly number: number;
      readonly capacity: number;
      readonly receives: boolean;
      readonly wire?: RunConfig['wire'];
      /** Where ranks are started again one by one. */
      readonly lasting?: Pick<LastingEdge, 'name' | 'from' | 'folder'>;
    };

/** A stage of a program, or a replica of one, and its channels: edges of a wiring, or what a transport made of them. */
export interface StationJob<Link = ChannelRef> {
  readonly index: number;
  /** For messages, such as `stage 0`. */
  readonly name: string;
  readonly inputs: readonly Link[];
  readonly outputs: readonly Link[];
  readonly gradientsIn: readonly Link[];
  readonly gradientsOut: readonly Link[];
  /** From stages, and to stages, whose losses look at what others made of the same training batch: no gradient crosses. */
  readonly peersIn?: readonly Link[];
  readonly peersOut?: readonly Link[];
  /** Where the stage has several replicas. */
  readonly siblings?: Siblings<Link>;
}

/** In a chain: the layers `from` up to, not including, `to`. */
export interface ChainStation<Link = ChannelRef> extends StationJob<Link> {
  readonly from: number;
  readonly to: number;
  readonly hasHead: boolean;
  /** Its number among the replicas of its stage. */
  readonly replica: number;
}

/** A run and the checkpoint of it to start from: all threads take the same, whatever the run does meanwhile. */
export interface LoadedRun {
  readonly out: string;
  readonly state: CheckpointState;
  readonly held?: HeldFiles;
}

/** What a thread of stages is started with, whatever its program. */
export interface ThreadJob {
  /** URL of the module whose `program` makes its stages: program.ts. */
  readonly program: string;
  readonly config: { readonly threads: number };
  readonly timeoutMs: number;
  readonly worker: number;
  readonly stations: readonly StationJob[];
  /** Queues: of the tensors that it begins with, and of what it tells with tensors. */
  readonly tensors: number;
  readonly told: number;
}

/** A file in a run's folder, and a word in it that no other has. */
export interface FolderMark {
  readonly path: string;
  readonly token: string;
}

/** What all threads of a program are told, in whatever process: plain data, and tensors. */
export interface ProgramPlan<Job extends ThreadJob = ThreadJob, Station = StationJob<Border>> {
  readonly wiring: Wiring<Station>;
  readonly job: Omit<Job, 'worker' | 'stations' | 'tensors' | 'told'>;
  readonly tensors: readonly Tensor[];
  /** Ranks that do not see it ask for a job and tensors of their own. */
  readonly mark?: FolderMark | null;
  /** Where ranks are started again one by one: the step that this one goes on from, and the run's folder. */
  readonly recovery?: { readonly from: number; readonly out: string } | null;
}

export interface WorkerJob extends ThreadJob {
  readonly config: RunConfig;
  readonly stations: readonly ChainStation[];
  /** Steps done before. */
  readonly fromStep: number;
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  readonly load: LoadedRun | null;
  /** In a rank that does not see the run's folder: what goes on from tensors, and saves by telling of them. */
  readonly apart?: { readonly load: ShardKeys | null };
  /** Whether events are written to the run's folder. */
  readonly training: boolean;
}

/** What a worker, or the data loader, tells the thread that started it. */
export type WorkerNotice =
  | { readonly kind: 'event'; readonly event: RunEvent }
  | ({ readonly kind: 'saved' } & SavedPart)
  /** The same from a rank that does not see the run's folder; the tensors go with it. */
  | {
      readonly kind: 'part';
      readonly step: number;
      readonly epoch: number;
      readonly best: boolean;
      readonly stage: number;
      readonly keys: ShardKeys;
    }
  /** A tensor goes with it. */
  | Predicted
  /** The checkpoint has no head for this stage's border (it was cut elsewhere): it starts afresh. */
  | { readonly kind: 'freshHead'; readonly stage: number };

/** What the last stage gives for a prediction batch goes with this. */
export interface Predicted {
  readonly kind: 'predicted';
  readonly batch: number;
}

/** Plain data: it can be sent to another process. */
export interface Wiring<Station = StationJob<Border>> {
  /** Where batches are put: a border to each stage that takes them. */
  readonly sources: readonly Border[];
  /** For each worker, its stations. */
  readonly workers: readonly (readonly Station[])[];
}

/** Lays edges, and numbers them. */
export function edgeLayer(
  wire?: RunConfig['wire'],
): (name: string, from: number, to: number, capacity: number) => Edge {
  let number = 0;
  const crossing = wire === undefined ? {} : { wire };
  return (name, from, to, capacity) => ({ number: number++, name, from, to, capacity, ...crossing });
}

/** The stages of each worker, and which of their replicas it holds. Those of a stage are neighbours. */
export function workersOf(
  config: Pick<RunConfig, 'schedule' | 'stages' | 'replicas'>,
): { readonly stages: readonly number[]; readonly replica: number }[] {
  const replicas = replicasOf(config);
  return scheduleFor(config.schedule, replicas.length).flatMap((actions) => {
    const stages = [...new Set(actions.map(({ stage }) => stage))];
    const most = Math.max(...stages.map((stage) => replicas[stage]!));
    return range(most).map((replica) => ({ stages: stages.filter((stage) => replicas[stage]! > replica), replica }));
  });
}

/** Numbers the edges of a run as they are laid. */
class Edges {
  readonly #workers: ReturnType<typeof workersOf>;
  readonly #replicas: readonly number[];
  readonly #lay: ReturnType<typeof edgeLayer>;

  constructor(
    config: RunConfig,
    private readonly ranks: number,
  ) {
    this.#workers = workersOf(config);
    this.#replicas = replicasOf(config);
    this.#lay = edgeLayer(config.wire);
  }

  edge(what: string, [from, fromReplica]: Place, [to, toReplica]: Place, capacity: number): Edge {
    const name = `${what}${this.nameOf([from, fromReplica])} -> ${this.nameOf([to, toReplica])}`;
    return this.#lay(name, this.#workerOf([from, fromReplica]), this.#workerOf([to, toReplica]), capacity);
  }

  /** From every replica of a stage to every one of another: what each has at its end. */
  border(
    what: string,
    from: number,
    to: number,
    capacity: number,
  ): { readonly outOf: Border[]; readonly into: Border[] } {
    const [senders, receivers] = [this.#partsOf(from), this.#partsOf(to)];
    const links = senders.map((sender) =>
      receivers.map((receiver) =>
        overlap(sender, receiver) ? this.edge(what, [from, sender.index], [to, receiver.index], capacity) : null,
      ),
    );
    const joint = (own: Part, others: readonly Part[], linkOf: (part: Part) => Edge | null): Border => {
      const all = others.flatMap((part) => {
        const link = linkOf(part);
        return link === null ? [] : [{ part, link }];
      });
      return own.of === others.length ? all[0]!.link : { own, others: all };
    };
    return {
      outOf: senders.map((own) => joint(own, receivers, (part) => links[own.index]![part.index]!)),
      into: receivers.map((own) => joint(own, senders, (part) => links[part.index]![own.index]!)),
    };
  }

  /** Within a rank, edges from its first replica of a stage to each of the others and back; the first ones of the ranks meet. */
  siblings(stage: number): (Siblings<Edge> | undefined)[] {
    const parts = this.#partsOf(stage);
    if (parts.length === 1) return [undefined];
    const rank = ({ index }: Part): number => rankOf(this.#workerOf([stage, index]), this.#workers.length, this.ranks);
    const ranks = [...new Set(parts.map(rank))];
    return ranks.flatMap((held): Siblings<Edge>[] => {
      const [first, ...others] = parts.filter((part) => rank(part) === held) as [Part, ...Part[]];
      const edges = others.map(({ index }) => ({
        there: this.edge('sums, ', [stage, first.index], [stage, index], 1),
        back: this.edge('gradients, ', [stage, index], [stage, first.index], 1),
      }));
      const across = ranks.length > 1 ? { across: { ranks, name: `stage ${stage}`, group: null } } : {};
      return [
        { ...first, first: true, from: edges.map(({ back }) => back), to: edges.map(({ there }) => there), ...across },
        ...others.map((part, i) => ({ ...part, first: false, from: [edges[i]!.there], to: [edges[i]!.back] })),
      ];
    });
  }

  #partsOf(stage: number): Part[] {
    const count = stage === LOADER ? 1 : this.#replicas[stage]!;
    return range(count).map((index) => ({ index, of: count }));
  }

  #workerOf([stage, replica]: Place): number {
    if (stage === LOADER) return LOADER;
    return this.#workers.findIndex((worker) => worker.replica === replica && worker.stages.includes(stage));
  }

  nameOf([stage, replica]: Place): string {
    if (stage === LOADER) return 'data loader';
    return this.#replicas[stage] === 1 ? `stage ${stage}` : `stage ${stage}, replica ${replica}`;
  }
}

/** A stage, or {@link LOADER}, and one of its replicas. */
type Place = readonly [stage: number, replica: number];

/**
 * Lays the edges of a chain of stages.
 * @param options.ranks - that share the workers. Default 1
 */
export function wireChain(
  config: RunConfig,
  cut: readonly number[],
  layers: number,
  options: { readonly heads?: boolean; readonly ranks?: number } = {},
): Wiring<ChainStation<Border>> {
  const { heads = isLocal(config.schedule), ranks = 1 } = options;
  const stages = stageCount(config.schedule, config.stages);
  const microbatches = microbatchCount(config.schedule, config.microbatches);
  const edges = new Edges(config, ranks);
  // Backprop schedules must hold a whole batch's microbatches without blocking.
  const capacity = Math.max(config.queueCapacity, microbatches);
  const borders = range(stages - 1).map((i) => edges.border('', i, i + 1, capacity));
  const gradients = needsGradients(config.schedule)
    ? borders.map((_, i) => edges.border('gradients, ', i + 1, i, capacity))
    : [];
  const source = edges.border('', LOADER, 0, config.queueCapacity * microbatches);
  const siblings = range(stages).map((i) => edges.siblings(i));
  const bounds = [0, ...cut.slice(0, stages - 1).map((border) => border + 1), layers];
  const one = (given: Border | undefined): Border[] => (given ? [given] : []);
  const station = (i: number, replica: number): ChainStation<Border> => {
    const own = siblings[i]![replica];
    return {
      index: i,
      name: edges.nameOf([i, replica]),
      replica,
      from: bounds[i]!,
      to: bounds[i + 1]!,
      hasHead: heads && i < stages - 1,
      inputs: [(i === 0 ? source : borders[i - 1]!).into[replica]!],
      outputs: one(borders[i]?.outOf[replica]),
      gradientsIn: one(gradients[i]?.into[replica]),
      gradientsOut: one(gradients[i - 1]?.outOf[replica]),
      ...(own ? { siblings: own } : {}),
    };
  };
  const workers = workersOf(config).map(({ stages: held, replica }) => held.map((i) => station(i, replica)));
  return { sources: source.outOf, workers };
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
