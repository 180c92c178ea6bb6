/** From a SPEC string to images in memory, or in their files. */
import { batchTransformFrom, seededPermutation, type TransformSpec } from '../../data/index.js';
import { ConfigError, checkOptions } from '../../torch/index.js';
import { loadCifar10 } from './cifar10.js';
import { loadFolder } from './folder.js';
import type { LazyImageDataset } from './lazy.js';
import { loadEmbeddedMnist, loadMnistFiles } from './mnist.js';
import { parseDataSpec } from './spec.js';
import { loadStl10 } from './stl10.js';
import { loadSvhn } from './svhn.js';
import type { AugmentSpec, DataOptions, ImageData, ImageSet, LoadedParts, LoadHooks } from './types.js';

const optionNames = ['spec', 'limit', 'testLimit', 'seed', 'size', 'skipBad', 'lazy', 'statistics', 'augment'];
/** Of these, what other kinds than folders have no use for. */
const folderOptions = ['size', 'skipBad', 'lazy'] as const;

/**
 * Loads a data set. The same options give the same images in the same order, on any thread and machine.
 * @param options a SPEC string, or plain JSON with one
 * @throws ConfigError for a spec that is not understood; DataError when files are absent, damaged or of another size
 * @example const { train, test, trainTransforms } = await loadDataset('cifar10:data/cifar10');
 */
export function loadDataset(
  options: string | (DataOptions & { readonly lazy?: false }),
  hooks?: LoadHooks,
): Promise<ImageData>;
export function loadDataset(
  options: DataOptions & { readonly lazy: true },
  hooks?: LoadHooks,
): Promise<ImageData<LazyImageDataset>>;
export function loadDataset(options: string | DataOptions, hooks?: LoadHooks): Promise<ImageData<ImageSet>>;
export async function loadDataset(options: string | DataOptions, hooks: LoadHooks = {}): Promise<ImageData<ImageSet>> {
  const given = typeof options === 'string' ? { spec: options } : options;
  checkOptions('loadDataset', given, optionNames);
  // What is unknown or makes no sense is told before images are read.
  if (given.augment !== undefined) augmented(given.augment, [{ kind: 'toFloat' }], 2);
  const parts = await loadParts(given, hooks);
  const { limit, testLimit = limit, seed = 0 } = given;
  const train = limited(parts.train, limit, seed, 'limit');
  const test = limited(parts.test, testLimit, seed, 'testLimit');
  const { classes, channels, height, width } = train;
  const { mean, std } = given.statistics ?? train;
  const scaling: TransformSpec[] = [{ kind: 'toFloat' }, { kind: 'normalise', mean, std }];
  return {
    name: parts.name,
    train,
    test,
    classes,
    inputShape: [channels, height, width],
    mean,
    std,
    trainTransforms: augmented(given.augment ?? parts.augment, scaling, classes.length),
    testTransforms: scaling,
    found: parts.found ?? null,
  };
}

/** What works on normalised pixels, or mixes them. */
const afterScaling: readonly string[] = ['randomErasing', 'mixup', 'cutmix'];

function augmented(
  augment: NonNullable<DataOptions['augment']>,
  scaling: readonly TransformSpec[],
  classes: number,
): TransformSpec[] {
  if ('pad' in augment) {
    const augmentation: TransformSpec[] = [];
    if (augment.pad > 0) augmentation.push({ kind: 'randomCropReflect', pad: augment.pad });
    if (augment.flip) augmentation.push({ kind: 'randomHorizontalFlip' });
    return [...augmentation, ...scaling];
  }
  const whole = (spec: AugmentSpec): TransformSpec =>
    spec.kind === 'mixup' || spec.kind === 'cutmix' ? { classes, ...spec } : spec;
  const isLate = (spec: AugmentSpec): boolean => afterScaling.includes(spec.kind);
  const specs = [...augment.filter((spec) => !isLate(spec)), ...scaling, ...augment.filter(isLate)].map(whole);
  batchTransformFrom(specs); // checks them
  return specs;
}

async function loadParts(options: DataOptions, hooks: LoadHooks): Promise<LoadedParts> {
  const { kind, dir } = parseDataSpec(options.spec);
  const unused = folderOptions.filter((name) => ![undefined, false, 'auto'].includes(options[name] as undefined));
  if (unused.length > 0 && kind !== 'folder') {
    throw new ConfigError(`${unused.join(', ')} applies to folder: data only, not to '${options.spec}'`);
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
function limited<Set extends ImageSet>(set: Set, limit: number | undefined, seed: number, what: string): Set {
  if (limit === undefined || limit >= set.length) return set;
  if (!Number.isSafeInteger(limit) || limit < 1)
    throw new ConfigError(`${what}: expected an integer >= 1, got ${limit}`);
  const chosen = seededPermutation(set.length, seed)
    .slice(0, limit)
    .sort((a, b) => a - b);
  const part = set.subset(chosen) as Set;
  set.dispose();
  return part;
}
