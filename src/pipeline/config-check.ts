/** What a configuration must be: told before anything starts, all faults at once. */
import {
  isAnything,
  isAtLeast,
  isFlag,
  isList,
  isNumber,
  isObject,
  isOneOf,
  isText,
  isWhole,
  leaf,
  optional,
  orNull,
  type Shape,
} from '../io/index.js';
import { buildInfo, ConfigError, checkOptions, ops, scope } from '../torch/index.js';
import { checkCompute, computeTypes } from './compute.js';
import { type RunConfig, replicasOf } from './config.js';
import { checkCut } from './plan.js';
import { isLocal, microbatchCount, scheduleNames, stageCount } from './schedule.js';

const isReference = isObject({ module: isText, export: isText, options: isAnything });

/** The shape of an object whose other fields depend on its name. */
function isNamed(kinds: Readonly<Record<string, Readonly<Record<string, Shape>>>>): Shape {
  const name = isOneOf(Object.keys(kinds));
  return (value, at) => {
    const faults = isObject({ name })(value, at);
    return faults.length > 0 ? faults : isObject(kinds[(value as { name: string }).name]!)(value, at);
  };
}

const common = {
  lr: leaf('a number > 0', (value) => Number.isFinite(value) && (value as number) > 0),
  weightDecay: isAtLeast(0),
  decay: isOneOf(['all', 'weights']),
};
const adam = { ...common, betas: isList(isNumber), eps: isAtLeast(0) };
const optimizers = { sgd: { ...common, momentum: isAtLeast(0), nesterov: isFlag }, adam, adamw: adam };

const warmupEpochs = isAtLeast(0);
const lrSchedules = {
  constant: { warmupEpochs },
  cosine: { warmupEpochs, minLr: isAtLeast(0) },
  multistep: { warmupEpochs, milestones: isList(isNumber), gamma: isNumber },
};

const head = { kind: isOneOf(['linear', 'dgl', 'auglocal']), depth: optional(isWhole(0)) };

/** One number, or one for each stage. */
const isCounts: Shape = (value, at) => (Array.isArray(value) ? isList(isWhole(1)) : isWhole(1))(value, at);

/** Numbers by names. */
export const isFactors: Shape = (value, at) => {
  const faults = isObject({})(value, at);
  return faults.length > 0
    ? faults
    : Object.entries(value as object).flatMap(([key, of]) => isAtLeast(0)(of, `${at}.${key}`));
};

const fields: Readonly<Record<keyof RunConfig, Shape>> = {
  model: isReference,
  modelName: isText,
  data: isReference,
  schedule: isOneOf(scheduleNames),
  stages: isWhole(1),
  replicas: optional(isCounts),
  syncBatchNorm: optional(isFlag),
  cut: optional(isList(isWhole(0))),
  head: isObject(head),
  microbatches: isWhole(1),
  epochs: optional(isWhole(1)),
  steps: optional(isWhole(1)),
  batchSize: isWhole(1),
  optimizer: isNamed(optimizers),
  lrSchedule: isNamed(lrSchedules),
  labelSmoothing: isAtLeast(0),
  init: optional(isText),
  freeze: optional(isList(isText)),
  lrFactors: optional(isFactors),
  seed: isNumber,
  threads: isWhole(1),
  devices: isList(isText),
  queueCapacity: isWhole(1),
  wire: optional(isOneOf(['exact', 'bfloat16'])),
  evalEvery: isWhole(0),
  patience: optional(isWhole(1)),
  evaluation: optional(isFlag),
  checkpointEvery: isWhole(0),
  allowNaN: isFlag,
  memoryFormat: isOneOf(['contiguous', 'channelsLast']),
  compute: optional(isOneOf(computeTypes)),
  out: orNull(isText),
  timeoutSeconds: optional(isAtLeast(0)),
  spans: optional(isFlag),
  faults: optional(isAnything),
};

/** The shape of a {@link RunConfig}. */
export const isRunConfig: Shape = isObject(fields);

/** Checks what can be checked without the model. @throws ConfigError naming every field that is missing or wrong */
export function checkSettings(config: RunConfig): void {
  checkOptions('a run', config, Object.keys(fields));
  const faults = [...isRunConfig(config, '')];
  if ((config.epochs === undefined) === (config.steps === undefined)) {
    faults.push(`either epochs or steps, got ${config.epochs === undefined ? 'neither' : 'both'}`);
  }
  if (faults.length > 0) throw new ConfigError(`Expected ${faults.join('; ')}.`);
  checkOptions("a run's head", config.head, Object.keys(head));
  checkNamed('the optimizer', config.optimizer, optimizers);
  checkNamed('the lrSchedule', config.lrSchedule, lrSchedules);
  if (!isLocal(config.schedule) && config.microbatches > config.batchSize) {
    throw new ConfigError(
      `Expected at most ${config.batchSize} microbatches (the batch size), got ${config.microbatches}.`,
    );
  }
  if (config.patience !== undefined && (config.evalEvery === 0 || config.evaluation === false)) {
    throw new ConfigError('Expected evaluations every so many epochs (evalEvery) for patience to go by, got none.');
  }
  const workers = checkReplicas(config);
  if (![1, config.stages, workers].includes(config.devices.length)) {
    const each = workers > config.stages ? ` or of their ${workers} replicas` : '';
    throw new ConfigError(
      `Expected one device, or one for each of ${config.stages} stages${each}, got ${config.devices.length}.`,
    );
  }
  checkCompute(config.compute, config.devices);
  checkDevices(config.devices);
}

/** @returns how many replicas there are of all stages */
function checkReplicas(config: RunConfig): number {
  const { schedule, batchSize } = config;
  const replicas = replicasOf(config);
  const stages = stageCount(schedule, config.stages);
  if (replicas.length !== stages) {
    throw new ConfigError(
      `Expected a number of replicas, or one for each of ${stages} stages (${schedule}), got [${replicas}].`,
    );
  }
  const parts = Math.max(...replicas) * microbatchCount(schedule, config.microbatches);
  if (parts > batchSize) {
    throw new ConfigError(
      `Expected a sample for each replica in each microbatch, ${parts} in a batch at least, got a batch size of ${batchSize}.`,
    );
  }
  return replicas.reduce((sum, count) => sum + count, 0);
}

/** Refuses fields that nobody would read. */
function checkNamed<N extends string>(
  where: string,
  value: { readonly name: N },
  kinds: Readonly<Record<N, object>>,
): void {
  checkOptions(`${where} ${value.name}`, value, ['name', ...Object.keys(kinds[value.name])]);
}

/** @throws ConfigError for the first value that makes no sense */
export function checkConfig(config: RunConfig, layers: number): void {
  checkSettings(config);
  if (config.stages > layers) {
    throw new ConfigError(
      `Expected at most ${layers} stages, as ${config.modelName} lists ${layers} layers, got ${config.stages}.`,
    );
  }
  if (config.cut) checkCut(config.cut, layers, stageCount(config.schedule, config.stages));
}

/** @throws ConfigError naming the first device that this machine, or this build of libtorch, does not have */
export function checkDevices(devices: readonly string[]): void {
  for (const device of devices) {
    const fault = faultOf(device);
    if (fault === null) continue;
    throw new ConfigError(
      `Expected devices that can be used here, got '${device}': ${fault}. headrace doctor shows what there is; cpu always works.`,
    );
  }
}

function faultOf(device: string): string | null {
  const [, kind, number = '0'] = /^([a-z]+)(?::(\d+))?$/.exec(device) ?? [];
  if (kind === undefined) return 'a device is spelt cpu, cuda or cuda:0';
  if (kind === 'cpu') return null;
  if (kind !== 'cuda' && kind !== 'mps') return canHold(device) ? null : 'this libtorch cannot compute there';
  const { libtorch, cudaDevices, mpsDevices } = buildInfo();
  const count = kind === 'cuda' ? cudaDevices : mpsDevices;
  if (count === 0) return `libtorch ${libtorch} sees no ${kind.toUpperCase()} device on this machine`;
  return Number(number) < count ? null : `there ${count === 1 ? 'is' : 'are'} ${count}, counted from 0`;
}

function canHold(device: string): boolean {
  try {
    scope(() => void ops.zeros([1], { device }).item());
    return true;
  } catch {
    return false;
  }
}
