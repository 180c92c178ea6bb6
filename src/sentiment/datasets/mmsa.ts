/**
 * The processed files of MMSA (MOSI, MOSEI, CH-SIMS, CH-SIMS v2 and sets made with MMSA-FET): a dict of splits, each a dict of columns.
 * Read from the original pickle, or from an .npz archive of arrays called `train/audio`, `train/id`, ...
 */
import { arraySource, type MemoryOptions, type SequenceFeatures, storeSequences } from '../../features/sequences.js';
import { type FeatureSpec, type Modality, modalities } from '../../features/specs.js';
import { type LazyArray, NpzFile, PickleFile, type ReadLimits } from '../../io/index.js';
import { ConfigError, DataError } from '../../torch/errors.js';
import { scope, type Tensor, tensor } from '../../torch/index.js';
import { checkOptions } from '../../torch/options.js';
import { SentimentData } from './data.js';
import { recogniseSet, specFor } from './known.js';
import { fromTheEnd, lengthsFromTheEnd, paddedSide } from './padding.js';
import { type ColumnTable, npzTables, pickleTables } from './tables.js';
import { type SplitName, sourceFields, splitNames, type Utterance, utterance, widest } from './types.js';

/** How to read a file in MMSA's form. */
export interface MmsaOptions extends MemoryOptions {
  /** The set's name; told by the features' widths where these are the published ones. */
  readonly name?: string;
  /** Lowest and highest label; known for published sets, else [-1, 1] or [-3, 3], as the labels need. */
  readonly range?: readonly [number, number];
  /** What the features are, where the file does not say and you know. */
  readonly specs?: Readonly<Partial<Record<Modality, Partial<FeatureSpec>>>>;
  /** The modalities to read; all by default. */
  readonly modalities?: readonly Modality[];
  /** `maxMemory` of the file's reader: for a pickle's text and structure, or what a compressed archive unpacks to. */
  readonly maxPickleMemory?: number;
}

export const mmsaOptionNames = [
  ...sourceFields,
  'memory',
  'maxMemory',
  'name',
  'range',
  'specs',
  'modalities',
  'maxPickleMemory',
] as const;

const columnOf: Readonly<Record<Modality, string>> = { text: 'text', audio: 'audio', vision: 'vision' };
const usualClasses: readonly string[] = ['Negative', 'Neutral', 'Positive'];

/**
 * Reads a pickle. Features larger than `maxMemory` stay in the file, so that a file of any size opens in little memory.
 * @throws DataError for damaged files, anything but plain values and arrays, missing columns and columns of different lengths
 */
export function loadMmsaPickle(path: string, options: MmsaOptions = {}): SentimentData {
  checkOptions('loadMmsaPickle', options, mmsaOptionNames);
  const file = PickleFile.open(path, limitsOf(options));
  return load(
    path,
    () => pickleTables(file.value, path),
    () => file.close(),
    options,
  );
}

/**
 * Reads an archive of arrays called `SPLIT/COLUMN`, such as `saveMmsaNpz` writes. Only those of an uncompressed archive can stay in the file.
 * @throws DataError as above
 */
export function loadMmsaNpz(path: string, options: MmsaOptions = {}): SentimentData {
  checkOptions('loadMmsaNpz', options, mmsaOptionNames);
  const file = NpzFile.open(path, limitsOf(options));
  return load(
    path,
    () => npzTables(file),
    () => file.close(),
    { ...options, specs: { ...storedSpecs(file), ...options.specs } },
    storedClasses(file),
  );
}

function limitsOf({ maxPickleMemory }: MmsaOptions): ReadLimits {
  return maxPickleMemory === undefined ? {} : { maxMemory: maxPickleMemory };
}

/** What the archive itself says that its features are. */
function storedSpecs(file: NpzFile): MmsaOptions['specs'] {
  if (!file.has('specs')) return {};
  const stored = file.get('specs');
  try {
    return JSON.parse(String('values' in stored ? stored.values[0] : null)) as MmsaOptions['specs'];
  } catch (cause) {
    file.close();
    throw new DataError(`${file.path}: expected 'specs' to say what the features are, as JSON`, { cause });
  }
}

/** Names of classes of its own, where the archive has any. */
function storedClasses(file: NpzFile): readonly string[] {
  const stored = file.has('classes') ? file.get('classes') : null;
  return stored !== null && 'values' in stored ? stored.values.map(String) : usualClasses;
}

function load(
  path: string,
  open: () => Map<string, ColumnTable>,
  close: () => void,
  options: MmsaOptions,
  classes = usualClasses,
): SentimentData {
  try {
    const tables = open();
    const splits = splitNames.filter((split) => tables.has(split));
    if (splits.length === 0) {
      throw new DataError(
        `${path}: expected the splits train, valid and test, got ${[...tables.keys()].join(', ') || 'none'}`,
      );
    }
    return assemble(
      path,
      splits.map((split) => [split, tables.get(split) as ColumnTable]),
      close,
      options,
      classes,
    );
  } catch (error) {
    close();
    throw error;
  }
}

type Splits = readonly (readonly [SplitName, ColumnTable])[];

function assemble(
  path: string,
  splits: Splits,
  close: () => void,
  options: MmsaOptions,
  classes: readonly string[],
): SentimentData {
  const utterances = splits.flatMap(([split, table]) => readUtterances(split, table, classes));
  const counts = splits.map(([split]) => utterances.filter((item) => item.split === split).length);
  const wanted = options.modalities ?? modalities;
  const unknown = wanted.filter((name) => !modalities.includes(name));
  if (unknown.length > 0)
    throw new ConfigError(`Expected modalities among ${modalities.join(', ')}, got ${unknown.join(', ')}`);
  const arrays = new Map<Modality, readonly LazyArray[]>();
  for (const name of wanted) {
    const found = featureArrays(splits, counts, columnOf[name]);
    if (found !== null) arrays.set(name, found);
  }
  const dims = Object.fromEntries([...arrays].map(([name, list]) => [name, list[0]?.shape[2] as number]));
  const known = recogniseSet(dims);
  const range = options.range ?? known?.range ?? guessRange(utterances);
  checkRange(utterances, range, path);
  const tokens = readTokens(splits, counts);
  const notes: string[] = [];
  const stored: Partial<Record<Modality, SequenceFeatures>> = {};
  // One file behind several modalities: it closes when the last of them lets go.
  let users = arrays.size;
  const release = (): void => {
    users--;
    if (users === 0) close();
  };
  if (users === 0) close();
  for (const [name, list] of arrays) {
    const lengths = readLengths(name, splits, list, tokens);
    const guess = specFor(options.name ?? known?.name ?? null, name, dims[name] as number, lengths.aligned);
    const spec = { ...guess, ...options.specs?.[name], dims: dims[name] as number };
    const fromEnd = lengths.stated ? null : lengthsFromTheEnd(list);
    const source = arraySource(list, fromEnd ?? lengths.values, spec);
    const atStart = fromEnd !== null || paddedSide(list, lengths.values) === 'start';
    if (atStart) notes.push(`${name}: rows are padded at the start, and the last ones are read`);
    stored[name] = storeSequences(atStart ? fromTheEnd(source) : source, options, once(release));
  }
  return new SentimentData({
    name: options.name ?? known?.name ?? path,
    utterances,
    features: stored,
    tokens,
    classes: utterances.some((item) => item.class !== null) ? classes : [],
    range,
    notes,
  });
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (!done) action();
    done = true;
  };
}

function readUtterances(split: SplitName, table: ColumnTable, classes: readonly string[]): Utterance[] {
  const ids = table.ids('id');
  const labels = table.numbers('regression_labels');
  const annotations = table.everyText('annotations');
  if (ids === null || (labels === null && annotations === null)) {
    throw new DataError(`${table.where}: expected the columns id and regression_labels, got ${table.names.join(', ')}`);
  }
  const texts = table.texts('raw_text');
  const numbered = table.numbers('classification_labels');
  const single = ['T', 'A', 'V'].map((letter) => table.numbers(`regression_labels_${letter}`));
  const columns = { regression_labels: labels, raw_text: texts, annotations, classification_labels: numbered };
  for (const [name, column] of Object.entries(columns)) checkCount(table, name, column, ids.length);
  for (const column of single) checkCount(table, 'regression_labels_T, _A or _V', column, ids.length);
  const [text, audio, vision] = single;
  return ids.map((id, i) => {
    const own = (column: ArrayLike<number>): number => finiteLabel(at(column, i), id, table);
    const unimodal = text && audio && vision ? { text: own(text), audio: own(audio), vision: own(vision) } : null;
    return utterance({
      id,
      video: id.split('$_$')[0] as string,
      split,
      text: texts?.[i] ?? null,
      label: labels && finiteLabel(at(labels, i), id, table),
      class: readClass(annotations?.[i], numbered?.[i], id, table, classes),
      unimodal,
    });
  });
}

function at(column: ArrayLike<number>, i: number): number {
  return column[i] as number;
}

function finiteLabel(label: number, id: string, table: ColumnTable): number {
  if (Number.isFinite(label)) return label;
  throw new DataError(`${table.where}: expected a label for '${id}', got ${label}`);
}

function checkCount(table: ColumnTable, name: string, column: ArrayLike<unknown> | null, count: number): void {
  if (column !== null && column.length !== count) {
    throw new DataError(`${table.where}: ${count} ids, but ${column.length} entries of ${name}`);
  }
}

/** The annotation rules; the older number (0, 1, 2) stands in where there is none. */
function readClass(
  annotation: string | undefined,
  number: number | undefined,
  id: string,
  table: ColumnTable,
  classes: readonly string[],
): number | null {
  if (annotation === undefined && number === undefined) return null;
  const found =
    annotation === undefined
      ? (number as number)
      : classes.findIndex((name) => name.toLowerCase() === annotation.toLowerCase());
  if (classes[found] !== undefined) return found;
  throw new DataError(
    `${table.where}: expected one of ${classes.join(', ')} for '${id}', got '${annotation ?? number}'`,
  );
}

/** The arrays [n, T, D] of a column in every split, or null where no split has it. T may differ, D may not. */
function featureArrays(splits: Splits, counts: readonly number[], column: string): LazyArray[] | null {
  const holders = splits.filter(([, table]) => table.has(column));
  if (holders.length === 0) return null;
  if (holders.length < splits.length) {
    throw new DataError(`${holders[0]?.[1].where} has '${column}', the other splits do not`);
  }
  const arrays = splits.map(([, table]) => table.array(column, 3) as LazyArray);
  arrays.forEach((array, i) => {
    const { where } = (splits[i] as Splits[number])[1];
    if (array.shape[0] !== counts[i]) throw new DataError(`${where}: ${counts[i]} ids, but '${column}' is ${array}`);
    if (array.shape[2] !== arrays[0]?.shape[2])
      throw new DataError(`${where}: '${column}' is ${array}, another split has ${arrays[0]}`);
  });
  return arrays;
}

/** Rows by utterance. Aligned files give none: then the words of the text are counted, or all rows taken. */
function readLengths(
  name: Modality,
  splits: Splits,
  arrays: readonly LazyArray[],
  tokens: Tensor | null,
): { values: Int32Array; aligned: boolean; stated: boolean } {
  const columns = splits.map(([, table]) => table.numbers(`${columnOf[name]}_lengths`));
  const aligned = columns.every((column) => column === null);
  const words = aligned && tokens !== null ? maskSums(tokens) : null;
  const values: number[] = [];
  arrays.forEach((array, part) => {
    const [count, rows] = array.shape as [number, number];
    const column = columns[part] ?? null;
    const { where } = (splits[part] as Splits[number])[1];
    for (let i = 0; i < count; i++) {
      const length = column === null ? Math.min(rows, words?.[values.length] ?? rows) : (column[i] ?? Number.NaN);
      if (!Number.isInteger(length) || length < 0 || length > rows) {
        throw new DataError(`${where}: expected a length of 0 to ${rows} for ${name} of entry ${i}, got ${length}`);
      }
      values.push(length);
    }
  });
  return { values: Int32Array.from(values), aligned: aligned && name !== 'text', stated: !aligned || words !== null };
}

/** Real tokens of each utterance. */
function maskSums(tokens: Tensor): number[] {
  const [count = 0, , length = 0] = tokens.shape;
  const values = tokens.data() as BigInt64Array;
  return Array.from({ length: count }, (_, i) => {
    const mask = values.subarray((3 * i + 1) * length, (3 * i + 2) * length);
    return mask.reduce((sum, value) => sum + Number(value), 0);
  });
}

/** `text_bert` [n, 3, L], stored as any kind of number. */
function readTokens(splits: Splits, counts: readonly number[]): Tensor | null {
  const arrays = featureArrays(splits, counts, 'text_bert');
  if (arrays === null) return null;
  const length = arrays[0]?.shape[2] as number;
  const values = new BigInt64Array(counts.reduce((sum, count) => sum + count, 0) * 3 * length);
  let place = 0;
  arrays.forEach((array, part) => {
    const { where } = (splits[part] as Splits[number])[1];
    if (array.shape[1] !== 3)
      throw new DataError(`${where}: expected text_bert of 3 rows (ids, mask, segments), got ${array}`);
    const numbers = scope(() => array.tensor().to({ dtype: 'float64' }).data()) as Float64Array;
    for (const number of numbers) {
      if (!Number.isInteger(number))
        throw new DataError(`${where}: expected whole numbers in text_bert, got ${number}`);
      values[place++] = BigInt(number);
    }
  });
  return tensor(values, { shape: [values.length / (3 * length), 3, length] });
}

/** @throws DataError that names the first utterance whose label lies outside */
function checkRange(utterances: readonly Utterance[], [low, high]: readonly [number, number], path: string): void {
  const outside = utterances.filter(({ label }) => label !== null && (label < low - 1e-6 || label > high + 1e-6));
  const [first] = outside;
  if (first === undefined) return;
  throw new DataError(
    `${path}: expected labels from ${low} to ${high}, got ${first.label} for '${first.id}', and ${outside.length - 1} more beyond: scale ` +
      'them, or say the range of the set with { range }',
  );
}

function guessRange(utterances: readonly Utterance[]): readonly [number, number] {
  return utterances.some((item) => Math.abs(item.label ?? 0) > 1) ? widest : [-1, 1];
}
