/** Options in objects: the compiler checks those that are written out, this checks all others. */
import { ConfigError } from './errors.js';
import { describe } from './expect.js';

/**
 * Refuses options that nobody would read: a slip of the pen, PyTorch's spelling, or what is not supported.
 * @param where what was called, for the message: `'Linear'`
 * @param known every option that is read
 * @throws ConfigError that names the unknown ones, the nearest known one, and all that there are
 */
export function checkOptions(where: string, options: unknown, known: readonly string[]): void {
  if (options === undefined) return;
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    const names = known.join(', ');
    throw new ConfigError(`Expected the options of ${where} in an object, { ${names} }, got ${describe(options)}.`);
  }
  const unknown = Object.keys(options).filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  const near = unknown.length === 1 ? nearest(unknown[0]!, known) : null;
  throw new ConfigError(
    `Expected options of ${where} among ${known.join(', ') || 'none'}, got ${unknown.join(', ')}.` +
      (near === null ? '' : ` Did you mean ${near}?`),
  );
}

/** @throws ConfigError unless an option that is on or off is one of these; left out, it is off */
export function checkFlag(where: string, name: string, value: boolean | undefined): void {
  if (value === undefined || typeof value === 'boolean') return;
  throw new ConfigError(`${where}: expected ${name} true or false, got ${String(value)}`);
}

/** What some libraries call what has another name here, which no spelling leads to. */
const OTHER_WORDS: Readonly<Record<string, string>> = { learningrate: 'lr', l2: 'weightDecay', decay: 'weightDecay' };

/** The candidate most like `name`, whatever the case and underscores; null where none is like it. */
export function nearest(name: string, candidates: readonly string[]): string | null {
  const wanted = plain(name);
  const meant = OTHER_WORDS[wanted];
  if (meant !== undefined && candidates.includes(meant)) return meant;
  let best: string | null = null;
  let least = Math.max(2, Math.floor(wanted.length / 2)) + 1;
  for (const candidate of candidates) {
    const edits = distance(wanted, plain(candidate));
    if (edits < least) [best, least] = [candidate, edits];
  }
  return best;
}

const plain = (name: string): string => name.toLowerCase().replaceAll('_', '').replaceAll('-', '');

/** Edits (insert, remove, replace) between two words. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
