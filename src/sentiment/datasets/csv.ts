/** Tables of text: CSV with a header, as spreadsheets and pandas write them. */
import { parse } from 'csv-parse/sync';
import { firstLines } from '../../io/fault-list.js';
import { reason } from '../../io/file.js';
import { readTextFile } from '../../io/read-text.js';
import { DataError } from '../../torch/errors.js';

/** A row: cells by column name, and where it stands. */
export interface CsvRow {
  /** The line on which it ends, from 1. */
  readonly line: number;
  readonly cells: Readonly<Record<string, string>>;
}

/**
 * Reads a CSV file: UTF-8, UTF-16 with its mark, or GBK. Cells are text: nothing is turned into a number, so that clip ids such as 0001
 * stay.
 * @param required columns that must be there
 * @param note told of an encoding that was guessed
 * @throws DataError when it is absent, not CSV, or lacks a column
 */
export function readCsv(
  path: string,
  required: readonly string[],
  note: (remark: string) => void = () => {},
): CsvRow[] {
  let records: { info: { lines: number }; record: Record<string, string> }[];
  let columns: string[] = [];
  const { text, encoding } = readTextFile(path);
  if (encoding === 'gb18030') note(`${path} is not UTF-8: read as GBK`);
  try {
    const header = (names: string[]): string[] => {
      columns = names.map((name) => name.trim());
      return columns;
    };
    records = parse(text, {
      bom: true,
      columns: header,
      info: true,
      skip_empty_lines: true,
      skip_records_with_empty_values: true, // rows of commas alone, which spreadsheets leave at the end
    }) as unknown as typeof records;
  } catch (error) {
    throw new DataError(`Cannot read ${path} as CSV: ${reason(error)}`, { cause: error });
  }
  const missing = required.filter((name) => !columns.includes(name));
  if (missing.length > 0) {
    throw new DataError(
      `${path}: expected the columns ${required.join(', ')}; missing: ${missing.join(', ')}; found: ${columns.join(', ') || 'none'}`,
    );
  }
  return records.map(({ info, record }) => ({ line: info.lines, cells: record }));
}

/** Rows as CSV, with the first as its header: cells with commas, quotes or line ends are quoted (RFC 4180). NaN and null are empty. */
export function toCsv(rows: readonly (readonly (string | number | null)[])[]): string {
  const cell = (value: string | number | null): string => {
    if (value === null || Number.isNaN(value)) return '';
    const text = String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => `${row.map(cell).join(',')}\n`).join('');
}

/** The number in a cell: null for an empty one, NaN for what is no number. */
export function numberIn(cell: string): number | null {
  if (cell === '') return null;
  return /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(cell) ? Number(cell) : Number.NaN;
}

/** Faults of a table's rows, told together: up to twenty, each with its line. */
export class RowFaults {
  private readonly faults: string[] = [];

  constructor(private readonly path: string) {}

  add(line: number, fault: string): void {
    this.faults.push(`line ${line}: ${fault}`);
  }

  /** @throws DataError when there were any */
  check(): void {
    const count = this.faults.length;
    if (count === 0) return;
    throw new DataError(`${this.path}: ${count} faulty rows:\n${firstLines(this.faults, 20)}`);
  }
}
