/** Splits by seed. Plain TypeScript arithmetic: the same on every machine and with every libtorch. */

import { ConfigError } from '../torch/errors.js';
import { checkInteger } from './dataset.js';

/** A permutation of 0 .. n-1 (Fisher-Yates over Mulberry32, a public-domain 32-bit generator). */
export function seededPermutation(n: number, seed: number): number[] {
  checkInteger(n, 0, 'the length of a permutation');
  const order = Array.from({ length: n }, (_, i) => i);
  let state = (seed ^ 0x9e3779b9) >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(uniform() * (i + 1));
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  return order;
}

/** Indices of the two parts of a split, each ascending. */
export interface Split {
  readonly train: number[];
  readonly test: number[];
}

/**
 * A stratified split: each class gives the same share to the second part (to within one item), which has exactly
 * `round(fraction * labels.length)` items. Depends on the labels, the fraction and the seed only.
 * @param labels class numbers, 0 .. classes-1
 * @param fraction share of the second part, in (0, 1)
 */
export function splitBySeed(labels: ArrayLike<number>, fraction: number, seed = 0): Split {
  if (!(fraction > 0 && fraction < 1)) {
    throw new ConfigError(`the share of the second part of a split: expected a number in (0, 1), got ${fraction}`);
  }
  const members: number[][] = [];
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i] as number;
    checkInteger(label, 0, `label ${i}`);
    while (members.length <= label) members.push([]);
    members[label]?.push(i);
  }
  const quotas = shares(
    members.map((list) => list.length),
    fraction,
  );
  const test: number[] = [];
  const train: number[] = [];
  members.forEach((list, label) => {
    const order = seededPermutation(list.length, seed + 1000003 * label);
    order.forEach((at, rank) => {
      (rank < (quotas[label] as number) ? test : train).push(list[at] as number);
    });
  });
  const ascending = (a: number, b: number): number => a - b;
  return { train: train.sort(ascending), test: test.sort(ascending) };
}

/** Largest remainders: whole shares whose sum is the rounded share of the total. */
function shares(sizes: readonly number[], fraction: number): number[] {
  const total = Math.round(fraction * sizes.reduce((sum, size) => sum + size, 0));
  const quotas = sizes.map((size) => Math.floor(size * fraction));
  const byRemainder = sizes
    .map((size, label) => ({ label, remainder: size * fraction - Math.floor(size * fraction) }))
    .sort((a, b) => b.remainder - a.remainder || a.label - b.label);
  let left = total - quotas.reduce((sum, quota) => sum + quota, 0);
  for (const { label } of byRemainder) if (left-- > 0) quotas[label] = (quotas[label] as number) + 1;
  return quotas;
}
