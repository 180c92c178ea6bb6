/** Whether a head does what it is asked to, and nothing else: pose, identity and expression read back, and what leaks. */
import { basename } from 'node:path';
import { type ExpressionName, expressionNames } from 'headrace/media';
import {
  arkitWeights,
  composeFace,
  emotionMix,
  FaceStage,
  lipGap,
  mixEmotions,
  Portrait,
  type PortraitMotion,
  parseEmotion,
  SyntheticFace,
} from 'headrace/talkinghead';
import { type Axis, axes, dataFiles, differences, Reader, type Reading, withoutData } from './heads.js';
import { say } from './progress.js';
import { median, type PartOptions, type PartResult, type Row, row, type Target } from './results.js';
import { type Line, type Response, readerResponse, type SpokenFigures, spokenFigures, spokenLines } from './spoken.js';

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
  const lines = await spokenLines(quick ? 3 : 8);
  const response = readerResponse(
    reader,
    [...required, ...reported],
    quick ? lines : await spokenLines(3),
    quick ? 2 : 8,
  );
  const portraits = quick ? found.slice(0, 2) : found;
  const sheets: PortraitFigures[] = [];
  for (const path of portraits) {
    using portrait = await Portrait.load(path, { size });
    const figures = measure(portrait, reader, { gain, lines, response });
    if (figures !== null) sheets.push({ ...figures, name: basename(path) });
    say(`control  ${basename(path)}`);
  }
  return {
    title,
    settings: { portraits: portraits.length, size, asked },
    rows: rowsOf(gain, sheets),
    notes: notesOf(sheets, response),
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
  readonly spoken: SpokenFigures;
  /** What moves that was not asked to. */
  readonly leaks: Readonly<Record<Leak, number>>;
}

/** Limits are those of what is asked of the figure; older and uncorrected probes have none. */
const leakTargets = {
  'pose -> emotion': ['points', 10],
  'pose -> mouth': ['% of range', 5],
  'emotion -> pose, happy, as read': ['degrees', null],
  'emotion -> pose, happy': ['degrees', 1.5],
  'emotion -> pose, all six': ['degrees', 1.5],
  'emotion -> mouth in silence, as read': ['% of range', null],
  'speech -> pose': ['degrees', 1.5],
  'speech -> emotion, one wide mouth': ['points', null],
} as const satisfies Record<string, readonly [unit: string, most: number | null]>;

type Leak = keyof typeof leakTargets;

/** What is known of the reader, and what is said. */
interface Known {
  readonly gain: Gain;
  readonly lines: readonly Line[];
  readonly response: Response;
}

function measure(
  portrait: Portrait,
  reader: Reader,
  { gain, lines, response }: Known,
): Omit<PortraitFigures, 'name'> | null {
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
  const emotions: Partial<Record<ExpressionName, Reading>> = Object.fromEntries(
    [...required, ...reported].flatMap((name) => {
      const seen = read({ weights: emotional(rest, name) });
      return seen === null ? [] : [[name, seen]];
    }),
  );
  const speaking = read({ weights: composeFace({ expression: neutral, speech: open, speaking: 1 }) });
  const moved = read({ weights: neutral, pose: { yaw: 10 } });
  const { happy } = emotions;
  const names = [...required, ...reported].filter((name) => emotions[name]);
  const turnedBy = (from: Reading, to: Reading, name: ExpressionName): number =>
    Math.max(...axes.map((axis) => Math.abs(to.pose[axis] - from.pose[axis] - response.pose[name]![axis])));
  if (speaking === null || moved === null || happy === undefined) return null;
  const range = Math.abs(speaking.mouth - base.mouth);
  const leaks: Record<Leak, number> = {
    'pose -> emotion': differences(base, moved).emotion,
    'pose -> mouth': (100 * differences(base, moved).mouth) / range,
    'emotion -> pose, happy, as read': differences(base, happy).pose,
    'emotion -> pose, happy': turnedBy(base, happy, 'happy'),
    'emotion -> pose, all six': median(names.map((name) => turnedBy(base, emotions[name]!, name))),
    'emotion -> mouth in silence, as read': (100 * differences(base, happy).mouth) / range,
    'speech -> pose': differences(base, speaking).pose,
    'speech -> emotion, one wide mouth': differences(base, speaking).emotion,
  };
  const spoken = spokenFigures({ rest, frame: (weights) => portrait.frame({ weights }) }, reader, {
    emotions: required,
    lines,
    response,
    range: { read: range, model: lipGap(open.mouth) },
    silent: emotions,
  });
  return { pose: pose as Record<Axis, number[]>, near: turned(15), far: turned(25), emotions, spoken, leaks };
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
  return [
    ...axes.map((axis) => row(`the reader's own gain, ${axis}`, 'x', [gain[axis]])),
    ...axes.map((axis) => over(`${axis} asked for and read`, 'degrees', ({ pose }) => median(pose[axis]), { most: 3 })),
    over('identity at 15 degrees', 'distance', ({ near }) => median(near), { most: 0.35 }),
    over('identity at 25 degrees', 'distance', ({ far }) => median(far), { most: 0.45 }),
    ...required.map((name) =>
      row(`${name} read as itself`, `of ${most}`, [readAs(name)], { least: Math.ceil((6 * most) / 7) }),
    ),
    ...reported.map((name) => row(`${name} read as itself`, `of ${most}`, [readAs(name)])),
    ...(Object.keys(leakTargets) as Leak[]).map((leak) => {
      const [unit, most] = leakTargets[leak];
      return over(leak, unit, ({ leaks }) => leaks[leak], most === null ? undefined : { most });
    }),
    over('emotion -> mouth, speaking, as read', '% of range', ({ spoken }) => spoken.mouthRead),
    over('emotion -> mouth, speaking', '% of range', ({ spoken }) => spoken.mouth, { most: 5 }),
    over('emotion -> mouth, speaking, on the face model', '% of range', ({ spoken }) => spoken.mouthModel, { most: 5 }),
    over('speech -> emotion, line against line', 'points', ({ spoken }) => spoken.lines, { most: 10 }),
    over('speech -> emotion, line against silence', 'points', ({ spoken }) => spoken.silence),
    ...required.map((name) => over(`${name} while speaking`, 'points', ({ spoken }) => spoken.own[name] ?? 0)),
  ];
}

function strongest({ emotion }: Reading): ExpressionName {
  return expressionNames[emotion.indexOf(Math.max(...emotion))]!;
}

function notesOf(sheets: readonly PortraitFigures[], response: Response): string[] {
  const lines = sheets.map(({ name, emotions }) => {
    const read = Object.entries(emotions).map(([asked, reading]) => {
      const points = reading.emotion[expressionNames.indexOf(asked as ExpressionName)]!;
      return `${asked} ${points.toFixed(0)} (${strongest(reading)})`;
    });
    return `${name}: ${read.join(', ')}`;
  });
  const turns = Object.entries(response.pose).map(
    ([name, turn]) => `${name} ${axes.map((axis) => turn[axis].toFixed(1)).join(' / ')}`,
  );
  const mouths = Object.entries(response.mouth).map(([name, more]) => `${name} ${(100 * more).toFixed(1)}`);
  return [
    'Medians are over portraits, of each the median over what was asked. Poses are divided by the gain that the reader has on drawn heads of known pose. ' +
      'An emotion is at strength 1; points are percent of its class. A leak is the largest change of what was not asked to move, from the neutral face: yaw by 10 degrees, ' +
      'an emotion, a mouth wide open; the range of the mouth is what that wide mouth opens. "As read" is not corrected by what the reader makes of the same emotion on drawn heads whose pose and lips are known.',
    'Speaking: two spoken lines, of each some frames in which sound is heard, with each of the four emotions; of the mouth the mean difference to the same frames of the neutral face, of emotions the difference of mean readings.',
    `What emotions alone do to the pose that is read of drawn heads, which do not turn (degrees, yaw / pitch / roll): ${turns.join(', ')}; to the opening beyond the true one, speaking (% of the eyes' distance): ${mouths.join(', ')}.`,
    ...lines,
  ];
}
