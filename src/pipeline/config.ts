/**
 * The configuration of a run: plain JSON, complete, and written to the run's folder as it was used.
 */
import type { ComputeType } from './compute.js';
import type { HeadKind, ModuleRef } from './model.js';
import { type ScheduleName, stageCount } from './schedule.js';

export type OptimizerConfig =
  | {
      readonly name: 'sgd';
      readonly lr: number;
      readonly momentum: number;
      readonly weightDecay: number;
      /** What decays: every parameter, or only those of more than one dimension (no biases, no norms). */
      readonly decay: 'all' | 'weights';
      readonly nesterov: boolean;
    }
  | {
      readonly name: 'adam' | 'adamw';
      readonly lr: number;
      readonly betas: readonly [number, number];
      readonly eps: number;
      readonly weightDecay: number;
      readonly decay: 'all' | 'weights';
    };

/** Learning rate over the steps of a run. Warm-up rises linearly from 0; both are given in epochs. */
export type LrScheduleConfig =
  | { readonly name: 'constant'; readonly warmupEpochs: number }
  /** Falls along a half cosine to `minLr` (a share of the optimizer's lr) at the last step. */
  | { readonly name: 'cosine'; readonly warmupEpochs: number; readonly minLr: number }
  /** Times `gamma` at each milestone. */
  | {
      readonly name: 'multistep';
      readonly warmupEpochs: number;
      readonly milestones: readonly number[];
      readonly gamma: number;
    };

/** Faults to inject, for tests of how failures are handled. */
export interface FaultConfig {
  /** Sleep up to this many milliseconds, drawn from the run's seed, before every action. */
  readonly delayMs?: number;
  /** At this step of this stage: throw, end the thread, make the loss NaN, or fail to save the checkpoint of the step. */
  readonly at?: { readonly stage: number; readonly step: number; readonly kind: 'throw' | 'exit' | 'nan' | 'save' };
  /** Milliseconds that each stage takes longer for each file of a checkpoint. */
  readonly saveMs?: readonly number[];
}

export interface RunConfig {
  readonly model: ModuleRef;
  readonly modelName: string;
  readonly data: ModuleRef;
  readonly schedule: ScheduleName;
  readonly stages: number;
  /** How many of each stage share its batches, or of each of them. Default 1. */
  readonly replicas?: number | readonly number[] | undefined;
  /** Replicas normalise by the statistics of all their samples. Default: each by its own, as PyTorch's DDP. */
  readonly syncBatchNorm?: boolean | undefined;
  /** `stages - 1` borders, rising: border b lies after layer b. Measured and chosen where absent. */
  readonly cut?: readonly number[] | undefined;
  readonly head: { readonly kind: HeadKind; readonly depth?: number | undefined };
  /** Parts of a batch, in the backprop schedules. */
  readonly microbatches: number;
  /** Either epochs or steps. */
  readonly epochs?: number | undefined;
  readonly steps?: number | undefined;
  readonly batchSize: number;
  readonly optimizer: OptimizerConfig;
  readonly lrSchedule: LrScheduleConfig;
  readonly labelSmoothing: number;
  /** A safetensors file with PyTorch's keys, whose weights the run begins with. */
  readonly init?: string | undefined;
  /** Parts of the model that stay as they are, by the beginnings of their keys: `['conv1', 'bn1', 'layer1']`. */
  readonly freeze?: readonly string[] | undefined;
  /** What the learning rate is multiplied by for parts of the model, by the beginnings of their keys; the first that fits counts. */
  readonly lrFactors?: Readonly<Record<string, number>> | undefined;
  readonly seed: number;
  /** Intra-op threads of each worker. */
  readonly threads: number;
  /** One for each stage, or for each replica of each; a single one serves all. */
  readonly devices: readonly string[];
  /** Batches that may wait at a border. */
  readonly queueCapacity: number;
  /**
   * How float32 tensors travel between ranks: `bfloat16` rounds them to 8 bits of mantissa, in half the bytes (targets that are
   * float32, too). Between threads nothing is rounded. Default 'exact'.
   */
  readonly wire?: 'exact' | 'bfloat16' | undefined;
  /** Epochs between evaluations; 0: only at the end. */
  readonly evalEvery: number;
  /** Epochs without a better evaluation, by the task's metric, after which the run ends; each evaluation is waited for then. */
  readonly patience?: number | undefined;
  /** False leaves out every evaluation, the one at the end too. */
  readonly evaluation?: boolean | undefined;
  /** Steps between checkpoints; 0: only at the end. */
  readonly checkpointEvery: number;
  /** Go on when a loss is not finite. */
  readonly allowNaN: boolean;
  readonly memoryFormat: 'contiguous' | 'channelsLast';
  /**
   * What layers compute in. With `bfloat16` convolutions and matrix products do in 16 bits, by autocast; weights, their gradients,
   * losses and the optimizer stay float32. Default 'float32'.
   */
  readonly compute?: ComputeType | undefined;
  /** Folder of the run; null keeps nothing. */
  readonly out: string | null;
  /** Seconds that a stage may wait for its neighbour. */
  readonly timeoutSeconds?: number | undefined;
  /** Write the time of every action to the events. */
  readonly spans?: boolean | undefined;
  readonly faults?: FaultConfig | undefined;
}

/** What most runs leave as it is; spread it under the rest. A recipe brings the optimizer, batch size and head. */
export const runDefaults = {
  schedule: 'ppll',
  stages: 2,
  microbatches: 1,
  seed: 0,
  threads: 1,
  devices: ['cpu'],
  queueCapacity: 2,
  evalEvery: 1,
  checkpointEvery: 0,
  allowNaN: false,
  out: null,
} as const satisfies Partial<RunConfig>;

/** A configuration in which what has a default may be left out: {@link runDefaults}, and {@link completeConfig} for the rest. */
export type RunSettings = Pick<RunConfig, 'model' | 'data' | 'batchSize' | 'optimizer'> & Partial<RunConfig>;

/**
 * The full configuration: heads `auglocal` of depth 1, a constant learning rate, no label smoothing and contiguous memory
 * where nothing else is said; the model's name is that of the function that makes it.
 */
export function completeConfig(settings: RunSettings): RunConfig {
  return {
    ...runDefaults,
    modelName: settings.model?.export,
    head: { kind: 'auglocal', depth: 1 },
    lrSchedule: { name: 'constant', warmupEpochs: 0 },
    labelSmoothing: 0,
    memoryFormat: 'contiguous',
    ...givenOf(settings),
  };
}

/** How many replicas each stage has. */
export function replicasOf({
  schedule,
  stages,
  replicas = 1,
}: Pick<RunConfig, 'schedule' | 'stages' | 'replicas'>): number[] {
  return typeof replicas === 'number'
    ? Array.from({ length: stageCount(schedule, stages) }, () => replicas)
    : [...replicas];
}

/** Where a replica of a stage computes. */
export function deviceOf(config: RunConfig, stage: number, replica: number): string {
  const { devices } = config;
  if (devices.length === 1) return devices[0]!;
  if (devices.length === config.stages) return devices[stage]!;
  const before = replicasOf(config).slice(0, stage);
  return devices[before.reduce((sum, count) => sum + count, replica)]!;
}

/** What has a value. */
export function givenOf<T extends object>(settings: T): T {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as T;
}

/** The learning rate of a step, counted from 0. */
export function learningRate(
  config: Pick<RunConfig, 'lrSchedule' | 'optimizer'>,
  step: number,
  totalSteps: number,
  stepsPerEpoch: number,
): number {
  const { lrSchedule, optimizer } = config;
  const warmup = Math.min(totalSteps, Math.round(lrSchedule.warmupEpochs * stepsPerEpoch));
  if (step < warmup) return (optimizer.lr * (step + 1)) / (warmup + 1);
  switch (lrSchedule.name) {
    case 'constant':
      return optimizer.lr;
    case 'cosine': {
      const share = (step - warmup) / Math.max(1, totalSteps - warmup);
      const floor = lrSchedule.minLr;
      return optimizer.lr * (floor + ((1 - floor) * (1 + Math.cos(Math.PI * share))) / 2);
    }
    case 'multistep': {
      const passed = lrSchedule.milestones.filter((epoch) => step >= epoch * stepsPerEpoch).length;
      return optimizer.lr * lrSchedule.gamma ** passed;
    }
  }
}
