/** The image models by name, for the command line, for configurations in JSON, and for the worker threads of a run. */
import type { ModelRef } from '../pipeline/model.js';
import { modelFamily } from './family.js';
import type { ModelName } from './names.js';
import {
  type ImageNetResNetOptions,
  resnet18,
  resnet20,
  resnet32,
  resnet34,
  resnet50,
  resnet56,
  resnet110,
} from './resnet.js';
import { modelRef, type VisionModel } from './spec.js';
import { type ViTOptions, vit, vitBP16, vitSmallP4, vitTinyP4 } from './vit.js';

const registry: Readonly<Record<ModelName, (options: ImageNetResNetOptions & ViTOptions) => VisionModel>> = {
  resnet20,
  resnet32,
  resnet56,
  resnet110,
  resnet18,
  resnet34,
  resnet50,
  vit,
  'vit-tiny-p4': vitTinyP4,
  'vit-small-p4': vitSmallP4,
  'vit-b-p16': vitBP16,
};

/** A model by name, with the options of its family. */
export interface ModelOptions extends ImageNetResNetOptions, ViTOptions {
  readonly name: string;
}

/**
 * The model of a name.
 * @throws ConfigError for an unknown name or option, listing those that there are
 */
export function modelSpec(options: ModelOptions): VisionModel {
  const { name, ...rest } = options;
  modelFamily(name); // tells of an unknown one
  return registry[name as ModelName]({ ...rest, classes: rest.classes });
}

/** What {@link modelSpec} builds, as JSON; checked. */
export function visionModelRef(options: ModelOptions): ModelRef {
  const { name, ...rest } = options;
  modelSpec(options);
  return modelRef(name, rest);
}
