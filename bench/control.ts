/** Whether a head does what it is asked to, and nothing else: pose, identity and expression read back, and what leaks. */
import { basename } from 'node:path';
import { type ExpressionName, expressionNames } from 'headrace/media';
import {
  arkitWeights,
  composeFace,
  emotionMix,
  FaceStage,
  mixEmotions,
  Portrait,
  type PortraitMotion,
  parseEmotion,
  SyntheticFace,
} from 'headrace/talkinghead';
import { type Axis, axes, dataFiles, differences, Reader, type Reading, withoutData } from './heads.js';
import { say } from './progress.js';
import { median, type PartOptions, type PartResult, type Row, row, type Target } from './results.js';

const title = 'Control: what portraits are asked to do, read back';

/** Degrees that are asked for. */
const asked: Readonly<Record<Axis, readonly number[]>> = {
  yaw: [-25, -15, 15, 25],
  pitch: [-15, -8, 8, 15],
  roll: [-20, -10, 10, 20],
};

/** Emotions that must be read as themselves, and those that are only told. */
const required: readonly ExpressionName[] = ['happy', 'sad', 'angry', 'surprised'];
const reported: readonly ExpressionName[] = ['disgusted', 'fearful'];

/** Pixels of the heads. */
const size = 384;

/** A mouth that speaks, wide open: its opening is the range that leaks are told in. */
const open = { mouth: arkitWeights({ jawOpen: 0.5, mouthLowerDownLeft: 0.4, mouthLowerDownRight: 0.4 }), closure: 0 };

export async function controlPart({ quick }: PartOptions): Promise<PartResult> {
  const found = dataFiles('portraits', /\.(jpe?g|png)$/);
  if (found === null) return withoutData(title, 'portraits');
  const reader = await Reader.load();
  const gain = readerGain(reader, quick ? 2 : 8);
  const portraits = quick ? found.slice(0, 2) : found;
  const sheets: PortraitFigures[] = [];
  for (const path of portraits) {
    using portrait = await Portrait.load(path, { size });
    const figures = measure(portrait, reader, gain);
    if (figures !== null) sheets.push({ ...figures, name: basename(path) });
    say(`control  ${basename(path)}`);
  }
  return {
    title,
    settings: { portraits: portraits.length, size, asked },
    rows: rowsOf(gain, sheets),
    notes: notesOf(sheets),
  };
}

type Gain = Readonly<Record<Axis, number>>;

/** What the reader makes of a degree: of bare drawn heads, whose pose is exact. */
function readerGain(reader: Reader, people: number): Gain {
  const stage = new FaceStage({ size: 256 });
  const faces = Array.from({ length: people }, (_, seed) => new SyntheticFace(seed + 1, { stage }));
  const of = (axis: Axis): number => {
    let [product, square] = [0, 0];
    for (const face of faces) {
      const rest = reader.read(face.frame().image);
      for (const degrees of asked[axis]) {
        const turned = rest && reader.read(face.frame({ pose: { [axis]: degrees } }).image);
        if (!turned) continue;
        product += degrees * (turned.pose[axis] - rest.pose[axis]);
        square += degrees * degrees;
      }
    }
    return product / square;
  };
  return { yaw: of('yaw'), pitch: of('pitch'), roll: of('roll') };
}

interface PortraitFigures {
  readonly name: string;
  readonly pose: Readonly<Record<Axis, readonly number[]>>;
  /** Identity distances at 15 and at 25 degrees of yaw. */
  readonly near: readonly number[];
  readonly far: readonly number[];
  /** What each emotion at strength 1 is read as. */
  readonly emotions: Readonly<Partial<Record<ExpressionName, Reading>>>;
  /** What moves that was not asked to. */
  readonly leaks: Readonly<Record<Leak, number>>;
}

type Leak =
  | 'pose -> emotion'
  | 'pose -> mouth'
  | 'emotion -> pose'
  | 'emotion -> mouth'
  | 'speech -> pose'
  | 'speech -> emotion';

function measure(portrait: Portrait, reader: Reader, gain: Gain): Omit<PortraitFigures, 'name'> | null {
  const { weights: rest } = portrait.rest;
  const read = (motion: PortraitMotion): Reading | null => reader.read(portrait.frame(motion));
  // From a neutral face: the photograph's own smile would be read beside what is asked for.
  const neutral = emotional(rest, 'neutral');
  const base = read({ weights: neutral });
  const photographed = read({});
  if (base === null || photographed === null) return null;
  const pose: Partial<Record<Axis, number[]>> = {};
  for (const axis of axes) pose[axis] = poseErrors(axis, photographed, read, gain);
  const turned = (degrees: number): number[] =>
    [-degrees, degrees].flatMap((yaw) => {
      const seen = read({ pose: { yaw } });
      return seen === null ? [] : [differences(photographed, seen).identity];
    });
  const emotions = Object.fromEntries(
    [...required, ...reported].flatMap((name) => {
      const seen = read({ weights: emotional(rest, name) });
      return seen === null ? [] : [[name, seen]];
    }),
  );
  const speaking = read({ weights: composeFace({ expression: neutral, speech: open, speaking: 1 }) });
  const moved = read({ weights: neutral, pose: { yaw: 10 } });
  const happy = emotions.happy as Reading | undefined;
  if (speaking === null || moved === null || happy === undefined) return null;
  const range = Math.abs(speaking.mouth - base.mouth);
  const leaks: Record<Leak, number> = {
    'pose -> emotion': differences(base, moved).emotion,
    'pose -> mouth': (100 * differences(base, moved).mouth) / range,
    'emotion -> pose': differences(base, happy).pose,
    'emotion -> mouth': (100 * differences(base, happy).mouth) / range,
    'speech -> pose': differences(base, speaking).pose,
    'speech -> emotion': differences(base, speaking).emotion,
  };
  return { pose: pose as Record<Axis, number[]>, near: turned(15), far: turned(25), emotions, leaks };
}

function emotional(rest: Float32Array, name: ExpressionName): Float32Array {
  return mixEmotions(emotionMix(parseEmotion(name), 10), rest);
}

function poseErrors(axis: Axis, rest: Reading, read: (motion: PortraitMotion) => Reading | null, gain: Gain): number[] {
  return asked[axis].flatMap((degrees) => {
    const seen = read({ pose: { [axis]: degrees } });
    return seen === null ? [] : [Math.abs((seen.pose[axis] - rest.pose[axis]) / gain[axis] - degrees)];
  });
}

function rowsOf(gain: Gain, sheets: readonly PortraitFigures[]): Row[] {
  // The rounds of a row are the portraits: its median is over them.
  const over = (what: string, unit: string, of: (sheet: PortraitFigures) => number, target?: Target): Row =>
    row(what, unit, sheets.map(of), target);
  const readAs = (name: ExpressionName): number =>
    sheets.filter(({ emotions }) => emotions[name] && strongest(emotions[name]) === name).length;
  const most = sheets.length;
  const leakTargets: Readonly<Record<Leak, [unit: string, most: number]>> = {
    'pose -> emotion': ['points', 10],
    'pose -> mouth': ['% of range', 5],
    'emotion -> pose': ['degrees', 1.5],
    'emotion -> mouth': ['% of range', 5],
    'speech -> pose': ['degrees', 1.5],
    'speech -> emotion': ['points', 10],
  };
  return [
    ...axes.map((axis) => row(`the reader's own gain, ${axis}`, 'x', [gain[axis]])),
    ...axes.map((axis) => over(`${axis} asked for and read`, 'degrees', ({ pose }) => median(pose[axis]), { most: 3 })),
    over('identity at 15 degrees', 'distance', ({ near }) => median(near), { most: 0.35 }),
    over('identity at 25 degrees', 'distance', ({ far }) => median(far), { most: 0.45 }),
    ...required.map((name) =>
      row(`${name} read as itself`, `of ${most}`, [readAs(name)], { least: Math.ceil((6 * most) / 7) }),
    ),
    ...reported.map((name) => row(`${name} read as itself`, `of ${most}`, [readAs(name)])),
    ...(Object.entries(leakTargets) as [Leak, [string, number]][]).map(([leak, [unit, limit]]) =>
      over(leak, unit, ({ leaks }) => leaks[leak], { most: limit }),
    ),
  ];
}

function strongest({ emotion }: Reading): ExpressionName {
  return expressionNames[emotion.indexOf(Math.max(...emotion))]!;
}

function notesOf(sheets: readonly PortraitFigures[]): string[] {
  const lines = sheets.map(({ name, emotions }) => {
    const read = Object.entries(emotions).map(([asked, reading]) => {
      const points = reading.emotion[expressionNames.indexOf(asked as ExpressionName)]!;
      return `${asked} ${points.toFixed(0)} (${strongest(reading)})`;
    });
    return `${name}: ${read.join(', ')}`;
  });
  return [
    'Medians are over portraits, of each the median over what was asked. Poses are divided by the gain that the reader has on drawn heads of known pose. ' +
      'An emotion is at strength 1; points are percent of its class. A leak is the largest change of what was not asked to move: yaw by 10 degrees, ' +
      'the happy face, a mouth wide open, each from the neutral face; the range of the mouth is what that wide mouth opens.',
    ...lines,
  ];
}
