/** What files of tracks have in common: columns that go by ARKit's names. */
import { DataError, nearest } from '../../torch/index.js';
import { arkitCount, arkitNames } from '../face/arkit.js';

/**
 * The 52 weights of each row, from a row's columns.
 * @param values - `[rows, places.length]`
 * @param places - for each column its place among the 52, or -1 for one that is passed over
 */
export function weightsOf(values: ArrayLike<number>, places: readonly number[], rows: number): Float64Array {
  const weights = new Float64Array(rows * arkitCount);
  for (const [i, place] of places.entries()) {
    if (place < 0) continue;
    for (let row = 0; row < rows; row++) weights[row * arkitCount + place] = values[row * places.length + i]!;
  }
  return weights;
}

/** Tells which of the 52 a file lacks. */
export function noteMissing(path: string, has: (place: number) => boolean, note: (remark: string) => void): void {
  const missing = arkitNames.filter((_, place) => !has(place));
  if (missing.length > 0) note(`${path} has no ${missing.join(', ')}: 0 in all frames`);
}

/** The error for names that are not known, with what the first may mean. @param expected - what names there are, in words */
export function unknownNames(
  path: string,
  expected: string,
  unknown: readonly string[],
  candidates: readonly string[],
): DataError {
  const near = nearest(unknown[0]!, candidates);
  return new DataError(
    `${path}: expected ${expected}, got ${unknown.join(', ')}` +
      (near === null ? '' : `. Is ${unknown[0]} meant to be ${near}?`),
  );
}
