/** The columns of a split, from a pickle or an .npz archive: N entries each. */
import { ByteRange, LazyArray, type NpzFile, ObjectArray, type PickleValue, viewNumbers } from '../../io/index.js';
import { DataError } from '../../torch/errors.js';

type Column = LazyArray | ObjectArray | readonly unknown[];

/** Named columns of N entries. Text and labels are read at once, feature arrays stay in their file. */
export class ColumnTable {
  /** @param where names the file and the split in errors */
  constructor(
    readonly where: string,
    private readonly columns: ReadonlyMap<string, Column>,
  ) {}

  get names(): string[] {
    return [...this.columns.keys()];
  }

  has(name: string): boolean {
    return this.columns.has(name);
  }

  /**
   * Texts, or null when the column is absent. An entry is null where there is none: Python's `None`, or pandas's NaN.
   * @throws DataError when it holds something else, with the first such entry
   */
  texts(name: string): readonly (string | null)[] | null {
    const column = this.columns.get(name);
    if (column === undefined) return null;
    const values = column instanceof ObjectArray ? column.values : column;
    if (values instanceof LazyArray)
      throw new DataError(`${this.where}: expected a list of text as '${name}', got ${describe(column)}`);
    return values.map((value, i) => {
      if (typeof value === 'string') return value;
      if (value instanceof ByteRange) return Buffer.from(value.read()).toString('utf8');
      if (value === null || value === undefined || Number.isNaN(value)) return null;
      throw new DataError(
        `${this.where}: expected a list of text as '${name}', got ${describeValue(value)} as its entry ${i}`,
      );
    });
  }

  /** Names, one an entry: text, or whole numbers as text. Null when the column is absent. */
  ids(name: string): readonly string[] | null {
    const column = this.columns.get(name);
    const numbered = column instanceof LazyArray && column.shape.length === 1 && /^u?int/.test(column.dtype);
    const values = column instanceof ObjectArray ? column.values : column;
    const whole = !(values instanceof LazyArray) && values?.every((value) => Number.isSafeInteger(value));
    if (numbered || whole) return Array.from(this.numbers(name) as ArrayLike<number>, String);
    return this.everyText(name);
  }

  /** As {@link texts}, where every entry must be there. */
  everyText(name: string): readonly string[] | null {
    const texts = this.texts(name);
    const absent = texts?.indexOf(null) ?? -1;
    if (absent >= 0)
      throw new DataError(`${this.where}: expected text as '${name}' of every entry, entry ${absent} has none`);
    return texts as readonly string[] | null;
  }

  /** One number an entry, or null when the column is absent. @throws DataError when it holds something else */
  numbers(name: string): ArrayLike<number> | null {
    const column = this.columns.get(name);
    if (column === undefined) return null;
    if (column instanceof LazyArray) {
      const rest = column.shape.slice(1).reduce((product, size) => product * size, 1);
      if (column.shape.length >= 1 && rest === 1) return viewNumbers(column.read());
    } else {
      const values = (column instanceof ObjectArray ? column.values : column).map((value) =>
        value instanceof LazyArray && value.shape.length === 0 ? viewNumbers(value.read())[0] : value,
      );
      const wrong = values.findIndex((value) => typeof value !== 'number');
      if (wrong < 0) return values as number[];
      throw new DataError(
        `${this.where}: expected one number an entry as '${name}', got ${describeValue(values[wrong])} as its entry ${wrong}`,
      );
    }
    throw new DataError(`${this.where}: expected one number an entry as '${name}', got ${describe(column)}`);
  }

  /** An array of the given rank, left in its file, or null when the column is absent. @throws DataError when it is something else */
  array(name: string, rank: number): LazyArray | null {
    const column = this.columns.get(name);
    if (column === undefined) return null;
    if (column instanceof LazyArray && column.shape.length === rank) return column;
    throw new DataError(`${this.where}: expected an array of ${rank} dimensions as '${name}', got ${describe(column)}`);
  }
}

function describe(column: Column): string {
  if (column instanceof LazyArray) return String(column);
  if (column instanceof ObjectArray) return `an array of objects [${column.shape.join(', ')}]`;
  return `a list of ${column.length}`;
}

function describeValue(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  return typeof value === 'object' ? 'an object' : `${typeof value} ${String(value).slice(0, 40)}`;
}

function isColumn(
  value: PickleValue | undefined,
): value is LazyArray | ObjectArray<PickleValue> | readonly PickleValue[] {
  return value instanceof LazyArray || value instanceof ObjectArray || Array.isArray(value);
}

/** Splits of a pickled dict of dicts. @throws DataError when the pickle has another form */
export function pickleTables(root: PickleValue, path: string): Map<string, ColumnTable> {
  if (!(root instanceof Map)) throw new DataError(`${path}: expected a dict with the keys train, valid and test`);
  const tables = new Map<string, ColumnTable>();
  for (const [split, content] of root) {
    if (typeof split !== 'string' || !(content instanceof Map)) continue;
    const columns = new Map<string, Column>();
    for (const [name, value] of content) if (typeof name === 'string' && isColumn(value)) columns.set(name, value);
    tables.set(split, new ColumnTable(`${path}, ${split}`, columns));
  }
  return tables;
}

/** Splits of an archive whose arrays are called `train/audio`, `train/id`, ... */
export function npzTables(file: NpzFile): Map<string, ColumnTable> {
  const columns = new Map<string, Map<string, Column>>();
  for (const name of file.names) {
    const match = /^([^/.]+)[/.](.+)$/.exec(name);
    if (match === null) continue;
    const [, split, column] = match as unknown as [string, string, string];
    if (!columns.has(split)) columns.set(split, new Map());
    columns.get(split)?.set(column, file.get(name));
  }
  return new Map([...columns].map(([split, content]) => [split, new ColumnTable(`${file.path}, ${split}`, content)]));
}
