/** Folders of images, one folder a class. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { extname, join, resolve } from 'node:path';
import { splitBySeed, TensorImageDataset } from '../../data/index.js';
import { ConfigError, DataError } from '../../torch/errors.js';
import type { Tensor } from '../../torch/index.js';
import { readCache, writeCache } from './cache.js';
import { decodeImages, imageExtensions } from './decode.js';
import { type RawImages, toDatasets } from './parts.js';
import type { DataOptions, LoadedParts, LoadHooks } from './types.js';

/** Share of the test part where the folder has none. */
const testShare = 0.2;

interface Listing {
  readonly classes: readonly string[];
  readonly paths: readonly string[];
  readonly labels: readonly number[];
}

/**
 * Reads `dir/train/CLASS/*` and `dir/test/CLASS/*` (or `val`), or `dir/CLASS/*`, of which a fifth of each class, chosen by the seed,
 * becomes the test part. Decoded images are kept in a cache (see `cache.ts`), which is used as long as no file changed.
 * @throws DataError for classes that differ between the parts, empty classes, images of several sizes, or one that cannot be decoded
 */
export async function loadFolder(
  dir: string,
  options: Omit<DataOptions, 'spec'> = {},
  hooks: LoadHooks = {},
): Promise<LoadedParts> {
  const { train, test } = list(resolve(dir), options.seed ?? 0);
  const size = checkSize(options.size);
  const key = fingerprint([...train.paths, ...test.paths], [train.labels, test.labels, train.classes, size]);
  const cached = readCache(resolve(dir), key);
  const parts = cached === null ? await decode(train, test, size, hooks) : fromCache(cached, train.classes);
  if (cached === null) writeCache(resolve(dir), key, toCache(parts), statistics(parts.train));
  const { height, width } = parts.train;
  return { name: 'folder', augment: { pad: Math.round(Math.min(height, width) / 8), flip: true }, ...parts };
}

type Parts = { readonly train: TensorImageDataset; readonly test: TensorImageDataset };

async function decode(
  train: Listing,
  test: Listing,
  size: readonly [number, number] | null,
  hooks: LoadHooks,
): Promise<Parts> {
  const { pixels, height, width } = await decodeImages([...train.paths, ...test.paths], size, hooks.onProgress);
  const border = train.paths.length * 3 * height * width;
  const shape = [3, height, width] as const;
  const raw = (part: Listing, bytes: Uint8Array): RawImages => ({ pixels: bytes, labels: part.labels, shape });
  return toDatasets(raw(train, pixels.subarray(0, border)), raw(test, pixels.subarray(border)), train.classes);
}

function toCache({ train, test }: Parts): Record<string, Tensor> {
  return {
    'train.images': train.images,
    'train.labels': train.labels,
    'test.images': test.images,
    'test.labels': test.labels,
  };
}

function statistics({ mean, std }: TensorImageDataset): Record<string, string> {
  return { mean: JSON.stringify(mean), std: JSON.stringify(std) };
}

function fromCache(cached: NonNullable<ReturnType<typeof readCache>>, classes: readonly string[]): Parts {
  const { tensors, metadata } = cached;
  const info = { classes, mean: JSON.parse(metadata.mean as string), std: JSON.parse(metadata.std as string) };
  const part = (name: string): TensorImageDataset =>
    new TensorImageDataset(tensors.get(`${name}.images`) as Tensor, tensors.get(`${name}.labels`) as Tensor, info);
  return { train: part('train'), test: part('test') };
}

function list(dir: string, seed: number): { train: Listing; test: Listing } {
  if (!existsSync(dir)) throw new DataError(`No folder ${dir}: expected train/ and test/ in it, or one folder a class`);
  const held = ['test', 'val'].find((name) => existsSync(join(dir, name)));
  if (!existsSync(join(dir, 'train'))) return split(listClasses(dir), seed);
  if (held === undefined) return split(listClasses(join(dir, 'train')), seed);
  const [train, test] = [listClasses(join(dir, 'train')), listClasses(join(dir, held))];
  if (train.classes.join('\0') !== test.classes.join('\0')) {
    const only = (a: Listing, b: Listing): string =>
      a.classes.filter((name) => !b.classes.includes(name)).join(', ') || 'none';
    throw new DataError(`${dir}: classes only in train: ${only(train, test)}; only in ${held}: ${only(test, train)}`);
  }
  return { train, test };
}

function split(all: Listing, seed: number): { train: Listing; test: Listing } {
  const { train, test } = splitBySeed(all.labels, testShare, seed);
  const pick = (indices: readonly number[]): Listing => ({
    classes: all.classes,
    paths: indices.map((i) => all.paths[i] as string),
    labels: indices.map((i) => all.labels[i] as number),
  });
  return { train: pick(train), test: pick(test) };
}

/** Class folders and image files in alphabetical order; hidden names and files that are not images are passed over. */
function listClasses(dir: string): Listing {
  const visible = (folder: string) =>
    readdirSync(folder, { withFileTypes: true }).filter((e) => !e.name.startsWith('.'));
  const isFolder = (path: string): boolean => statSync(path).isDirectory(); // follows links
  const classes = visible(dir)
    .map((entry) => entry.name)
    .filter((name) => isFolder(join(dir, name)))
    .sort();
  if (classes.length < 2) {
    throw new DataError(
      `${dir}: expected a folder for each of two or more classes, found ${classes.join(', ') || 'none'}`,
    );
  }
  const paths: string[] = [];
  const labels: number[] = [];
  classes.forEach((name, label) => {
    const files = visible(join(dir, name))
      .map((entry) => entry.name)
      .filter((file) => imageExtensions.includes(extname(file).toLowerCase()));
    if (files.length === 0) throw new DataError(`${join(dir, name)} holds no image (${imageExtensions.join(' ')})`);
    for (const file of files.sort()) {
      paths.push(join(dir, name, file));
      labels.push(label);
    }
  });
  return { classes, paths, labels };
}

function checkSize(size: DataOptions['size']): readonly [number, number] | null {
  if (size === undefined) return null;
  const both = typeof size === 'number' ? ([size, size] as const) : size;
  if (both.length === 2 && both.every((n) => Number.isInteger(n) && n > 0 && n <= 8192)) return both;
  throw new ConfigError(`size: expected pixels, or [height, width], of 1 to 8192, got ${JSON.stringify(size)}`);
}

/** Changes whenever a file is added, removed or written, or another form of the images is asked for. */
function fingerprint(paths: readonly string[], form: unknown): string {
  const hash = createHash('sha256').update(JSON.stringify(['v1', form]));
  for (const path of paths) {
    const { size, mtimeMs } = statSync(path);
    hash.update(`${path}\0${size}\0${mtimeMs}\n`);
  }
  return hash.digest('hex').slice(0, 32);
}
