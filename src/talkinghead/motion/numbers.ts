/** Numbers of 32 bits as text, and back without loss. */

/** The shortest text that reads as this number of 32 bits, -0 included. */
export function shortest(value: number): string {
  if (Object.is(value, -0)) return '-0';
  for (let digits = 1; digits < 9; digits++) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === value) return String(text);
  }
  return String(Number(value.toPrecision(9)));
}

/** A cell's number; null where it is none, `NaN` and `inf` included. */
export function numberIn(text: string): number | null {
  const trimmed = text.trim();
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed)) return null;
  const value = Number(trimmed);
  return Number.isFinite(Math.fround(value)) ? value : null;
}

export const degrees = 180 / Math.PI;
