/** The conditions that a voice model is tested under: each changes the sound, and tells what became of its times. */

import { Chance } from '../training/chance.js';
import { addNoise, telephone } from './augment.js';
import { voiceRate } from './mel-stream.js';

/** Sound as it is heard under a condition. */
export interface Changed {
  readonly samples: Float32Array;
  /** What is heard at a time, in seconds of the sound as it was. */
  readonly original: (time: number) => number;
}

export type Condition = 'clean' | '8 kHz' | 'noise 10 dB' | 'quiet' | 'singing';

export const conditions: readonly Condition[] = ['clean', '8 kHz', 'noise 10 dB', 'quiet', 'singing'];

const same = (time: number): number => time;

/** @param seed - of the noise and the notes */
export function under(condition: Condition, samples: Float32Array, seed: number): Changed {
  const chance = new Chance(seed);
  switch (condition) {
    case '8 kHz':
      return { samples: telephone(samples, 3800, true), original: same };
    case 'noise 10 dB': {
      const noisy = samples.slice();
      addNoise(noisy, pinkish(samples.length, chance), 10);
      return { samples: noisy, original: same };
    }
    case 'quiet':
      return { samples: samples.map((sample) => sample / 16), original: same };
    case 'singing':
      return sung(samples, chance);
    default:
      return { samples, original: same };
  }
}

/** Noise as of a street: white and low noise together. */
function pinkish(length: number, chance: Chance): Float32Array {
  let low = 0;
  return Float32Array.from({ length }, () => {
    low = 0.95 * low + chance.bell();
    return 0.5 * chance.bell() + low;
  });
}

/** Half-tones of a scale, and seconds of a note. */
const scale = [-3, -1, 0, 2, 4];
const NOTE = 0.35;

/** Notes of a scale with vibrato: pitch, formants and speed move together, as a tape's do. */
function sung(samples: Float32Array, chance: Chance): Changed {
  const places: number[] = [];
  let note = 0;
  let place = 0;
  for (let i = 0; place < samples.length - 1; i++) {
    if (i % Math.round(NOTE * voiceRate) === 0) note = chance.pick(scale);
    const vibrato = 1 + 0.03 * Math.sin((2 * Math.PI * 5.5 * i) / voiceRate);
    places.push(place);
    place += 2 ** (note / 12) * vibrato;
  }
  const out = Float32Array.from(places, (at) => {
    const before = Math.floor(at);
    return samples[before]! + (at - before) * ((samples[before + 1] ?? 0) - samples[before]!);
  });
  const original = (time: number): number => {
    const at = Math.min(places.length - 1, Math.max(0, Math.round(time * voiceRate)));
    return places[at]! / voiceRate + Math.min(0, time) + Math.max(0, time - (places.length - 1) / voiceRate);
  };
  return { samples: out, original };
}
