/** Emotions over time: what is written as `happy:0.7@0-2.5,sad@2.5-`. */
import { type ExpressionName, type Expressions, expressionNames } from '../../media/index.js';
import { ConfigError, nearest } from '../../torch/index.js';
import { rise } from './curves.js';
import { cut, numberFrom, type Piece, pieceOf, secondsFrom, split, wrong } from './plan-text.js';

/** An emotion, or what is heard in the voice. */
export type MoodName = ExpressionName | 'auto';

export interface Mood {
  readonly name: MoodName;
  /** Its strength where its span starts and ends, 0 to 1.5; straight between. */
  readonly strength: readonly [from: number, to: number];
}

/** Moods that are shown together, from `start` to `end`, in seconds. */
export interface EmotionSpan {
  readonly moods: readonly Mood[];
  readonly start: number;
  /** Infinity where it goes on. */
  readonly end: number;
}

export interface EmotionPlan {
  readonly spans: readonly EmotionSpan[];
  /** Seconds that a change takes, half before its time and half after; less where a span is shorter. */
  readonly ramp: number;
}

/** How strong each of the seven is. */
export type EmotionMix = Readonly<Record<ExpressionName, number>>;

const strongest = 1.5;
const usualRamp = 0.5;

const synonyms: Readonly<Record<MoodName, readonly string[]>> = {
  neutral: ['calm', 'none', 'neutrality'],
  happy: ['happiness', 'joy', 'joyful', 'glad', 'cheerful', 'smile', 'smiling', 'hap'],
  sad: ['sadness', 'sorrow', 'unhappy', 'grief', 'sorrowful'],
  angry: ['anger', 'mad', 'furious', 'fury', 'rage', 'ang'],
  fearful: ['fear', 'afraid', 'scared', 'terrified', 'fea'],
  disgusted: ['disgust', 'dis'],
  surprised: ['surprise', 'astonished', 'amazed', 'sur'],
  auto: ['voice', 'heard'],
};
const words = new Map(
  Object.entries(synonyms).flatMap(([name, others]) => [name, ...others].map((word) => [word, name as MoodName])),
);

/**
 * Reads emotions over time.
 *
 * Spans are divided by commas: `MOOD@START-END`, in seconds; without `@` a span is always, `2.5-` goes on to the end and `-2.5`
 * starts with the speech. A mood is a name with a strength, `happy:0.7`; several that are shown together are joined by `+`. A
 * strength of two numbers, `happy:0..1@0-3`, grows. What is not in any span shows the photograph's own expression.
 *
 * @param ramp - seconds that a change takes; 0.5 by default
 * @throws ConfigError that shows the place
 */
export function parseEmotion(text: string, ramp = usualRamp): EmotionPlan {
  if (typeof text !== 'string')
    throw new ConfigError(`parseEmotion: expected a text such as 'happy:0.7', got ${typeof text}`);
  if (!(ramp >= 0 && ramp <= 10))
    throw new ConfigError(`parseEmotion: expected ramp from 0 to 10 seconds, got ${ramp}`);
  return { spans: split(pieceOf(text), ',').map(spanFrom), ramp };
}

function spanFrom(piece: Piece): EmotionSpan {
  const [blend, when] = cut(piece, '@');
  const moods = split(blend, '+').map(moodFrom);
  const [start, end] = when === null ? [0, Number.POSITIVE_INFINITY] : timesFrom(when);
  const growing = moods.some(({ strength: [from, to] }) => from !== to);
  if (growing && end === Number.POSITIVE_INFINITY)
    throw wrong(piece, 'an end for a strength that grows', 'Write it so: happy:0..1@0-3.');
  return { moods, start, end };
}

function timesFrom(piece: Piece): [start: number, end: number] {
  const [from, to] = cut(piece, '-');
  if (to === null) throw wrong(piece, 'a span of time', 'Write 0-2.5, or 2.5- for all that follows.');
  const start = from.text === '' ? 0 : secondsFrom(from);
  const end = to.text === '' ? Number.POSITIVE_INFINITY : secondsFrom(to);
  if (end > start) return [start, end];
  throw wrong(to, `an end after the start at ${start} s`);
}

function moodFrom(piece: Piece): Mood {
  const [word, amount] = cut(piece, ':');
  const name = words.get(word.text.toLowerCase());
  if (name === undefined) throw wrong(word, `an emotion, one of ${expressionNames.join(', ')}, or auto`, advice(word));
  if (amount === null) return { name, strength: [1, 1] };
  const [from, to] = cut(amount, '..');
  const read = (part: Piece): number => numberFrom(part, `the strength of ${name}`, 0, strongest);
  return { name, strength: [read(from), read(to ?? from)] };
}

function advice({ text }: Piece): string {
  if (/\.(csv|json)$/i.test(text)) return 'A track is read by MotionTrack.load.';
  if (/\.\w{2,4}$/.test(text)) return 'What a face in a video shows is read by trackMotion.';
  const near = nearest(text, [...words.keys()]);
  return near === null ? '' : `Did you mean ${near}?`;
}

/**
 * How strong each emotion is at a time. Spans that overlap add up; where the strengths come to more than 1, and more than the
 * strongest alone, they are made less by one factor until they do not.
 * @param heard - for `auto`; its share of neutral shows the photograph's own expression
 */
export function emotionMix(plan: EmotionPlan, time: number, heard: Expressions | null = null): EmotionMix {
  const strengths = new Map<MoodName, number>();
  for (const span of plan.spans) {
    const shown = presence(plan, span, time);
    if (shown === 0) continue;
    const way = span.end === Number.POSITIVE_INFINITY ? 0 : (time - span.start) / (span.end - span.start);
    for (const { name, strength } of span.moods) {
      const [from, to] = strength;
      const amount = from + (to - from) * Math.min(1, Math.max(0, way));
      strengths.set(name, (strengths.get(name) ?? 0) + shown * amount);
    }
  }
  const values = [...strengths.values()];
  const total = values.reduce((sum, value) => sum + value, 0);
  const factor = Math.min(1, Math.max(1, ...values) / Math.max(total, 1));
  const auto = (strengths.get('auto') ?? 0) * factor;
  const strengthOf = (name: ExpressionName): number => {
    const named = (strengths.get(name) ?? 0) * factor;
    return name === 'neutral' || heard === null ? named : named + auto * heard[name];
  };
  return Object.fromEntries(expressionNames.map((name) => [name, strengthOf(name)])) as Record<ExpressionName, number>;
}

/** How much of a span is seen, 0 to 1: it comes and goes about its ends, but for a start at 0, which is there at once. */
function presence(plan: EmotionPlan, { start, end }: EmotionSpan, time: number): number {
  const edge = (at: number): number => {
    const half = rampAt(plan, at) / 2;
    return half === 0 ? Number(time >= at) : rise(time, at - half, at + half);
  };
  const come = start === 0 ? 1 : edge(start);
  return come * (end === Number.POSITIVE_INFINITY ? 1 : 1 - edge(end));
}

/** All that starts or ends at a time does so alike, so that what goes and what comes make 1 together. */
function rampAt({ spans, ramp }: EmotionPlan, at: number): number {
  const lengths = spans.flatMap(({ start, end }) => (start === at || end === at ? [end - start] : []));
  return Math.min(ramp, ...lengths);
}

/** True where what is heard in the voice counts. */
export function needsVoice(plan: EmotionPlan): boolean {
  return plan.spans.some(({ moods }) => moods.some(({ name }) => name === 'auto'));
}
