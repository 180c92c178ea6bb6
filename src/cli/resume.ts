/** The configuration of a run that goes on: all of it lies in the run's folder, and an option may say otherwise where it can. */
import { checkDevices, isLocal, type ModuleRef, type RunConfig } from '../pipeline/index.js';
import { ConfigError } from '../torch/index.js';
import { absoluteDataSpec, type DataOptions, parseDataSpec } from '../vision/index.js';
import type { Given } from './config.js';
import type { TrainFlags } from './options.js';
import { readImageRun } from './run-folder.js';

/**
 * What the run was, with what may change. What the weights so far depend on may not.
 * @param model - where the user names it
 * @throws ConfigError naming the options that may not, with both values
 */
export function resumedConfig(model: string | undefined, flags: TrainFlags, given: Given): RunConfig {
  const old = readImageRun(flags.out, 'sentiment train', '--resume');
  if (model !== undefined && model !== old.modelName) {
    throw new ConfigError(
      `The run in ${flags.out} trains ${old.modelName}, not ${model}: give its model (or none), or another --out.`,
    );
  }
  const data = resumedData(old, flags, given);
  refuseChanges(old, flags, given);
  const changed = <T>(option: string, value: T, was: T): T => (given(option) ? value : was);
  const stages = changed('stages', flags.stages, old.stages);
  const schedule = changed('schedule', flags.schedule, old.schedule);
  const length = given('epochs') || given('steps') ? { epochs: flags.epochs, steps: flags.steps } : {};
  const devices = changed('devices', flags.devices, old.devices);
  checkDevices(devices);
  return {
    ...old,
    ...length,
    data,
    stages,
    replicas: changed('replicas', flags.replicas, old.replicas),
    syncBatchNorm: changed('syncBatchNorm', flags.syncBatchNorm, old.syncBatchNorm),
    schedule,
    cut: given('cut') ? flags.cut : undefined,
    microbatches: changed('microbatches', flags.microbatches, old.microbatches),
    threads: changed('threads', flags.threads, old.threads),
    devices,
    queueCapacity: changed('queue', flags.queue, old.queueCapacity),
    compute: changed('compute', flags.compute, old.compute),
    wire: changed('wire', flags.wire, old.wire),
    patience: changed('patience', flags.patience, old.patience),
    evalEvery: changed('evalEvery', flags.evalEvery, old.evalEvery),
    checkpointEvery: changed('checkpointEvery', flags.checkpointEvery, old.checkpointEvery),
    allowNaN: changed('allowNan', flags.allowNan, old.allowNaN),
  };
}

/** The data may have moved to another folder, but must be of the same kind. */
function resumedData(old: RunConfig, flags: TrainFlags, given: Given): ModuleRef {
  const { spec: was } = old.data.options as Partial<DataOptions>;
  // How images get into memory changes no batch.
  const reading = given('lazy') ? { lazy: flags.lazy } : {};
  if (!given('data') || flags.data === undefined) {
    return given('lazy') ? { ...old.data, options: { ...(old.data.options as DataOptions), ...reading } } : old.data;
  }
  const now = parseDataSpec(flags.data);
  const kind = was === undefined ? `${old.data.export} of ${old.data.module}` : parseDataSpec(was).kind;
  if (kind !== now.kind) {
    throw new ConfigError(
      `The run in ${flags.out} trains on ${kind}; it cannot go on with ${now.kind}. ${howToGoOn(['--data'])}`,
    );
  }
  return {
    ...old.data,
    options: { ...(old.data.options as DataOptions), spec: absoluteDataSpec(flags.data), ...reading },
  };
}

function refuseChanges(old: RunConfig, flags: TrainFlags, given: Given): void {
  const refused = fixed(old, flags).filter(([option, , was, is]) => given(option) && !same(was, is));
  if (refused.length === 0) return;
  const list = (of: (entry: Fixed) => string): string => refused.map(of).join(', ');
  throw new ConfigError(
    `The run in ${flags.out} has ${list(([, flag, was]) => `${flag} ${show(was)}`)}; it cannot go on with ` +
      `${list(([, , , is]) => show(is))}. ${howToGoOn(refused.map(([, flag]) => flag))}`,
  );
}

function howToGoOn(flags: readonly string[]): string {
  return `Leave out ${flags.join(', ')} to go on as it began, or begin a new run in another --out.`;
}

type Fixed = readonly [option: string, flag: string, was: unknown, is: unknown];

/** What the weights of a run depend on. */
function fixed(old: RunConfig, flags: TrainFlags): Fixed[] {
  const { limit, size, augment, skipBad = false } = old.data.options as Partial<DataOptions>;
  const model = old.model.options as Record<string, unknown>;
  const schedule = flags.schedule ?? old.schedule;
  const microbatches: Fixed[] =
    isLocal(old.schedule) || isLocal(schedule)
      ? []
      : [['microbatches', '--microbatches', old.microbatches, flags.microbatches]];
  return [
    ['batch', '--batch', old.batchSize, flags.batch],
    ['seed', '--seed', old.seed, flags.seed],
    ['lr', '--lr', old.optimizer.lr, flags.lr],
    ['optimizer', '--optimizer', old.optimizer.name, flags.optimizer],
    ['weightDecay', '--weight-decay', old.optimizer.weightDecay, flags.weightDecay],
    ['head', '--head', old.head.kind, flags.head],
    ['headDepth', '--head-depth', old.head.depth, flags.headDepth],
    ...microbatches,
    ['limit', '--limit', limit, flags.limit],
    ['imageSize', '--image-size', size, flags.imageSize],
    ['augment', '--no-augment', augment !== undefined && 'pad' in augment, !flags.augment],
    ['transforms', '--transforms', augment !== undefined && 'pad' in augment ? undefined : augment, flags.transforms],
    ['skipBad', '--skip-bad', skipBad, flags.skipBad ?? false],
    ...Object.entries(flags.modelOption).map(
      ([key, value]): Fixed => ['modelOption', `--model-option ${key}`, model[key], value],
    ),
  ];
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function show(value: unknown): string {
  return value === undefined ? 'unset' : JSON.stringify(value);
}
