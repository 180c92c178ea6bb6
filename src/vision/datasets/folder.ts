/** Folders of images, one folder a class: decoded into memory, or read as batches need them. */
import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { ChannelHistogram, TensorImageDataset } from '../../data/index.js';
import { ConfigError, DataError } from '../../torch/errors.js';
import { type Tensor, tensor } from '../../torch/index.js';
import { readCache, writeCache } from './cache.js';
import {
  type BadImage,
  checkOneSize,
  type Decoding,
  decodeEach,
  decodeImages,
  describeBad,
  type Size,
} from './decode.js';
import { LazyImageDataset } from './lazy.js';
import { type FolderListing, type Listing, listFolder } from './listing.js';
import { type RawImages, toDatasets } from './parts.js';
import type { DataOptions, Found, ImageSet, LoadedParts, LoadHooks } from './types.js';

/** With `lazy: 'auto'`, decoded images of more bytes than this stay in their files. */
const mostInMemory = 2 ** 30;

type FolderOptions = Omit<DataOptions, 'spec'>;

/**
 * Reads `dir/train/CLASS/**` and `dir/test/CLASS/**` (or `val`, `valid`, `validation`), or `dir/CLASS/**`, of which a fifth of each
 * class, chosen by the seed, becomes the test part. Folders in the folder of a class are read too, in torchvision's order; hidden
 * files and other kinds of files are passed over. Decoded images (for lazy sets: their statistics) are kept in a cache (see
 * `cache.ts`), which is used as long as no file changed.
 * @throws DataError for classes that differ between the parts, empty classes, images of several sizes, or such that cannot be decoded,
 * all named at once
 */
export function loadFolder(
  dir: string,
  options?: FolderOptions & { readonly lazy?: false },
  hooks?: LoadHooks,
): Promise<LoadedParts<TensorImageDataset>>;
export function loadFolder(dir: string, options?: FolderOptions, hooks?: LoadHooks): Promise<LoadedParts>;
export async function loadFolder(
  dir: string,
  options: FolderOptions = {},
  hooks: LoadHooks = {},
): Promise<LoadedParts> {
  const root = resolve(dir);
  const listing = listFolder(root, options.seed ?? 0);
  const size = checkSize(options.size);
  const lazy = options.lazy === 'auto' ? await isLarge(listing, size) : (options.lazy ?? false);
  hooks.onFound?.(found(listing, lazy, []));
  const { train, test, skipped } = lazy
    ? await openLazily(root, listing, size, options, hooks)
    : await loadAll(root, listing, size, options, hooks);
  const { height, width } = train;
  const augment = { pad: Math.round(Math.min(height, width) / 8), flip: true };
  return { name: 'folder', augment, train, test, found: found(listing, lazy, skipped) };
}

interface Opened<Set extends ImageSet> {
  readonly train: Set;
  readonly test: Set;
  readonly skipped: readonly BadImage[];
}

function found(listing: FolderListing, lazy: boolean, skipped: readonly BadImage[]): Found {
  const left = new Set(skipped.map(({ path }) => path));
  const part = (name: 'train' | 'test', from: string, { paths, labels }: Listing): Found['parts'][number] => {
    const kept = labels.filter((_, i) => !left.has(paths[i] as string));
    return { name, from, images: kept.length, classes: new Set(kept).size };
  };
  const parts = [part('train', listing.trainFrom, listing.train), part('test', listing.testFrom, listing.test)];
  return { parts, classes: listing.train.classes, lazy, skipped, notes: listing.notes };
}

async function isLarge({ train, test }: FolderListing, size: Size | null): Promise<boolean> {
  const count = train.paths.length + test.paths.length;
  const bytes = (of: Size): number => 3 * of[0] * of[1] * count;
  if (size !== null) return bytes(size) > mostInMemory;
  // The first image that can be decoded stands for all, which must be of its size.
  for (const path of train.paths) {
    const { sizes } = await decodeEach([path], null, () => {});
    for (const { size: own } of sizes.values()) return bytes(own) > mostInMemory;
  }
  return false;
}

/** Refuses bad images, unless they may be skipped, and several sizes. */
function checking(listing: FolderListing, skipBad: boolean): (decoding: Decoding) => void {
  return (decoding) => {
    const { bad, good } = decoding;
    const total = bad.length + good.length;
    if (bad.length > 0 && (!skipBad || good.length === 0)) {
      throw new DataError(`${describeBad(bad, total)}\nLeave them out with skipBad: true`);
    }
    checkOneSize([...listing.train.paths, ...listing.test.paths], decoding);
    const border = listing.train.paths.length;
    const labels = [...listing.train.labels, ...listing.test.labels];
    const kept = new Set(good.filter((i) => i < border).map((i) => labels[i]));
    const without = listing.train.classes.filter((_, label) => !kept.has(label));
    if (without.length > 0) {
      throw new DataError(`${describeBad(bad, total)}\nThat leaves no image to train on of ${without.join(', ')}`);
    }
    if (!good.some((i) => i >= border))
      throw new DataError(`${describeBad(bad, total)}\nThat leaves no image to test on`);
  };
}

/** What is left of a part. @param good rising numbers among the files of both parts, of which `from` precede this part */
function keepGood(part: Listing, good: readonly number[], from: number): Listing {
  const own = good.map((i) => i - from).filter((i) => i >= 0 && i < part.paths.length);
  const pick = <T>(values: readonly T[]): T[] => own.map((i) => values[i] as T);
  return { classes: part.classes, paths: pick(part.paths), labels: pick(part.labels) };
}

async function loadAll(
  root: string,
  listing: FolderListing,
  size: Size | null,
  options: FolderOptions,
  hooks: LoadHooks,
): Promise<Opened<TensorImageDataset>> {
  const { train, test } = listing;
  const paths = [...train.paths, ...test.paths];
  const form = [train.labels, test.labels, train.classes, size];
  const key = fingerprint(paths, options.skipBad ? [...form, 'skipBad'] : form);
  const cached = readCache(root, key);
  if (cached !== null) return fromCache(cached, train.classes);
  const check = checking(listing, options.skipBad ?? false);
  const { pixels, height, width, decoding } = await decodeImages(paths, size, check, hooks);
  const kept = [keepGood(train, decoding.good, 0), keepGood(test, decoding.good, train.paths.length)] as const;
  const border = kept[0].paths.length * 3 * height * width;
  const shape = [3, height, width] as const;
  const raw = (part: Listing, bytes: Uint8Array): RawImages => ({ pixels: bytes, labels: part.labels, shape });
  const parts = toDatasets(
    raw(kept[0], pixels.subarray(0, border)),
    raw(kept[1], pixels.subarray(border)),
    train.classes,
  );
  const metadata = { ...statisticsText(parts.train), skipped: JSON.stringify(decoding.bad) };
  writeCache(root, key, toCache(parts.train, parts.test), metadata);
  return { ...parts, skipped: decoding.bad };
}

function toCache(train: TensorImageDataset, test: TensorImageDataset): Record<string, Tensor> {
  return {
    'train.images': train.images,
    'train.labels': train.labels,
    'test.images': test.images,
    'test.labels': test.labels,
  };
}

function statisticsText({ mean, std }: { mean: readonly number[]; std: readonly number[] }): Record<string, string> {
  return { mean: JSON.stringify(mean), std: JSON.stringify(std) };
}

type Cached = NonNullable<ReturnType<typeof readCache>>;

function fromCache({ tensors, metadata }: Cached, classes: readonly string[]): Opened<TensorImageDataset> {
  const info = { classes, mean: JSON.parse(metadata.mean as string), std: JSON.parse(metadata.std as string) };
  const part = (name: string): TensorImageDataset =>
    new TensorImageDataset(tensors.get(`${name}.images`) as Tensor, tensors.get(`${name}.labels`) as Tensor, info);
  return { train: part('train'), test: part('test'), skipped: JSON.parse(metadata.skipped ?? '[]') as BadImage[] };
}

/** What a look at every image found. */
interface Scan {
  readonly good: readonly number[];
  readonly skipped: readonly BadImage[];
  readonly size: Size;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

async function openLazily(
  root: string,
  listing: FolderListing,
  size: Size | null,
  options: FolderOptions,
  hooks: LoadHooks,
): Promise<Opened<LazyImageDataset>> {
  const { train, test } = listing;
  const scanned = await scan(root, listing, size, options, hooks);
  const { mean, std } = scanned;
  const info = { classes: train.classes, mean, std, size: scanned.size, resize: size !== null };
  const open = (part: Listing, from: number): LazyImageDataset => {
    const { paths, labels } = keepGood(part, scanned.good, from);
    return new LazyImageDataset({ ...info, paths }, tensor(BigInt64Array.from(labels, BigInt)));
  };
  return { train: open(train, 0), test: open(test, train.paths.length), skipped: scanned.skipped };
}

/**
 * Decodes every image once, without keeping it: for the mean and deviation, which must be those of a set in memory, and to tell of
 * bad ones before a run rather than in its middle. Where statistics are given and none may be skipped, a size is all that is needed.
 */
async function scan(
  root: string,
  listing: FolderListing,
  size: Size | null,
  options: FolderOptions,
  hooks: LoadHooks,
): Promise<Scan> {
  const { train, test } = listing;
  const paths = [...train.paths, ...test.paths];
  const all = paths.map((_, i) => i);
  if (options.statistics !== undefined && size !== null && !options.skipBad) {
    return { good: all, skipped: [], size, ...options.statistics };
  }
  const source = `${root}#lazy`;
  const key = fingerprint(paths, [train.labels, test.labels, train.classes, size, options.skipBad ?? false]);
  const cached = readCache(source, key);
  if (cached !== null) return JSON.parse(cached.metadata.scan as string) as Scan;
  const histogram = new ChannelHistogram(3);
  const border = train.paths.length;
  const decoding = await decodeEach(
    paths,
    size,
    ({ data, height, width }, i) => {
      if (i < border) histogram.add(data, height * width, true);
    },
    hooks,
  );
  checking(listing, options.skipBad ?? false)(decoding);
  const [only] = decoding.sizes.values();
  const result: Scan = {
    good: decoding.good,
    skipped: decoding.bad,
    size: (only as NonNullable<typeof only>).size,
    ...histogram.statistics(),
  };
  writeCache(source, key, {}, { scan: JSON.stringify(result) });
  return result;
}

function checkSize(size: DataOptions['size']): Size | null {
  if (size === undefined) return null;
  const both = typeof size === 'number' ? ([size, size] as const) : size;
  if (both.length === 2 && both.every((n) => Number.isInteger(n) && n > 0 && n <= 8192)) return both;
  throw new ConfigError(`size: expected pixels, or [height, width], of 1 to 8192, got ${JSON.stringify(size)}`);
}

/** Changes whenever a file is added, removed or written, or another form of the images is asked for. */
function fingerprint(paths: readonly string[], form: unknown): string {
  const hash = createHash('sha256').update(JSON.stringify(['v1', form]));
  for (const path of paths) {
    const { size, mtimeMs } = existsSync(path) ? statSync(path) : { size: -1, mtimeMs: 0 }; // a link that leads nowhere
    hash.update(`${path}\0${size}\0${mtimeMs}\n`);
  }
  return hash.digest('hex').slice(0, 32);
}
