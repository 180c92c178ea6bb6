// Where the settings of a run that goes on differ from those it began with.

/** A setting by its path, such as `optimizer.lr`, and its two values. */
export interface Difference {
  readonly path: string;
  readonly before: unknown;
  readonly now: unknown;
}

/** Where two JSON values differ, field by field. */
export function differencesOf(before: unknown, now: unknown, path = ''): Difference[] {
  if (isRecord(before) && isRecord(now)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(now)]);
    return [...keys].flatMap((key) => differencesOf(before[key], now[key], path === '' ? key : `${path}.${key}`));
  }
  return JSON.stringify(before) === JSON.stringify(now) ? [] : [{ path, before, now }];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Differences in words: `batchSize 32, not 16; seed unset, not 1`. */
export function describeDifferences(differences: readonly Difference[]): string {
  const show = (value: unknown): string => (value === undefined ? 'unset' : JSON.stringify(value));
  return differences.map(({ path, before, now }) => `${path} ${show(before)}, not ${show(now)}`).join('; ');
}
