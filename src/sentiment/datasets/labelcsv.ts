/**
 * Data sets as folders, in the form of MMSA and M-SENA: `label.csv` with the columns video_id, clip_id, text, label, label_T, label_A,
 * label_V, annotation, mode; clips in `Raw/<video_id>/<clip_id>.mp4`; features, where there are any, in `Processed/`.
 */
import { existsSync, readdirSync } from 'node:fs';
import { basename, extname, join, resolve } from 'node:path';
import { DataError } from '../../torch/errors.js';
import { checkOptions } from '../../torch/options.js';
import { type CsvRow, numberIn, RowFaults, readCsv } from './csv.js';
import { SentimentData } from './data.js';
import { loadMmsaNpz, loadMmsaPickle, type MmsaOptions, mmsaOptionNames } from './mmsa.js';
import { type SplitName, splitCalled, type Utterance, utterance, widest } from './types.js';

/** How to read a folder with a `label.csv`. */
export interface LabelFolderOptions extends MmsaOptions {
  /** Lowest and highest label; by default [-1, 1], or [-3, 3] where labels pass 1. */
  readonly range?: readonly [number, number];
  /** A features file in MMSA's form (.pkl or .npz), whose ids are `video_id$_$clip_id`; within the folder or anywhere. */
  readonly features?: string;
}

const required = ['video_id', 'clip_id', 'text', 'label', 'mode'];
const classes = ['Negative', 'Neutral', 'Positive'];

/**
 * Reads the labels of a folder, and its features when asked to. A clip that is there is named in `media`.
 * @throws DataError that lists the faulty rows with their lines: labels that are no numbers or beyond the range, unknown modes, repeated
 * clips
 */
export function loadLabelFolder(folder: string, options: LabelFolderOptions = {}): SentimentData {
  checkOptions('loadLabelFolder', options, [...mmsaOptionNames, 'features']);
  const path = join(folder, 'label.csv');
  const faults = new RowFaults(path);
  const clips = new Map<string, ReadonlyMap<string, string>>();
  const seen = new Set<string>();
  const utterances: Utterance[] = [];
  const notes: string[] = [];
  for (const row of readCsv(path, required, (remark) => notes.push(remark))) {
    const item = readRow(row, faults, options.range ?? null, (video, clip) => findClip(folder, video, clip, clips));
    if (item === null) continue;
    if (seen.has(item.id)) faults.add(row.line, `the clip '${item.id}' comes twice`);
    seen.add(item.id);
    utterances.push(item);
  }
  faults.check();
  if (utterances.length === 0) throw new DataError(`${path} has no rows`);
  if (utterances.every(({ text }) => (text ?? '').trim() === '')) notes.push(`${path} has no text in any row`);
  const biggest = utterances.reduce((most, item) => Math.max(most, Math.abs(item.label ?? 0)), 0);
  const data = new SentimentData({
    name: options.name ?? basename(resolve(folder)),
    utterances,
    classes: utterances.some((item) => item.class !== null) ? classes : [],
    range: options.range ?? (biggest > 1 ? [-3, 3] : [-1, 1]),
    notes,
  });
  return options.features === undefined ? data : joinFeatures(data, folder, options.features, options);
}

function readRow(
  { line, cells }: CsvRow,
  faults: RowFaults,
  range: readonly [number, number] | null,
  media: (video: string, clip: string) => string | null,
): Utterance | null {
  const cell = (name: string): string => (cells[name] ?? '').trim();
  const [video, clip] = [cell('video_id'), cell('clip_id')];
  const split = splitCalled(cell('mode'));
  const label = numberIn(cell('label'));
  const annotation = cell('annotation').toLowerCase();
  const found = classes.findIndex((name) => name.toLowerCase() === annotation);
  const single = ['label_T', 'label_A', 'label_V'].map((name) => numberIn(cell(name)));
  const before = line;
  let sound = true;
  const fault = (what: string): void => {
    sound = false;
    faults.add(before, what);
  };
  if (video === '' || clip === '') fault('expected a video_id and a clip_id');
  if (label === null || Number.isNaN(label)) fault(`expected a number as label, got '${cell('label')}'`);
  else if (outside(label, range)) fault(`expected a label from ${(range ?? widest).join(' to ')}, got ${label}`);
  if (split === undefined) fault(`expected train, valid or test as mode, got '${cell('mode')}'`);
  if (annotation !== '' && found < 0)
    fault(`expected ${classes.join(', ')} as annotation, got '${cell('annotation')}'`);
  if (single.some((value) => Number.isNaN(value)))
    fault('expected numbers, or nothing, as label_T, label_A and label_V');
  else if (single.some((value) => value !== null && outside(value, range)))
    fault(`expected label_T, label_A and label_V from ${(range ?? widest).join(' to ')}, got ${single.join(', ')}`);
  if (!sound) return null;
  const [text, audio, vision] = single as [number | null, number | null, number | null];
  return utterance({
    id: `${video}$_$${clip}`,
    video,
    split: split as SplitName,
    text: cells.text ?? null,
    label,
    class: found < 0 ? null : found,
    unimodal: text !== null && audio !== null && vision !== null ? { text, audio, vision } : null,
    media: media(video, clip),
  });
}

function outside(label: number, range: readonly [number, number] | null): boolean {
  const [low, high] = range ?? widest;
  return label < low || label > high;
}

/** The file in `Raw/<video>/` that is called as the clip, with any extension. Names from the table never leave that folder. */
function findClip(
  folder: string,
  video: string,
  clip: string,
  cache: Map<string, ReadonlyMap<string, string>>,
): string | null {
  if ([video, clip].some((name) => /[/\\\0]|^\.\.?$/.test(name))) return null;
  let names = cache.get(video);
  if (names === undefined) {
    const dir = join(folder, 'Raw', video);
    const files = existsSync(dir) ? readdirSync(dir) : [];
    names = new Map(files.map((file) => [basename(file, extname(file)), join(dir, file)]));
    cache.set(video, names);
  }
  return names.get(clip) ?? null;
}

/** Puts features to the rows by their ids. */
function joinFeatures(data: SentimentData, folder: string, features: string, given: LabelFolderOptions): SentimentData {
  const { features: _, ...options } = given;
  const inside = join(folder, features);
  const path = existsSync(inside) ? inside : features;
  const source = extname(path) === '.npz' ? loadMmsaNpz(path, options) : loadMmsaPickle(path, options);
  const place = new Map(source.utterances.map(({ id }, i) => [id, i]));
  const absent = data.utterances.filter(({ id }) => !place.has(id));
  if (absent.length > 0) {
    source.dispose();
    const some = absent.slice(0, 5).map(({ id }) => id);
    throw new DataError(
      `${path} has no features of ${absent.length} of the ${data.length} clips: ${some.join(', ')}, ...`,
    );
  }
  const indices = data.utterances.map(({ id }) => place.get(id) as number);
  const { features: chosen, tokens } = source.select(indices);
  source.tokens?.dispose();
  return new SentimentData({ ...data, features: chosen, tokens });
}
