/** Clips to learn from, in one file: sound, the sounds that are spoken and when, and where a camera looked, the mouth. */
import {
  isList,
  isNumber,
  isObject,
  isText,
  isWhole,
  loadSafetensors,
  orNull,
  saveSafetensors,
} from '../../io/index.js';
import { DataError, scope, tensor } from '../../torch/index.js';
import type { TimedSound } from './coarticulation.js';
import type { SoundAlphabet } from './visemes.js';

/** A mouth that a camera saw. */
export interface SeenMouth {
  /** Frames a second; frame `i` is of the time `i / fps`. */
  readonly fps: number;
  /** Between the lips, in distances of the eyes, a frame each. */
  readonly opening: Float32Array;
  /** From corner to corner, likewise. */
  readonly width: Float32Array;
}

export interface VoiceClip {
  readonly id: string;
  /** A synthesiser's voice, or a person. */
  readonly speaker: string;
  /** 16 kHz, mono. */
  readonly samples: Float32Array;
  /** What is said and when; null where that is not known. */
  readonly sounds: readonly TimedSound[] | null;
  readonly alphabet: SoundAlphabet;
  /** Null where no camera looked. */
  readonly seen: SeenMouth | null;
}

interface Entry {
  readonly id: string;
  readonly speaker: string;
  readonly samples: number;
  readonly frames: number;
  readonly fps: number;
  readonly alphabet: string;
  readonly sounds: [string, number, number][] | null;
}

const isEntries = isList(
  isObject({
    id: isText,
    speaker: isText,
    samples: isWhole(0),
    frames: isWhole(0),
    fps: isNumber,
    alphabet: isText,
    sounds: orNull(isList(isList((value, path) => (typeof value === 'object' ? [path] : [])))),
  }),
);

const FORMAT = 'headrace-voice-clips-1';

/** Writes clips into one file, their samples as 16 bits. */
export function saveClips(path: string, clips: readonly VoiceClip[]): void {
  const entries = clips.map(({ id, speaker, samples, sounds, alphabet, seen }): Entry => {
    return {
      id,
      speaker,
      samples: samples.length,
      frames: seen?.opening.length ?? 0,
      fps: seen?.fps ?? 0,
      alphabet,
      sounds: sounds?.map(({ sound, start, end }) => [sound, start, end]) ?? null,
    };
  });
  const sound = Int16Array.from(joined(clips.map(({ samples }) => samples)), (sample) =>
    Math.round(32767 * Math.min(1, Math.max(-1, sample))),
  );
  const seen = joined(clips.flatMap((clip) => (clip.seen ? [clip.seen.opening, clip.seen.width] : [])));
  scope(() => {
    const tensors: [string, ReturnType<typeof tensor>][] = [['samples', tensor(sound)]];
    if (seen.length > 0) tensors.push(['seen', tensor(seen)]);
    saveSafetensors(path, tensors, { format: FORMAT, clips: JSON.stringify(entries) });
  });
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** @throws DataError for a file that {@link saveClips} has not written */
export function loadClips(path: string): VoiceClip[] {
  return scope(() => {
    const { tensors, metadata } = loadSafetensors(path);
    const [samples, seen] = [tensors.get('samples'), tensors.get('seen')];
    const entries = metadata.format === FORMAT ? (JSON.parse(metadata.clips ?? 'null') as Entry[]) : null;
    if (samples === undefined || isEntries(entries, 'clips').length > 0)
      throw new DataError(
        `Expected ${path} to hold clips of voices (format ${FORMAT}); remove it to have it made again`,
      );
    const sound = Float32Array.from(samples.data() as Int16Array, (value) => value / 32767);
    const mouths = seen === undefined ? new Float32Array(0) : (seen.data() as Float32Array).slice();
    let [at, mouth] = [0, 0];
    return entries!.map((entry): VoiceClip => {
      const { frames, fps } = entry;
      const clip = {
        id: entry.id,
        speaker: entry.speaker,
        samples: sound.subarray(at, at + entry.samples),
        sounds: entry.sounds?.map(([name, start, end]) => ({ sound: name, start, end })) ?? null,
        alphabet: entry.alphabet as SoundAlphabet,
        seen:
          frames === 0
            ? null
            : {
                fps,
                opening: mouths.subarray(mouth, mouth + frames),
                width: mouths.subarray(mouth + frames, mouth + 2 * frames),
              },
      };
      at += entry.samples;
      mouth += 2 * frames;
      return clip;
    });
  });
}
