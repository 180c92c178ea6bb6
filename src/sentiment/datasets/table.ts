/** A data set in one table of one's own: CSV or JSON lines with `text`, `label`, and the paths of clips. */
import { existsSync } from 'node:fs';
import { basename, dirname, extname, resolve } from 'node:path';
import { readTextFile } from '../../io/read-text.js';
import { DataError } from '../../torch/errors.js';
import { checkOptions } from '../../torch/options.js';
import { type CsvRow, numberIn, RowFaults, readCsv } from './csv.js';
import { SentimentData } from './data.js';
import { type SplitName, sourceFields, splitCalled, type Utterance, utterance, widest } from './types.js';

export interface TableOptions {
  /** Default: the file's. */
  readonly name?: string;
  /** Lowest and highest label; by default [-1, 1], or [-3, 3] where labels pass 1. */
  readonly range?: readonly [number, number];
}

const columns = ['text', 'label', 'split', 'mode', 'id', 'group', 'audio', 'video'] as const;
type Row = { readonly line: number } & Readonly<Partial<Record<(typeof columns)[number], string>>>;

/**
 * Reads a table. `label` is a number, or where any is not, the name of a class; empty for none. `split` (or `mode`) is train, valid or
 * test; a table without it is divided 8:1:1 by groups in their order, which `notes` say. Rows of one `group`, such as a speaker, lie in
 * one split. `audio` or `video` is the path of a clip, from the table's folder.
 * @param path - `.csv`, or `.jsonl` with an object a line
 * @throws DataError that lists the faulty rows with their lines
 */
export function loadTable(path: string, options: TableOptions = {}): SentimentData {
  checkOptions('loadTable', options, ['name', 'range', ...sourceFields]);
  const notes: string[] = [];
  const faults = new RowFaults(path);
  const rows = path.endsWith('.jsonl')
    ? readLines(path, faults)
    : readCsv(path, ['label'], (note) => notes.push(note)).map(plain);
  if (rows.length === 0) throw new DataError(`${path} has no rows`);
  if (rows.every(({ text, audio, video }) => (text ?? '') + (audio ?? '') + (video ?? '') === '')) {
    throw new DataError(`${path}: expected a text, audio or video in its rows, found none`);
  }
  const graded = rows.every(({ label = '' }) => !Number.isNaN(numberIn(label.trim())));
  const names = graded ? [] : [...new Set(rows.flatMap(({ label = '' }) => label.trim() || []))].sort();
  const divided = rows.every(({ split, mode }) => (split ?? mode ?? '') === '');
  const parts = divided ? dividing(rows) : null;
  if (divided) notes.push(`${path} names no splits: eight of ten groups train, the ninth validates, the tenth tests`);
  const limits = options.range ?? widest;
  const seen = new Set<string>();
  const utterances = rows.map((row, i): Utterance => {
    const label = (row.label ?? '').trim();
    const value = graded ? numberIn(label) : null;
    if (value !== null && (value < limits[0] || value > limits[1]))
      faults.add(row.line, `expected a label from ${limits.join(' to ')}, got ${value}`);
    const split = parts ? parts[i] : splitCalled((row.split ?? row.mode ?? '').trim());
    if (split === undefined)
      faults.add(row.line, `expected train, valid or test as split, got '${row.split ?? row.mode}'`);
    const id = row.id ?? `row ${row.line}`;
    if (seen.has(id)) faults.add(row.line, `the id '${id}' comes twice`);
    seen.add(id);
    const media = mediaOf(path, row, faults);
    const kind = names.indexOf(label);
    return utterance({
      id,
      video: groupOf(row),
      split: split ?? 'train',
      text: row.text ?? null,
      label: value,
      class: kind < 0 ? null : kind,
      media,
    });
  });
  faults.check();
  const biggest = utterances.reduce((most, { label }) => Math.max(most, Math.abs(label ?? 0)), 0);
  return new SentimentData({
    name: options.name ?? basename(path, extname(path)),
    utterances,
    classes: names,
    range: graded ? (options.range ?? (biggest > 1 ? widest : [-1, 1])) : null,
    notes,
  });
}

function plain({ line, cells }: CsvRow): Row {
  return {
    line,
    ...Object.fromEntries(columns.flatMap((name) => (cells[name] === undefined ? [] : [[name, cells[name]]]))),
  };
}

function readLines(path: string, faults: RowFaults): Row[] {
  return readTextFile(path)
    .text.split('\n')
    .flatMap((text, i): Row[] => {
      if (text.trim() === '') return [];
      const line = i + 1;
      try {
        const read = JSON.parse(text) as Record<string, unknown> | null;
        if (typeof read !== 'object' || read === null || Array.isArray(read)) throw new Error('expected an object');
        const cells = columns.flatMap((name) =>
          read[name] === undefined || read[name] === null ? [] : [[name, String(read[name])]],
        );
        return [{ line, ...Object.fromEntries(cells) }];
      } catch (error) {
        faults.add(line, (error as Error).message);
        return [];
      }
    });
}

const groupOf = ({ line, group, id }: Row): string => group ?? id ?? `row ${line}`;

/** The split of each row: of ten groups, in the order in which they come first, eight train. */
function dividing(rows: readonly Row[]): SplitName[] {
  const places = new Map<string, number>();
  for (const row of rows) if (!places.has(groupOf(row))) places.set(groupOf(row), places.size);
  return rows.map((row) => {
    const place = places.get(groupOf(row))! % 10;
    return place < 8 ? 'train' : place === 8 ? 'valid' : 'test';
  });
}

function mediaOf(path: string, { line, audio = '', video = '' }: Row, faults: RowFaults): string | null {
  const given = video || audio;
  if (given === '') return null;
  const file = resolve(dirname(path), given);
  if (!existsSync(file)) faults.add(line, `there is no ${file}`);
  return file;
}
