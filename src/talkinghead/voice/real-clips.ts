/** Videos of people who speak, as examples: their sound, their words' sounds in time, and what their mouths did. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { FaceAnalyser, mediaInfo, readAudio, readFrames } from '../../media/index.js';
import { factOf } from '../../media/truncated.js';
import { ConfigError, DataError, type HeadraceError } from '../../torch/index.js';
import { alignWords, PronunciationDictionary } from './align.js';
import type { SeenMouth, VoiceClip } from './clip-store.js';
import { voiceRate } from './mel-stream.js';

const videos = ['.mpg', '.mpeg', '.mp4', '.mov', '.mkv', '.avi', '.webm', '.flv', '.m4v'];

/** A video of a folder, and who speaks in it: the folder that it lies in. */
export interface RealVideo {
  readonly path: string;
  readonly speaker: string;
}

/** The videos of `FOLDER/SPEAKER/NAME.mpg`, at any depth, in the order of their names. @throws ConfigError where there is none */
export function listVideos(folder: string): RealVideo[] {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new ConfigError(`Expected a folder of videos, FOLDER/SPEAKER/NAME.mpg, there is no ${folder}`);
  const found = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => videos.includes(extname(name).toLowerCase()))
    .sort()
    .map((name) => ({ path: join(folder, name), speaker: basename(dirname(join(folder, name))) }));
  if (found.length > 0) return found;
  throw new ConfigError(`Expected videos in ${folder} (${videos.join(' ')}), found none`);
}

const grid = {
  command: { b: 'bin', l: 'lay', p: 'place', s: 'set' },
  colour: { b: 'blue', g: 'green', r: 'red', w: 'white' },
  preposition: { a: 'at', b: 'by', i: 'in', w: 'with' },
  digit: {
    z: 'zero',
    1: 'one',
    2: 'two',
    3: 'three',
    4: 'four',
    5: 'five',
    6: 'six',
    7: 'seven',
    8: 'eight',
    9: 'nine',
  },
  adverb: { a: 'again', n: 'now', p: 'please', s: 'soon' },
} as const;

/** The six words of a clip of the GRID corpus by its name, `bbaf2n`; null for another name. Letters are `letter-f`. */
export function gridWords(name: string): string[] | null {
  const code = /(?:^|_)([blps])([bgrw])([abiw])([a-z])([z1-9])([anps])$/.exec(name);
  if (code === null) return null;
  const [, command, colour, preposition, letter, digit, adverb] = code;
  const at = <T extends object>(table: T, key: string | undefined): string => String(table[key as keyof T]);
  return [
    at(grid.command, command),
    at(grid.colour, colour),
    at(grid.preposition, preposition),
    `letter-${letter}`,
    at(grid.digit, digit),
    at(grid.adverb, adverb),
  ];
}

/** How letters are called, by whom says `zed` too. */
export function addLetters(dictionary: PronunciationDictionary): PronunciationDictionary {
  for (const letter of 'bcdefghijklmnopqrstuvxyz') {
    for (const way of dictionary.ways(`${letter}.`)) dictionary.add(`letter-${letter}`, way);
  }
  return dictionary.add('letter-a', ['EY']).add('letter-z', ['Z', 'EH', 'D']);
}

/** The words of a video: `NAME.txt` beside it, or GRID's by its name; null where nobody tells. */
export function wordsOf(path: string): string[] | null {
  const name = path.slice(0, -extname(path).length);
  if (existsSync(`${name}.txt`)) {
    return (
      readFileSync(`${name}.txt`, 'utf8')
        .toLowerCase()
        .match(/[\p{L}']+/gu) ?? null
    );
  }
  return gridWords(basename(name).toLowerCase());
}

/** Reads videos as examples, one by one. */
export class ClipReader {
  readonly #dictionary: PronunciationDictionary;

  private constructor(readonly analyser: FaceAnalyser) {
    this.#dictionary = addLetters(PronunciationDictionary.load());
  }

  static async load(): Promise<ClipReader> {
    return new ClipReader(await FaceAnalyser.load());
  }

  /**
   * @param note - told of words that were not found, which leaves a clip without sounds
   * @throws DataError for a video without sound, or with no face in more than a tenth of its frames
   */
  async read({ path, speaker }: RealVideo, note: (text: string) => void): Promise<VoiceClip> {
    const { samples } = await readAudio(path, { rate: voiceRate });
    const seen = await this.#watch(path);
    const words = wordsOf(path);
    let sounds: VoiceClip['sounds'] = null;
    try {
      if (words !== null) sounds = await alignWords(samples, words, { dictionary: this.#dictionary });
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      note(`${path}: ${factOf(error)}`);
    }
    return { id: basename(path), speaker, samples, sounds, alphabet: 'arpabet', seen };
  }

  async #watch(path: string): Promise<SeenMouth> {
    const fps = (await mediaInfo(path)).video?.fps ?? 25;
    const tracker = this.analyser.follow({ rate: fps, smooth: false });
    const [opening, width]: [number[], number[]] = [[], []];
    let missing = 0;
    for await (const frame of readFrames(path, { fps })) {
      const [face] = tracker.next([frame]);
      if (face) {
        opening.push(lipGap(face.landmarks) / face.interOcular);
        width.push(between(face.landmarks, 48, 54) / face.interOcular);
        continue;
      }
      missing++;
      opening.push(opening.at(-1) ?? 0);
      width.push(width.at(-1) ?? 0);
    }
    if (missing > opening.length / 10)
      throw new DataError(`${path}: no face in ${missing} of ${opening.length} frames; a clip of one face is needed`);
    return { fps, opening: Float32Array.from(opening), width: Float32Array.from(width) };
  }
}

function lipGap(landmarks: Float32Array): number {
  const pairs: [number, number][] = [
    [61, 67],
    [62, 66],
    [63, 65],
  ];
  return pairs.reduce((sum, [a, b]) => sum + between(landmarks, a, b) / 3, 0);
}

function between(landmarks: Float32Array, a: number, b: number): number {
  return Math.hypot(landmarks[2 * a]! - landmarks[2 * b]!, landmarks[2 * a + 1]! - landmarks[2 * b + 1]!);
}

/** Whether an error is a clip's own, so that the others can go on. */
export function isOfClip(error: unknown): error is HeadraceError {
  return error instanceof DataError;
}
