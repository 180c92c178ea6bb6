/** FFmpeg, through the npm package `node-av`, which is optional and loaded when it is first used: its addon has 160 MB. */
import { setImmediate } from 'node:timers/promises';
import { DataError } from '../torch/errors.js';
import { optionalPackage } from '../torch/optional.js';

/** The parts of `node-av` that are used: its bindings and FFmpeg's constants. @internal */
export type FFmpeg = typeof import('node-av/lib') & { readonly constants: typeof import('node-av/constants') };

let loading: Promise<FFmpeg> | null = null;

/** @throws ConfigError where the package, or the platform's addon, is missing. @internal */
export function loadFFmpeg(): Promise<FFmpeg> {
  loading ??= load();
  return loading;
}

async function load(): Promise<FFmpeg> {
  const purpose = 'Reading and writing videos and compressed sound';
  try {
    const lib = await optionalPackage<Omit<FFmpeg, 'constants'>>('node-av/lib', purpose);
    const constants = await optionalPackage<FFmpeg['constants']>('node-av/constants', purpose);
    lib.Log.setLevel(constants.AV_LOG_QUIET); // what goes wrong is told by errors, not on stderr
    return { ...lib, constants };
  } catch (error) {
    loading = null; // it may be installed meanwhile
    throw error;
  }
}

/** FFmpeg's words for an error code. @internal */
export function explain(ff: FFmpeg, code: number): string {
  return ff.FFmpegError.strerror(code).toLowerCase();
}

/** Passes `code` on unless it is an error. @throws DataError that says what failed, and FFmpeg's reason. @internal */
export function checked(ff: FFmpeg, code: number, failed: string): number {
  if (code < 0) throw new DataError(`${failed}: ${explain(ff, code)}`);
  return code;
}

/**
 * FFmpeg is called synchronously, since its calls are short and handing each to another thread takes many times as long; between them
 * the event loop gets its turn.
 */
export class Breath {
  private last = performance.now();

  /** Whether the event loop has waited for long. */
  due(): boolean {
    return performance.now() - this.last > 10;
  }

  async take(): Promise<void> {
    await setImmediate();
    this.last = performance.now();
  }
}

/** Which FFmpeg is in use, and under which licence its builders put it. */
export interface FFmpegInfo {
  readonly version: string;
  /** An SPDX name, or `unredistributable`. The configuration decides it, whatever the licence of `node-av` is. */
  readonly licence: string;
  /** The options of its `configure`. */
  readonly configuration: string;
}

/** Loads FFmpeg and describes it. @throws ConfigError where it is missing */
export async function ffmpegInfo(): Promise<FFmpegInfo> {
  const { version, configuration } = (await loadFFmpeg()).getFFmpegInfo();
  return { version, licence: ffmpegLicence(configuration), configuration };
}

/** The licence that follows from the options of FFmpeg's `configure`: https://ffmpeg.org/legal.html */
export function ffmpegLicence(configuration: string): string {
  const has = (option: string): boolean => configuration.split(/\s+/).includes(`--enable-${option}`);
  if (has('nonfree')) return 'unredistributable';
  if (has('gpl')) return has('version3') ? 'GPL-3.0-or-later' : 'GPL-2.0-or-later';
  return has('version3') ? 'LGPL-3.0-or-later' : 'LGPL-2.1-or-later';
}
