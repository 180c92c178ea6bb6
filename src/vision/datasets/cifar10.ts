/** CIFAR-10, binary version. Format: https://www.cs.toronto.edu/~kriz/cifar.html */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TensorImageDataset } from '../../data/index.js';
import { DataError } from '../../torch/errors.js';
import { checkLabels, findFolder, type RawImages, readExactly, toDatasets } from './parts.js';
import type { LoadedParts } from './types.js';

const classNames = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];

/** Of the 50,000 training images. */
const statistics = { mean: [0.4914, 0.4822, 0.4465], std: [0.247, 0.2435, 0.2616] };

const remedy = "fetch it again with 'headrace data get cifar10'";
const area = 3 * 32 * 32;

/**
 * Reads `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin` from `dir` or from `dir/cifar-10-batches-bin`.
 * @param imagesPerFile 10,000 in the official files; another number for an excerpt in the same layout
 * @throws DataError when a file is absent or not exactly of its size
 */
export function loadCifar10(dir: string, imagesPerFile = 10_000): LoadedParts<TensorImageDataset> {
  const folder = findFolder(dir, 'cifar-10-batches-bin', 'data_batch_1.bin', remedy);
  const train = [1, 2, 3, 4, 5].map((i) => join(folder, `data_batch_${i}.bin`));
  const parts = toDatasets(
    readRecords(train, imagesPerFile),
    readRecords([join(folder, 'test_batch.bin')], imagesPerFile),
    readClasses(join(folder, 'batches.meta.txt')),
    statistics,
  );
  return { name: 'cifar10', augment: { pad: 4, flip: true }, ...parts };
}

/** Records of one label byte and 3072 pixels: red, green and blue planes, row-major. */
function readRecords(paths: readonly string[], perFile: number): RawImages {
  const record = 1 + area;
  const pixels = new Uint8Array(paths.length * perFile * area);
  const labels = new Uint8Array(paths.length * perFile);
  paths.forEach((path, file) => {
    const bytes = readExactly(path, perFile * record, `${perFile} images of ${record} bytes`, remedy);
    const raw = Uint8Array.from({ length: perFile }, (_, i) => bytes[i * record] as number);
    labels.set(checkLabels(raw, 0, classNames.length, path, remedy), file * perFile);
    for (let i = 0; i < perFile; i++) {
      pixels.set(bytes.subarray(i * record + 1, (i + 1) * record), (file * perFile + i) * area);
    }
  });
  return { pixels, labels, shape: [3, 32, 32] };
}

/** The names in the file's order; the well-known ones where the text file was left behind. */
function readClasses(path: string): readonly string[] {
  if (!existsSync(path)) return classNames;
  const names = readFileSync(path, 'utf8').split(/\s+/).filter(Boolean);
  if (names.length === classNames.length) return names;
  throw new DataError(`${path}: expected ${classNames.length} class names, got ${names.length}: ${remedy}`);
}
