/** Any of the data sets, told by what lies at a path. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, DataError } from '../../torch/errors.js';
import { type CsdFolderOptions, loadCsdFolder } from './csd.js';
import type { SentimentData } from './data.js';
import { type LabelFolderOptions, loadLabelFolder } from './labelcsv.js';
import { loadMeldFolder, type MeldOptions } from './meld.js';
import { loadMmsaNpz, loadMmsaPickle, type MmsaOptions } from './mmsa.js';
import { loadMosiFolder, type MosiFolderOptions } from './mosi.js';
import { makeSynthetic, type SyntheticOptions } from './synthetic.js';
import { loadTable, type TableOptions } from './table.js';

/** A data set in a file or folder, and how to read it. */
export type SentimentSource = { readonly path: string } & (
  | ({ readonly format: 'mmsa-pickle' | 'mmsa-npz' } & MmsaOptions)
  | ({ readonly format: 'label-csv' } & LabelFolderOptions)
  | ({ readonly format: 'csd' } & CsdFolderOptions)
  | ({ readonly format: 'mosi-folder' } & MosiFolderOptions)
  | ({ readonly format: 'meld' } & MeldOptions)
  | ({ readonly format: 'table' } & TableOptions)
  | ({ readonly format: 'synthetic' } & SyntheticOptions)
);

/** The forms that are read. */
export type SentimentFormat = SentimentSource['format'];

/**
 * Reads a data set.
 * @example
 * const data = await loadSentiment({ format: 'mmsa-pickle', path: 'MOSI/Processed/unaligned_50.pkl' });
 * @throws DataError when it is absent or damaged, ConfigError for options that cannot be
 */
export async function loadSentiment(source: SentimentSource): Promise<SentimentData> {
  switch (source.format) {
    case 'mmsa-pickle':
      return loadMmsaPickle(source.path, source);
    case 'mmsa-npz':
      return loadMmsaNpz(source.path, source);
    case 'label-csv':
      return loadLabelFolder(source.path, source);
    case 'csd':
      return loadCsdFolder(source.path, source);
    case 'mosi-folder':
      return loadMosiFolder(source.path, source);
    case 'meld':
      return loadMeldFolder(source.path, source);
    case 'table':
      return loadTable(source.path, source);
    case 'synthetic':
      return makeSynthetic(source);
    default:
      throw new ConfigError(`expected a known format of data, got '${String((source as SentimentSource).format)}'`);
  }
}

/** Tells the form of what lies at a path. @throws DataError when it is absent or has none of the forms */
export function sentimentFormat(path: string): SentimentFormat {
  if (!existsSync(path))
    throw new DataError(
      `There is nothing at ${path}: expected a file (.pkl, .npz, .csv, .jsonl) or a folder of a data set`,
    );
  if (!statSync(path).isDirectory()) {
    if (/\.(pkl|pickle)$/.test(path)) return 'mmsa-pickle';
    if (path.endsWith('.npz')) return 'mmsa-npz';
    if (/\.(csv|jsonl)$/.test(path)) return 'table';
    throw new DataError(`${path}: expected a .pkl, .npz, .csv or .jsonl file, or a folder`);
  }
  const marks: readonly (readonly [string, SentimentFormat])[] = [
    ['label.csv', 'label-csv'],
    ['mosi.jsonl', 'mosi-folder'],
    ['train_sent_emo.csv', 'meld'],
  ];
  const mark = marks.find(([name]) => existsSync(join(path, name)));
  if (mark !== undefined) return mark[1];
  if (readdirSync(path).some((name) => name.endsWith('.csd'))) return 'csd';
  throw new DataError(`${path}: expected label.csv, mosi.jsonl, train_sent_emo.csv or .csd files in it`);
}
