// From the flags of a command line to the full configuration of a run: the recipe of the model and data set, with what the
// user said in place of what it says.

import { checkDevices, isLocal, type ModuleRef, needsGradients, type RunConfig } from '../pipeline/index.js';
import { ConfigError } from '../torch/index.js';
import {
  type DataKind,
  type ImageData,
  type ImageDataOptions,
  type ImageSet,
  imageData,
  type ModelOptions,
  modelFamily,
  parseDataSpec,
  type Recipe,
  recipe,
  recipeFor,
  resnetRecipe,
  visionModelRef,
  vitRecipe,
} from '../vision/index.js';
import type { TrainFlags } from './options.js';
import { isOwn, ownConfig } from './own-config.js';
import { loadImages } from './reading.js';
import { say } from './report.js';
import { type RunFlags, settingsOf } from './run-settings.js';

/** See `givenOf`. */
export type Given = (option: string) => boolean;

/** The configuration of `headrace train`, of a new run. */
export async function trainConfig(model: string, flags: TrainFlags, given: Given): Promise<RunConfig> {
  if (isLocal(flags.schedule) && given('microbatches')) {
    say(`headrace: ${flags.schedule} takes each batch whole; --microbatches has no part in it`);
  }
  if (isOwn(model)) return ownConfig(model, flags, given);
  const microbatches = needsGradients(flags.schedule) || given('microbatches') ? flags.microbatches : 1;
  return runConfig(model, { ...flags, microbatches });
}

/** The configuration of what is measured: with data, or without any where none are named. */
export async function measuredConfig(model: string, flags: RunFlags, given: Given): Promise<RunConfig> {
  if (isOwn(model)) return { ...ownConfig(model, flags, given), microbatches: flags.microbatches };
  return flags.data === undefined ? shapeConfig(model, flags) : runConfig(model, flags);
}

/** A full configuration. Loads the data, since the model must fit them. */
async function runConfig(model: string, flags: RunFlags): Promise<RunConfig> {
  // What needs no data is told before they are read.
  modelFamily(model);
  checkDevices(flags.devices);
  const data = dataRef(flags.data ?? 'mnist', flags);
  const images = await loadImages(data);
  const [channels, ...imageSize] = images.inputShape;
  const chosen = chooseRecipe(model, images, flags);
  return {
    ...settingsOf(flags),
    model: modelRef(model, { classes: images.classes.length, channels, imageSize }, flags),
    modelName: model,
    data,
    head: { kind: flags.head, depth: flags.headDepth ?? (flags.head === 'auglocal' ? chosen.head.depth : undefined) },
    microbatches: flags.microbatches,
    epochs: flags.steps === undefined ? chosen.epochs : undefined,
    steps: flags.steps,
    batchSize: flags.batch,
    optimizer: chosen.optimizer,
    lrSchedule: chosen.lrSchedule,
    labelSmoothing: chosen.labelSmoothing,
    memoryFormat: chosen.memoryFormat,
  };
}

/** The configuration of a model and batches of random images, for what needs no data set. */
function shapeConfig(model: string, flags: RunFlags): RunConfig {
  modelFamily(model);
  const chosen = recipe(model, 'cifar10', { batchSize: flags.batch });
  return {
    ...settingsOf(flags),
    model: modelRef(model, { classes: 10 }, flags),
    modelName: model,
    data: dataRef('mnist', flags),
    microbatches: flags.microbatches,
    evalEvery: 0,
    ...chosen,
    head: { kind: flags.head, depth: flags.headDepth },
  };
}

/** Where the images of a SPEC come from. Paths are made absolute, so that a run's configuration holds elsewhere too. */
export function dataRef(
  spec: string,
  options: Pick<RunFlags, 'limit' | 'seed' | 'imageSize' | 'augment' | 'skipBad' | 'lazy' | 'transforms'>,
): ModuleRef {
  if (isOwn(spec)) {
    throw new ConfigError(
      `Data of your own (${spec}) go with a model of your own, such as ./my-model.js: the networks here take images.`,
    );
  }
  const { kind } = parseDataSpec(spec);
  return imageData(spec, {
    limit: options.limit,
    seed: options.seed,
    size: options.imageSize,
    ...(options.skipBad ? { skipBad: true } : {}),
    ...(kind === 'folder' || options.lazy ? { lazy: options.lazy ?? 'auto' } : {}),
    ...(options.augment === false ? { augment: { pad: 0, flip: false } } : {}),
    ...(options.transforms ? { augment: options.transforms } : {}),
  } as ImageDataOptions);
}

function modelRef(
  name: string,
  shape: { classes: number; channels?: number; imageSize?: number[] },
  flags: Pick<RunFlags, 'modelOption'>,
): ModuleRef {
  return visionModelRef({ name, ...shape, ...flags.modelOption } as ModelOptions);
}

/** The recipe, with the user's numbers. */
function chooseRecipe(model: string, images: ImageData<ImageSet>, flags: RunFlags): Recipe {
  const { epochs, steps, lr } = flags;
  const chosen = recipeFor(model, images, { batchSize: flags.batch, epochs, steps, lr });
  let { optimizer } = chosen;
  if (flags.optimizer !== undefined && flags.optimizer !== optimizer.name) {
    const kind = images.name as DataKind;
    const { optimizer: other } = (flags.optimizer === 'sgd' ? resnetRecipe : vitRecipe)(kind, {
      batchSize: flags.batch,
      lr,
    });
    optimizer = { ...other, name: flags.optimizer } as Recipe['optimizer'];
  }
  if (flags.weightDecay !== undefined) optimizer = { ...optimizer, weightDecay: flags.weightDecay };
  return { ...chosen, optimizer };
}
