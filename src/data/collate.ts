/** From single items to batches, by PyTorch's rules (`torch.utils.data.default_collate`). */
import { DataError } from '../torch/errors.js';
import { expectList } from '../torch/expect.js';
import { stack, Tensor, type TypedArray, tensor } from '../torch/index.js';
import type { BatchDataset, Dataset } from './dataset.js';

/** What single items can be drawn from: a `Dataset`, an array, or anything with `length` and `get`. */
export type ItemSource<Sample> =
  | Dataset<Sample>
  | readonly Sample[]
  | { readonly length: number; get(index: number): Sample | Promise<Sample> };

/** What `defaultCollate` makes of samples of a type. */
export type Collated<Sample> = Sample extends Tensor | number | bigint | boolean | TypedArray
  ? Tensor
  : Sample extends string
    ? string[]
    : Sample extends Date | ((...args: never[]) => unknown)
      ? never
      : Sample extends readonly (infer Element)[]
        ? number extends Sample['length']
          ? Collated<Element>[]
          : { -readonly [Index in keyof Sample]: Collated<Sample[Index]> }
        : Sample extends object
          ? { -readonly [Key in keyof Sample]: Collated<Sample[Key]> }
          : never;

/**
 * Puts samples together: tensors (of one shape) and typed arrays are stacked; numbers become a tensor [B], int64 where all are whole
 * (class numbers) and float32 else, bigints int64, booleans bool; texts stay a list; the elements of arrays and the properties of
 * objects are put together one by one. So an array of numbers becomes as many tensors [B], as in PyTorch: give a tensor or a typed
 * array for a vector.
 * @throws DataError naming the place and the sample where samples do not fit each other, or cannot be put together
 */
export function defaultCollate<Sample>(samples: readonly Sample[]): Collated<Sample> {
  expectList('defaultCollate', samples, 'samples in a list');
  return collateAt(samples, '', null) as Collated<Sample>;
}

type NumberTypes = Map<string, string>;

function collateAt(samples: readonly unknown[], where: string, types: NumberTypes | null): unknown {
  const first = samples[0];
  if (samples.length === 0) throw new DataError('Expected at least one sample to put into a batch, got none');
  if (first instanceof Tensor) return stackAll(samples, where);
  if (ArrayBuffer.isView(first) && !(first instanceof DataView)) return stackArrays(samples, where);
  switch (typeof first) {
    case 'number':
      return numbers(
        checkAll(samples, (x): x is number => typeof x === 'number', 'a number', where),
        where,
        types,
      );
    case 'bigint':
      return tensor(
        BigInt64Array.from(checkAll(samples, (x): x is bigint => typeof x === 'bigint', 'a bigint', where)),
      );
    case 'boolean':
      return tensor(checkAll(samples, (x): x is boolean => typeof x === 'boolean', 'a boolean', where));
    case 'string':
      return checkAll(samples, (x): x is string => typeof x === 'string', 'a text', where);
    default:
      return collateNested(samples, where, types);
  }
}

function collateNested(samples: readonly unknown[], where: string, types: NumberTypes | null): unknown {
  const first = samples[0];
  if (Array.isArray(first)) {
    const fits = (x: unknown): x is unknown[] => Array.isArray(x) && x.length === first.length;
    const lists = checkAll(samples, fits, `an array of ${first.length}, as in the first sample`, where);
    return first.map((_, i) =>
      collateAt(
        lists.map((list) => list[i]),
        `${where}[${i}]`,
        types,
      ),
    );
  }
  if (first instanceof Map) {
    const maps = checkAll(samples, (x) => x instanceof Map, 'a Map', where);
    const pick = (key: unknown): unknown[] => maps.map((map) => map.get(key));
    return new Map([...first.keys()].map((key) => [key, collateAt(pick(key), `${where}.${String(key)}`, types)]));
  }
  if (typeof first !== 'object' || first === null || first instanceof Date) {
    throw new DataError(
      `Cannot put ${describe(first)} of sample 0${named(where)} into a batch: expected tensors, typed arrays, numbers, bigints, ` +
        'booleans, texts, or arrays and objects of them; leave it out, or give a `collate` function',
    );
  }
  const keys = Object.keys(first);
  const fits = (x: unknown): x is Record<string, unknown> =>
    typeof x === 'object' && x !== null && Object.keys(x).sort().join() === [...keys].sort().join();
  const objects = checkAll(samples, fits, `an object of ${keys.join(', ')}, as in the first sample`, where);
  const pick = (key: string): unknown[] => objects.map((object) => object[key]);
  return Object.fromEntries(keys.map((key) => [key, collateAt(pick(key), `${where}.${key}`, types)]));
}

function stackAll(samples: readonly unknown[], where: string): Tensor {
  const tensors = checkAll(samples, (x) => x instanceof Tensor, 'a tensor', where);
  const [shape, dtype] = [tensors[0]!.shape.join(', '), tensors[0]!.dtype];
  const fits = (x: Tensor): x is Tensor => x.shape.join(', ') === shape && x.dtype === dtype;
  return stack(checkAll(tensors, fits, `${dtype} [${shape}], as in the first sample`, where));
}

function stackArrays(samples: readonly unknown[], where: string): Tensor {
  const first = samples[0] as TypedArray;
  const fits = (x: unknown): x is TypedArray =>
    ArrayBuffer.isView(x) && x.constructor === first.constructor && (x as TypedArray).length === first.length;
  const what = `${first.constructor.name} of ${first.length}, as in the first sample`;
  return stack(checkAll(samples, fits, what, where).map((array) => tensor(array)));
}

/** @param types the dtype that the numbers of each place had in earlier batches: it must not depend on what a batch happens to hold */
function numbers(values: readonly number[], where: string, types: NumberTypes | null): Tensor {
  const dtype = values.every(Number.isSafeInteger) ? 'int64' : 'float32';
  const before = types?.get(where) ?? dtype;
  if (before !== dtype) {
    throw new DataError(
      `The numbers${named(where)} were ${before} in an earlier batch and are ${dtype} now, as numbers that are all whole make int64: ` +
        "give tensors, such as tensor(x, { dtype: 'float32' }), where they stand for quantities",
    );
  }
  types?.set(where, dtype);
  return tensor(Float64Array.from(values), { dtype });
}

function checkAll<T, U extends T>(samples: readonly T[], fits: (x: T) => x is U, what: string, where: string): U[] {
  samples.forEach((sample, i) => {
    if (!fits(sample))
      throw new DataError(`Expected sample ${i} of the batch${named(where)} to be ${what}, got ${describe(sample)}`);
  });
  return samples as readonly U[] as U[];
}

const named = (where: string): string => (where === '' ? '' : `, at ${where.replace(/^\./, '')}`);

function describe(value: unknown): string {
  if (value instanceof Tensor) return `${value.dtype} [${value.shape.join(', ')}]`;
  if (ArrayBuffer.isView(value) && 'length' in value) return `${value.constructor.name} of ${value.length}`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value !== 'object' || value === null) return typeof value === 'function' ? 'a function' : String(value);
  const keys = Object.keys(value);
  return keys.length === 0 ? value.constructor.name : `an object of ${keys.join(', ')}`;
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return value instanceof Promise;
}

/** One item. @throws DataError that names the index, where the data set's own code fails */
function itemOf<Sample>(source: ItemSource<Sample>, index: number): Sample | Promise<Sample> {
  const fail = (error: unknown): never => {
    const message = error instanceof Error ? error.message : String(error);
    throw new DataError(`Item ${index} of the data set (of ${source.length}): ${message}`, { cause: error });
  };
  const check = (sample: Sample): Sample => (sample === undefined ? fail('expected a sample, got undefined') : sample);
  let item: Sample | Promise<Sample>;
  try {
    item =
      'getItem' in source ? source.getItem(index) : 'get' in source ? source.get(index) : (source[index] as Sample);
  } catch (error) {
    return fail(error);
  }
  return isPromise(item) ? item.then(check, fail) : check(item);
}

/**
 * Makes batches from a data set of single items.
 * @param collate puts samples together; `(samples) => ({ x: stack(samples.map((s) => s.x)) })` for instance; `defaultCollate` if absent
 */
export function collated<Sample>(dataset: ItemSource<Sample>): BatchDataset<Collated<Sample>>;
export function collated<Sample, Batch>(
  dataset: ItemSource<Sample>,
  collate: (samples: Sample[]) => Batch,
): BatchDataset<Batch>;
export function collated<Sample>(
  dataset: ItemSource<Sample>,
  collate?: (samples: Sample[]) => unknown,
): BatchDataset<unknown> {
  const types: NumberTypes = new Map();
  const together = collate ?? ((samples: Sample[]) => collateAt(samples, '', types));
  return {
    get length() {
      return dataset.length;
    },
    batch: (indices) => {
      const items = itemsOf(dataset, indices);
      return items.some(isPromise) ? Promise.all(items).then(together) : together(items as Sample[]);
    },
  };
}

function itemsOf<Sample>(dataset: ItemSource<Sample>, indices: Tensor): (Sample | Promise<Sample>)[] {
  const items: (Sample | Promise<Sample>)[] = [];
  try {
    for (const index of indices.data() as BigInt64Array) items.push(itemOf(dataset, Number(index)));
  } catch (error) {
    for (const item of items) if (isPromise(item)) item.catch(() => {}); // nobody will await these
    throw error;
  }
  return items;
}
