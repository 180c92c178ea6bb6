import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import { performance } from 'node:perf_hooks';
import { writeFileAtomic } from '../io/index.js';
import { readTextFile } from '../io/read-text.js';
import { checkFrames, framePattern } from '../media/frame-files.js';
import { mediaInfo, type RgbImage, videoTarget } from '../media/index.js';
import { knownSounds } from '../talkinghead/animate/transcript.js';
import {
  type AnimateOptions,
  Animation,
  AnimationReport,
  arkitCount,
  type Film,
  MotionTrack,
  Portrait,
  type TrackMotionOptions,
  trackMotion,
} from '../talkinghead/index.js';
import { portraitReach } from '../talkinghead/portrait/portrait.js';
import { ConfigError, DataError } from '../torch/index.js';
import { perSecond, ReadingProgress, StepProgress } from './reading.js';
import {
  checkApart,
  checkEnding,
  checkFolderOf,
  exitCodes,
  inFlags,
  onInterrupt,
  print,
  say,
  withTruncatedAllowed,
} from './report.js';
import type { TalkAnimateFlags } from './talk-program.js';

/** Pixels that `--preview` makes of a portrait at most. */
const previewSize = 256;

/** `headrace talk animate`. */
export async function animateTalk(flags: TalkAnimateFlags): Promise<void> {
  await withTruncatedAllowed(() => animated(flags));
}

/** What there is to be made. */
export interface Opened {
  readonly film: Film;
  /** The portrait at rest. */
  readonly still: RgbImage;
  /** `portrait`, or the trained model. */
  readonly model: string;
}

async function animated(flags: TalkAnimateFlags): Promise<void> {
  const raw = flags.output === '-';
  // What can be told to be wrong is told before the portrait is loaded, which takes a while.
  if (!raw) checkOutput(flags.output, flags);
  if (flags.report !== undefined) {
    checkEnding('--report', flags.report, ['.json']);
    checkFolderOf('--report', flags.report);
    checkApart('--report', flags.report, { '--emotion': flags.emotion, '--pose': flags.pose });
  }
  if (raw && flags.json) throw new ConfigError('Expected --json or -o -, got both: stdout can take one of them');
  const seconds = await soundSeconds(flags.audio);
  const open = flags.model === 'portrait' ? await portraitOpener(flags) : await speakOpener(flags);
  const stop = new AbortController();
  let release = (): void => {};
  try {
    const opened = await open(stop.signal, () => {
      release = onInterrupt(() => stop.abort());
    });
    const { film, still, model } = opened;
    const report = flags.report === undefined ? null : await AnimationReport.open(still, film.fps);
    const made = await make(opened, flags, Math.round(seconds * film.fps), report);
    if (report !== null)
      writeFileAtomic(flags.report!, `${JSON.stringify({ ...made, model, ...report.figures() }, null, 2)}\n`);
    if (raw) say(summary(made, still));
    else print(flags.json, made, summary(made, still));
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    say(`headrace: stopped; nothing is left of ${flags.output}`);
    process.exitCode = exitCodes.interrupted;
  } finally {
    release();
  }
}

/**
 * Makes ready what is to be made. Loading computes for seconds without a pause in which a signal could be heard, and writes nothing:
 * until `loaded` the system's own answer to Ctrl-C stands, which ends the process at once (130 to a shell).
 */
type Opener = (signal: AbortSignal, loaded: () => void) => Promise<Opened>;

async function portraitOpener(flags: TalkAnimateFlags): Promise<Opener> {
  const given = await readGiven(flags);
  new Animation(nobody, given);
  return async (signal, loaded) => {
    const portrait = await loadPortrait(flags);
    loaded();
    const film = portrait.animate({ ...given, ...(await followed(flags, signal)), signal });
    return { film, still: portrait.frame(), model: flags.model };
  };
}

async function speakOpener(flags: TalkAnimateFlags): Promise<Opener> {
  const { checkSpeakFlags, openSpeak } = await import('./talk-animate-speak.js');
  checkSpeakFlags(flags);
  return (signal, loaded) => {
    loaded();
    return openSpeak(flags, signal);
  };
}

/** @throws HeadraceError for a name that tells no kind of output, or a place where it cannot be written */
function checkOutput(path: string, { audio, portrait, emotion, pose }: TalkAnimateFlags): void {
  const kind = videoTarget(path);
  checkFolderOf('--output', path);
  checkApart('--output', path, { '--audio': audio, '--portrait': portrait, '--emotion': emotion, '--pose': pose });
  if (kind === 'frames') checkFrames(path, framePattern(path));
}

/** What was asked for, with the files read that it names, but for videos that are to be followed: these take long. @throws HeadraceError */
async function readGiven(flags: TalkAnimateFlags): Promise<AnimateOptions> {
  const { audio, transcript, fps, seed, mark, grain, allowTruncated, poseScale, emotionScale, mouthScale } = flags;
  const [emotion, pose] = [await planOf(flags.emotion), await planOf(flags.pose)];
  const plans: AnimateOptions = {
    speech: audio,
    ...(fps !== undefined && { fps }),
    seed,
    mark,
    grain,
    allowTruncated,
    note,
    ...(emotion !== undefined && { emotion }),
    ...(pose !== undefined && { pose }),
    ...(poseScale !== undefined && { poseScale }),
    ...(emotionScale !== undefined && { emotionScale }),
    ...(mouthScale !== undefined && { mouthScale }),
  };
  if (transcript === undefined) return plans;
  return { ...plans, transcript: await knownSounds(audio, wordsFrom(transcript), allowTruncated) };
}

/** A plan in words, or a track; of a video only that there is one. */
async function planOf(text: string | undefined): Promise<string | MotionTrack | undefined> {
  if (text === undefined || !isSource(text)) return text;
  if (!existsSync(text)) throw new DataError(`No such file: ${text}`);
  if (isTrack(text)) return MotionTrack.load(text);
  if ((await mediaInfo(text)).video === null)
    throw new DataError(`${text}: expected a video, got a file without pictures`);
  return undefined;
}

/** A head for plans to be checked with. */
const nobody = {
  rest: new Float32Array(arkitCount),
  restPose: {},
  restGaze: { yaw: 0, pitch: 0 },
  reach: portraitReach,
  frame: () => ({ width: 0, height: 0, data: new Uint8Array() }),
};

/** Seconds, as far as the file tells. @throws DataError where there is no sound in it */
async function soundSeconds(path: string): Promise<number> {
  const { audio, duration } = await mediaInfo(path);
  if (audio === null) throw new DataError(`${path}: expected sound to speak by, but the file has none`);
  return audio.duration ?? duration ?? 0;
}

const note = (remark: string): void => say(`note: ${inFlags(remark)}`);

async function loadPortrait(flags: TalkAnimateFlags): Promise<Portrait> {
  const steps = new StepProgress(`loading ${flags.portrait}`);
  const onStep = (what: string, step: number, of: number): void => steps.begin(what, step, of);
  const remark = (text: string): void => {
    steps.finish();
    note(text);
  };
  try {
    return await Portrait.load(flags.portrait, { ...portraitOptions(flags), note: remark, onStep });
  } finally {
    steps.finish();
  }
}

function portraitOptions(flags: TalkAnimateFlags) {
  const size = flags.preview ? Math.min(previewSize, flags.size ?? previewSize) : flags.size;
  return {
    crop: flags.full ? ('full' as const) : ('head' as const),
    ...(flags.face !== undefined && { face: flags.face }),
    ...(flags.photo !== undefined && { photos: flags.photo }),
    ...(size !== undefined && { size }),
  };
}

/** The motion of the videos that are to be followed. */
async function followed(
  { emotion, pose, allowTruncated }: TalkAnimateFlags,
  signal: AbortSignal,
): Promise<Pick<AnimateOptions, 'emotion' | 'pose'>> {
  const follow = async (text: string | undefined): Promise<MotionTrack | null> =>
    text === undefined || !isSource(text) || isTrack(text) ? null : await track(text, { allowTruncated, note, signal });
  const [face, head] = [await follow(emotion), await follow(pose)];
  return { ...(face && { emotion: face }), ...(head && { pose: head }) };
}

/** Words, or those of a file: what names one, or ends as one does. */
function wordsFrom(text: string): string {
  return existsSync(text) || /^\S+\.\w{2,4}$/.test(text) ? readTextFile(text).text : text;
}

/** Endings of names are a track's or a video's; anything else is a plan in words. */
const isSource = (text: string): boolean => /\.[a-z]\w{1,4}$/i.test(text);

const isTrack = (path: string): boolean => ['.csv', '.json'].includes(extname(path).toLowerCase());

async function track(video: string, reading: TrackMotionOptions): Promise<MotionTrack> {
  const progress = new ReadingProgress(
    `following the face of ${video}:`,
    process.stderr,
    Date.now,
    perSecond('frames'),
  );
  try {
    return await trackMotion(video, { ...reading, onProgress: (done, total) => progress.update(done, total) });
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
  { film }: Opened,
  { output }: TalkAnimateFlags,
  total: number,
  report: AnimationReport | null,
): Promise<Made> {
  const { fps } = film;
  const speed = (rate: number): string => `${rate.toFixed(0)} frames/s (${(rate / fps).toFixed(1)} x real time)`;
  const progress = new ReadingProgress('frame', process.stderr, Date.now, speed);
  const begun = performance.now();
  let frames = 0;
  const onFrame: NonNullable<Parameters<Film['write']>[1]>['onFrame'] = (picture, motion, speech) => {
    report?.add(picture, motion, speech);
    progress.update(++frames, Math.max(total, frames));
  };
  try {
    if (output === '-') await pipe(film, () => progress.update(++frames, Math.max(total, frames)));
    else await film.write(output, { onFrame });
  } finally {
    progress.finish();
  }
  const seconds = (performance.now() - begun) / 1000;
  return { out: output, frames, duration: frames / fps, fps, realTimeFactor: frames / fps / seconds };
}

/** Raw RGB to stdout, as fast as it is taken. */
async function pipe(film: Film, onFrame: () => void): Promise<void> {
  for await (const { data } of film) {
    if (!process.stdout.write(data)) await once(process.stdout, 'drain');
    onFrame();
  }
}

function summary({ out, frames, duration, fps, realTimeFactor }: Made, { width, height }: RgbImage): string {
  const what = `${frames} frames of ${width} x ${height}, ${duration.toFixed(2)} s at ${fps} frames/s`;
  return `${what}, made at ${realTimeFactor.toFixed(1)} times real time\nwritten to ${out === '-' ? 'stdout as raw RGB' : out}`;
}
