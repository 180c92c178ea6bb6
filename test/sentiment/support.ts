/** What the tests of the sentiment formulas share: NumPy's and SciPy's stored values (see golden/make_golden.py). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type NestedNumbers, type Tensor, tensor } from 'headrace/torch';

type Row = readonly number[];
type Matrix = readonly Row[];
type ByName<T> = Readonly<Record<string, T>>;

export interface UlgmStep {
  readonly epoch: number;
  readonly batch: Row;
  readonly features: ByName<Matrix>;
  readonly labels: ByName<Row>;
  readonly centres: ByName<Matrix>;
}

interface Scored {
  readonly truth: Row;
  readonly predicted: Row;
  readonly metrics: ByName<number>;
}

interface Golden {
  readonly alignment: {
    readonly matrices: ByName<Matrix>;
    readonly covariance: ByName<number>;
    readonly correlation: ByName<number>;
  };
  readonly ulgm: readonly { original: Row; excludeZero: boolean; warmup: number; steps: readonly UlgmStep[] }[];
  readonly mosi: Scored;
  readonly sims: Scored;
  readonly statistics: {
    readonly welch: readonly { a: Row; b: Row; t: number; df: number; p: number; interval: [number, number] }[];
    readonly tails: readonly { t: number; df: number; p: number }[];
    readonly quantiles: readonly { probability: number; df: number; t: number }[];
  };
}

/** The tests themselves run from build/. */
export const golden = JSON.parse(
  readFileSync(new URL('../../../test/sentiment/golden/golden.json', import.meta.url), 'utf8'),
) as Golden;

export const f64 = (data: Row | Matrix, requiresGrad = false): Tensor =>
  tensor(data, { dtype: 'float64', requiresGrad });

/** Every number, of a tensor or of nested lists, within `tolerance` of the expected one. */
export function assertNear(
  actual: Tensor | number | Row | Matrix,
  expected: number | Row | Matrix,
  tolerance = 1e-9,
  what = 'value',
): void {
  const flat = (values: NestedNumbers | Row | Matrix) => [values].flat(9) as number[];
  const isTensor = typeof actual === 'object' && 'tolist' in actual;
  const [got, want] = [flat(isTensor ? actual.detach().tolist() : actual), flat(expected)];
  assert.equal(got.length, want.length, `${what}: number of values`);
  got.forEach((value, i) => {
    const near = Math.abs(value - want[i]!) <= tolerance;
    assert.ok(near, `${what}, element ${i}: expected ${want[i]}, got ${value}`);
  });
}
