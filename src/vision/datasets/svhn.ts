/** SVHN, format 2 (cropped digits). Format: http://ufldl.stanford.edu/housenumbers/ */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TensorImageDataset } from '../../data/index.js';
import { type MatArray, readMat, viewNumbers } from '../../io/index.js';
import { DataError } from '../../torch/errors.js';
import { checkLabels, type RawImages, toDatasets } from './parts.js';
import type { LoadedParts } from './types.js';

const digits = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];

/** Of the 73,257 training images. */
const statistics = { mean: [0.4377, 0.4438, 0.4728], std: [0.198, 0.201, 0.197] };

const remedy = "fetch it again with 'headrace data get svhn'";

/**
 * Reads `train_32x32.mat` and `test_32x32.mat` from `dir`; the file's label 10 is the digit 0.
 * @param counts of the official files; others for an excerpt in the same layout
 * @throws DataError when a file is absent, damaged or of another size
 */
export function loadSvhn(dir: string, counts = { train: 73_257, test: 26_032 }): LoadedParts<TensorImageDataset> {
  const train = readPart(join(dir, 'train_32x32.mat'), counts.train);
  const test = readPart(join(dir, 'test_32x32.mat'), counts.test);
  return { name: 'svhn', augment: { pad: 4, flip: false }, ...toDatasets(train, test, digits, statistics) };
}

/** X is uint8 [32, 32, 3, N], first index fastest, so that in memory it is [N, 3, width, height]. */
function readPart(path: string, count: number): RawImages {
  if (!existsSync(path)) throw new DataError(`No file ${path}: ${remedy}`);
  const arrays = readMat(path, ['X', 'y']);
  const [images, labels] = [arrays.get('X') as MatArray, arrays.get('y') as MatArray];
  const expected = [32, 32, 3, count];
  if (images.dtype !== 'uint8' || images.shape.join() !== expected.join()) {
    throw new DataError(
      `${path}: expected X to be uint8 [${expected.join(', ')}], got ${images.dtype} [${images.shape.join(', ')}]: ${remedy}`,
    );
  }
  const numbers = viewNumbers(labels);
  if (numbers.length !== count)
    throw new DataError(`${path}: expected ${count} labels in y, got ${numbers.length}: ${remedy}`);
  const checked = checkLabels(numbers, 1, 10, path, remedy); // 0 is the digit 1, ..., 9 is the digit 0
  const labelsFromZero = checked.map((label) => (label + 1) % 10);
  return { pixels: images.bytes, labels: labelsFromZero, shape: [3, 32, 32], columnMajor: true };
}
