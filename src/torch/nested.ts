/** Nested lists of JavaScript's values, as the bytes of a tensor. A value that the dtype cannot hold is refused. */
import { type DType, dtypeOfArray, type TypedArray } from './dtype.js';
import { ShapeError, TorchError } from './errors.js';

/** Nested lists of values, as deep as the tensor has dimensions. */
export type NestedArray = number | bigint | boolean | readonly NestedArray[];

type Value = number | bigint | boolean;

/** Elements row by row. */
export interface Elements {
  readonly array: TypedArray;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** The integers that a dtype holds. */
const RANGES = {
  uint8: [0n, 255n],
  int8: [-128n, 127n],
  int16: [-(2n ** 15n), 2n ** 15n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
} as const;

type IntegerType = keyof typeof RANGES;

const ARRAYS = { uint8: Uint8Array, int8: Int8Array, int16: Int16Array, int32: Int32Array } as const;

function isInteger(dtype: DType): dtype is IntegerType {
  return dtype in RANGES;
}

/** 'the string "1.5"', for messages. */
function named(value: unknown): string {
  if (typeof value === 'string') return `the string ${JSON.stringify(value)}`;
  if (typeof value === 'object' && value !== null) return `an object (${value.constructor?.name ?? 'no class'})`;
  return typeof value === 'function' ? 'a function' : String(value);
}

/** '[1][0]': where in nested lists of this shape the element with this number stands. */
function place(index: number, shape: readonly number[]): string {
  let rest = index;
  const at: number[] = [];
  for (const size of shape.toReversed()) {
    at.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return at.length === 0 ? '' : ` at [${at.join('][')}]`;
}

function shapeOf(data: unknown): number[] {
  const shape: number[] = [];
  let level = data;
  while (Array.isArray(level)) {
    shape.push(level.length);
    level = level[0] as unknown;
  }
  return shape;
}

function flatten(data: unknown, shape: readonly number[], dim: number, out: Value[]): void {
  if (!Array.isArray(data)) {
    if (typeof data !== 'number' && typeof data !== 'bigint' && typeof data !== 'boolean') {
      const advice = ArrayBuffer.isView(data) ? '; of several arrays make one, with a shape' : '';
      throw new TorchError(
        `tensor(): expected a number, bigint or boolean${place(out.length, shape)}, got ${named(data)}${advice}`,
      );
    }
    if (dim !== shape.length) throw new ShapeError(`expected a list of ${shape[dim]} at depth ${dim}, got ${data}`);
    out.push(data);
    return;
  }
  if (dim >= shape.length || data.length !== shape[dim]) {
    throw new ShapeError(
      `expected every list at depth ${dim} to have ${shape[dim] ?? 'no'} elements, got one of ${data.length}: rows of a tensor are equally long`,
    );
  }
  // By index: forEach and map would pass over holes.
  for (let i = 0; i < data.length; i++) flatten(data[i], shape, dim + 1, out);
}

/** As PyTorch: the fraction is cut off, what lies outside of the dtype's range is an error. */
function integers(values: ArrayLike<Value>, dtype: IntegerType, shape: readonly number[]): TypedArray {
  const [least, most] = RANGES[dtype];
  const fits = (whole: number | bigint): boolean => whole >= least && whole <= most; // false for NaN
  const result = dtype === 'int64' ? new BigInt64Array(values.length) : new ARRAYS[dtype](values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const whole = typeof value === 'bigint' ? value : Math.trunc(Number(value));
    if (!fits(whole)) {
      throw new TorchError(`tensor(): expected an integer that ${dtype} holds, got ${value}${place(i, shape)}`);
    }
    result[i] = result instanceof BigInt64Array ? BigInt(whole) : Number(whole);
  }
  return result;
}

/** Mixed lists take the widest type, as in PyTorch: bool, then int64, then float. */
function inferred(values: readonly Value[]): DType {
  let widest: DType = values.length === 0 ? 'float32' : 'bool';
  for (const value of values) {
    if (typeof value === 'number') return 'float32';
    if (typeof value === 'bigint') widest = 'int64';
  }
  return widest;
}

/**
 * The elements of nested lists. Floats come as float64, to be rounded once.
 * @param dtype what they shall be; by default, what the values suggest
 */
export function elementsOfNested(data: unknown, dtype: DType | undefined): Elements {
  const shape = shapeOf(data);
  const values: Value[] = [];
  flatten(data, shape, 0, values);
  const type = dtype ?? inferred(values);
  if (isInteger(type)) return { array: integers(values, type, shape), dtype: type, shape };
  if (type === 'bool') {
    const truth = (value: Value): number => (value === 0 || value === 0n || value === false ? 0 : 1);
    return { array: Uint8Array.from(values, truth), dtype: 'bool', shape };
  }
  return { array: Float64Array.from(values, Number), dtype: 'float64', shape };
}

/** The elements of a typed array; where they shall be integers of another kind, those that do not fit are refused. */
export function elementsOfArray(array: TypedArray, dtype: DType | undefined): Elements {
  const own = dtypeOfArray(array);
  const shape = [array.length];
  if (dtype === undefined || !isInteger(dtype) || holds(dtype, own)) return { array, dtype: own, shape };
  return { array: integers(array, dtype, shape), dtype, shape };
}

function holds(dtype: IntegerType, other: DType): boolean {
  return isInteger(other) && RANGES[dtype][0] <= RANGES[other][0] && RANGES[other][1] <= RANGES[dtype][1];
}
