/** How well a voice model moves a mouth: against exact mouths of synthesisers, and against mouths that a camera saw. */
import type { VoiceClip } from './clip-store.js';
import { type Condition, under } from './conditions.js';
import { seenAt, targetsAt } from './examples.js';
import { correlation, eyeDistance, loudest, opening, partialCorrelation } from './measures.js';
import { voiceRate } from './mel-stream.js';
import { movesOf } from './mouth.js';
import { stepOutputs } from './network.js';
import { type visemes, visemesOf } from './visemes.js';
import type { VoiceModel } from './voice-model.js';

/** A mouth that somebody made of a sound: `fps` frames a second, frame `i` of the time `i / fps`. */
export interface MouthCurve {
  /** cm between the lips. */
  readonly opening: Float64Array;
}

/** Makes a mouth of a sound: the model, or one to compare it with. */
export type MouthMaker = (samples: Float32Array, fps: number) => Float64Array;

export function modelOpening(model: VoiceModel): MouthMaker {
  return (samples, fps) => {
    const stream = model.stream(fps);
    const frames = [...stream.push(samples), ...stream.end()];
    return Float64Array.from(frames, ({ mouth }) => opening(movesOf(mouth)));
  };
}

/** The control: the more energy within 60 ms, the wider; in nats. */
export const loudnessOpening: MouthMaker = (samples, fps) => {
  const count = Math.round((samples.length * fps) / voiceRate);
  return Float64Array.from({ length: count }, (_, i) => {
    const middle = Math.round((i * voiceRate) / fps);
    let [sum, taken] = [0, 0];
    for (let at = Math.max(0, middle - 480); at < Math.min(samples.length, middle + 480); at++, taken++) {
      sum += samples[at]! ** 2;
    }
    return Math.log(sum / Math.max(1, taken) + 1e-7);
  });
};

/** Means over clips. */
export interface ExactScores {
  readonly clips: number;
  /** Of the opening with the exact one, and of the loudness with it. */
  readonly r: number;
  readonly loudness: number;
  /** Of the lips' closures, how many are made. */
  readonly closed: number;
  readonly bilabials: number;
  /** Frames of 25 a second by which the mouth is late, at most agreement over all. */
  readonly offset: number;
  /** cm between the lips where nothing is said, and where something is. */
  readonly silent: number;
  readonly spoken: number;
}

/** Frames a second at which mouths are compared. */
const RATE = 50;
/** cm: lips nearer than this are taken to touch; those of the mean face at rest are 0.1 apart within. */
const TOUCH = 0.05;

/** @param condition - under which the clips are heard */
export function assessExact(make: MouthMaker, clips: readonly VoiceClip[], condition: Condition): ExactScores {
  const rows = clips.map((clip, i) => exactRow(make, clip, condition, i));
  const mean = (of: (row: (typeof rows)[number]) => number): number => average(rows.map(of));
  const [closed, bilabials] = [sum(rows.map((row) => row.closed)), sum(rows.map((row) => row.bilabials))];
  const lags = rows[0]?.lags.map((_, lag) => mean((row) => row.lags[lag]!)) ?? [];
  return {
    clips: clips.length,
    r: mean((row) => row.r),
    loudness: mean((row) => row.loudness),
    closed: closed / Math.max(1, bilabials),
    bilabials,
    offset: bestLag(lags) * (25 / RATE),
    silent: mean((row) => row.silent),
    spoken: mean((row) => row.spoken),
  };
}

function exactRow(make: MouthMaker, clip: VoiceClip, condition: Condition, seed: number) {
  const { samples, original } = under(condition, clip.samples, seed);
  const ours = make(samples, RATE);
  const loud = loudnessOpening(samples, RATE);
  const times = Array.from(ours, (_, i) => original(i / RATE));
  const { targets, speech } = targetsAt(clip, times);
  const exact = Float64Array.from(times, (_, i) => opening(targets, i * stepOutputs));
  const silent = ours.filter((_, i) => speech[i]! < 0.02);
  const spoken = ours.filter((_, i) => speech[i]! > 0.5);
  return {
    r: correlation(ours, exact),
    loudness: correlation(loud, exact),
    lags: lagCorrelations(ours, exact),
    silent: silent.length === 0 ? 0 : average([...silent]),
    spoken: average([...spoken]),
    ...closures(clip, ours, times),
  };
}

/** How many m, b, p there are, and for how many the lips touch between 30 ms before and 20 ms after. */
function closures(
  clip: VoiceClip,
  ours: Float64Array,
  times: readonly number[],
): { closed: number; bilabials: number } {
  let [closed, bilabials] = [0, 0];
  for (const { sound, start, end } of clip.sounds ?? []) {
    if (!visemesOf(sound, clip.alphabet).some((name) => isSeal(name))) continue;
    const within = ours.filter((_, i) => times[i]! >= start - 0.03 && times[i]! <= end + 0.02);
    if (within.length === 0) continue;
    bilabials++;
    if (Math.min(...within) <= TOUCH) closed++;
  }
  return { closed, bilabials };
}

function isSeal(name: keyof typeof visemes): boolean {
  return name === 'closed';
}

/** Means over clips, within speech. */
export interface SeenScores {
  readonly clips: number;
  /** Of the opening with the one that the camera saw; beyond what loudness says of both; and of the loudness. */
  readonly r: number;
  readonly partial: number;
  readonly loudness: number;
  /** Frames of the camera by which the mouth is late, at most agreement over all clips. */
  readonly offset: number;
  /** cm between the lips on average, ours, and the camera's beyond what it sees of the lips when they are nearest. */
  readonly open: number;
  readonly seenOpen: number;
  readonly each: readonly {
    readonly id: string;
    readonly r: number;
    readonly partial: number;
    readonly loudness: number;
  }[];
}

/** Against mouths that a camera saw; clips without one are left out. */
export function assessSeen(make: MouthMaker, clips: readonly VoiceClip[], condition: Condition = 'clean'): SeenScores {
  const rows = clips.filter(({ seen }) => seen !== null).map((clip, i) => seenRow(make, clip, condition, i));
  const mean = (of: (row: (typeof rows)[number]) => number): number => average(rows.map(of));
  const lags = rows[0]?.lags.map((_, lag) => mean((row) => row.lags[lag]!)) ?? [];
  return {
    clips: rows.length,
    r: mean((row) => row.r),
    partial: mean((row) => row.partial),
    loudness: mean((row) => row.loudness),
    offset: bestLag(lags),
    open: mean((row) => row.open),
    seenOpen: mean((row) => row.seenOpen),
    each: rows.map(({ id, r, partial, loudness }) => ({ id, r, partial, loudness })),
  };
}

function seenRow(make: MouthMaker, clip: VoiceClip, condition: Condition, seed: number) {
  const { fps, opening: seen } = clip.seen!;
  const { samples, original } = under(condition, clip.samples, seed);
  const all = make(samples, fps);
  const loud = loudnessOpening(samples, fps);
  const times = Array.from(all, (_, i) => original(i / fps));
  const camera = Float64Array.from(times, (time) => seenAt(seen, fps, time));
  const spoken = clip.sounds === null ? loudest(loud) : [...targetsAt(clip, times).speech].map((value) => value > 0.5);
  const end = (seen.length - 1) / fps;
  const within = (values: Float64Array): Float64Array =>
    values.filter((_, i) => spoken[i] && times[i]! >= 0 && times[i]! <= end);
  const [ours, truth, energy] = [within(all), within(camera), within(loud)];
  return {
    id: `${clip.speaker}/${clip.id}`,
    r: correlation(ours, truth),
    partial: partialCorrelation(ours, truth, energy),
    loudness: correlation(energy, truth),
    open: average([...ours]),
    seenOpen: eyeDistance * (average([...truth]) - least(seen)),
    lags: lagCorrelations(all, camera),
  };
}

/** What the lowest of values come to: all but one in thirty are above. */
function least(values: Float32Array): number {
  return values.toSorted()[Math.floor(values.length / 30)] ?? 0;
}

const LAGS = 8;

/** Correlations with the truth of the mouth as it is `lag` frames later, for lags from -8 to 8. */
function lagCorrelations(ours: Float64Array, truth: Float64Array): number[] {
  return Array.from({ length: 2 * LAGS + 1 }, (_, i) => {
    const lag = i - LAGS;
    const from = Math.max(0, -lag);
    const to = Math.min(truth.length, ours.length - lag);
    return correlation(ours.subarray(from + lag, to + lag), truth.subarray(from, to));
  });
}

function bestLag(correlations: readonly number[]): number {
  return correlations.indexOf(Math.max(...correlations)) - LAGS;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Of those that are numbers. */
function average(values: readonly number[]): number {
  const numbers = values.filter((value) => !Number.isNaN(value));
  return sum(numbers) / Math.max(1, numbers.length);
}
