/** Data sets made of tensors, and of other data sets; with PyTorch's names. */
import { ConfigError, ShapeError } from '../torch/errors.js';
import { expectList, expectTensors } from '../torch/expect.js';
import { checkOptions, Generator, randperm, scope, type Tensor } from '../torch/index.js';
import {
  checkInteger,
  type Dataset,
  expectSource,
  openShared,
  type SharedDataset,
  type ThreadShareable,
} from './dataset.js';

/** Tensors of one first dimension, row by row (`torch.utils.data.TensorDataset`). It keeps them: they outlive scopes. */
export class TensorDataset<Tensors extends readonly Tensor[] = Tensor[]>
  implements Dataset<{ [Index in keyof Tensors]: Tensor }>, ThreadShareable
{
  readonly length: number;
  readonly tensors: Tensors;

  /** @throws ShapeError where the tensors differ in their first dimension */
  constructor(...tensors: Tensors) {
    expectTensors('TensorDataset', ...tensors);
    const sizes = tensors.map((each) => each.shape[0]);
    if (tensors.length === 0 || sizes.some((size) => size === undefined || size !== sizes[0])) {
      const shapes = tensors.map((each) => `[${each.shape.join(', ')}]`).join(', ');
      throw new ShapeError(`TensorDataset: expected tensors of one first dimension, got ${shapes || 'none'}`);
    }
    this.length = sizes[0] as number;
    this.tensors = tensors;
    for (const each of tensors) each.keep();
  }

  /** One row of each tensor. */
  getItem(index: number): { [Index in keyof Tensors]: Tensor } {
    return this.tensors.map((each) => each.select(0, index)) as unknown as { [Index in keyof Tensors]: Tensor };
  }

  /** The rows of a batch, of each tensor: what `getItem` and `defaultCollate` would give, at once. */
  batch(indices: Tensor): { [Index in keyof Tensors]: Tensor } {
    return this.tensors.map((each) => each.indexSelect(0, indices)) as unknown as { [Index in keyof Tensors]: Tensor };
  }

  share(): SharedDataset {
    return { module: import.meta.url, export: 'tensorDatasetFromShared', options: null, tensors: [...this.tensors] };
  }
}

/** The other end of `TensorDataset.share`. */
export function tensorDatasetFromShared(_options: unknown, tensors: readonly Tensor[]): TensorDataset {
  return new TensorDataset(...tensors);
}

/** The items of a data set at some indices, in their order (`torch.utils.data.Subset`). */
export class Subset<Sample> implements Dataset<Sample>, ThreadShareable {
  readonly length: number;

  /** @throws ConfigError for an index that the data set does not have */
  constructor(
    readonly dataset: Dataset<Sample>,
    readonly indices: readonly number[],
  ) {
    expectSource('Subset', dataset);
    expectList('Subset', indices, 'indices in a list');
    this.length = indices.length;
    for (const index of indices) checkIndex(index, dataset.length, 'Subset');
  }

  getItem(index: number): Sample | Promise<Sample> {
    checkIndex(index, this.length, 'Subset');
    return this.dataset.getItem(this.indices[index] as number);
  }

  /** @throws ConfigError where the data set itself cannot be shared */
  share(): SharedDataset {
    const { dataset, indices } = this;
    if (!('share' in dataset && typeof dataset.share === 'function')) {
      throw new ConfigError(
        'Subset: the data set that it is of has no share() method, so that no other thread can use it',
      );
    }
    const { tensors, ...inner } = (dataset as Dataset<Sample> & ThreadShareable).share();
    return { module: import.meta.url, export: 'subsetFromShared', options: { inner, indices }, tensors };
  }
}

/** The other end of `Subset.share`. */
export async function subsetFromShared(options: unknown, tensors: readonly Tensor[]): Promise<Subset<unknown>> {
  const { inner, indices } = options as { inner: Omit<SharedDataset, 'tensors'>; indices: readonly number[] };
  return new Subset((await openShared(inner, tensors)) as unknown as Dataset<unknown>, indices);
}

/** Data sets one after another (`torch.utils.data.ConcatDataset`). */
export class ConcatDataset<Sample> implements Dataset<Sample> {
  readonly length: number;
  /** Where each of the data sets ends. */
  private readonly ends: readonly number[];

  constructor(readonly datasets: readonly Dataset<Sample>[]) {
    expectList('ConcatDataset', datasets, 'data sets in a list');
    for (const each of datasets) expectSource('ConcatDataset', each);
    if (datasets.length === 0) throw new ConfigError('ConcatDataset: expected at least one data set, got none');
    let end = 0;
    this.ends = datasets.map(({ length }) => (end += length));
    this.length = end;
  }

  getItem(index: number): Sample | Promise<Sample> {
    checkIndex(index, this.length, 'ConcatDataset');
    const which = this.ends.findIndex((end) => index < end);
    return (this.datasets[which] as Dataset<Sample>).getItem(
      index - (which === 0 ? 0 : (this.ends[which - 1] as number)),
    );
  }
}

function checkIndex(index: number, length: number, what: string): void {
  if (Number.isSafeInteger(index) && index >= 0 && index < length) return;
  throw new ConfigError(`${what}: expected an index in [0, ${length}), got ${index}`);
}

/**
 * Splits a data set by chance into parts that do not overlap (`torch.utils.data.random_split`): the same parts as PyTorch with a
 * generator of this seed.
 * @param lengths of the parts, whose sum is the data set's; or fractions, whose sum is 1: each gets the whole part of its share, and
 * what is left goes to the first parts, one item each
 * @param options.seed 0 by default
 * @throws ConfigError for lengths that do not sum to the data set's
 * @example const [train, test] = randomSplit(dataset, [0.8, 0.2], { seed: 1 });
 */
export function randomSplit<Sample>(
  dataset: Dataset<Sample>,
  lengths: readonly number[],
  options: { readonly seed?: number } = {},
): Subset<Sample>[] {
  checkOptions('randomSplit', options, ['seed']);
  expectSource('randomSplit', dataset);
  expectList('randomSplit', lengths, 'lengths or fractions in a list');
  const sizes = wholeLengths(dataset.length, lengths);
  const order = scope(() => {
    const generator = new Generator(options.seed ?? 0);
    const drawn = Array.from(randperm(dataset.length, { generator }).data() as BigInt64Array, Number);
    generator.dispose();
    return drawn;
  });
  let at = 0;
  return sizes.map((size) => {
    at += size;
    return new Subset(dataset, order.slice(at - size, at));
  });
}

function wholeLengths(length: number, given: readonly number[]): number[] {
  const sum = given.reduce((total, each) => total + each, 0);
  if (given.some((each) => !(each >= 0))) {
    throw new ConfigError(`randomSplit: expected lengths or fractions >= 0, got [${given.join(', ')}]`);
  }
  if (Math.abs(sum - 1) < 1e-9 && given.length > 0) {
    const sizes = given.map((share) => Math.floor(length * share));
    const left = length - sizes.reduce((total, size) => total + size, 0);
    for (let i = 0; i < left; i++) sizes[i % sizes.length] = (sizes[i % sizes.length] as number) + 1;
    return sizes;
  }
  for (const each of given) checkInteger(each, 0, 'randomSplit: a length');
  if (sum === length) return [...given];
  throw new ConfigError(
    `randomSplit: expected lengths whose sum is ${length}, or fractions whose sum is 1, got [${given.join(', ')}]`,
  );
}
