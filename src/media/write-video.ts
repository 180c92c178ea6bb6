/** Frames and sound to a file, or to numbered pictures. */
import { randomUUID } from 'node:crypto';
import { renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { reason } from '../io/file.js';
import { ConfigError, DataError } from '../torch/errors.js';
import { checkOptions } from '../torch/options.js';
import { codings, type Effort } from './encoders.js';
import { Breath, loadFFmpeg } from './ffmpeg.js';
import { FrameFiles, framePattern } from './frame-files.js';
import type { RgbImage } from './frames.js';
import { fastestGif, GifWriter } from './gif-writer.js';
import type { SoundSource } from './sound-feed.js';
import { type FrameWriter, VideoWriter } from './video-writer.js';

export interface WriteVideoOptions {
  /** Frames a second. */
  readonly fps: number;
  /** The sound from the first frame on: whole, or in pieces, which are asked for as the frames come. GIF and PNG files have none. */
  readonly audio?: SoundSource;
  /** 0 (lossless) to 51 (worst); 18 by default, which looks like the original. */
  readonly quality?: number;
  /** `little` writes two to four times as fast, and files that are a little larger. */
  readonly effort?: Effort;
  /** What the file says about itself, such as `{ title, comment }`: mp4 and mov keep the usual names only, the others any. */
  readonly metadata?: Readonly<Record<string, string>>;
}

const optionNames = ['fps', 'audio', 'quality', 'effort', 'metadata'] as const;

/** Of what kind a file of this name is. */
export type VideoTarget = 'video' | 'gif' | 'frames';

/**
 * Which kind of output a path names: a video (mp4, m4v, mov, mkv, webm), an animated GIF, or PNG files (a folder, or `NAME-%05d.png`).
 * @throws ConfigError where it names none of them
 */
export function videoTarget(path: string): VideoTarget {
  const extension = extname(path).toLowerCase();
  if (/[/\\]$/.test(path) || statSync(path, { throwIfNoEntry: false })?.isDirectory()) return 'frames';
  if (extension in codings) return 'video';
  if (extension === '.gif') return 'gif';
  if (basename(path).includes('%')) {
    framePattern(path);
    return 'frames';
  }
  throw new ConfigError(
    `expected a file name that ends in ${Object.keys(codings).join(', ')} or .gif, NAME-%05d.png, or a folder (frames/), got ${path}`,
  );
}

/**
 * Writes a video, frame by frame as they come, and its sound beside them. What is written appears under its name when it is whole. The same
 * frames and sound give the same bytes (x264 varies by a bit now and then where a side has less than 64 pixels).
 *
 * `.mp4`, `.m4v`, `.mov` and `.mkv` get H.264 and AAC, `.webm` VP9 and Opus; `.gif` has 256 colours and no sound; a folder, or a name as
 * `NAME-%05d.png`, gets numbered PNG files, which take the place of those of an earlier run.
 * @param frames - all of one size; for H.264, width and height even
 * @returns what was written
 * @throws ConfigError for options that cannot be; DataError when frames differ in size, or there are none
 */
export async function writeVideo(
  path: string,
  frames: AsyncIterable<RgbImage> | Iterable<RgbImage>,
  options: WriteVideoOptions,
): Promise<{ readonly frames: number; readonly duration: number }> {
  checkOptions('writeVideo', options, optionNames);
  const target = videoTarget(path);
  checkValues(path, target, options);
  const partial = target === 'frames' ? null : partialOf(path);
  const writer = await writerFor(path, target, partial ?? path, options);
  let count = 0;
  let whole = false;
  try {
    const breath = new Breath();
    for await (const frame of frames) {
      await writer.add(frame);
      count += 1;
      if (breath.due()) await breath.take();
    }
    await writer.finish();
    whole = true;
  } finally {
    await writer.close();
    if (partial !== null && !whole) rmSync(partial, { force: true });
  }
  if (partial !== null) replace(partial, path);
  return { frames: count, duration: count / options.fps };
}

function checkValues(path: string, target: VideoTarget, { fps, quality, effort, audio }: WriteVideoOptions): void {
  if (!(fps > 0 && fps <= 1000)) throw new ConfigError(`expected fps between 0 and 1000, frames a second, got ${fps}`);
  if (quality !== undefined && !(quality >= 0 && quality <= 51))
    throw new ConfigError(`expected a quality from 0 (best) to 51, got ${quality}`);
  if (effort !== undefined && effort !== 'usual' && effort !== 'little')
    throw new ConfigError(`expected an effort of usual or little, got ${String(effort)}`);
  if (audio !== undefined && target !== 'video')
    throw new ConfigError(`${path}: ${target === 'gif' ? 'a GIF has' : 'PNG files have'} no sound: leave audio out`);
  if (target === 'gif' && fps > fastestGif)
    throw new ConfigError(`${path}: expected at most ${fastestGif} frames a second of a GIF, got ${fps}`);
}

/** Beside the file, so that it can be given its name, and with its ending, by which FFmpeg knows the format. */
function partialOf(path: string): string {
  const extension = extname(path);
  return join(dirname(resolve(path)), `.${basename(path, extension)}.${randomUUID()}${extension.toLowerCase()}`);
}

function replace(partial: string, path: string): void {
  try {
    renameSync(partial, path);
  } catch (error) {
    rmSync(partial, { force: true });
    throw new DataError(`Cannot write ${path}: ${reason(error)}`, { cause: error });
  }
}

async function writerFor(
  path: string,
  target: VideoTarget,
  file: string,
  { fps, audio, quality = 18, effort = 'usual', metadata = {} }: WriteVideoOptions,
): Promise<FrameWriter> {
  if (target === 'frames') return new FrameFiles(path, framePattern(path), metadata);
  const ff = await loadFFmpeg();
  if (target === 'gif') return new GifWriter(ff, file, path, { fps, metadata });
  const coding = codings[extname(path).toLowerCase()]!;
  return new VideoWriter(ff, file, path, { fps, quality, effort, sound: audio, metadata, ...coding });
}
