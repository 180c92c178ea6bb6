/** Speech whose sounds and times are known: what a synthesiser tells, or words that were aligned. */
import { ConfigError, checkOptions } from '../../torch/index.js';
import type { SpeechFrame } from '../motion/index.js';
import { mouthPath, pathRate, shapeLead, type TimedSound } from './coarticulation.js';
import { mouthWeights } from './mouth.js';
import { isVowel, mouthMoves, type SoundAlphabet, visemesOf } from './visemes.js';

export interface PhonemeSpeechOptions {
  /** Frames a second. */
  readonly fps: number;
  /** `arpabet` (CMU's, flite's, festival's), by default, or `ipa` (espeak-ng's). */
  readonly alphabet?: SoundAlphabet;
  /** Seconds of the sound; by default to the end of the last one. */
  readonly duration?: number;
}

/** Seconds of a vowel over which a stress rises and falls. */
const STRESS = 0.08;

/**
 * What a mouth does for sounds at their times: `round(duration * fps)` frames, frame `i` of the time `i / fps`. A vowel is stressed where
 * its sound says so: `AH1`, or `ˈa`.
 * @param sounds - in their order; between them is silence
 * @throws ConfigError for sounds that the alphabet has not, times out of order, or options that cannot be
 */
export function speechFromPhonemes(sounds: readonly TimedSound[], options: PhonemeSpeechOptions): SpeechFrame[] {
  checkOptions('speechFromPhonemes', options, ['fps', 'alphabet', 'duration']);
  const { fps, alphabet = 'arpabet', duration = sounds.at(-1)?.end ?? 0 } = options;
  if (!(fps > 0 && fps <= 1000)) throw new ConfigError(`speechFromPhonemes: expected fps above 0, got ${fps}`);
  if (!(duration >= 0 && Number.isFinite(duration)))
    throw new ConfigError(`speechFromPhonemes: expected a duration of 0 or more seconds, got ${duration}`);
  const path = mouthPath(sounds, alphabet, duration);
  const stressed = sounds.filter(({ sound }) => /1$|^ˈ/.test(sound) && visemesOf(sound, alphabet).some(isVowel));
  return Array.from({ length: Math.round(duration * fps) }, (_, frame) => {
    const time = frame / fps;
    const at = Math.min(path.length - 1, Math.round((time + shapeLead) * pathRate));
    const closure = path.closure[at]!;
    const stress = stressed.reduce((most, { start, end }) => {
      return Math.max(most, Math.exp(-0.5 * ((time - (start + end) / 2) / STRESS) ** 2));
    }, 0);
    // The path's shapes are closed where lips meet already.
    const mouth = mouthWeights(path.shapes, at * mouthMoves.length, 0);
    return { mouth, closure, energy: path.speech[at]!, stress };
  });
}
