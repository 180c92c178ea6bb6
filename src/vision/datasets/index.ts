/** Labelled image sets in their official formats, image folders, and downloads from the official sources. */
export { imageExtensions } from '../../media/images/names.js';
export { loadCifar10 } from './cifar10.js';
export type { BadImage } from './decode.js';
export { type DownloadProgress, downloadFile, formatProgress } from './download.js';
export { imageFiles, listImageFiles, type NamedFile, type PredictedImages, readImageFiles } from './files.js';
export { loadFolder } from './folder.js';
export { type DatasetSource, datasetSources, type GetOptions, getDataset } from './get.js';
export { LazyImageDataset, type LazyImages } from './lazy.js';
export { loadDataset } from './load.js';
export { loadEmbeddedMnist, loadMnistFiles } from './mnist.js';
export { absoluteDataSpec, type DataKind, type DataSpec, parseDataSpec } from './spec.js';
export { loadStl10 } from './stl10.js';
export { loadSvhn } from './svhn.js';
export type { AugmentSpec, DataOptions, Found, ImageData, ImageSet, LoadedParts, LoadHooks } from './types.js';
