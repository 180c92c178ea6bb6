/** `torch.unique` and `torch.unique_consecutive`, with their names. */
import { ops } from './ops.js';
import { checkFlag, checkOptions } from './options.js';
import type { Tensor } from './tensor.js';

export interface UniqueOptions {
  /** Also give, for each element of the input, the place of its value among the unique ones. */
  readonly returnInverse?: boolean;
  /** Also give how often each value occurs. */
  readonly returnCounts?: boolean;
  /** Compare the slices along this dimension; the single elements by default. */
  readonly dim?: number;
}

type Unique<O> = O extends { returnInverse: true } | { returnCounts: true } ? Tensor[] : Tensor;

/** What was asked for of (values, inverse, counts); the others are disposed of. */
function chosen<O extends UniqueOptions>(where: string, found: readonly Tensor[], options: O): Unique<O> {
  const wanted = [true, options.returnInverse ?? false, options.returnCounts ?? false];
  checkFlag(where, 'returnInverse', options.returnInverse);
  checkFlag(where, 'returnCounts', options.returnCounts);
  found.forEach((x, i) => {
    if (!wanted[i]) x.dispose();
  });
  const results = found.filter((_, i) => wanted[i]);
  return (results.length === 1 ? results[0] : results) as Unique<O>;
}

/**
 * The different values of a tensor (`torch.unique`), ascending.
 * @param options.sorted - true by default
 * @returns the values; with `returnInverse` or `returnCounts` a list of them, the inverse and the counts, as asked for
 * @example
 * const [values, counts] = unique(tensor([3, 1, 3]), { returnCounts: true }); // [1, 3] and [1, 2]
 */
export function unique<O extends UniqueOptions & { readonly sorted?: boolean }>(
  x: Tensor,
  options: O = {} as O,
): Unique<O> {
  checkOptions('unique', options, ['sorted', 'returnInverse', 'returnCounts', 'dim']);
  checkFlag('unique', 'sorted', options.sorted);
  const { sorted = true, returnInverse = false, returnCounts = false, dim } = options;
  const found =
    dim === undefined
      ? ops._unique2(x, sorted, returnInverse, returnCounts)
      : ops.uniqueDim(x, dim, sorted, returnInverse, returnCounts);
  return chosen('unique', found, options);
}

/** As {@link unique}, of runs of equal values only (`torch.unique_consecutive`); the order stays. */
export function uniqueConsecutive<O extends UniqueOptions>(x: Tensor, options: O = {} as O): Unique<O> {
  checkOptions('uniqueConsecutive', options, ['returnInverse', 'returnCounts', 'dim']);
  const { returnInverse = false, returnCounts = false, dim } = options;
  return chosen('uniqueConsecutive', ops.uniqueConsecutive(x, returnInverse, returnCounts, dim), options);
}
