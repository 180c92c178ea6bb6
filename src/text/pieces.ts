/** Texts as pieces of words: BERT's word pieces, or SentencePiece's unigrams, as the folder of an encoder describes them. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../torch/index.js';
import { UnigramTokenizer } from './unigram.js';
import { WordPieceTokenizer } from './wordpiece.js';

/** Cuts texts into pieces that an encoder has vectors of. */
export interface PieceTokenizer {
  /** Pieces by their ids. */
  readonly tokens: readonly string[];
  /** The id of what it does not know. */
  readonly unknown: number;
  /** What stands before and after the pieces of a text, where the encoder wants that. */
  readonly frame: { readonly start: readonly number[]; readonly end: readonly number[] };
  /** The ids of a text, uncut, without the frame. */
  bare(text: string): number[];
}

/** Of the tokenizer.json of a folder. @throws DataError where there is none, or one of another kind */
export function pieceTokenizer(folder: string): PieceTokenizer {
  const path = join(folder, 'tokenizer.json');
  if (!existsSync(path)) return WordPieceTokenizer.fromFolder(folder);
  let description: { readonly model?: { readonly type?: unknown } } | null;
  try {
    description = JSON.parse(readFileSync(path, 'utf8')) as typeof description;
  } catch (cause) {
    throw new DataError(`${path}: ${(cause as Error).message}`, { cause });
  }
  if (description?.model?.type === 'Unigram') return new UnigramTokenizer(description, path);
  return new WordPieceTokenizer(description, {}, path);
}
