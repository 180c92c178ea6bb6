/** Transforms as plain JSON, which another thread, a checkpoint or a config file can hold; and what they stand for. */
import { expectList } from '../torch/expect.js';
import { ConfigError, checkOptions, type Generator, nearest, type Tensor } from '../torch/index.js';
import { type ColorJitterOptions, colorJitter, gaussianBlur, grayscale, randomGrayscale } from './colour.js';
import type { ImageBatch } from './dataset.js';
import {
  centerCrop,
  type RandomAffineOptions,
  type RandomResizedCropOptions,
  type ResizeOptions,
  randomAffine,
  randomCrop,
  randomResizedCrop,
  randomRotation,
  randomVerticalFlip,
  resize,
  type WarpOptions,
} from './geometry.js';
import type { ImageTransform } from './image-tools.js';
import {
  cutmix,
  type MixOptions,
  type MixTransform,
  mixup,
  type RandomErasingOptions,
  randomErasing,
} from './mixing.js';
import { type RandAugmentOptions, randAugment } from './rand-augment.js';
import { compose, normalise, randomCropReflect, randomHorizontalFlip, toFloat } from './transforms.js';

type Size = number | readonly [number, number];
type Range = number | readonly [number, number];

/** The parameters of every transform; those of the functions of the same names. */
interface Parameters {
  toFloat: object;
  normalise: { readonly mean: readonly number[]; readonly std: readonly number[] };
  randomCropReflect: { readonly pad: number };
  randomHorizontalFlip: { readonly probability?: number };
  randomVerticalFlip: { readonly probability?: number };
  resize: { readonly size: Size } & ResizeOptions;
  centerCrop: { readonly size: Size };
  randomCrop: { readonly size: Size; readonly padding?: number; readonly fill?: number };
  randomResizedCrop: { readonly size: Size } & RandomResizedCropOptions;
  randomRotation: { readonly degrees: Range } & WarpOptions;
  randomAffine: { readonly degrees: Range } & RandomAffineOptions;
  colorJitter: ColorJitterOptions;
  grayscale: { readonly channels?: 1 | 3 };
  randomGrayscale: { readonly probability?: number };
  gaussianBlur: { readonly kernelSize: Size; readonly sigma?: Range };
  randAugment: RandAugmentOptions;
  randomErasing: RandomErasingOptions;
  mixup: MixOptions;
  cutmix: MixOptions;
}

type Kind = keyof Parameters;

/** A transform as plain JSON: `{ kind: 'randomRotation', degrees: 10 }` is `randomRotation(10)`. */
export type TransformSpec = { [K in Kind]: { readonly kind: K } & Parameters[K] }[Kind];

/** What happens to each batch; the generator is seeded for this batch. */
export type BatchTransform<Batch> = (batch: Batch, generator: Generator) => Batch;

type Makers<Kinds extends Kind, Made> = { readonly [K in Kinds]: (parameters: Parameters[K]) => Made };

const ofImages: Makers<Exclude<Kind, 'mixup' | 'cutmix'>, ImageTransform> = {
  toFloat: (none) => exact('toFloat', none, [], toFloat()),
  normalise: ({ mean, std, ...rest }) => exact('normalise', rest, ['mean', 'std'], normalise(mean, std)),
  randomCropReflect: ({ pad, ...rest }) => exact('randomCropReflect', rest, ['pad'], randomCropReflect(pad)),
  randomHorizontalFlip: ({ probability, ...rest }) =>
    exact('randomHorizontalFlip', rest, ['probability'], randomHorizontalFlip(probability)),
  randomVerticalFlip: ({ probability, ...rest }) =>
    exact('randomVerticalFlip', rest, ['probability'], randomVerticalFlip(probability)),
  resize: ({ size, ...options }) => resize(size, options),
  centerCrop: ({ size, ...rest }) => exact('centerCrop', rest, ['size'], centerCrop(size)),
  randomCrop: ({ size, ...options }) => randomCrop(size, options),
  randomResizedCrop: ({ size, ...options }) => randomResizedCrop(size, options),
  randomRotation: ({ degrees, ...options }) => randomRotation(degrees, options),
  randomAffine: ({ degrees, ...options }) => randomAffine(degrees, options),
  colorJitter,
  grayscale: ({ channels, ...rest }) => exact('grayscale', rest, ['channels'], grayscale(channels)),
  randomGrayscale: ({ probability, ...rest }) =>
    exact('randomGrayscale', rest, ['probability'], randomGrayscale(probability)),
  gaussianBlur: ({ kernelSize, sigma, ...rest }) =>
    exact('gaussianBlur', rest, ['kernelSize', 'sigma'], gaussianBlur(kernelSize, sigma)),
  randAugment,
  randomErasing,
};

const ofBatches: Makers<'mixup' | 'cutmix', MixTransform> = { mixup, cutmix };

/** Refuses parameters that nobody reads. */
function exact<T>(kind: Kind, rest: object, known: readonly string[], made: T): T {
  for (const name of Object.keys(rest)) checkOptions(kind, { [name]: 0 }, known);
  return made;
}

/** The kinds of transforms that there are. */
export const transformKinds: readonly string[] = [...Object.keys(ofImages), ...Object.keys(ofBatches)];

/** The image transform that the specs describe, in order. @throws ConfigError for an unknown kind or a bad value */
export function transformFrom(specs: readonly TransformSpec[]): ImageTransform {
  expectList('transformFrom', specs, 'transforms in a list');
  return compose(...specs.map(imageTransform));
}

function imageTransform(spec: TransformSpec): ImageTransform {
  const { kind, ...parameters } = checkKind(spec);
  if (isMix(spec))
    throw new ConfigError(`${kind} changes the labels, too: give it to a DataLoader, as part of its transform`);
  return (ofImages[kind as keyof typeof ofImages] as (parameters: object) => ImageTransform)(parameters);
}

function isMix(spec: TransformSpec): spec is Extract<TransformSpec, { kind: 'mixup' | 'cutmix' }> {
  return Object.hasOwn(ofBatches, spec.kind);
}

function checkKind(spec: TransformSpec): TransformSpec {
  const kind: unknown = (spec as TransformSpec | null)?.kind;
  if (transformKinds.includes(kind as string)) return spec;
  const near = typeof kind === 'string' ? nearest(kind, transformKinds) : null;
  throw new ConfigError(
    `unknown transform ${JSON.stringify(spec)}; expected a kind among ${transformKinds.join(', ')}` +
      (near === null ? '' : `. Did you mean ${near}?`),
  );
}

/** What the specs do to a batch of images and labels; null for no specs. */
export function batchTransformFrom<Batch>(specs: readonly TransformSpec[]): BatchTransform<Batch> | null {
  expectList('batchTransformFrom', specs, 'transforms in a list');
  if (specs.length === 0) return null;
  const steps = specs.map((spec): MixTransform => {
    if (isMix(checkKind(spec))) {
      const { kind, ...options } = spec as Extract<TransformSpec, { kind: 'mixup' | 'cutmix' }>;
      return ofBatches[kind](options);
    }
    const transform = imageTransform(spec);
    return (batch, generator) => ({ ...batch, images: transform(batch.images, generator) });
  });
  return (batch, generator) => {
    const given = (typeof batch === 'object' && batch !== null ? batch : {}) as { images?: Tensor; labels?: Tensor };
    if (given.images === undefined) {
      throw new ConfigError(`image transforms need a batch with images, got ${Object.keys(given).join(', ')}`);
    }
    if (given.labels === undefined && specs.some(isMix)) {
      throw new ConfigError(`mixup and cutmix need a batch with labels, got ${Object.keys(given).join(', ')}`);
    }
    return steps.reduce((x, step) => step(x, generator), batch as unknown as ImageBatch) as unknown as Batch;
  };
}
