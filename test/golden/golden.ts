/** PyTorch's stored values: see make_golden.py. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Module } from 'headrace/nn';
import { type DType, Tensor, tensor } from 'headrace/torch';

export interface Packed {
  readonly dtype: 'float64' | 'float32' | 'int64' | 'bool';
  readonly shape: readonly number[];
  readonly data: string;
}

export interface LayerCase {
  readonly inputs: readonly Packed[];
  readonly outputs: readonly Packed[];
  readonly inputGrads?: readonly (Packed | null)[];
  readonly repr?: string;
  readonly state?: Readonly<Record<string, Packed>>;
  readonly stateAfter?: Readonly<Record<string, Packed>>;
  readonly grads?: Readonly<Record<string, Packed>>;
}

/** Reads a file of test/golden; the tests themselves run from build/. */
export function readGolden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../../test/golden/${name}`, import.meta.url), 'utf8')) as T;
}

const ARRAYS = { float64: Float64Array, float32: Float32Array, int64: BigInt64Array, bool: Uint8Array };

/** The stored tensor; floats as `dtype` where one is given. */
export function unpack(packed: Packed, dtype?: DType): Tensor {
  const bytes = Uint8Array.from(Buffer.from(packed.data, 'base64'));
  const array = new ARRAYS[packed.dtype](bytes.buffer);
  if (packed.dtype === 'bool') return tensor(array, { shape: packed.shape, dtype: 'bool' });
  const floats = packed.dtype.startsWith('float');
  return tensor(array, { shape: packed.shape, ...(floats && dtype ? { dtype } : {}) });
}

export function numbers(packed: Packed): number[] {
  return Array.from(unpack(packed).data() as ArrayLike<number | bigint>, Number);
}

/** Fails unless every element is within `tolerance` of the expected one, relative to the greatest expected (at least 1). */
export function assertClose(
  actual: Tensor | null | undefined,
  expected: Packed,
  tolerance: number,
  what: string,
): void {
  assert.ok(actual instanceof Tensor, `${what}: expected a tensor`);
  assert.deepEqual(actual.shape, expected.shape, `${what}: shape`);
  const want = numbers(expected);
  const got = Array.from(actual.detach().data() as ArrayLike<number | bigint>, Number);
  const scale = Math.max(1, ...want.map(Math.abs));
  got.forEach((value, i) => {
    const error = Math.abs(value - (want[i] as number)) / scale;
    assert.ok(error <= tolerance, `${what}, element ${i}: expected ${want[i]}, got ${value}`);
  });
}

/** The loss that make_golden.py takes of a case's outputs. */
export function weighed(outputs: readonly Tensor[]): Tensor {
  const each = outputs.map((out) => {
    const values = Float64Array.from({ length: out.numel }, (_, i) =>
      out.numel > 1 ? 0.5 + i / (out.numel - 1) : 0.5,
    );
    return out.mul(tensor(values, { shape: out.shape, dtype: out.dtype })).sum();
  });
  return each.reduce((total, one) => total.add(one));
}

export function loadState(module: Module, state: Readonly<Record<string, Packed>>, dtype: DType): void {
  module.loadStateDict(new Map(Object.entries(state).map(([key, value]) => [key, unpack(value, dtype)])));
}
