/** What the benchmark found: rows of medians over rounds, with targets where there are any. */

import { formatColumns, median } from 'headrace/pipeline';
import type { ModelName } from './models.js';
import type { Turn } from './quiet.js';

export { median };

/** What a value must be. */
export type Target = { readonly least: number } | { readonly most: number };

export interface Row {
  readonly what: string;
  readonly unit: string;
  /** The median of `rounds`. */
  readonly value: number;
  readonly rounds: readonly number[];
  readonly target?: Target;
}

/** One subject of the benchmark, measured in one sitting. */
export interface Part {
  readonly title: string;
  readonly time: string;
  readonly seconds: number;
  /** Where it was measured at another commit than what the session's host tells, as parts of an earlier session of a day are. */
  readonly commit?: string;
  /** What it was measured with. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly rows: readonly Row[];
  readonly notes: readonly string[];
}

export type PartResult = Pick<Part, 'title' | 'settings' | 'rows' | 'notes'>;

/** How a part was asked to run. */
export interface PartOptions {
  readonly rounds: number;
  /** A look whether it works: the numbers mean little. */
  readonly quick: boolean;
  /** Of `step`, `pipeline` and `replicas`. */
  readonly models: readonly ModelName[];
  /** To be put around each measurement of more than an instant. */
  readonly turn: Turn;
}

export function row(what: string, unit: string, rounds: readonly number[], target?: Target): Row {
  const found = { what, unit, value: median(rounds), rounds: [...rounds] };
  return target ? { ...found, target } : found;
}

/** Of two lists of rounds, how many times greater the first is: the ratio of each round by itself, as machines drift. */
export function ratio(what: string, a: readonly number[], b: readonly number[], target?: Target): Row {
  const ratios = a.map((value, round) => value / b[round]!);
  return row(what, 'x', ratios, target);
}

/** Null for a row without a target. */
export function met({ value, target }: Row): boolean | null {
  if (!target) return null;
  return 'least' in target ? value >= target.least : value <= target.most;
}

function show(value: number, unit: string): string {
  if (unit === '%') return value.toFixed(2);
  if (unit === 'x') return value.toFixed(2);
  return value >= 1000 ? value.toFixed(0) : value >= 100 ? value.toFixed(1) : value.toFixed(2);
}

/** A row of a table: what, the median, the range of rounds, the target, and whether it is met. */
export function cells(found: Row): string[] {
  const { what, unit, value, rounds, target } = found;
  const spread = `${show(Math.min(...rounds), unit)} - ${show(Math.max(...rounds), unit)}`;
  const wanted = target ? ('least' in target ? `>= ${target.least}` : `<= ${target.most}`) : '';
  const mark = { true: 'met', false: 'MISSED', null: '' }[String(met(found)) as 'true' | 'false' | 'null'];
  return [what, `${show(value, unit)} ${unit}`, rounds.length > 1 ? spread : '', wanted, mark];
}

const HEADER = ['measured', 'median', 'rounds', 'target', ''];

/** Columns for a terminal. */
export function textTable(rows: readonly Row[]): string {
  return formatColumns([HEADER, ...rows.map(cells)]);
}

export function markdownTable(header: readonly string[], lines: readonly (readonly string[])[]): string {
  const rule = header.map((_, i) => (i === 0 ? '---' : '---:'));
  return [header, rule, ...lines].map((texts) => `| ${texts.join(' | ')} |`).join('\n');
}

export function markdownPart(
  { title, rows, notes, commit }: Pick<Part, 'title' | 'rows' | 'notes' | 'commit'>,
  heading = '##',
): string {
  const measured = commit === undefined ? [] : [`Measured at ${commit}.`];
  const remarks = [...measured, ...notes].map((note) => `\n${note}\n`).join('');
  return `${heading} ${title}\n\n${markdownTable(HEADER, rows.map(cells))}\n${remarks}`;
}

/** `3 of 4 targets met`. */
export function verdict(rows: readonly Row[]): string {
  const marks = rows.map(met).filter((mark) => mark !== null);
  return `${marks.filter(Boolean).length} of ${marks.length} targets met`;
}
