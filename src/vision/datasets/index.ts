/** Labelled image sets in their official formats, image folders, and downloads from the official sources. */
export { loadCifar10 } from './cifar10.js';
export { type DownloadProgress, downloadFile, formatProgress } from './download.js';
export { imageFiles } from './files.js';
export { loadFolder } from './folder.js';
export { type DatasetSource, datasetSources, type GetOptions, getDataset } from './get.js';
export { loadDataset } from './load.js';
export { loadEmbeddedMnist, loadMnistFiles } from './mnist.js';
export { type DataKind, type DataSpec, parseDataSpec } from './spec.js';
export { loadStl10 } from './stl10.js';
export { loadSvhn } from './svhn.js';
export type { DataOptions, ImageData, LoadedParts, LoadHooks } from './types.js';
