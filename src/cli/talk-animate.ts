import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import { performance } from 'node:perf_hooks';
import { writeFileAtomic } from '../io/index.js';
import { readTextFile } from '../io/read-text.js';
import { mediaInfo, videoTarget } from '../media/index.js';
import {
  type AnimateOptions,
  type Animation,
  AnimationReport,
  MotionTrack,
  Portrait,
  trackMotion,
} from '../talkinghead/index.js';
import { ConfigError, DataError } from '../torch/index.js';
import { perSecond, ReadingProgress } from './reading.js';
import { exitCodes, onInterrupt, print, say } from './report.js';
import type { TalkAnimateFlags } from './talk-program.js';

/** What `--preview` makes of a portrait. */
const previewSize = 256;

/** `headrace talk animate`. */
export async function animateTalk(flags: TalkAnimateFlags): Promise<void> {
  const raw = flags.output === '-';
  if (!raw) videoTarget(flags.output); // before anything takes time
  if (raw && flags.json) throw new ConfigError('Expected --json or -o -, got both: stdout can take one of them');
  const seconds = await soundSeconds(flags.audio);
  const stop = new AbortController();
  const release = onInterrupt(() => stop.abort());
  try {
    const portrait = await Portrait.load(flags.portrait, portraitOptions(flags));
    const animation = portrait.animate(await animateOptions(flags, stop.signal));
    const report = flags.report === undefined ? null : await AnimationReport.open(portrait.frame(), flags.fps);
    const made = await make(animation, flags, Math.round(seconds * flags.fps), report);
    if (report !== null)
      writeFileAtomic(flags.report!, `${JSON.stringify({ ...made, ...report.figures() }, null, 2)}\n`);
    if (raw) say(summary(made, portrait));
    else print(flags.json, made, summary(made, portrait));
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    say(`headrace: stopped; nothing is left of ${flags.output}`);
    process.exitCode = exitCodes.interrupted;
  } finally {
    release();
  }
}

/** Seconds, as far as the file tells. @throws DataError where there is no sound in it */
async function soundSeconds(path: string): Promise<number> {
  const { audio, duration } = await mediaInfo(path);
  if (audio === null) throw new DataError(`${path}: expected sound to speak by, but the file has none`);
  return audio.duration ?? duration ?? 0;
}

function portraitOptions(flags: TalkAnimateFlags) {
  const size = flags.preview ? previewSize : flags.size;
  return {
    note: (remark: string) => say(`note: ${remark}`),
    crop: flags.full ? ('full' as const) : ('head' as const),
    ...(flags.face !== undefined && { face: flags.face }),
    ...(flags.photo !== undefined && { photos: flags.photo }),
    ...(size !== undefined && { size }),
  };
}

async function animateOptions(flags: TalkAnimateFlags, signal: AbortSignal): Promise<AnimateOptions> {
  const { audio, transcript, fps, seed, mark, emotion, pose, poseScale, emotionScale, mouthScale } = flags;
  return {
    speech: audio,
    ...(transcript !== undefined && { transcript: wordsFrom(transcript) }),
    fps,
    seed,
    mark,
    signal,
    ...(emotion !== undefined && { emotion: await planOrTrack(emotion) }),
    ...(pose !== undefined && { pose: await planOrTrack(pose) }),
    ...(poseScale !== undefined && { poseScale }),
    ...(emotionScale !== undefined && { emotionScale }),
    ...(mouthScale !== undefined && { mouthScale }),
  };
}

/** Words, or those of a file: what names one, or ends as one does. */
function wordsFrom(text: string): string {
  return existsSync(text) || /^\S+\.\w{2,4}$/.test(text) ? readTextFile(text).text : text;
}

/** Endings of names are a track's or a video's; anything else is a plan in words. */
async function planOrTrack(text: string): Promise<string | MotionTrack> {
  if (['.csv', '.json'].includes(extname(text).toLowerCase())) return MotionTrack.load(text);
  if (!/\.[a-z]\w{1,4}$/i.test(text)) return text;
  const progress = new ReadingProgress(`following the face of ${text}:`, process.stderr, Date.now, perSecond('frames'));
  try {
    const note = (remark: string): void => say(`note: ${remark}`);
    return await trackMotion(text, { note, onProgress: (done, total) => progress.update(done, total) });
  } finally {
    progress.finish();
  }
}

interface Made {
  readonly out: string;
  readonly frames: number;
  readonly duration: number;
  readonly fps: number;
  /** Seconds of film that a second of work made. */
  readonly realTimeFactor: number;
}

async function make(
  animation: Animation,
  flags: TalkAnimateFlags,
  total: number,
  report: AnimationReport | null,
): Promise<Made> {
  const { output, fps } = flags;
  const speed = (rate: number): string => `${rate.toFixed(0)} frames/s (${(rate / fps).toFixed(1)} x real time)`;
  const progress = new ReadingProgress('frame', process.stderr, Date.now, speed);
  const begun = performance.now();
  let frames = 0;
  const onFrame: NonNullable<Parameters<Animation['write']>[1]>['onFrame'] = (picture, motion, speech) => {
    report?.add(picture, motion, speech);
    progress.update(++frames, Math.max(total, frames));
  };
  try {
    if (output === '-') await pipe(animation, () => progress.update(++frames, Math.max(total, frames)));
    else await animation.write(output, { onFrame });
  } finally {
    progress.finish();
  }
  const seconds = (performance.now() - begun) / 1000;
  return { out: output, frames, duration: frames / fps, fps, realTimeFactor: frames / fps / seconds };
}

/** Raw RGB to stdout, as fast as it is taken. */
async function pipe(animation: Animation, onFrame: () => void): Promise<void> {
  for await (const { data } of animation) {
    if (!process.stdout.write(data)) await once(process.stdout, 'drain');
    onFrame();
  }
}

function summary({ out, frames, duration, fps, realTimeFactor }: Made, { width, height }: Portrait): string {
  const what = `${frames} frames of ${width} x ${height}, ${duration.toFixed(2)} s at ${fps} frames/s`;
  return `${what}, made at ${realTimeFactor.toFixed(1)} times real time\nwritten to ${out === '-' ? 'stdout as raw RGB' : out}`;
}
