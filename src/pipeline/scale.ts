/** What many devices would bring: stages and replicas joined by links, ppll beside 1f1b, simulated from measured costs. */

import { formatColumns } from '../report/columns.js';
import { ConfigError } from '../torch/errors.js';
import { checkOptions } from '../torch/options.js';
import { type Profile, planCut, type StagePlan, stagePlans, stageTimes } from './plan.js';
import { isLocal, needsGradients, type ScheduleName, scheduleFor } from './schedule.js';
import { type StageTimes, simulate } from './simulate.js';

/** The schedules that are set beside each other. */
const schedules = ['ppll', '1f1b'] as const;
const FLOAT_BYTES = 4;
const QUEUE_CAPACITY = 2;

export interface ScaleOptions {
  /** Default 2, 4, 8, .. 64, as far as the model has layers. */
  readonly stages?: readonly number[];
  /** Numbers of replicas of each stage. Default 1, 8. */
  readonly replicas?: readonly number[];
  /** Gbit/s of each device, each way at once. Default 10, 100, 400. */
  readonly links?: readonly number[];
  /** How many times as fast as measured the devices are. Default 1. */
  readonly faster?: number;
}

/** One schedule on so many devices. */
export interface Scaled {
  readonly samplesPerSecond: number;
  /** Whether it is slower by more than a twentieth than with links that take no time. */
  readonly byLinks: boolean;
  /** Memory of the largest stage: parameters, gradients, momentum, held activations, and what waits before it. */
  readonly bytes: number;
  /** Over the busiest border, both ways together, for a batch of one replica. */
  readonly borderBytes: number;
}

export interface ScaleRow extends Readonly<Record<(typeof schedules)[number], Scaled>> {
  readonly stages: number;
  readonly replicas: number;
  readonly link: number;
}

/**
 * Simulates a profiled model on stages x replicas devices. Each replica takes a batch of the profile's size (a step is of
 * `replicas` times as many samples). 1f1b cuts it into 4 microbatches a stage, or single samples where these are fewer.
 * Gradients of replicas are reduced in a ring while the backward runs: what does not fit beside it is added. A device's link
 * carries borders and reductions.
 * @throws ConfigError for numbers that make no sense, or more stages than layers
 */
export function scale(profile: Profile, options: ScaleOptions = {}): ScaleRow[] {
  checkOptions('scale', options, ['stages', 'replicas', 'links', 'faster']);
  const layers = profile.layers.length;
  const {
    stages = [2, 4, 8, 16, 32, 64].filter((count) => count <= layers),
    replicas = [1, 8],
    links = [10, 100, 400],
    faster = 1,
  } = options;
  if (![...links, faster].every((x) => x > 0)) throw new ConfigError('expected links and a speed above 0');
  if (!replicas.every((count) => Number.isInteger(count) && count >= 1)) {
    throw new ConfigError(`expected whole numbers of replicas >= 1, got ${replicas.join(', ')}`);
  }
  return stages.flatMap((count) => {
    const parts = Object.fromEntries(schedules.map((name) => [name, partsOf(profile, name, count)]));
    return replicas.flatMap((copies) =>
      links.map((link) => {
        const scaled = (name: (typeof schedules)[number]) => scaledOf(profile, parts[name]!, { copies, link, faster });
        return { stages: count, replicas: copies, link, ppll: scaled('ppll'), '1f1b': scaled('1f1b') };
      }),
    );
  });
}

/** A model cut for a schedule. */
interface Parts {
  readonly schedule: ScheduleName;
  readonly microbatches: number;
  readonly stages: readonly StagePlan[];
  /** Bytes of a batch over each border. */
  readonly outputs: readonly number[];
  /** Seconds a batch, with links that take no time. */
  readonly ideal: number;
}

function partsOf(profile: Profile, schedule: ScheduleName, count: number): Parts {
  const cut = planCut(profile, schedule, count);
  const microbatches = isLocal(schedule) ? 1 : Math.min(4 * count, profile.batchSize);
  const outputs = cut.map((border) => profile.layers[border]!.outputBytes);
  const stages = stagePlans(profile, schedule, cut, microbatches);
  const ideal = periodOf(schedule, microbatches, stageTimes(profile, stages, microbatches));
  return { schedule, microbatches, outputs, stages, ideal };
}

/** A schedule with gradients comes to rest after each batch; ppll is full after as many batches as stages. */
function periodOf(schedule: ScheduleName, microbatches: number, times: readonly StageTimes[]): number {
  const gradients = needsGradients(schedule);
  const batches = gradients ? 4 : 4 * times.length;
  const queueCapacity = Math.max(QUEUE_CAPACITY, microbatches);
  return simulate(scheduleFor(schedule, times.length, microbatches), times, { gradients, batches, queueCapacity })
    .period;
}

function scaledOf(
  profile: Profile,
  { schedule, microbatches, stages, outputs, ideal }: Parts,
  { copies, link, faster }: { copies: number; link: number; faster: number },
): Scaled {
  const bytesPerSecond = (link * 1e9) / 8;
  const gradients = needsGradients(schedule);
  const reduced = stages.map((stage) => {
    const parameters = stage.parameters + (stage.head?.parameters ?? 0);
    return ((2 * (copies - 1)) / copies) * parameters * FLOAT_BYTES;
  });
  const times = stageTimes(profile, stages, microbatches).map((time, s) => {
    const work = { forward: time.forward / faster, backward: time.backward / faster, head: (time.head ?? 0) / faster };
    const beside = microbatches * (work.backward + work.head);
    const late = Math.max(0, reduced[s]! / bytesPerSecond - beside);
    const sends = { send: outputs[s] ?? 0, sendBack: outputs[s - 1] ?? 0 };
    return {
      ...work,
      update: (time.update ?? 0) / faster + late,
      send: sends.send / microbatches / bytesPerSecond,
      sendBack: sends.sendBack / microbatches / bytesPerSecond,
    };
  });
  // What a device sends for a batch: its outputs, its gradients, its share of the reduction.
  const sent = stages.map((_, s) => (outputs[s] ?? 0) + (gradients ? (outputs[s - 1] ?? 0) : 0) + reduced[s]!);
  const period = Math.max(periodOf(schedule, microbatches, times), Math.max(...sent) / bytesPerSecond);
  const waiting = (s: number): number => (isLocal(schedule) ? QUEUE_CAPACITY * (outputs[s - 1] ?? 0) : 0);
  return {
    samplesPerSecond: (copies * profile.batchSize) / period,
    byLinks: period > (1.05 * ideal) / faster,
    bytes: Math.max(...stages.map((stage, s) => stage.bytes + waiting(s))),
    borderBytes: Math.max(0, ...outputs) * (gradients ? 2 : 1),
  };
}

/** A table to read: a * marks where links cost more than a twentieth. */
export function formatScale(profile: Profile, rows: readonly ScaleRow[], faster = 1): string {
  const header = [
    'stages',
    'replicas',
    'Gbit/s',
    'ppll samples/s',
    '1f1b',
    'ppll / 1f1b',
    'ppll MiB',
    '1f1b',
    'ppll MiB/batch',
    '1f1b',
  ];
  const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
  const speed = ({ samplesPerSecond, byLinks }: Scaled): string =>
    `${significant(samplesPerSecond)}${byLinks ? '*' : ''}`;
  const table = rows.map(({ stages, replicas, link, ppll, '1f1b': other }) => [
    ...[stages, replicas, link].map(String),
    ...[speed(ppll), speed(other), (ppll.samplesPerSecond / other.samplesPerSecond).toFixed(2)],
    ...[mebibytes(ppll.bytes), mebibytes(other.bytes), mebibytes(ppll.borderBytes), mebibytes(other.borderBytes)],
  ]);
  const pace = faster === 1 ? 'as fast as' : `${faster} times as fast as`;
  return [
    `${profile.model}, batches of ${profile.batchSize} a replica, ${profile.headKind} heads; devices ${pace} measured on ` +
      `${profile.device} with ${profile.threads} thread(s)`,
    formatColumns([header, ...table], []),
    'MiB: of the largest stage; MiB/batch: over the busiest border. *: links cost more than a twentieth.',
  ].join('\n');
}

const significant = (x: number): string => (x >= 1000 ? String(Math.round(x)) : x.toPrecision(3));
