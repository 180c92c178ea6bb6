/** Shared by the formats' loaders. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { channelStatistics, type ImageInfo, TensorImageDataset } from '../../data/index.js';
import { FileReader } from '../../io/index.js';
import { DataError } from '../../torch/errors.js';
import { scope, tensor, tensorFromBytes } from '../../torch/index.js';

/** Raw pixels and labels of one part. */
export interface RawImages {
  /** uint8, [N, C, H, W] row-major, or [N, C, W, H] where `columnMajor`. */
  readonly pixels: Uint8Array;
  /** Class numbers from 0. */
  readonly labels: ArrayLike<number>;
  readonly shape: readonly [channels: number, height: number, width: number];
  readonly columnMajor?: boolean;
}

/** Copies one part into tensors. */
export function toDataset(
  { pixels, labels, shape, columnMajor = false }: RawImages,
  info: ImageInfo,
): TensorImageDataset {
  return scope(() => {
    const [channels, height, width] = shape;
    const sizes = columnMajor ? [channels, width, height] : [channels, height, width];
    const stored = tensorFromBytes(pixels, 'uint8', [labels.length, ...sizes]);
    const images = columnMajor ? stored.transpose(2, 3).contiguous() : stored;
    return new TensorImageDataset(images, tensor(BigInt64Array.from(labels, BigInt)), info);
  });
}

/** Both parts of a set; mean and std are those of the training part where none are given. */
export function toDatasets(
  train: RawImages,
  test: RawImages,
  classes: readonly string[],
  statistics?: { readonly mean: readonly number[]; readonly std: readonly number[] },
): { train: TensorImageDataset; test: TensorImageDataset } {
  const [channels, height, width] = train.shape;
  const info = { classes, ...(statistics ?? channelStatistics(train.pixels, channels, height * width)) };
  return { train: toDataset(train, info), test: toDataset(test, info) };
}

/**
 * Reads a file that must have exactly `bytes` bytes.
 * @param unit what the bytes are, e.g. '10000 images of 3073 bytes'
 * @param remedy what to do when it is absent or of another size
 */
export function readExactly(path: string, bytes: number, unit: string, remedy: string): Uint8Array {
  if (!existsSync(path)) throw new DataError(`No file ${path} (expected ${unit}): ${remedy}`);
  return FileReader.with(path, (file) => {
    if (file.size === bytes) return file.read(0, bytes);
    const fault = file.size < bytes ? 'is cut short' : 'is too long';
    throw new DataError(`${path} ${fault}: expected ${bytes} bytes (${unit}), got ${file.size}: ${remedy}`);
  });
}

/** The folder itself, or the folder of this name inside it, whichever holds `file`. */
export function findFolder(dir: string, inner: string, file: string, remedy: string): string {
  for (const folder of [dir, join(dir, inner)]) if (existsSync(join(folder, file))) return folder;
  throw new DataError(`Expected ${file} in ${dir} or in ${join(dir, inner)}, found it in neither: ${remedy}`);
}

/**
 * Class numbers from 0, checked.
 * @param offset what the file calls the first class
 */
export function checkLabels(
  labels: ArrayLike<number>,
  offset: number,
  classes: number,
  path: string,
  remedy: string,
): Uint8Array {
  const fromZero = new Uint8Array(labels.length);
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i] as number;
    if (!Number.isInteger(label) || label < offset || label >= offset + classes) {
      throw new DataError(`${path}: label ${i} is ${label}, expected ${offset} to ${offset + classes - 1}: ${remedy}`);
    }
    fromZero[i] = label - offset;
  }
  return fromZero;
}
