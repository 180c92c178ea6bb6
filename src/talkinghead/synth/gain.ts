/** How well a face analyser reads what is known exactly. */
import { type ExpressionName, expressionNames, type FaceAnalyser, type HeadPose } from '../../media/index.js';
import { median } from '../../report/index.js';
import { ConfigError, checkOptions } from '../../torch/index.js';
import { emotionWeights } from '../motion/index.js';
import { Random } from './random.js';
import { FaceStage } from './stage.js';
import { SyntheticFace } from './synthetic-face.js';

/** A straight line from what was asked for to what was read, in degrees. */
export interface AxisGain {
  readonly gain: number;
  readonly offset: number;
  /** Median distance of what was read from what was asked for, and from the line. */
  readonly error: number;
  readonly scatter: number;
}

export interface AnalyserGain {
  /** Share of the faces that were found. */
  readonly found: number;
  readonly yaw: AxisGain;
  readonly pitch: AxisGain;
  readonly roll: AxisGain;
  /** Median distance of the landmarks in % of the eyes' distance: all 68, those within the face's outline (17 to 67), and these once the analyser's mean shift is taken off. */
  readonly landmarks: { readonly all: number; readonly inner: number; readonly shifted: number };
  /** For each emotion at strength 1, looking straight: the mean scores that were read. */
  readonly emotions: Readonly<Record<ExpressionName, Readonly<Record<ExpressionName, number>>>> | null;
}

export interface AnalyserGainOptions {
  /** Turned heads to read; 100 by default. */
  readonly people?: number;
  readonly seed?: number;
  /** Where to draw; by default a stage of 128 pixels. */
  readonly stage?: FaceStage;
  /** The largest yaw, pitch and roll, in degrees; 30, 15 and 15 by default. */
  readonly reach?: readonly [yaw: number, pitch: number, roll: number];
  /** People whose emotions are read, each all seven; none by default. */
  readonly feelings?: number;
}

const axes = ['yaw', 'pitch', 'roll'] as const;

/** The least-squares line. */
export function axisGain(asked: readonly number[], read: readonly number[]): AxisGain {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(asked), mean(read)];
  let [both, own] = [0, 0];
  for (const [i, value] of asked.entries()) {
    both += (value - x) * (read[i]! - y);
    own += (value - x) ** 2;
  }
  const gain = both / own;
  const offset = y - gain * x;
  return {
    gain,
    offset,
    error: median(asked.map((value, i) => Math.abs(read[i]! - value))),
    scatter: median(asked.map((value, i) => Math.abs(read[i]! - offset - gain * value))),
  };
}

/**
 * Reads synthetic people of known pose and landmarks: what the analyser makes of them is its own doing. A pose that is read of
 * other pictures is comparable after (read - offset) / gain.
 * @throws ConfigError
 */
export function analyserGain(analyser: FaceAnalyser, options: AnalyserGainOptions = {}): AnalyserGain {
  checkOptions('analyserGain', options, ['people', 'seed', 'stage', 'reach', 'feelings']);
  const { people = 100, seed = 1, reach = [30, 15, 15], feelings = 0 } = options;
  if (!(people >= 3)) throw new ConfigError(`analyserGain: expected at least 3 people, got ${people}`);
  const own = options.stage === undefined ? new FaceStage() : null;
  const stage = options.stage ?? own!;
  try {
    const random = new Random(seed, 'poses');
    const asked: HeadPose[] = [];
    const read: HeadPose[] = [];
    const shifts: number[][] = [];
    for (let k = 0; k < people; k++) {
      using person = new SyntheticFace(seed * 10_000 + k, { stage });
      const [yaw, pitch, roll] = reach.map((most) => random.uniform(-most, most)) as [number, number, number];
      const { image, landmarks } = person.frame({ pose: { yaw, pitch, roll } });
      const face = analyser.analyse(image);
      if (face === null) continue;
      asked.push({ yaw, pitch, roll });
      read.push(face.pose);
      shifts.push(Array.from(face.landmarks, (value, i) => (100 * (value - landmarks[i]!)) / face.interOcular));
    }
    if (read.length < 3)
      throw new ConfigError(`analyserGain: the analyser found ${read.length} of ${people} faces: expected 3 or more`);
    const [yaw, pitch, roll] = axes.map((axis) =>
      axisGain(
        asked.map((pose) => pose[axis]),
        read.map((pose) => pose[axis]),
      ),
    ) as [AxisGain, AxisGain, AxisGain];
    return {
      found: read.length / people,
      yaw,
      pitch,
      roll,
      landmarks: distances(shifts),
      emotions: feelings > 0 ? readEmotions(analyser, stage, seed, feelings) : null,
    };
  } finally {
    own?.dispose();
  }
}

function distances(shifts: readonly (readonly number[])[]): AnalyserGain['landmarks'] {
  const lengths = (dx: number, dy: number, first: number): number[] =>
    shifts.flatMap((face) =>
      Array.from({ length: 68 - first }, (_, k) =>
        Math.hypot(face[2 * (first + k)]! - dx, face[2 * (first + k) + 1]! - dy),
      ),
    );
  const inner = shifts.flatMap((face) => face.slice(34));
  const mean = (odd: number): number =>
    inner.filter((_, i) => i % 2 === odd).reduce((sum, value) => sum + value, 0) / (inner.length / 2);
  return {
    all: median(lengths(0, 0, 0)),
    inner: median(lengths(0, 0, 17)),
    shifted: median(lengths(mean(0), mean(1), 17)),
  };
}

function readEmotions(
  analyser: FaceAnalyser,
  stage: FaceStage,
  seed: number,
  people: number,
): NonNullable<AnalyserGain['emotions']> {
  const none = (): Record<ExpressionName, number> =>
    Object.fromEntries(expressionNames.map((name) => [name, 0])) as Record<ExpressionName, number>;
  const table = Object.fromEntries(expressionNames.map((name) => [name, none()])) as Record<
    ExpressionName,
    Record<ExpressionName, number>
  >;
  const counts = none();
  for (let k = 0; k < people; k++) {
    using person = new SyntheticFace(seed * 10_000 + 5000 + k, { stage });
    for (const shown of expressionNames) {
      const face = analyser.analyse(person.frame({ weights: emotionWeights[shown] }).image);
      if (face === null) continue;
      counts[shown]++;
      for (const name of expressionNames) table[shown][name] += face.expressions[name];
    }
  }
  for (const shown of expressionNames)
    for (const name of expressionNames) table[shown][name] /= Math.max(1, counts[shown]);
  return table;
}
