/// <reference lib="esnext.disposable" preserve="true" />
/** Data sets, samplers, transforms and the loader. */
export { type Collated, collated, defaultCollate, type ItemSource } from './collate.js';
export {
  adjustBrightness,
  adjustContrast,
  adjustHue,
  adjustSaturation,
  adjustSharpness,
  type ColorJitterOptions,
  colorJitter,
  gaussianBlur,
  grayscale,
  randomGrayscale,
} from './colour.js';
export { ConcatDataset, randomSplit, Subset, TensorDataset } from './combine.js';
export {
  type BatchDataset,
  type Dataset,
  type ImageBatch,
  type ImageDataset,
  type ImageInfo,
  openShared,
  type SharedDataset,
  type TensorBatch,
  TensorImageDataset,
  type ThreadShareable,
} from './dataset.js';
export {
  centerCrop,
  type Interpolation,
  type RandomAffineOptions,
  type RandomResizedCropOptions,
  type ResizeOptions,
  randomAffine,
  randomCrop,
  randomResizedCrop,
  randomRotation,
  randomVerticalFlip,
  resize,
  type WarpOptions,
} from './geometry.js';
export type { ImageTransform } from './image-tools.js';
export { DataLoader, type LoaderOptions } from './loader.js';
export {
  cutmix,
  type MixOptions,
  type MixTransform,
  mixup,
  type RandomErasingOptions,
  randomErasing,
} from './mixing.js';
export { type RandAugmentOptions, randAugment } from './rand-augment.js';
export { RandomSampler, type Sampler, SequentialSampler, WeightedRandomSampler } from './samplers.js';
export { type BatchTransform, batchTransformFrom, type TransformSpec, transformFrom, transformKinds } from './specs.js';
export { type Split, seededPermutation, splitBySeed } from './split.js';
export { ChannelHistogram, channelStatistics } from './statistics.js';
export { compose, normalise, randomCropReflect, randomHorizontalFlip, toFloat } from './transforms.js';
