/** Files and folders for the tests of the data sets. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Tensor, tensor } from 'headrace/torch';

/** A stored file: see datasets/make_mmsa.py. The tests run from build/. */
export const stored = (name: string): string =>
  fileURLToPath(new URL(`../../../test/sentiment/datasets/${name}`, import.meta.url));

/** A stored .csd file: see test/io/hdf5/make_csd.py. */
export const storedCsd = (name: string): string =>
  fileURLToPath(new URL(`../../../test/io/hdf5/${name}`, import.meta.url));

const root = process.env.HEADRACE_TEST_DATA ?? fileURLToPath(new URL('../../../../shared/data', import.meta.url));

/** A folder of real data, and `skip` with the reason where it is absent. */
export function realData(name: string): { path: string; skip: string | false } {
  const path = resolve(join(root, name));
  return { path, skip: existsSync(path) ? false : `no ${name} in HEADRACE_TEST_DATA or ../shared/data` };
}

/** int64 indices. */
export const indices = (...values: number[]) => tensor(values, { dtype: 'int64' });

/** What make_mmsa.py puts in an array: 100 * utterance + 10 * row + column. */
export function expectedRows(index: number, rows: number, dims: number): number[] {
  return Array.from({ length: rows * dims }, (_, k) => 100 * index + 10 * Math.floor(k / dims) + (k % dims));
}

/** A tensor's values as nested lists; an absent one fails. */
export function lists(t: Tensor | null | undefined): number[][][] {
  if (t == null) throw new Error('expected a tensor');
  return t.to({ dtype: t.dtype === 'bool' ? 'int64' : t.dtype }).tolist() as number[][][];
}
