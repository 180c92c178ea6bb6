/** Makes the clips that a configuration learns from, once: a file for each voice and each video, so that it can be broken off. */
import { existsSync, mkdirSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { factOf } from '../../media/truncated.js';
import { Chance } from '../training/chance.js';
import { PronunciationDictionary } from './align.js';
import { loadClips, saveClips, type VoiceClip } from './clip-store.js';
import type { VoiceConfig, VoiceSource } from './config.js';
import { ClipReader, isOfClip, listVideos } from './real-clips.js';
import { synthesise } from './synthesisers.js';
import { randomTexts } from './texts.js';

/** What a voice model is trained and tested with. */
export interface VoiceData {
  readonly synthetic: readonly VoiceClip[];
  readonly real: readonly VoiceClip[];
  /** Of voices that are neither learnt from nor tested. */
  readonly validation: readonly VoiceClip[];
  readonly testSynthetic: readonly VoiceClip[];
  readonly testReal: readonly VoiceClip[];
}

export interface VoiceDataOptions {
  /** Where the clips are kept, and found the next time. */
  readonly folder: string;
  /** Videos of people who speak, FOLDER/SPEAKER/NAME.mpg; null for none. */
  readonly clips: string | null;
  readonly onProgress?: (done: number, all: number, what: string) => void;
  readonly note?: (text: string) => void;
  readonly shouldStop?: () => boolean;
}

/** @returns null where it was asked to stop; what is made by then stays @throws HeadraceError for a missing synthesiser */
export async function prepareVoiceData(config: VoiceConfig, options: VoiceDataOptions): Promise<VoiceData | null> {
  const { folder, clips, onProgress, shouldStop } = options;
  mkdirSync(folder, { recursive: true });
  const videos = clips === null ? [] : listVideos(clips);
  const { voices, validationVoices, testVoices } = config;
  const jobs = voices.length + validationVoices.length + testVoices.length + videos.length;
  let done = 0;
  const each = async <T>(
    items: readonly T[],
    name: (item: T) => string,
    make: (item: T) => Promise<VoiceClip[]>,
  ): Promise<VoiceClip[] | null> => {
    const all: VoiceClip[] = [];
    for (const item of items) {
      if (shouldStop?.()) return null;
      onProgress?.(done++, jobs, name(item));
      const path = join(folder, `${name(item)}.safetensors`);
      if (!existsSync(path)) saveClips(path, await make(item));
      all.push(...loadClips(path));
    }
    return all;
  };
  const dictionary = PronunciationDictionary.load();
  const named = ({ voice, texts }: VoiceSource): string =>
    `${voice.replaceAll(/[^\w+-]/g, '-')}-${texts}-${config.seed}`;
  const spoken = (source: VoiceSource): Promise<VoiceClip[]> => speakTexts(source, dictionary, config.seed);
  const synthetic = await each(voices, named, spoken);
  const validation = synthetic && (await each(validationVoices, named, spoken));
  const testSynthetic = validation && (await each(testVoices, named, spoken));
  let reader: ClipReader | null = null;
  const watched =
    testSynthetic &&
    (await each(
      videos,
      ({ path, speaker }) => `real-${speaker}-${basename(path, extname(path))}`,
      async (video) => {
        reader ??= await ClipReader.load();
        try {
          return [await reader.read(video, options.note ?? (() => {}))];
        } catch (error) {
          if (!isOfClip(error)) throw error;
          options.note?.(`left out: ${factOf(error)}`);
          return [];
        }
      },
    ));
  if (synthetic === null || validation === null || testSynthetic === null || watched === null) return null;
  const isTest = ({ speaker }: VoiceClip): boolean => config.testSpeakers.includes(speaker);
  return {
    synthetic,
    validation,
    testSynthetic,
    real: watched.filter((clip) => !isTest(clip)),
    testReal: watched.filter(isTest),
  };
}

/** Texts that are spoken alike, in speed and pitch. */
const GROUP = 20;

async function speakTexts(
  source: VoiceSource,
  dictionary: PronunciationDictionary,
  seed: number,
): Promise<VoiceClip[]> {
  const { voice, texts } = source;
  const key = [...voice].reduce((sum, letter) => Math.imul(sum, 31) + letter.charCodeAt(0), seed);
  const chance = new Chance(key);
  const all = randomTexts(dictionary.words(), texts, chance);
  const clips: VoiceClip[] = [];
  for (let from = 0; from < texts; from += GROUP) {
    const options = { stretch: chance.between(0.8, 1.25), pitch: chance.between(0.75, 1.4) };
    for (const { samples, sounds, alphabet } of await synthesise(voice, all.slice(from, from + GROUP), options)) {
      clips.push({ id: `${voice}-${clips.length}`, speaker: voice, samples, sounds, alphabet, seen: null });
    }
  }
  return clips;
}
