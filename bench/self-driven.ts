/** Real clips, driven by themselves: the first frame as the portrait, moved by the clip's own track, or by its sound. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type RgbImage, readFrames, writeVideo } from 'headrace/media';
import {
  evaluateTalk,
  type Metrics,
  type MotionFrame,
  motionFrames,
  Portrait,
  trackMotion,
} from 'headrace/talkinghead';
import { dataFiles, withoutData } from './heads.js';
import { say } from './progress.js';
import { median, type PartOptions, type PartResult, type Row, row } from './results.js';

const title = 'Self-driven: a real clip from its first frame';

/** Clips of different people. */
const clips = ['s1_bbaf2n.mpg', 'lipnet_lbax4n.mpg', 'lipnet_pwij3p.mpg', 'lipnet_swiz3n.mpg', 'lipnet_brbk7n.mpg'];

/** Frames a second of GRID. */
const fps = 25;

interface ClipFigures {
  readonly name: string;
  readonly track: Metrics;
  readonly sound: Metrics;
  readonly still: Metrics;
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
    'The mouth is that of the protocol of talk evaluate (lmdMouth); the still is the first frame, held. Each clip is of another speaker of GRID.',
    ...figures.map(({ name, track, sound, still }) => {
      const [moved, heard, held] = [track, sound, still].map(({ lmdMouth }) => lmdMouth?.toFixed(2) ?? '-');
      return `${name}: mouth ${moved} px by its track, ${heard} by its sound, ${held} held`;
    }),
  ];
  return { title, settings: { clips: figures.map(({ name }) => name) }, rows: rowsOf(figures), notes };
}

async function drive(clip: string, folder: string): Promise<ClipFigures> {
  const first = await firstFrame(clip);
  using portrait = await Portrait.load(first, { crop: 'full' });
  const track = await trackMotion(clip, { fps });
  const frames = [...motionFrames(track)];
  const [begin] = frames as [MotionFrame];
  // The portrait is the clip's first frame: what changes from there is added to what it shows, and taken from it.
  function* tracked(): Generator<RgbImage> {
    const { weights: rest } = portrait.rest;
    const { gaze: look } = portrait.fit;
    for (const { weights, pose, position, gaze } of frames) {
      const { yaw, pitch, roll } = begin.pose;
      yield portrait.frame({
        weights: weights.map((weight, i) => Math.min(1, Math.max(0, rest[i]! + weight - begin.weights[i]!))),
        pose: { yaw: pose.yaw - yaw, pitch: pose.pitch - pitch, roll: pose.roll - roll },
        ...(position && { position }),
        ...(gaze &&
          begin.gaze && {
            gaze: { yaw: look.yaw + gaze.yaw - begin.gaze.yaw, pitch: look.pitch + gaze.pitch - begin.gaze.pitch },
          }),
      });
    }
  }
  const paths = { track: join(folder, 'track.mp4'), sound: join(folder, 'sound.mp4') };
  await writeVideo(paths.track, tracked(), { fps });
  await portrait.animate({ speech: clip, fps, pose: 'still', blinks: false }).write(paths.sound);
  const byTrack = (await evaluateTalk(paths.track, clip, { fps })).mean;
  const bySound = (await evaluateTalk(paths.sound, clip, { fps })).mean;
  return { name: basename(clip), track: byTrack.generated, sound: bySound.generated, still: byTrack.still };
}

async function firstFrame(path: string): Promise<RgbImage> {
  for await (const frame of readFrames(path, { fps })) return frame;
  throw new Error(`${path} has no frames`);
}

function rowsOf(figures: readonly ClipFigures[]): Row[] {
  const over = (of: (clip: ClipFigures) => number | null): number[] => figures.map((clip) => of(clip) ?? Number.NaN);
  const share = (of: (clip: ClipFigures) => Metrics): number[] =>
    over((clip) => (of(clip).lmdMouth ?? Number.NaN) / (clip.still.lmdMouth ?? Number.NaN));
  const stillMouth = over(({ still }) => still.lmdMouth);
  return [
    row(
      'mouth by the track, of the still',
      'x',
      share(({ track }) => track),
      { most: 0.5 },
    ),
    row(
      'mouth by the sound, of the still',
      'x',
      share(({ sound }) => sound),
      { most: 0.75 },
    ),
    row('mouth of the still', 'px', stillMouth),
    row(
      'face by the track',
      'px',
      over(({ track }) => track.lmdFace),
    ),
    row(
      'SSIM by the track',
      '',
      over(({ track }) => track.ssim),
    ),
    row(
      'mouth by the sound, offset to the true one',
      'frames',
      [median(over(({ sound }) => sound.syncMouth && Math.abs(sound.syncMouth)))],
      { most: 1 },
    ),
  ];
}
