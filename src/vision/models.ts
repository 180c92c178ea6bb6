/** The image models by name, for the command line, for configurations in JSON, and for the worker threads of a run. */
import type { ModelRef } from '../pipeline/model.js';
import { ConfigError, nearest } from '../torch/index.js';
import { type ModelName, modelNames } from './names.js';
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

type Family = 'resnet' | 'vit';

interface Entry {
  readonly family: Family;
  readonly make: (options: ImageNetResNetOptions & ViTOptions) => VisionModel;
}

const ofResnets = (make: Entry['make']): Entry => ({ family: 'resnet', make });
const ofViTs = (make: Entry['make']): Entry => ({ family: 'vit', make });

const registry: Readonly<Record<ModelName, Entry>> = {
  resnet20: ofResnets(resnet20),
  resnet32: ofResnets(resnet32),
  resnet56: ofResnets(resnet56),
  resnet110: ofResnets(resnet110),
  resnet18: ofResnets(resnet18),
  resnet34: ofResnets(resnet34),
  resnet50: ofResnets(resnet50),
  vit: ofViTs(vit),
  'vit-tiny-p4': ofViTs(vitTinyP4),
  'vit-small-p4': ofViTs(vitSmallP4),
  'vit-b-p16': ofViTs(vitBP16),
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
  return find(name).make(rest);
}

/** What {@link modelSpec} builds, as JSON; checked. */
export function visionModelRef(options: ModelOptions): ModelRef {
  const { name, ...rest } = options;
  modelSpec(options);
  return modelRef(name, rest);
}

/** Whether the model of a name is a ResNet or a ViT. @throws ConfigError for an unknown name */
export function modelFamily(name: string): Family {
  return find(name).family;
}

function find(name: string): Entry {
  const entry = Object.hasOwn(registry, name) ? registry[name as ModelName] : undefined;
  if (entry) return entry;
  const near = nearest(String(name), modelNames);
  const hint = near === null ? '' : ` Did you mean ${near}?`;
  throw new ConfigError(`Expected a model among ${modelNames.join(', ')}, got ${name}.${hint}`);
}
