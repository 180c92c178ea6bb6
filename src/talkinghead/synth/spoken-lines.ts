/** Lines for people who do not exist: what is heard, and what their mouths do to say it. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { readAudio } from '../../media/index.js';
import { ConfigError, DataError } from '../../torch/index.js';
import type { SpeechFrame } from '../motion/index.js';
import { Chance } from '../training/chance.js';
import { speechFromPhonemes, synthesise, VoiceModel, voiceRate } from '../voice/index.js';
import { randomTexts, smallWords } from '../voice/texts.js';

export interface SpokenLine {
  /** 16 kHz, mono. */
  readonly samples: Float32Array;
  /** What the mouth does, a frame each. */
  readonly frames: readonly SpeechFrame[];
  /** What is said; null where nobody knows. */
  readonly text: string | null;
  /** A synthesiser's voice, or the file's name. */
  readonly voice: string;
}

const recorded = ['.wav', '.flac', '.mp3', '.m4a', '.ogg', '.opus', '.aac', '.mp4', '.mov', '.mkv', '.webm', '.mpg'];

/** The recordings of a folder, or the one recording. */
function recordingsOf(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  const found = readdirSync(path)
    .filter((name) => recorded.includes(extname(name).toLowerCase()))
    .sort()
    .map((name) => join(path, name));
  if (found.length === 0) throw new ConfigError(`Expected recordings in ${path} (${recorded.join(' ')}), found none`);
  return found;
}

/**
 * What speaks lines: synthesisers' voices, whose sounds and times are exact, and recordings, by the voice model that comes with
 * Headrace. Line `i` follows from the seed and its number alone.
 */
export class LineSource {
  /** Of voices and recordings, all that there are. */
  readonly #ways: readonly ((number: number, fps: number) => Promise<SpokenLine>)[];

  /**
   * @param speech - voices (`flite:slt`, see `synthesise`), recordings, and folders of recordings
   * @throws ConfigError for what is none of them
   */
  constructor(
    private readonly seed: number,
    speech: readonly string[],
  ) {
    this.#ways = speech.flatMap((name) => {
      if (existsSync(name))
        return recordingsOf(name).map((path) => (_: number, fps: number) => recordedLine(path, fps));
      if (/^(flite|festival|espeak):/.test(name)) return [(i: number, fps: number) => this.#spoken(name, i, fps)];
      throw new ConfigError(
        `Expected a synthesiser's voice (flite:slt, festival:NAME, espeak:en-us+f3), a recording or a folder of them, got '${name}'`,
      );
    });
    if (this.#ways.length === 0) throw new ConfigError('Expected a voice or a recording to speak by, got none');
  }

  /** @throws DataError for a recording without sound, HeadraceError for a synthesiser that is missing */
  line(number: number, fps: number): Promise<SpokenLine> {
    return this.#ways[number % this.#ways.length]!(number, fps);
  }

  async #spoken(voice: string, number: number, fps: number): Promise<SpokenLine> {
    const chance = new Chance(this.seed).fork(number);
    const texts = randomTexts(smallWords, 1, chance);
    const options = { stretch: chance.between(0.85, 1.2), pitch: chance.between(0.75, 1.4) };
    const [spoken] = await synthesise(voice, texts, options);
    if (spoken === undefined) throw new DataError(`The voice ${voice} could not say '${texts[0]}'`);
    const { samples, sounds, alphabet, text } = spoken;
    return {
      samples,
      frames: speechFromPhonemes(sounds, { fps, alphabet, duration: samples.length / voiceRate }),
      text,
      voice,
    };
  }
}

async function recordedLine(path: string, fps: number): Promise<SpokenLine> {
  const { samples } = await readAudio(path, { rate: voiceRate });
  const stream = VoiceModel.load().stream(fps);
  return { samples, frames: [...stream.push(samples), ...stream.end()], text: null, voice: basename(path) };
}
