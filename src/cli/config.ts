// From the flags of a command line to the full configuration of a run: the recipe of the model and data set, with what the
// user said in place of what it says.

import { resolve } from 'node:path';
import {
  isLocal,
  loadRunData,
  type ModuleRef,
  needsGradients,
  type RunConfig,
  readRunConfig,
} from '../pipeline/index.js';
import { ConfigError } from '../torch/index.js';
import {
  type DataOptions,
  type ImageData,
  type ModelOptions,
  modelFamily,
  parseDataSpec,
  type Recipe,
  recipe,
  resnetRecipe,
  visionModelRef,
  vitRecipe,
} from '../vision/index.js';
import type { ModelFlags, TrainFlags } from './options.js';
import { say } from './report.js';

/** Says whether the user gave an option, or it has its default. */
export type Given = (option: string) => boolean;

/** What `compare` and `plan` leave to their defaults. */
export type RunFlags = ModelFlags & Partial<Omit<TrainFlags, keyof ModelFlags>>;

/** The configuration of `headrace train`, of a new run or of one that goes on. */
export async function trainConfig(model: string, flags: TrainFlags, given: Given): Promise<RunConfig> {
  if (flags.resume) return resumedConfig(model, flags, given);
  if (isLocal(flags.schedule) && given('microbatches')) {
    say(`headrace: ${flags.schedule} takes each batch whole; --microbatches has no part in it`);
  }
  const microbatches = needsGradients(flags.schedule) || given('microbatches') ? flags.microbatches : 1;
  return runConfig(model, { ...flags, microbatches });
}

/** A full configuration. Loads the data, since the model must fit them. */
export async function runConfig(model: string, flags: RunFlags): Promise<RunConfig> {
  modelFamily(model); // an unknown name is told before the data are read
  const data = dataRef(flags.data ?? 'mnist', flags);
  const images = await loadImages(data);
  const [channels, ...imageSize] = images.inputShape;
  const stepsPerEpoch = Math.ceil(images.train.length / flags.batch);
  const chosen = chooseRecipe(model, images, flags, stepsPerEpoch);
  return {
    model: modelRef(model, { classes: images.classes.length, channels, imageSize }, flags),
    modelName: model,
    data,
    schedule: flags.schedule ?? 'ppll',
    stages: flags.stages,
    cut: flags.cut,
    head: { kind: flags.head, depth: flags.headDepth ?? (flags.head === 'auglocal' ? chosen.head.depth : undefined) },
    microbatches: flags.microbatches,
    epochs: flags.steps === undefined ? chosen.epochs : undefined,
    steps: flags.steps,
    batchSize: flags.batch,
    optimizer: chosen.optimizer,
    lrSchedule: chosen.lrSchedule,
    labelSmoothing: chosen.labelSmoothing,
    seed: flags.seed,
    threads: flags.threads,
    devices: flags.devices,
    queueCapacity: flags.queue,
    evalEvery: flags.evalEvery ?? 1,
    checkpointEvery: flags.checkpointEvery ?? 0,
    allowNaN: flags.allowNan ?? false,
    memoryFormat: chosen.memoryFormat,
    out: flags.out ?? null,
  };
}

/** The configuration of a model and batches of random images, for what needs no data set. */
export function shapeConfig(model: string, flags: RunFlags): RunConfig {
  const chosen = recipe(model, 'cifar10', { batchSize: flags.batch });
  return {
    model: modelRef(model, { classes: 10 }, flags),
    modelName: model,
    data: dataRef('mnist', flags),
    schedule: flags.schedule ?? 'ppll',
    stages: flags.stages,
    cut: flags.cut,
    microbatches: flags.microbatches,
    seed: flags.seed,
    threads: flags.threads,
    devices: flags.devices,
    queueCapacity: flags.queue,
    evalEvery: 0,
    checkpointEvery: 0,
    allowNaN: false,
    out: null,
    ...chosen,
    head: { kind: flags.head, depth: flags.headDepth },
  };
}

/** Where the images of a SPEC come from. Paths are made absolute, so that a run's configuration holds elsewhere too. */
export function dataRef(spec: string, options: Pick<RunFlags, 'limit' | 'seed' | 'imageSize' | 'augment'>): ModuleRef {
  const { kind, dir } = parseDataSpec(spec);
  const data: DataOptions = {
    spec: dir === null ? kind : `${kind}:${resolve(dir)}`,
    limit: options.limit,
    seed: options.seed,
    size: options.imageSize,
    ...(options.augment === false ? { augment: { pad: 0, flip: false } } : {}),
  };
  return { module: 'headrace/vision', export: 'loadDataset', options: data };
}

/** The images of a reference that `dataRef` made. */
export async function loadImages(ref: ModuleRef): Promise<ImageData> {
  return (await loadRunData(ref)) as unknown as ImageData;
}

function modelRef(
  name: string,
  shape: { classes: number; channels?: number; imageSize?: number[] },
  flags: Pick<RunFlags, 'modelOption'>,
): ModuleRef {
  return visionModelRef({ name, ...shape, ...flags.modelOption } as ModelOptions);
}

/** The recipe, with the user's numbers; a run of a few steps warms up over a fifth of them at most. */
function chooseRecipe(model: string, images: ImageData, flags: RunFlags, stepsPerEpoch: number): Recipe {
  const { kind } = parseDataSpec(images.name === 'mnist' ? 'mnist' : `${images.name}:.`);
  const epochs = flags.steps === undefined ? flags.epochs : Math.max(1, Math.ceil(flags.steps / stepsPerEpoch));
  const options = { batchSize: flags.batch, epochs, lr: flags.lr };
  const chosen = recipe(model, kind, options);
  let { optimizer, lrSchedule } = chosen;
  if (flags.optimizer !== undefined && flags.optimizer !== optimizer.name) {
    const other = flags.optimizer === 'sgd' ? resnetRecipe(kind, options) : vitRecipe(kind, options);
    optimizer = { ...other.optimizer, name: flags.optimizer } as Recipe['optimizer'];
  }
  if (flags.weightDecay !== undefined) optimizer = { ...optimizer, weightDecay: flags.weightDecay };
  if (flags.steps !== undefined) {
    const fifth = flags.steps / stepsPerEpoch / 5;
    lrSchedule = { ...lrSchedule, warmupEpochs: Math.min(lrSchedule.warmupEpochs, fifth) };
  }
  return { ...chosen, optimizer, lrSchedule };
}

/**
 * The configuration of a run that goes on: what it was, with what may change. What the weights so far depend on may not.
 * @throws ConfigError naming the option that may not
 */
function resumedConfig(model: string, flags: TrainFlags, given: Given): RunConfig {
  const old = readRunConfig(flags.out);
  if (model !== old.modelName) {
    throw new ConfigError(
      `The run in ${flags.out} trains ${old.modelName}, not ${model}: give its model, or another --out.`,
    );
  }
  const data = resumedData(old, flags, given);
  for (const [option, flag, was, is] of fixed(old, flags)) {
    if (!given(option) || same(was, is)) continue;
    throw new ConfigError(`The run in ${flags.out} has ${flag} ${show(was)}; it cannot go on with ${show(is)}.`);
  }
  const changed = <T>(option: string, value: T, was: T): T => (given(option) ? value : was);
  const stages = changed('stages', flags.stages, old.stages);
  const schedule = changed('schedule', flags.schedule, old.schedule);
  // Heads stand at borders, and their weights belong to these: a cut is kept as long as it can be.
  const recut = stages !== old.stages || (schedule === 'bp') !== (old.schedule === 'bp');
  const length = given('epochs') || given('steps') ? { epochs: flags.epochs, steps: flags.steps } : {};
  return {
    ...old,
    ...length,
    data,
    stages,
    schedule,
    cut: given('cut') ? flags.cut : recut ? undefined : old.cut,
    threads: changed('threads', flags.threads, old.threads),
    devices: changed('devices', flags.devices, old.devices),
    queueCapacity: changed('queue', flags.queue, old.queueCapacity),
    evalEvery: changed('evalEvery', flags.evalEvery, old.evalEvery),
    checkpointEvery: changed('checkpointEvery', flags.checkpointEvery, old.checkpointEvery),
    allowNaN: changed('allowNan', flags.allowNan, old.allowNaN),
  };
}

/** The data may have moved to another folder, but must be of the same kind. */
function resumedData(old: RunConfig, flags: TrainFlags, given: Given): ModuleRef {
  const options = old.data.options as DataOptions;
  if (!given('data') || flags.data === undefined) return old.data;
  const { kind } = parseDataSpec(options.spec);
  const now = parseDataSpec(flags.data);
  if (kind !== now.kind) {
    throw new ConfigError(`The run in ${flags.out} trains on ${kind}; it cannot go on with ${now.kind}.`);
  }
  const spec = now.dir === null ? now.kind : `${now.kind}:${resolve(now.dir)}`;
  return { ...old.data, options: { ...options, spec } };
}

/** What the weights of a run depend on: option, how it is written, its value in the run, and in the flags. */
function fixed(old: RunConfig, flags: TrainFlags): [string, string, unknown, unknown][] {
  const { limit, size, augment } = old.data.options as DataOptions;
  const model = old.model.options as Record<string, unknown>;
  return [
    ['batch', '--batch', old.batchSize, flags.batch],
    ['seed', '--seed', old.seed, flags.seed],
    ['lr', '--lr', old.optimizer.lr, flags.lr],
    ['optimizer', '--optimizer', old.optimizer.name, flags.optimizer],
    ['weightDecay', '--weight-decay', old.optimizer.weightDecay, flags.weightDecay],
    ['head', '--head', old.head.kind, flags.head],
    ['headDepth', '--head-depth', old.head.depth, flags.headDepth],
    ['limit', '--limit', limit, flags.limit],
    ['imageSize', '--image-size', size, flags.imageSize],
    ['augment', 'augmentation', augment === undefined, flags.augment],
    ...Object.entries(flags.modelOption).map(([key, value]): [string, string, unknown, unknown] => [
      'modelOption',
      `--model-option ${key}`,
      model[key],
      value,
    ]),
  ];
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function show(value: unknown): string {
  return value === undefined ? 'unset' : JSON.stringify(value);
}
