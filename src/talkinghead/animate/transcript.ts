/** Speech whose words, or sounds, are known: mouths move at the times at which they are said. */
import { type Audio, readAudio, resample } from '../../media/index.js';
import { ConfigError, DataError } from '../../torch/index.js';
import type { SpeechFrame } from '../motion/index.js';
import { requireAligner } from '../voice/align.js';
import {
  alignWords,
  PronunciationDictionary,
  type SoundAlphabet,
  speechFromPhonemes,
  type TimedSound,
  voiceRate,
} from '../voice/index.js';
import { hasProgram, runProgram } from '../voice/programs.js';
import { visemesOf } from '../voice/visemes.js';

/** Sounds and when they are heard, such as `synthesise` tells. */
export interface KnownSounds {
  readonly sounds: readonly TimedSound[];
  /** How the sounds are spelled; `arpabet` by default. */
  readonly alphabet?: SoundAlphabet;
}

/** Seconds: the time that finding words takes grows with the square of it. */
export const longestTranscribed = 300;

/** Share of a sound's energy that may lie where the words leave silence: music and breaths do, words that were left out do not. */
const mostUnsaid = 0.4;

/** The words of a text, in small letters. @throws ConfigError where there is none */
export function wordsIn(text: string): string[] {
  const words = text
    .toLowerCase()
    .replaceAll('’', "'")
    .match(/\p{L}(?:[\p{L}']*\p{L})?|\d+/gu);
  if (words === null)
    throw new ConfigError(`animate: expected transcript as the words that are said, got '${shortened(text.trim())}'`);
  const number = words.find((word) => /^\d/.test(word));
  if (number === undefined) return words;
  throw new ConfigError(`animate: expected the transcript's numbers in words, as they are said, got '${number}'`);
}

/** A frame that was heard, by its number, with the mouth that says known sounds. Loudness, stress and mood stay. */
export type KnownMouths = (heard: SpeechFrame, index: number) => SpeechFrame;

/** @throws DataError, ConfigError for words or sounds that do not fit the speech */
export async function knownMouths(
  speech: string | Audio,
  transcript: string | KnownSounds,
  { fps, allowTruncated = false }: { readonly fps: number; readonly allowTruncated?: boolean | undefined },
): Promise<KnownMouths> {
  const known = typeof transcript === 'string' ? await knownSounds(speech, transcript, allowTruncated) : transcript;
  const { sounds, alphabet = 'arpabet' } = known;
  const said = speechFromPhonemes(sounds, { fps, alphabet });
  return (heard, index) => {
    // After the last sound the mouth rests.
    const { mouth, closure } = said[index] ?? { mouth: new Float32Array(heard.mouth.length), closure: 0 };
    return { ...heard, mouth, closure };
  };
}

/**
 * When the sounds of a transcript are heard.
 * @throws DataError for words that are not those of the sound, HeadraceError where pocketsphinx is missing
 */
export async function knownSounds(
  speech: string | Audio,
  transcript: string,
  allowTruncated: boolean,
): Promise<KnownSounds> {
  const words = wordsIn(transcript);
  requireAligner();
  const dictionary = PronunciationDictionary.load();
  for (const word of new Set(words)) if (!dictionary.has(word)) dictionary.add(word, soundsAsSpelled(word));
  const { samples } = await heardBy(speech, allowTruncated);
  const name = typeof speech === 'string' ? speech : 'animate';
  const seconds = samples.length / voiceRate;
  if (seconds > longestTranscribed) {
    const most = `a transcript of at most ${longestTranscribed} s of sound`;
    throw new ConfigError(
      `${name}: expected ${most}, got one of ${seconds.toFixed(0)} s: animate it in parts, or leave the transcript out`,
    );
  }
  const sounds = await aligned(name, samples, words, dictionary);
  const unsaid = energyInSilence(samples, sounds);
  if (unsaid > mostUnsaid) {
    throw new DataError(
      `${name}: the transcript does not fit: ${(100 * unsaid).toFixed(0)} % of what is heard lies outside of its ${words.length} words, ` +
        `'${shortened(words.join(' '))}'. It must have all that is said, and nothing else`,
    );
  }
  return { sounds };
}

async function aligned(
  name: string,
  samples: Float32Array,
  words: readonly string[],
  dictionary: PronunciationDictionary,
): Promise<TimedSound[]> {
  try {
    return await alignWords(samples, words, { dictionary });
  } catch (cause) {
    if (cause instanceof DataError) throw new DataError(`${name}: ${cause.message}`, { cause });
    throw cause;
  }
}

/** How flite reads a word that no dictionary has, a name say. @throws DataError where it is not there, or does not know either */
function soundsAsSpelled(word: string): string[] {
  const read = hasProgram('flite') ? runProgram('flite', ['-ps', '-t', word, 'none']).trim().split(/\s+/) : [];
  const sounds = read
    .filter((sound) => sound !== 'pau' && sound !== '')
    .map((sound) => (sound === 'ax' ? 'AH' : sound.toUpperCase()));
  if (sounds.length > 0) return sounds;
  throw new DataError(
    `animate: nobody tells how the transcript's word '${word}' is spoken: spell it as it sounds, in English (with flite installed, unknown words are read by their letters)`,
  );
}

async function heardBy(speech: string | Audio, allowTruncated: boolean): Promise<Audio> {
  if (typeof speech === 'string') return readAudio(speech, { rate: voiceRate, allowTruncated });
  return { samples: await resample(speech.samples, speech.rate, voiceRate), rate: voiceRate };
}

function energyInSilence(samples: Float32Array, sounds: readonly TimedSound[]): number {
  let [silent, all] = [0, 1e-12];
  for (const sample of samples) all += sample * sample;
  let end = 0;
  const add = (from: number, to: number): void => {
    const last = Math.min(samples.length, Math.round(to * voiceRate));
    for (let i = Math.round(from * voiceRate); i < last; i++) silent += samples[i]! ** 2;
  };
  for (const { sound, start, end: until } of sounds) {
    add(end, start);
    if (visemesOf(sound, 'arpabet')[0] === 'rest') add(start, until);
    end = until;
  }
  add(end, samples.length / voiceRate);
  return silent / all;
}

function shortened(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
