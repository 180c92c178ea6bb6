/** One recording heard in other ways: other voices, rooms, noises, telephones. Everything by chance, nothing moves in time unnoticed. */
import type { Chance } from '../training/chance.js';
import { voiceRate } from './mel-stream.js';

/** A recording heard in another way. */
export interface Heard {
  readonly samples: Float32Array;
  /** What is heard at a time, in seconds of the recording as it was. */
  readonly original: (time: number) => number;
  /** How much shorter the throat is to be heard: see `MelStream`. */
  readonly warp: number;
}

/** How often each thing happens. */
export interface AugmentOptions {
  /** Most that pitch, formants and speed change together: 0.2 for 20 %. */
  readonly speed: number;
  /** Most that formants alone change, 0.15 for 15 %. */
  readonly warp: number;
  /** Pitch, formants and speed that change from note to note, with vibrato. */
  readonly song: number;
  readonly room: number;
  readonly noise: number;
  readonly telephone: number;
  /** dB up and down. */
  readonly gain: number;
}

export const usualAugmentation: AugmentOptions = {
  speed: 0.2,
  warp: 0.15,
  song: 0.2,
  room: 0.25,
  noise: 0.55,
  telephone: 0.3,
  gain: 20,
};

/** @param babble - other speech, to mix in as noise */
export function augment(
  samples: Float32Array,
  chance: Chance,
  options: AugmentOptions,
  babble: Float32Array | null = null,
): Heard {
  const warp = 2 ** chance.between(Math.log2(1 - options.warp), Math.log2(1 + options.warp));
  const speed = 2 ** chance.between(Math.log2(1 - options.speed), Math.log2(1 + options.speed));
  const moved = atSpeeds(samples, chance.yes(options.song) ? melody(chance, speed) : () => speed);
  const { original } = moved;
  let heard = moved.samples;
  tilt(heard, chance.between(-0.5, 0.5));
  for (let count = chance.below(4); count > 0; count--) {
    colour(heard, 2 ** chance.between(7.5, 12.8), chance.between(-10, 10));
  }
  if (chance.yes(options.room)) heard = inRoom(heard, chance);
  if (chance.yes(options.noise)) {
    const decibels = chance.between(3, 30);
    addNoise(heard, noiseFor(heard.length, chance, babble), decibels);
  }
  if (chance.yes(options.telephone)) heard = telephone(heard, 2 ** chance.between(11.5, 12.7), chance.yes(0.5));
  const gain = 10 ** (chance.between(-options.gain, options.gain / 2) / 20);
  for (let i = 0; i < heard.length; i++) heard[i]! *= gain;
  return { samples: heard, original, warp };
}

/**
 * Plays faster (above 1) or slower; pitch and formants move with it. Cubic between samples.
 * @param speed - at each sample of what is heard
 */
export function atSpeeds(samples: Float32Array, speed: (sample: number) => number): Omit<Heard, 'warp'> {
  const places: number[] = [];
  for (let place = 0; place < samples.length; place += speed(places.length)) places.push(place);
  const at = (i: number): number => samples[i] ?? 0;
  const out = Float32Array.from(places, (place) => {
    const k = Math.floor(place);
    const t = place - k;
    const [a, b, c, d] = [at(k - 1), at(k), at(k + 1), at(k + 2)];
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
  });
  const original = (time: number): number => {
    const sample = Math.min(places.length - 1, Math.max(0, Math.round(time * voiceRate)));
    return places[sample]! / voiceRate + (time - sample / voiceRate) * speed(sample);
  };
  return { samples: out, original };
}

/** Half-tones up and down of a melody. */
const RANGE = 4.5;

/** Speeds of notes around a speed, by chance, each with the same vibrato. */
function melody(chance: Chance, around: number): (sample: number) => number {
  const length = Math.round(chance.between(0.15, 0.7) * voiceRate);
  const turn = (2 * Math.PI * chance.between(4, 7)) / voiceRate;
  const depth = chance.between(0, 0.04);
  const notes: number[] = [];
  return (sample) => {
    const note = Math.floor(sample / length);
    while (notes.length <= note) notes.push(2 ** (chance.between(-RANGE, RANGE) / 12));
    return around * notes[note]! * (1 + depth * Math.sin(turn * sample));
  };
}

/** A microphone that favours high (below 0) or low sounds. */
function tilt(samples: Float32Array, share: number): void {
  let last = 0;
  for (let i = 0; i < samples.length; i++) {
    const sample = samples[i]!;
    samples[i] = sample + share * last;
    last = sample;
  }
}

/** A microphone, or a throat, that has more or less of the sounds around a frequency (a peaking filter an octave wide). */
function colour(samples: Float32Array, hertz: number, decibels: number): void {
  const turn = (2 * Math.PI * hertz) / voiceRate;
  const gain = 10 ** (decibels / 40);
  const alpha = Math.sin(turn) / (2 * 0.9);
  const [b0, b1, b2] = [1 + alpha * gain, -2 * Math.cos(turn), 1 - alpha * gain];
  const [a0, a2] = [1 + alpha / gain, 1 - alpha / gain];
  let [x1, x2, y1, y2] = [0, 0, 0, 0];
  for (let i = 0; i < samples.length; i++) {
    const x = samples[i]!;
    const y = (b0 * x + b1 * x1 + b2 * x2 - b1 * y1 - a2 * y2) / a0;
    [x2, x1, y2, y1] = [x1, x, y1, y];
    samples[i] = y;
  }
}

/** A room: the direct sound and some hundred echoes that fade within 0.15 to 0.6 s. */
export function inRoom(samples: Float32Array, chance: Chance): Float32Array {
  const out = samples.slice();
  const fading = chance.between(0.15, 0.6);
  const strength = chance.between(0.1, 0.4);
  for (let echo = 0; echo < 100; echo++) {
    const seconds = chance.between(0.002, fading);
    const gain = strength * 10 ** ((-3 * seconds) / fading) * (chance.yes(0.5) ? 1 : -1) * chance.next();
    const delay = Math.round(seconds * voiceRate);
    for (let i = delay; i < out.length; i++) out[i]! += gain * samples[i - delay]!;
  }
  return out;
}

/** Hiss, rumble, hum or other people. */
export function noiseFor(length: number, chance: Chance, babble: Float32Array | null): Float32Array {
  const noise = new Float32Array(length);
  const kind = chance.below(babble === null ? 3 : 4);
  if (kind === 3 && babble !== null) {
    const shift = chance.below(babble.length);
    for (let i = 0; i < length; i++) {
      noise[i] = babble[(i + shift) % babble.length]! + babble[(i * 2 + shift) % babble.length]!;
    }
    return noise;
  }
  const memory = kind === 0 ? 0 : chance.between(0.5, 0.98);
  const hum = kind === 2 ? chance.between(40, 200) : 0;
  let last = 0;
  for (let i = 0; i < length; i++) {
    last = memory * last + chance.bell();
    noise[i] = last + (hum === 0 ? 0 : 3 * Math.sin((2 * Math.PI * hum * i) / voiceRate));
  }
  return noise;
}

/** Adds noise so much weaker than the sound. @param decibels - of the sound's mean energy over the noise's */
export function addNoise(samples: Float32Array, noise: Float32Array, decibels: number): void {
  const energy = (x: Float32Array): number => x.reduce((sum, value) => sum + value * value, 0) / x.length;
  const gain = Math.sqrt(energy(samples) / Math.max(1e-12, energy(noise))) * 10 ** (-decibels / 20);
  for (let i = 0; i < samples.length; i++) samples[i]! += gain * noise[i]!;
}

/** Sound without what lies above `cut` Hz, and coarse as a telephone's (mu-law of 8 bits). */
export function telephone(samples: Float32Array, cut: number, coarse: boolean): Float32Array {
  const reach = 32;
  const filter = Float64Array.from({ length: 2 * reach + 1 }, (_, i) => {
    const x = i - reach;
    const wave = x === 0 ? (2 * cut) / voiceRate : Math.sin((2 * Math.PI * cut * x) / voiceRate) / (Math.PI * x);
    return wave * (0.54 + 0.46 * Math.cos((Math.PI * x) / reach));
  });
  const out = new Float32Array(samples.length);
  for (let i = 0; i < out.length; i++) {
    let sum = 0;
    const [from, to] = [Math.max(-reach, -i), Math.min(reach, samples.length - 1 - i)];
    for (let x = from; x <= to; x++) sum += filter[x + reach]! * samples[i + x]!;
    out[i] = coarse ? muLaw(sum) : sum;
  }
  return out;
}

function muLaw(sample: number): number {
  const size = Math.log1p(255 * Math.min(1, Math.abs(sample))) / Math.log1p(255);
  return (Math.sign(sample) * Math.expm1((Math.round(127 * size) / 127) * Math.log1p(255))) / 255;
}
