/**
 * Real clips, driven by themselves: the first frame as the portrait, moved by the clip's own track, or by its sound. Beside it what is
 * between the two: the track's opening of the lips alone, and the best line of what is heard, whose size and offset are then right.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type RgbImage, readAudio, readFrames, writeVideo } from 'headrace/media';
import {
  arkitIndex,
  arkitWeights,
  evaluateTalk,
  lipGap,
  loudnessOpening,
  type Metrics,
  type MotionFrame,
  motionFrames,
  Portrait,
  type PortraitMotion,
  trackMotion,
  VoiceModel,
  voiceRate,
} from 'headrace/talkinghead';
import { dataFiles, withoutData } from './heads.js';
import { say } from './progress.js';
import { median, type PartOptions, type PartResult, type Row, row } from './results.js';

const title = 'Self-driven: a real clip from its first frame';

/** Clips of ten people; the voice model has learnt from the first, and from none of the others. */
const clips = [
  's1_bbaf2n.mpg',
  ...['brbk7n', 'lbax4n', 'lbbc2a', 'lrwp9a', 'lwbsza', 'pwij3p', 'sbia1a', 'sbwe5n', 'swiz3n'].map(
    (name) => `lipnet_${name}.mpg`,
  ),
];

/** Frames a second of GRID. */
const fps = 25;

/** What moves the first frame. */
const drives = ['track', 'opening', 'sound', 'soundLine', 'loudnessLine'] as const;

type Drive = (typeof drives)[number];

interface ClipFigures {
  readonly name: string;
  readonly still: Metrics;
  readonly by: Readonly<Record<Drive, Metrics>>;
}

export async function selfDrivenPart({ quick }: PartOptions): Promise<PartResult> {
  const found = dataFiles('grid', /\.mpg$/)?.filter((path) => clips.includes(basename(path)));
  if (found === undefined || found.length === 0) return withoutData(title, 'grid');
  const folder = mkdtempSync(join(tmpdir(), 'headrace-bench-'));
  const figures: ClipFigures[] = [];
  try {
    for (const clip of quick ? found.slice(0, 1) : found) {
      figures.push(await drive(clip, folder));
      say(`self-driven  ${basename(clip)}`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  const notes = [
    'The mouth is that of the protocol of talk evaluate (lmdMouth); the still is the first frame, held. Each clip is of another speaker of GRID; the voice model has learnt from s1, and from none of the others.',
    '"Opening alone" opens the jaw as far as the track parts the lips, and moves nothing else; a "best line" opens it by a line of what is heard, fitted to that clip: where it is much better than the sound, size or rest are wrong, and where it is not, the course is.',
    ...figures.map(({ name, by, still }) => {
      const px = ({ lmdMouth }: Metrics): string => lmdMouth?.toFixed(2) ?? '-';
      const lines = `${px(by.soundLine)} by its best line, ${px(by.loudnessLine)} by that of loudness`;
      return `${name}: mouth ${px(by.track)} px by its track, ${px(by.opening)} by the opening alone, ${px(by.sound)} by its sound, ${lines}, ${px(still)} held`;
    }),
  ];
  return { title, settings: { clips: figures.map(({ name }) => name) }, rows: rowsOf(figures), notes };
}

async function drive(clip: string, folder: string): Promise<ClipFigures> {
  using portrait = await Portrait.load(await firstFrame(clip), { crop: 'full' });
  const frames = [...motionFrames(await trackMotion(clip, { fps }))];
  const { samples } = await readAudio(clip, { rate: voiceRate });
  const stream = VoiceModel.load().stream(fps);
  const heard = [...stream.push(samples), ...stream.end()].map(({ mouth }) => lipGap(mouth));
  const gaps = frames.map(({ weights }) => lipGap(weights) - lipGap(frames[0]!.weights));
  const motions: Record<Exclude<Drive, 'sound'>, PortraitMotion[]> = {
    track: frames.map((frame) => sinceFirst(portrait, frame, frames[0]!)),
    opening: gaps.map((gap) => opened(portrait, gap)),
    soundLine: bestLine(heard, gaps).map((gap) => opened(portrait, gap)),
    loudnessLine: bestLine(loudnessOpening(samples, fps), gaps).map((gap) => opened(portrait, gap)),
  };
  const measured: [Drive, Awaited<ReturnType<typeof measure>>][] = [];
  for (const name of drives) {
    const path = join(folder, `${name}.mp4`);
    if (name === 'sound') await portrait.animate({ speech: clip, fps, pose: 'still', blinks: false }).write(path);
    else await writeVideo(path, pictures(portrait, motions[name]), { fps });
    measured.push([name, await measure(path, clip)]);
  }
  const by = Object.fromEntries(measured.map(([name, { generated }]) => [name, generated]));
  return { name: basename(clip), by: by as ClipFigures['by'], still: measured[0]![1].still };
}

async function measure(path: string, clip: string) {
  return (await evaluateTalk(path, clip, { fps })).mean;
}

function* pictures(portrait: Portrait, motions: readonly PortraitMotion[]): Generator<RgbImage> {
  for (const motion of motions) yield portrait.frame(motion);
}

/** The portrait is the clip's first frame: what changes from there is added to what it shows, and taken from it. */
function sinceFirst(portrait: Portrait, frame: MotionFrame, first: MotionFrame): PortraitMotion {
  const { weights: rest } = portrait.rest;
  const { gaze: look } = portrait.fit;
  const { weights, pose, position, gaze } = frame;
  return {
    weights: weights.map((weight, i) => Math.min(1, Math.max(0, rest[i]! + weight - first.weights[i]!))),
    pose: {
      yaw: pose.yaw - first.pose.yaw,
      pitch: pose.pitch - first.pose.pitch,
      roll: pose.roll - first.pose.roll,
    },
    ...(position && { position }),
    ...(gaze &&
      first.gaze && {
        gaze: { yaw: look.yaw + gaze.yaw - first.gaze.yaw, pitch: look.pitch + gaze.pitch - first.gaze.pitch },
      }),
  };
}

/** The portrait with its jaw opened until its lips are so much further apart, in cm. */
function opened({ rest }: Portrait, gap: number): PortraitMotion {
  const weights = rest.weights.slice();
  const jaw = arkitIndex('jawOpen');
  weights[jaw] = Math.min(1, Math.max(0, weights[jaw]! + gap / lipGap(arkitWeights({ jawOpen: 1 }))));
  return { weights };
}

/** The line of `values` that lies nearest to `truth`, by least squares. */
function bestLine(values: ArrayLike<number>, truth: readonly number[]): number[] {
  const count = Math.min(values.length, truth.length);
  const [x, y] = [Array.from(values).slice(0, count), truth.slice(0, count)];
  const mean = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / count;
  const [mx, my] = [mean(x), mean(y)];
  const slope = mean(x.map((value, i) => (value - mx) * (y[i]! - my))) / mean(x.map((value) => (value - mx) ** 2));
  return x.map((value) => my + slope * (value - mx));
}

async function firstFrame(path: string): Promise<RgbImage> {
  for await (const frame of readFrames(path, { fps })) return frame;
  throw new Error(`${path} has no frames`);
}

function rowsOf(figures: readonly ClipFigures[]): Row[] {
  const over = (of: (clip: ClipFigures) => number | null): number[] => figures.map((clip) => of(clip) ?? Number.NaN);
  const share = (drive: Drive): number[] =>
    over(({ by, still }) => (by[drive].lmdMouth ?? Number.NaN) / (still.lmdMouth ?? Number.NaN));
  return [
    row('mouth by the track, of the still', 'x', share('track'), { most: 0.5 }),
    row("mouth by the track's opening alone, of the still", 'x', share('opening')),
    row('mouth by the sound, of the still', 'x', share('sound'), { most: 0.75 }),
    row('mouth by the best line of the sound, of the still', 'x', share('soundLine')),
    row('mouth by the best line of loudness, of the still', 'x', share('loudnessLine')),
    row(
      'mouth of the still',
      'px',
      over(({ still }) => still.lmdMouth),
    ),
    row(
      'face by the track',
      'px',
      over(({ by }) => by.track.lmdFace),
    ),
    row(
      'SSIM by the track',
      '',
      over(({ by }) => by.track.ssim),
    ),
    row(
      'mouth by the sound, offset to the true one',
      'frames',
      [median(over(({ by }) => by.sound.syncMouth && Math.abs(by.sound.syncMouth)))],
      { most: 1 },
    ),
  ];
}
