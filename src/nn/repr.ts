/** Spellings of values as Python prints them, so that a printed model reads as in PyTorch. */

/** A float as Python's `repr` writes it: `1.0`, `0.1`, `1e-05`. */
export function pyFloat(x: number): string {
  if (Number.isNaN(x)) return 'nan';
  if (!Number.isFinite(x)) return x > 0 ? 'inf' : '-inf';
  const size = Math.abs(x);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    const [mantissa, exponent] = x.toExponential().split('e') as [string, string];
    const sign = exponent[0] === '-' ? '-' : '+';
    return `${mantissa}e${sign}${exponent.replace(/^[+-]/, '').padStart(2, '0')}`;
  }
  return Number.isInteger(x) ? `${x}.0` : String(x);
}

/** `True`, `False`. */
export function pyBool(x: boolean): string {
  return x ? 'True' : 'False';
}

/** `(3, 3)`, `(3,)`. */
export function pyTuple(values: readonly number[]): string {
  return values.length === 1 ? `(${values[0]},)` : `(${values.join(', ')})`;
}

/** A number or a tuple of numbers, as given. */
export function pySize(value: number | readonly number[]): string {
  return typeof value === 'number' ? String(value) : pyTuple(value);
}

/** Indents all lines but the first, as PyTorch does for children. */
export function indentTail(text: string, by = 2): string {
  return text.split('\n').join(`\n${' '.repeat(by)}`);
}
