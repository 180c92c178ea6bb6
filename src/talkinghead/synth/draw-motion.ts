/** What synthetic people do: expressions, looks and turns of the head, by seed. */
import { type ExpressionName, expressionNames } from '../../media/index.js';
import { arkitCount, arkitIndex, type EyeAngles } from '../face/index.js';
import { emotionWeights, Performer, type SpeechFrame } from '../motion/index.js';
import type { HeadTurn } from '../render/index.js';
import { smoothstep } from './noise.js';
import { Random } from './random.js';

/** What is shown, as labels have it. */
export interface Feeling {
  readonly emotion: ExpressionName;
  /** 0 to 1. */
  readonly strength: number;
}

export interface DrawnMotion {
  readonly weights: Float32Array;
  readonly pose: Required<HeadTurn>;
  readonly position: readonly [number, number, number];
  readonly gaze: EyeAngles;
}

const limited = (value: number, most: number): number => Math.min(Math.max(value, -most), most);

export function drawFeeling(seed: number): Feeling {
  const random = new Random(seed, 'feeling');
  const emotion = random.pick(expressionNames);
  return { emotion, strength: emotion === 'neutral' ? 0 : Math.round(random.uniform(400, 1000)) / 1000 };
}

const mouthShapes: readonly (readonly [name: string, most: number])[] = [
  ['jawOpen', 0.35],
  ['mouthFunnel', 0.5],
  ['mouthPucker', 0.6],
  ['mouthLowerDownLeft', 0.3],
  ['mouthUpperUpLeft', 0.2],
  ['mouthStretchLeft', 0.25],
  ['mouthRollLower', 0.2],
];

/** A mouth in the midst of speech: each shape by its own number from 0 to 1, both sides alike. */
function mouthOf(level: (k: number) => number): Float32Array {
  const mouth = new Float32Array(arkitCount);
  for (const [k, [name, most]] of mouthShapes.entries()) {
    mouth[arkitIndex(name)] = most * level(k);
    if (name.endsWith('Left')) mouth[arkitIndex(name.replace('Left', 'Right'))] = most * level(k);
  }
  return mouth;
}

function drawPose(random: Random): Required<HeadTurn> {
  return {
    yaw: limited(random.normal(0, 15), 35),
    pitch: limited(random.normal(0, 6), 16),
    roll: limited(random.normal(0, 5), 15),
  };
}

/** One instant: for stills. */
export function drawInstant(seed: number, { emotion, strength }: Feeling): DrawnMotion {
  const random = new Random(seed, 'instant');
  const weights = emotionWeights[emotion].map((weight) => weight * strength);
  if (random.chance(0.35)) {
    const levels = mouthShapes.map(() => random.uniform() ** 2);
    const mouth = mouthOf((k) => levels[k]!);
    for (let k = 0; k < arkitCount; k++) weights[k] = Math.min(1, weights[k]! + mouth[k]!);
  }
  if (random.chance(0.06))
    for (const name of ['eyeBlinkLeft', 'eyeBlinkRight']) weights[arkitIndex(name)] = random.uniform(0.3, 1);
  const pose = drawPose(random);
  const free = random.chance(0.4);
  const gaze = free
    ? { yaw: limited(random.normal(0, 9), 22), pitch: limited(random.normal(0, 5), 12) }
    : { yaw: limited(-0.7 * pose.yaw, 22), pitch: limited(-0.7 * pose.pitch, 12) };
  return { weights, pose, gaze, position: [random.normal(0, 0.5), random.normal(0, 0.4), 0] };
}

/** Something like speech, without sound: a mouth that opens and closes four times a second, with pauses. */
function* babble(random: Random, fps: number): Generator<SpeechFrame> {
  const phases = mouthShapes.map(() => [random.uniform(0, 6.3), random.uniform(0.7, 1.4)] as const);
  const [pause, syllables] = [random.uniform(0, 6.3), random.uniform(3.2, 4.6)];
  for (let i = 0; ; i++) {
    const time = i / fps;
    const voiced = smoothstep(-0.6, -0.2, Math.sin(pause + 1.9 * time));
    const mouth = mouthOf((k) => {
      const [phase, rate] = phases[k]!;
      return voiced * Math.max(0, 0.4 + 0.6 * Math.sin(phase + 2 * Math.PI * syllables * rate * 0.5 * time));
    });
    const beat = Math.sin(2 * Math.PI * syllables * time);
    yield { mouth, closure: voiced * smoothstep(0.9, 1, -beat), energy: voiced * (0.5 + 0.5 * beat), stress: 0 };
  }
}

/**
 * A performance of any length: the head moves from one pose to another and back, idly.
 * @param words - what is said; by default half of the people babble
 */
export function* drawPerformance(
  seed: number,
  { emotion, strength }: Feeling,
  fps: number,
  words?: Iterable<SpeechFrame>,
): Generator<DrawnMotion> {
  const random = new Random(seed, 'performance');
  const performer = new Performer({ fps, seed, emotion: `${emotion}:${strength}` });
  const babbles = random.chance(0.5) ? babble(random, fps) : null;
  const speech = words === undefined ? babbles : words[Symbol.iterator]();
  const [from, to] = [drawPose(random), drawPose(random)];
  const seconds = random.uniform(2.5, 6);
  for (let i = 0; ; i++) {
    const said = (speech?.next().value as SpeechFrame | undefined) ?? null;
    const { weights, pose, position = [0, 0, 0], gaze } = performer.next(said);
    const share = 0.5 - 0.5 * Math.cos((Math.PI * i) / fps / seconds);
    const along = (axis: 'yaw' | 'pitch' | 'roll'): number => from[axis] + share * (to[axis] - from[axis]) + pose[axis];
    yield {
      weights,
      pose: { yaw: along('yaw'), pitch: along('pitch'), roll: along('roll') },
      position,
      gaze: gaze ?? { yaw: 0, pitch: 0 },
    };
  }
}
