// What the verbs that read clips share: one clip, or several of which each may fail by itself.

import { existsSync, statSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import {
  type Clip,
  type ClipOptions,
  ClipReader,
  type FeatureSpecs,
  loadRecogniser,
  type SpeechRecogniser,
} from '../sentiment/index.js';
import { ConfigError } from '../torch/errors.js';
import { exitCodes, isExpected, messageOf, say } from './report.js';

/** Where the words of clips come from. */
export interface WordFlags {
  transcript?: string;
  srt?: string;
  /** Folder of a model for speech recognition, and the language it should hear. */
  asr?: string;
  asrLanguage?: string;
}

/** A clip's result, or why there is none. */
export type ClipOutcome<T> =
  | { readonly clip: string; readonly value: T }
  | { readonly clip: string; readonly error: string };

/**
 * Reads clips one after another. Of several, one that cannot be read is told, the others are read none the less, and the
 * command's exit code is 1; of a single one the error is the command's.
 * @param use - makes a clip's result
 * @param options - of every clip
 */
export async function readClips<T>(
  paths: readonly string[],
  flags: WordFlags,
  wanted: FeatureSpecs,
  use: (clip: Clip) => T,
  options: Pick<ClipOptions, 'expressions'> = {},
): Promise<ClipOutcome<T>[]> {
  const several = paths.length > 1;
  if (several) checkSeveral(paths, flags);
  const reader = new ClipReader(wanted, await recogniserOf(flags));
  const outcomes: ClipOutcome<T>[] = [];
  for (const clip of paths) {
    try {
      const read = await reader.read(clip, { ...options, ...wordsOf(clip, flags) });
      for (const note of read.notes) say(`note: ${several && !note.startsWith(clip) ? `${clip}: ` : ''}${note}`);
      outcomes.push({ clip, value: use(read) });
    } catch (error) {
      if (!several || !isExpected(error)) throw error;
      const told = messageOf(error);
      const message = told.includes(clip) ? told : `${clip}: ${told}`;
      say(`headrace: ${message}`);
      process.exitCode = exitCodes.failed;
      outcomes.push({ clip, error: message });
    }
  }
  return outcomes;
}

async function recogniserOf({ asr, asrLanguage, transcript, srt }: WordFlags): Promise<SpeechRecogniser | null> {
  if (asr === undefined) {
    if (asrLanguage !== undefined) throw new ConfigError('Expected --asr FOLDER beside --asr-language');
    return null;
  }
  if (transcript !== undefined || (srt !== undefined && !isFolder(srt)))
    throw new ConfigError('Expected the words of a clip (--transcript, --srt) or speech recognition (--asr), got both');
  return loadRecogniser(asr, { language: asrLanguage });
}

function checkSeveral(paths: readonly string[], { transcript, srt }: WordFlags): void {
  const twice = paths.find((path, i) => paths.indexOf(path) !== i);
  if (twice !== undefined) throw new ConfigError(`Expected different clips, got ${twice} twice`);
  if (transcript !== undefined) {
    throw new ConfigError('Expected one clip beside --transcript: the words of several come from --srt FOLDER');
  }
  if (srt !== undefined && !isFolder(srt)) {
    throw new ConfigError(
      `Expected a folder of subtitles for several clips (NAME.srt or NAME.vtt for NAME.mp4), got ${srt}`,
    );
  }
}

/** A folder of subtitles need not have those of every clip: a clip without is one without words. */
function wordsOf(clip: string, { transcript, srt }: WordFlags): ClipOptions {
  if (srt === undefined || !isFolder(srt)) return { transcript, subtitles: srt };
  const name = basename(clip, extname(clip));
  return {
    transcript,
    subtitles: ['.srt', '.vtt'].map((end) => join(srt, name + end)).find((path) => existsSync(path)),
  };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
