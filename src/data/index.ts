/// <reference lib="esnext.disposable" preserve="true" />
/** Data sets, samplers, transforms and the loader. */
export {
  type BatchDataset,
  collated,
  type Dataset,
  type ImageBatch,
  type ImageDataset,
  type ImageInfo,
  type SharedDataset,
  type TensorBatch,
  TensorImageDataset,
  type ThreadShareable,
} from './dataset.js';
export { type BatchTransform, DataLoader, type LoaderOptions } from './loader.js';
export { RandomSampler, type Sampler, SequentialSampler } from './samplers.js';
export { type Split, seededPermutation, splitBySeed } from './split.js';
export { channelStatistics } from './statistics.js';
export {
  compose,
  type ImageTransform,
  normalise,
  randomCropReflect,
  randomHorizontalFlip,
  type TransformSpec,
  toFloat,
  transformFrom,
} from './transforms.js';
