// From the flags of a command line to the full configuration of a run: the recipe of the model and data set, with what the
// user said in place of what it says.

import { resolve } from 'node:path';
import { checkDevices, isLocal, type ModuleRef, needsGradients, type RunConfig } from '../pipeline/index.js';
import {
  type DataOptions,
  type ImageData,
  type ImageSet,
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
import { isOwn, ownConfig } from './own-config.js';
import { loadImages } from './reading.js';
import { say } from './report.js';

/** Says whether the user gave an option, or it has its default. */
export type Given = (option: string) => boolean;

/** What `compare` and `plan` leave to their defaults. */
export type RunFlags = ModelFlags & Partial<Omit<TrainFlags, keyof ModelFlags>>;

/** The configuration of `headrace train`, of a new run. */
export async function trainConfig(model: string, flags: TrainFlags, given: Given): Promise<RunConfig> {
  if (isLocal(flags.schedule) && given('microbatches')) {
    say(`headrace: ${flags.schedule} takes each batch whole; --microbatches has no part in it`);
  }
  if (isOwn(model)) return ownConfig(model, flags, given);
  const microbatches = needsGradients(flags.schedule) || given('microbatches') ? flags.microbatches : 1;
  return runConfig(model, { ...flags, microbatches });
}

/** A full configuration. Loads the data, since the model must fit them. */
export async function runConfig(model: string, flags: RunFlags): Promise<RunConfig> {
  // What needs no data is told before they are read.
  modelFamily(model);
  checkDevices(flags.devices);
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
    init: flags.init === undefined ? undefined : resolve(flags.init),
    freeze: flags.freeze,
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
export function dataRef(
  spec: string,
  options: Pick<RunFlags, 'limit' | 'seed' | 'imageSize' | 'augment' | 'skipBad' | 'lazy' | 'transforms'>,
): ModuleRef {
  const { kind, dir } = parseDataSpec(spec);
  const data: DataOptions = {
    spec: dir === null ? kind : `${kind}:${resolve(dir)}`,
    limit: options.limit,
    seed: options.seed,
    size: options.imageSize,
    ...(options.skipBad ? { skipBad: true } : {}),
    ...(kind === 'folder' || options.lazy ? { lazy: options.lazy ?? 'auto' } : {}),
    ...(options.augment === false ? { augment: { pad: 0, flip: false } } : {}),
    ...(options.transforms ? { augment: options.transforms } : {}),
  };
  return { module: 'headrace/vision', export: 'loadDataset', options: data };
}

function modelRef(
  name: string,
  shape: { classes: number; channels?: number; imageSize?: number[] },
  flags: Pick<RunFlags, 'modelOption'>,
): ModuleRef {
  return visionModelRef({ name, ...shape, ...flags.modelOption } as ModelOptions);
}

/** The recipe, with the user's numbers; a run of a few steps warms up over a fifth of them at most. */
function chooseRecipe(model: string, images: ImageData<ImageSet>, flags: RunFlags, stepsPerEpoch: number): Recipe {
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
