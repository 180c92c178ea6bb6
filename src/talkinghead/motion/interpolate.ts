/** Straight lines between frames. */

/** Rows at other times, which are counted in rows; before the first and after the last row these are held. */
export function interpolate(values: Float32Array, frames: number, times: Float64Array): Float32Array {
  const width = values.length / frames;
  const result = new Float32Array(times.length * width);
  for (const [k, time] of times.entries()) {
    const at = Math.min(Math.max(time, 0), frames - 1);
    const before = Math.min(Math.floor(at), frames - 1);
    const after = Math.min(before + 1, frames - 1);
    const share = at - before;
    for (let i = 0; i < width; i++) {
      const [a, b] = [values[before * width + i]!, values[after * width + i]!];
      result[k * width + i] = share === 0 ? a : a + share * (b - a);
    }
  }
  return result;
}
