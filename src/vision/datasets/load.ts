/** From a SPEC string to images in memory. */
import { seededPermutation, type TensorImageDataset, type TransformSpec } from '../../data/index.js';
import { ConfigError } from '../../torch/errors.js';
import { loadCifar10 } from './cifar10.js';
import { loadFolder } from './folder.js';
import { loadEmbeddedMnist, loadMnistFiles } from './mnist.js';
import { parseDataSpec } from './spec.js';
import { loadStl10 } from './stl10.js';
import { loadSvhn } from './svhn.js';
import type { DataOptions, ImageData, LoadedParts, LoadHooks } from './types.js';

/**
 * Loads a data set. The same options give the same images in the same order, on any thread and machine.
 * @param options a SPEC string, or plain JSON with one
 * @throws ConfigError for a spec that is not understood; DataError when files are absent, damaged or of another size
 * @example const { train, test, trainTransforms } = await loadDataset('cifar10:data/cifar10');
 */
export async function loadDataset(options: string | DataOptions, hooks: LoadHooks = {}): Promise<ImageData> {
  const given = typeof options === 'string' ? { spec: options } : options;
  const parts = await loadParts(given, hooks);
  const { limit, testLimit = limit, seed = 0 } = given;
  const train = limited(parts.train, limit, seed, 'limit');
  const test = limited(parts.test, testLimit, seed, 'testLimit');
  const { classes, channels, height, width, mean, std } = train;
  const scaling: TransformSpec[] = [{ kind: 'toFloat' }, { kind: 'normalise', mean, std }];
  const { pad, flip } = given.augment ?? parts.augment;
  const augmentation: TransformSpec[] = [];
  if (pad > 0) augmentation.push({ kind: 'randomCropReflect', pad });
  if (flip) augmentation.push({ kind: 'randomHorizontalFlip' });
  return {
    name: parts.name,
    train,
    test,
    classes,
    inputShape: [channels, height, width],
    mean,
    std,
    trainTransforms: [...augmentation, ...scaling],
    testTransforms: scaling,
  };
}

async function loadParts(options: DataOptions, hooks: LoadHooks): Promise<LoadedParts> {
  const { kind, dir } = parseDataSpec(options.spec);
  if (options.size !== undefined && kind !== 'folder') {
    throw new ConfigError(`size applies to folder: data only, not to '${options.spec}'`);
  }
  if (dir === null) return loadEmbeddedMnist();
  switch (kind) {
    case 'mnist':
      return loadMnistFiles(dir);
    case 'cifar10':
      return loadCifar10(dir);
    case 'svhn':
      return loadSvhn(dir);
    case 'stl10':
      return loadStl10(dir);
    case 'folder':
      return loadFolder(dir, options, hooks);
  }
}

/** At most `limit` items, chosen by the seed (a set may be sorted by class), in their old order. */
function limited(set: TensorImageDataset, limit: number | undefined, seed: number, what: string): TensorImageDataset {
  if (limit === undefined || limit >= set.length) return set;
  if (!Number.isSafeInteger(limit) || limit < 1)
    throw new ConfigError(`${what}: expected an integer >= 1, got ${limit}`);
  const chosen = seededPermutation(set.length, seed)
    .slice(0, limit)
    .sort((a, b) => a - b);
  const part = set.subset(chosen);
  set.dispose();
  return part;
}
