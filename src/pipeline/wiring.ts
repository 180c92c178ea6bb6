/**
 * Which worker holds which stages, and the channels between them: what a run's threads are started with.
 */
import { Queue } from '../torch/index.js';
import type { CheckpointState, HeldFiles } from './checkpoint.js';
import type { SavedPart } from './checkpoint-commits.js';
import type { RunConfig } from './config.js';
import type { RunEvent } from './events.js';
import type { Message } from './messages.js';
import { isLocal, microbatchCount, needsGradients, scheduleFor, stageCount } from './schedule.js';

/** One end of a channel, as a thread is told of it. */
export type ChannelRef =
  | { readonly kind: 'queue'; readonly id: number; readonly name: string }
  | { readonly kind: 'local'; readonly id: number };

/** A stage's place in the model, and its channels. */
export interface StationJob {
  readonly index: number;
  readonly from: number;
  readonly to: number;
  readonly hasHead: boolean;
  readonly inputs: readonly ChannelRef[];
  readonly outputs: readonly ChannelRef[];
  readonly gradientsIn: readonly ChannelRef[];
  readonly gradientsOut: readonly ChannelRef[];
}

/** A run and the checkpoint of it to start from: all threads take the same, whatever the run does meanwhile. */
export interface LoadedRun {
  readonly out: string;
  readonly state: CheckpointState;
  readonly held?: HeldFiles;
}

export interface WorkerJob {
  readonly config: RunConfig;
  readonly worker: number;
  readonly stations: readonly StationJob[];
  /** Steps done before. */
  readonly fromStep: number;
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  readonly load: LoadedRun | null;
  /** Whether events are written to the run's folder. */
  readonly training: boolean;
  readonly timeoutMs: number;
}

/** What a worker, or the data loader, tells the thread that started it. */
export type WorkerNotice =
  | { readonly kind: 'event'; readonly event: RunEvent }
  | ({ readonly kind: 'saved' } & SavedPart)
  | { readonly kind: 'predicted'; readonly batch: number; readonly shape: number[]; readonly values: Float32Array }
  /** The checkpoint has no head for this stage's border (it was cut elsewhere): it starts afresh. */
  | { readonly kind: 'freshHead'; readonly stage: number }
  | {
      readonly kind: 'failed';
      readonly stage: number;
      readonly action: string | null;
      readonly step: number | null;
      readonly message: string;
    }
  | { readonly kind: 'finished' };

export interface Wiring {
  /** Where the data loader puts batches. */
  readonly source: number;
  readonly queues: readonly Queue<Message>[];
  /** For each worker, its stations. */
  readonly workers: readonly (readonly StationJob[])[];
}

/** Lays the channels of a chain of stages: queues between workers, lists within one. */
export function wireChain(
  config: RunConfig,
  cut: readonly number[],
  layers: number,
  options: { heads: boolean } = { heads: isLocal(config.schedule) },
): Wiring {
  const stages = stageCount(config.schedule, config.stages);
  const microbatches = microbatchCount(config.schedule, config.microbatches);
  const schedule = scheduleFor(config.schedule, stages, microbatches);
  const workerOf = (stage: number): number => schedule.findIndex((actions) => actions.some((a) => a.stage === stage));
  const queues: Queue<Message>[] = [];
  const queue = (capacity: number, name: string): ChannelRef => {
    const made = Queue.create<Message>(capacity);
    queues.push(made);
    return { kind: 'queue', id: made.id, name };
  };
  // Backprop schedules must hold a whole batch's microbatches without blocking.
  const capacity = Math.max(config.queueCapacity, microbatches);
  const borders = Array.from({ length: stages - 1 }, (_, i): ChannelRef => {
    if (workerOf(i) === workerOf(i + 1)) return { kind: 'local', id: i };
    return queue(capacity, `stage ${i} -> stage ${i + 1}`);
  });
  const gradients = needsGradients(config.schedule)
    ? borders.map((_, i) => queue(capacity, `gradients, stage ${i + 1} -> stage ${i}`))
    : [];
  const source = queue(config.queueCapacity, 'data loader -> stage 0') as Extract<ChannelRef, { kind: 'queue' }>;
  const bounds = [0, ...cut.slice(0, stages - 1).map((border) => border + 1), layers];
  const one = (ref: ChannelRef | undefined): ChannelRef[] => (ref ? [ref] : []);
  const stations = Array.from(
    { length: stages },
    (_, i): StationJob => ({
      index: i,
      from: bounds[i]!,
      to: bounds[i + 1]!,
      hasHead: options.heads && i < stages - 1,
      inputs: [i === 0 ? source : borders[i - 1]!],
      outputs: one(borders[i]),
      gradientsIn: one(gradients[i]),
      gradientsOut: i === 0 ? [] : one(gradients[i - 1]),
    }),
  );
  const workers = schedule.map((_, worker) => stations.filter(({ index }) => workerOf(index) === worker));
  return { source: source.id, queues, workers };
}
