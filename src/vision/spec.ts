/** What the specifications of all image models share. */
import type { FactoryOptions } from '../nn/index.js';
import type { HeadKind, HeadModule, LayerModule, LayerSpec, ModelRef, ModelSpec } from '../pipeline/model.js';
import { ConfigError } from '../torch/index.js';
import type { VisionHeadOptions } from './heads.js';

export interface ImageModelOptions {
  readonly classes: number;
  /** Of the images: 3 for colour, 1 for grey. Default 3. */
  readonly channels?: number;
  /** Of the images: side, or height and width. */
  readonly imageSize?: number | readonly [height: number, width: number];
}

/** A layer that can also be built elsewhere: on `'meta'` for its keys and shapes, in float64 for checks. */
export interface VisionLayer extends LayerSpec {
  build(made?: FactoryOptions): LayerModule;
}

/** A model of images that can be cut between its layers, and that knows how another thread can make it again. */
export interface VisionModel extends ModelSpec {
  readonly classes: number;
  readonly inputShape: readonly number[];
  readonly layers: readonly VisionLayer[];
  readonly ref: ModelRef;
  head(kind: HeadKind, border: number, options?: VisionHeadOptions): HeadModule;
}

/** Where the worker threads of a run find the models. */
export function modelRef(name: string, options: object): ModelRef {
  return { module: 'headrace/vision', export: 'modelSpec', options: { name, ...options } };
}

export function requireWhole(what: string, value: number, least = 1): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new ConfigError(`Expected ${what} to be a whole number >= ${least}, got ${value}.`);
  }
}

/** Checked classes, channels and image size [height, width]. */
export function imageOptions(
  options: ImageModelOptions,
  defaultSize: number,
): { classes: number; channels: number; size: [number, number] } {
  const { classes, channels = 3, imageSize } = options;
  const given = imageSize ?? defaultSize;
  const size: [number, number] = typeof given === 'number' ? [given, given] : [given[0], given[1]];
  requireWhole('classes', classes);
  requireWhole('channels', channels);
  for (const side of size) requireWhole('imageSize', side);
  return { classes, channels, size };
}
