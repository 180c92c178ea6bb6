/** Arrays of a number for each pixel, made of others. */
type Numbers = Float32Array | Float64Array | Int32Array | Uint8Array | Uint32Array;

/**
 * Fills an array with what a function gives for each of others: what `TypedArray.from(values, of)` does, which goes by an
 * iterator and takes forty times as long.
 */
export function mapInto<T extends Numbers>(
  into: T,
  values: ArrayLike<number>,
  of: (value: number, i: number) => number,
): T {
  for (let i = 0; i < values.length; i++) into[i] = of(values[i]!, i);
  return into;
}
