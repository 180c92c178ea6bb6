/** STL-10, binary version, labelled images. Format: https://cs.stanford.edu/~acoates/stl10/ */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TensorImageDataset } from '../../data/index.js';
import { DataError } from '../../torch/errors.js';
import { checkLabels, findFolder, type RawImages, readExactly, toDatasets } from './parts.js';
import type { LoadedParts } from './types.js';

const remedy = "fetch it again with 'headrace data get stl10'";
const area = 3 * 96 * 96;

/**
 * Reads `{train,test}_X.bin`, `{train,test}_y.bin` and `class_names.txt` from `dir` or from `dir/stl10_binary`. The unlabelled images
 * are not read.
 * @param counts of the official files; others for an excerpt in the same layout
 * @throws DataError when a file is absent or not exactly of its size
 */
export function loadStl10(dir: string, counts = { train: 5000, test: 8000 }): LoadedParts<TensorImageDataset> {
  const folder = findFolder(dir, 'stl10_binary', 'train_X.bin', remedy);
  const classes = readClasses(join(folder, 'class_names.txt'));
  const train = readPart(folder, 'train', counts.train, classes.length);
  const test = readPart(folder, 'test', counts.test, classes.length);
  return { name: 'stl10', augment: { pad: 12, flip: true }, ...toDatasets(train, test, classes) };
}

/** Each image is three planes, red, green and blue, each column after column. */
function readPart(folder: string, part: string, count: number, classes: number): RawImages {
  const pixels = readExactly(join(folder, `${part}_X.bin`), count * area, `${count} images of ${area} bytes`, remedy);
  const path = join(folder, `${part}_y.bin`);
  const labels = checkLabels(readExactly(path, count, `${count} labels of 1 byte`, remedy), 1, classes, path, remedy);
  return { pixels, labels, shape: [3, 96, 96], columnMajor: true };
}

function readClasses(path: string): string[] {
  let names: string[];
  try {
    names = readFileSync(path, 'utf8').split(/\s+/).filter(Boolean);
  } catch (error) {
    throw new DataError(`Cannot read the class names ${path}: ${remedy}`, { cause: error });
  }
  if (names.length === 10) return names;
  throw new DataError(`${path}: expected 10 class names, got ${names.length}: ${remedy}`);
}
