/**
 * CMU-MOSI as a folder of `mosi.jsonl` (one utterance a line, with both published splits) and one row of features an utterance in
 * `text.f32`, `audio.f32`, `video.f32`: those of bc-LSTM (Poria et al., ACL 2017).
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededPermutation } from '../../data/index.js';
import { PackedSequences } from '../../features/sequences.js';
import { type FeatureSpec, type Modality, modalities } from '../../features/specs.js';
import { FileReader, reason } from '../../io/file.js';
import { ConfigError, DataError } from '../../torch/errors.js';
import { checkOptions } from '../../torch/options.js';
import { SentimentData } from './data.js';
import { type SplitName, sourceFields, type Utterance, utterance } from './types.js';

/** How to read the folder. */
export interface MosiFolderOptions {
  /**
   * `std`: 1,284 / 229 / 686 utterances, the split in which nearly all results are published. `bclstm`: 62 / 31 videos for training and
   * test, of which `validShare` of the training videos become the validation part.
   */
  readonly split: 'std' | 'bclstm';
  /** The features to read; by default those that are fair in this split: `audio` in `std`, all three in `bclstm`. */
  readonly features?: readonly Modality[];
  /** Reads features that have seen the test labels of the split. The data says so in its notes. */
  readonly force?: boolean;
  /** Share of the training videos for validation where the split has no such part; 0.1 by default. */
  readonly validShare?: number;
  /**
   * Whose videos validate: those for training (default), or in `bclstm` those for the test, of which then fewer are left. The labels of
   * the former have trained the features, so that models reach 98 % on them and 76 on the latter: no epoch can be chosen by that.
   */
  readonly validFrom?: 'train' | 'test';
  /** Chooses those videos; 0 by default. */
  readonly seed?: number;
}

const files: Readonly<Record<Modality, string>> = { text: 'text.f32', audio: 'audio.f32', vision: 'video.f32' };
/** Of the networks that made the features: trained with the labels of the bc-LSTM split's training videos. */
const supervised: readonly Modality[] = ['text', 'vision'];
const made: Readonly<Record<Modality, string>> = {
  text: 'utterance CNN, trained on the labels of the bc-LSTM training videos',
  audio: 'openSMILE, of an utterance',
  vision: '3D-CNN, trained on the labels of the bc-LSTM training videos',
};

interface Line {
  readonly id: string;
  readonly video: string;
  readonly text: string;
  readonly sentiment: number;
  readonly start?: number;
  readonly end?: number;
  readonly speaker?: number;
  readonly split_std: string;
  readonly split_bclstm: string;
}

/**
 * Reads the folder.
 * @throws ConfigError when supervised features are asked for on `std`, whose test part holds videos that those features were trained on
 * @throws DataError for damaged lines and files that do not fit each other
 */
export function loadMosiFolder(folder: string, options: MosiFolderOptions): SentimentData {
  checkOptions('loadMosiFolder', options, [
    ...sourceFields,
    'split',
    'features',
    'force',
    'validShare',
    'validFrom',
    'seed',
  ]);
  const { split, force = false } = options;
  if (split !== 'std' && split !== 'bclstm')
    throw new ConfigError(`split: expected 'std' or 'bclstm', got '${String(split)}'`);
  const wanted = options.features ?? (split === 'std' ? ['audio'] : modalities);
  const leaking = split === 'std' ? wanted.filter((name) => supervised.includes(name)) : [];
  if (leaking.length > 0 && !force) throw new ConfigError(trap(leaking));
  const lines = readLines(join(folder, 'mosi.jsonl'));
  const splits = splitNamesOf(lines, options);
  const utterances = lines.map((line, i) => toUtterance(line, splits[i] as SplitName));
  const features: Partial<Record<Modality, PackedSequences>> = {};
  for (const name of wanted) features[name] = readRows(join(folder, files[name]), name, lines.length);
  const notes =
    leaking.length > 0 ? [`forced: ${leaking.join(' and ')} features were trained on labels of the test part`] : [];
  const about = options.validFrom === 'test' ? `${split}, validation from the test part` : split;
  return new SentimentData({ name: `CMU-MOSI (${about})`, utterances, features, range: [-3, 3], notes });
}

function trap(leaking: readonly Modality[]): string {
  const names = leaking.map((name) => files[name]).join(' and ');
  return (
    `${names} cannot be used with the split 'std': they come from networks that were trained on the labels of the bc-LSTM training videos, ` +
    "24 of which are in the test part of 'std' (logistic regression reaches 93 % there, against 76 % in their own split). " +
    "Use the split 'bclstm', or the raw text with an encoder of your own and audio.f32; { force: true } reads them all the same"
  );
}

function readLines(path: string): Line[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new DataError(`Cannot read ${path}: ${reason(error)}`, { cause: error });
  }
  return text.split('\n').flatMap((row, i) => (row.trim() === '' ? [] : [parseLine(row, `${path}, line ${i + 1}`)]));
}

function parseLine(row: string, where: string): Line {
  let line: Partial<Line> | null;
  try {
    line = JSON.parse(row) as Partial<Line> | null;
  } catch (error) {
    throw new DataError(`${where}: ${reason(error)}`, { cause: error });
  }
  const texts = [line?.id, line?.video, line?.text, line?.split_std, line?.split_bclstm];
  if (!texts.every((value) => typeof value === 'string') || !Number.isFinite(line?.sentiment)) {
    throw new DataError(
      `${where}: expected id, video, text, sentiment, split_std and split_bclstm, got ${row.slice(0, 100)}`,
    );
  }
  return line as Line;
}

function splitNamesOf(lines: readonly Line[], options: MosiFolderOptions): SplitName[] {
  const names: Readonly<Record<string, SplitName>> = { train: 'train', dev: 'valid', valid: 'valid', test: 'test' };
  const key = options.split === 'std' ? 'split_std' : 'split_bclstm';
  const splits = lines.map((line) => {
    const split = Object.hasOwn(names, line[key]) ? names[line[key]] : undefined;
    if (split === undefined)
      throw new DataError(`'${line.id}': expected train, dev or test as ${key}, got '${line[key]}'`);
    return split;
  });
  if (splits.includes('valid')) return splits;
  const from = options.validFrom ?? 'train';
  if (from !== 'train' && from !== 'test')
    throw new ConfigError(`validFrom: expected 'train' or 'test', got '${String(from)}'`);
  const videos = [...new Set(lines.filter((_, i) => splits[i] === from).map(({ video }) => video))].sort();
  const count = Math.max(1, Math.round(videos.length * (options.validShare ?? 0.1)));
  const order = seededPermutation(videos.length, options.seed ?? 0);
  const held = new Set(order.slice(0, count).map((place) => videos[place] as string));
  return splits.map((split, i) => (split === from && held.has((lines[i] as Line).video) ? 'valid' : split));
}

function toUtterance(line: Line, split: SplitName): Utterance {
  const { id, video, text, sentiment, start = null, end = null, speaker } = line;
  return utterance({
    id,
    video,
    split,
    text,
    label: sentiment,
    start,
    end,
    extra: speaker === undefined ? {} : { speaker },
  });
}

/** Float32 rows, one an utterance. */
function readRows(path: string, name: Modality, count: number): PackedSequences {
  if (!existsSync(path)) throw new DataError(`There is no ${path}: expected ${count} rows of ${name} features`);
  const bytes = FileReader.with(path, (file) => file.read(0, file.size));
  const dims = bytes.length / 4 / count;
  if (!Number.isInteger(dims) || dims === 0) {
    throw new DataError(
      `${path}: expected ${count} rows of float32 (a multiple of ${4 * count} bytes), got ${bytes.length} bytes`,
    );
  }
  const values = new Float32Array(bytes.buffer);
  const spec: FeatureSpec = { name: made[name], dims, unit: 'utterance', rate: null, version: 'bc-LSTM (ACL 2017)' };
  const lengths = new Int32Array(count).fill(1);
  return PackedSequences.from({ spec, lengths, read: (i) => values.subarray(i * dims, (i + 1) * dims) });
}
