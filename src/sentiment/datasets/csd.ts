/** Folders of `.csd` files, the form in which CMU-MOSI and CMU-MOSEI are published, cut into labelled segments. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { Cleaner, PackedBuilder, type SequenceFeatures } from '../../features/sequences.js';
import { type FeatureSpec, type Modality, modalities } from '../../features/specs.js';
import { reason } from '../../io/file.js';
import { ConfigError, DataError } from '../../torch/errors.js';
import { checkOptions } from '../../torch/options.js';
import { collapse, cut, type Interval, type Timed, TimeIndex } from './csd-align.js';
import { CsdFile, type TimedWords } from './csd-file.js';
import { SentimentData } from './data.js';
import { type SplitName, sourceFields, splitNames, type Utterance, utterance, widest } from './types.js';

/** Videos of each split. */
export type Folds = Readonly<Record<SplitName, readonly string[]>>;

/** What a file is for. `words` are the spoken words with their times. */
export type CsdRole = 'labels' | 'words' | Modality;

/** How to read the folder. */
export interface CsdFolderOptions {
  /** The videos of each split, or the path of a JSON file of them; `folds.json` in the folder by default. */
  readonly folds?: Folds | string;
  /** File names by role. What is not given is told by the sequence's name; an ambiguous folder is an error. */
  readonly files?: Readonly<Partial<Record<CsdRole, string>>>;
  /**
   * `words`: a row for each word, the mean of the frames that overlap it (the SDK's usual recipe; needs `words`). `none`: the frames as
   * they are. By default `words` where there is such a file.
   */
  readonly align?: 'words' | 'none';
  readonly name?: string;
  /** Bytes that the cut features of a modality may take; 4 GiB by default. */
  readonly maxMemory?: number;
}

const roles: readonly CsdRole[] = ['labels', 'words', ...modalities];
const patterns: Readonly<Record<CsdRole, RegExp>> = {
  labels: /label/i,
  words: /words/i,
  text: /glove|wordvector|embedding|bert/i,
  audio: /covarep|opensmile|audio|acoustic/i,
  vision: /facet|openface|vis/i,
};
/** How word files mark silence. */
const pause = 'sp';
const emotions = ['happy', 'sad', 'anger', 'surprise', 'disgust', 'fear'];

/**
 * Reads and cuts a folder, video by video. The utterances are the rows of the label file, called `video[0]`, `video[1]`, ...; labels
 * beyond 3, which MOSEI has by mistake, become 3, and what is no finite number is no label; `notes` say of how many. Words that mark pauses are dropped with their rows.
 * @throws ConfigError when it is not clear which file is what; DataError for damaged files and videos without a split
 */
export async function loadCsdFolder(folder: string, options: CsdFolderOptions = {}): Promise<SentimentData> {
  checkOptions('loadCsdFolder', options, [...sourceFields, 'folds', 'files', 'align', 'name', 'maxMemory']);
  checkOptions('loadCsdFolder, files', options.files, roles);
  if (options.align !== undefined && !['words', 'none'].includes(options.align))
    throw new ConfigError(`Expected align 'words' or 'none', got '${String(options.align)}'`);
  const files = await openFiles(folder, options.files ?? {});
  try {
    const align = options.align ?? (files.has('words') ? 'words' : 'none');
    if (align === 'words' && !files.has('words')) {
      throw new ConfigError(
        `${folder}: aligning to words needs the file of words and times; name it with files: { words }`,
      );
    }
    const splits = readFolds(folder, options.folds);
    return await cutAll(files, splits, align, options.name ?? folder, options.maxMemory ?? 2 ** 32);
  } finally {
    for (const file of new Set(files.values())) await file.close();
  }
}

/** Rows of one modality as they are cut. */
class Gatherer {
  readonly cleaner = new Cleaner();
  private readonly builder = new PackedBuilder();
  dims = 0;

  constructor(
    readonly file: CsdFile,
    private readonly maxMemory: number,
  ) {}

  /** @throws DataError when there are more than `maxMemory` bytes of them */
  add(rows: Float32Array): void {
    this.builder.add(rows);
    if (this.builder.bytes > this.maxMemory) {
      throw new DataError(
        `${this.file.path}: the segments take more than ${this.maxMemory} bytes; align them to words, or allow more with maxMemory`,
      );
    }
  }

  features(align: 'words' | 'none', modality: Modality): SequenceFeatures {
    const { dims, file } = this;
    const unit = align === 'words' || modality === 'text' ? 'word' : 'frame';
    const spec: FeatureSpec = { name: file.root, dims: Math.max(1, dims), unit, rate: null, version: file.version };
    return this.builder.finish(spec, this.cleaner.counts);
  }
}

async function cutAll(
  files: ReadonlyMap<CsdRole, CsdFile>,
  splits: ReadonlyMap<string, SplitName>,
  align: 'words' | 'none',
  name: string,
  maxMemory: number,
): Promise<SentimentData> {
  const labels = files.get('labels') as CsdFile;
  const gatherers = new Map<Modality, Gatherer>();
  for (const modality of modalities) {
    const file = files.get(modality);
    if (file !== undefined) gatherers.set(modality, new Gatherer(file, maxMemory));
  }
  const utterances: Utterance[] = [];
  const faults = new LabelFaults();
  let left = 0;
  for (const video of [...labels.videos].sort()) {
    const split = splits.get(video);
    if (split === undefined) left++;
    else await cutVideo(video, split, files, gatherers, align, utterances, faults);
  }
  if (utterances.length === 0) throw new DataError(`${name}: none of the ${left} labelled videos is in a split`);
  const features = Object.fromEntries(
    [...gatherers].map(([modality, gathered]) => [modality, gathered.features(align, modality)]),
  );
  const notes = left > 0 ? [`${left} labelled videos are in no split and left out`] : [];
  notes.push(...faults.notes());
  return new SentimentData({ name, utterances, features, range: [-3, 3], notes });
}

async function cutVideo(
  video: string,
  split: SplitName,
  files: ReadonlyMap<CsdRole, CsdFile>,
  gatherers: ReadonlyMap<Modality, Gatherer>,
  align: 'words' | 'none',
  utterances: Utterance[],
  faults: LabelFaults,
): Promise<void> {
  const labels = await (files.get('labels') as CsdFile).read(video, null);
  const words = files.get('words')?.videos.has(video) ? await (files.get('words') as CsdFile).readWords(video) : null;
  const index = words === null ? null : new TimeIndex(words.intervals);
  const count = labels.intervals.length / 2;
  const segments = Array.from(
    { length: count },
    (_, k): Interval => [labels.intervals[2 * k] as number, labels.intervals[2 * k + 1] as number],
  );
  const spoken = segments.map((segment) =>
    words === null || index === null ? [] : wordsWithin(words, index, segment),
  );
  segments.forEach((segment, k) => {
    const text = words === null ? null : (spoken[k] ?? []).map((row) => words.words[row]).join(' ');
    utterances.push(toUtterance(video, k, split, segment, labels, text, faults));
  });
  const slots = spoken.map((rows) =>
    rows.map((row): Interval => [words?.intervals[2 * row] as number, words?.intervals[2 * row + 1] as number]),
  );
  for (const gathered of gatherers.values()) await gather(gathered, video, segments, align === 'words' ? slots : null);
}

async function gather(
  gathered: Gatherer,
  video: string,
  segments: readonly Interval[],
  slots: readonly (readonly Interval[])[] | null,
): Promise<void> {
  if (!gathered.file.videos.has(video)) {
    for (const _ of segments) gathered.add(new Float32Array(0));
    return;
  }
  const sequence: Timed = await gathered.file.read(video, gathered.cleaner);
  if (gathered.dims !== 0 && gathered.dims !== sequence.dims) {
    throw new DataError(
      `${gathered.file.path}, ${video}: expected rows of ${gathered.dims} numbers, got ${sequence.dims}`,
    );
  }
  gathered.dims = sequence.dims;
  const index = new TimeIndex(sequence.intervals);
  segments.forEach((segment, k) => {
    gathered.add(slots === null ? cut(sequence, index, segment) : collapse(sequence, index, slots[k] ?? []));
  });
}

function wordsWithin({ words }: TimedWords, index: TimeIndex, segment: Interval): number[] {
  return index.overlapping(segment).filter((row) => words[row] !== pause && words[row] !== '');
}

function toUtterance(
  video: string,
  k: number,
  split: SplitName,
  [start, end]: Interval,
  labels: Timed,
  text: string | null,
  faults: LabelFaults,
): Utterance {
  const id = `${video}[${k}]`;
  const row = labels.features.subarray(k * labels.dims, (k + 1) * labels.dims);
  const label = faults.sound(row[0] ?? Number.NaN, id);
  const felt = row.length === 7 ? emotions.map((name, i) => [name, row[i + 1] as number] as const) : [];
  const extra = Object.fromEntries(felt.filter(([, strength]) => Number.isFinite(strength)));
  return utterance({ id, video, split, text, start, end, label, extra });
}

/** Labels that are no numbers, or beyond the range, with the first segments that have them. */
class LabelFaults {
  private readonly absent: string[] = [];
  private readonly beyond: string[] = [];

  /** The label within the range; null where there is none. */
  sound(label: number, id: string): number | null {
    if (!Number.isFinite(label)) {
      this.absent.push(id);
      return null;
    }
    const [low, high] = widest;
    if (label < low || label > high) this.beyond.push(id);
    return Math.max(low, Math.min(high, label));
  }

  notes(): string[] {
    const some = (ids: readonly string[]): string => `${ids.slice(0, 3).join(', ')}${ids.length > 3 ? ', ...' : ''}`;
    const told: string[] = [];
    if (this.absent.length > 0)
      told.push(
        `${this.absent.length} segments have a label that is no finite number, and so none: ${some(this.absent)}`,
      );
    if (this.beyond.length > 0)
      told.push(`${this.beyond.length} labels beyond ${widest.join(' to ')} were cut to it: ${some(this.beyond)}`);
    return told;
  }
}

async function openFiles(
  folder: string,
  given: Readonly<Partial<Record<CsdRole, string>>>,
): Promise<Map<CsdRole, CsdFile>> {
  const files = new Map<CsdRole, CsdFile>();
  const opened: CsdFile[] = [];
  try {
    for (const role of roles) {
      const name = given[role];
      if (name === undefined) continue;
      files.set(role, await CsdFile.open(isAbsolute(name) ? name : join(folder, name)));
      opened.push(files.get(role) as CsdFile);
    }
    const taken = new Set(opened.map(({ path }) => path));
    for (const path of listCsd(folder)) if (!taken.has(path)) opened.push(await CsdFile.open(path));
    for (const role of roles) if (!files.has(role)) await guess(role, opened, files, folder);
    if (!files.has('labels')) {
      throw new ConfigError(
        `${folder}: no file of labels among ${opened.map(({ root }) => `'${root}'`).join(', ')}; name it with files: { labels }`,
      );
    }
    return files;
  } finally {
    const used = new Set(files.values());
    for (const file of opened) if (!used.has(file)) await file.close();
  }
}

function listCsd(folder: string): string[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const found = names.filter((name) => name.endsWith('.csd')).sort();
  if (found.length === 0) throw new DataError(`${folder}: expected .csd files in it, found none`);
  return found.map((name) => join(folder, name));
}

/** Words are told from word vectors by holding text. */
async function guess(
  role: CsdRole,
  opened: readonly CsdFile[],
  files: Map<CsdRole, CsdFile>,
  folder: string,
): Promise<void> {
  const used = new Set(files.values());
  const matches: CsdFile[] = [];
  for (const file of opened) {
    if (used.has(file) || !patterns[role].test(file.root)) continue;
    if ((await file.holdsText()) === (role === 'words')) matches.push(file);
  }
  if (matches.length > 1) {
    throw new ConfigError(
      `${folder}: ${matches.map(({ root }) => `'${root}'`).join(' and ')} may both be the ${role}; say which with files: { ${role}: 'NAME.csd' }`,
    );
  }
  if (matches[0] !== undefined) files.set(role, matches[0]);
}

function readFolds(folder: string, folds: Folds | string | undefined): Map<string, SplitName> {
  const lists =
    typeof folds === 'object' ? folds : parseFolds(folds === undefined ? join(folder, 'folds.json') : folds);
  const splits = new Map<string, SplitName>();
  for (const split of splitNames) {
    for (const video of lists[split] ?? []) {
      if (splits.has(video)) throw new DataError(`the video '${video}' is in two folds`);
      splits.set(video, split);
    }
  }
  return splits;
}

function parseFolds(path: string): Folds {
  try {
    const lists = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    const sound = splitNames.every(
      (split) => Array.isArray(lists[split]) && lists[split].every((video) => typeof video === 'string'),
    );
    if (!sound) throw new Error('expected { "train": [videos], "valid": [videos], "test": [videos] }');
    return lists as unknown as Folds;
  } catch (error) {
    throw new DataError(`Cannot read the splits from ${path}: ${reason(error)}. Give them with folds`, {
      cause: error,
    });
  }
}
