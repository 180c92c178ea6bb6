/** When each sound of known words is heard in a recording: by CMU's pocketsphinx and its English model. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, checkOptions, DataError, HeadraceError } from '../../torch/index.js';
import type { TimedSound } from './coarticulation.js';
import { voiceRate } from './mel-stream.js';
import { hasProgram, runProgram, withFolder } from './programs.js';
import { visemesOf } from './visemes.js';

/** Where Debian's pocketsphinx-en-us lies: the acoustic model `en-us` and the dictionary `cmudict-en-us.dict`. */
export const usualModel = '/usr/share/pocketsphinx/model/en-us';

/** How words are spoken: all the ways of each, in CMU's sounds. */
export class PronunciationDictionary {
  readonly #ways = new Map<string, string[][]>();

  /** @param path - a dictionary of CMU's form: `again AH G EH N`, `again(2) AH G EY N` @throws for a file that cannot be read */
  static load(path = join(usualModel, 'cmudict-en-us.dict')): PronunciationDictionary {
    const dictionary = new PronunciationDictionary();
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      const [word = '', ...sounds] = line.trim().split(/\s+/);
      if (sounds.length > 0) dictionary.add(word.replace(/\(\d+\)$/, ''), sounds);
    }
    return dictionary;
  }

  add(word: string, sounds: readonly string[]): this {
    const key = word.toLowerCase();
    this.#ways.set(key, [...(this.#ways.get(key) ?? []), [...sounds]]);
    return this;
  }

  has(word: string): boolean {
    return this.#ways.has(word.toLowerCase());
  }

  /** @throws DataError for a word that it has not */
  ways(word: string): readonly (readonly string[])[] {
    const ways = this.#ways.get(word.toLowerCase());
    if (ways !== undefined) return ways;
    throw new DataError(`The dictionary has no word '${word}': spell it otherwise, or add it to the dictionary`);
  }

  words(): string[] {
    return [...this.#ways.keys()];
  }
}

/** @throws HeadraceError where pocketsphinx or its English model is missing, which says how to get them */
export function requireAligner(): void {
  if (hasProgram('pocketsphinx_continuous') && existsSync(join(usualModel, 'cmudict-en-us.dict'))) return;
  throw new HeadraceError(
    'The times of words are found by pocketsphinx and its English model, which are not installed; on Debian: ' +
      'apt install pocketsphinx pocketsphinx-en-us',
  );
}

export interface AlignOptions {
  readonly dictionary: PronunciationDictionary;
  /** The acoustic model; Debian's by default. */
  readonly model?: string;
}

/**
 * The sounds of a recording of known English words, and when each is heard. The words must be all that is said.
 * @param samples - 16 kHz, mono
 * @returns CMU's sounds in capitals, `SIL` where nothing is said
 * @throws HeadraceError where pocketsphinx is missing, DataError where it does not find the words in the sound
 */
export async function alignWords(
  samples: Float32Array,
  words: readonly string[],
  options: AlignOptions,
): Promise<TimedSound[]> {
  checkOptions('alignWords', options, ['dictionary', 'model']);
  const { dictionary, model = join(usualModel, 'en-us') } = options;
  if (words.length === 0) throw new ConfigError('alignWords: expected at least one word');
  return withFolder(async (folder) => {
    const path = (name: string): string => join(folder, name);
    const ways = words.map((word) => dictionary.ways(word));
    // Each sound is a word of its own, so that the recogniser tells its times.
    const sounds = [...new Set(ways.flat(2))];
    writeFileSync(path('sounds.dict'), sounds.map((sound) => `${sound} ${sound}\n`).join(''));
    const grammar = ways.map((each) => `( ${each.map((way) => way.join(' ')).join(' | ')} )`).join(' ');
    writeFileSync(path('words.gram'), `#JSGF V1.0;\ngrammar words;\npublic <all> = ${grammar} ;\n`);
    writeFileSync(path('speech.raw'), sixteenBit(samples));
    const settings = { hmm: model, dict: path('sounds.dict'), jsgf: path('words.gram'), infile: path('speech.raw') };
    const fixed = { time: 'yes', bestpath: 'no', fsgusefiller: 'yes', remove_silence: 'no', logfn: '/dev/null' };
    const args = Object.entries({ ...settings, ...fixed }).flatMap(([name, value]) => [`-${name}`, value]);
    return readTimes(runProgram('pocketsphinx_continuous', args), sounds, words, samples.length / voiceRate);
  });
}

function sixteenBit(samples: Float32Array): Buffer {
  const bytes = Buffer.alloc(2 * samples.length);
  samples.forEach((sample, i) => {
    bytes.writeInt16LE(Math.round(32767 * Math.min(1, Math.max(-1, sample))), 2 * i);
  });
  return bytes;
}

/** Lines as `B 0.920 0.980 1.000000`. */
function readTimes(said: string, known: readonly string[], words: readonly string[], duration: number): TimedSound[] {
  const found = [...said.matchAll(/^(\S+) (\d+\.\d+) (\d+\.\d+) \S+$/gm)].map(([, name = '', start, end]) => {
    const sound = known.includes(name.replace(/\(\d+\)$/, '')) ? name.replace(/\(\d+\)$/, '') : 'SIL';
    return { sound, start: Number(start), end: Number(end) };
  });
  if (!found.some(({ sound }) => visemesOf(sound, 'arpabet')[0] !== 'rest')) {
    const text = words.join(' ');
    const shown = text.length > 60 ? `${text.slice(0, 57)}...` : text;
    throw new DataError(
      `The words '${shown}' are not found in the sound of ${duration.toFixed(1)} s: they must be all that is said, in English`,
    );
  }
  // A sound ends where the next begins: pocketsphinx tells of the last frame of 10 ms within it.
  return found.map((each, i) => ({ ...each, end: found[i + 1]?.start ?? Math.min(duration, each.end + 0.01) }));
}
