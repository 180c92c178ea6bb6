/** What a media file holds, without decoding it. */
import type { Stream } from 'node-av/lib';
import { MediaFile } from './media-file.js';
import { pixelAspect, shownSize, viewOf } from './orientation.js';

export interface VideoInfo {
  readonly codec: string;
  /** Pixels, as frames come out: square, and after the rotation that the file asks for. */
  readonly width: number;
  readonly height: number;
  /** Mean frames a second; null where the file does not say. */
  readonly fps: number | null;
  /** Frames, where the file counts them. */
  readonly frames: number | null;
  /** Width of a stored pixel over its height: 1, but for some broadcasts and discs. Frames come out with square ones. */
  readonly pixelAspect: number;
  /** Seconds; null where unknown. */
  readonly duration: number | null;
}

export interface AudioInfo {
  readonly codec: string;
  /** Samples a second. */
  readonly rate: number;
  readonly channels: number;
  /** Seconds; null where unknown. */
  readonly duration: number | null;
}

export interface MediaInfo {
  readonly path: string;
  /** FFmpeg's name for the container, such as `mov,mp4,m4a,3gp,3g2,mj2`. */
  readonly format: string;
  /** Seconds; null where unknown. */
  readonly duration: number | null;
  readonly video: VideoInfo | null;
  readonly audio: AudioInfo | null;
  /** All streams, those that are not read too: `video h264`, `audio aac`, `subtitle mov_text`. */
  readonly streams: readonly string[];
  /** What the file says about itself, such as `{ title: 'Rain', comment: '..' }`, under FFmpeg's names. */
  readonly tags: Readonly<Record<string, string>>;
}

/** Describes a video, a recording or a picture. @throws DataError when there is no such file or it is none of these */
export function mediaInfo(path: string): Promise<MediaInfo> {
  return MediaFile.with(path, (media) => {
    const [video, audio] = [media.find('video'), media.find('audio')];
    return {
      path,
      format: media.format.iformat?.name ?? 'unknown',
      duration: media.duration,
      video: video && describeVideo(media, video),
      audio: audio && {
        codec: codecName(media, audio),
        rate: audio.codecpar.sampleRate,
        channels: audio.codecpar.channels,
        duration: duration(media, audio),
      },
      streams: media.format.streams.map(
        (stream) =>
          `${media.ff.avGetMediaTypeString(stream.codecpar.codecType) ?? 'unknown'} ${codecName(media, stream)}`,
      ),
      tags: media.format.metadata?.getAll() ?? {},
    };
  });
}

/** When something is heard and seen in a file, in seconds since its beginning. */
export interface MediaExtent {
  /** The end of its sound or its picture, whichever is later. */
  readonly end: number;
  /** Where its sound begins; null without any. */
  readonly soundFrom: number | null;
}

/**
 * Finds how far a file reaches: by what it says, or where it does not (streams of browsers, raw MP3 and AAC, transport streams) by reading
 * it once, which decodes nothing.
 * @throws DataError as {@link mediaInfo}
 */
export function mediaExtent(path: string): Promise<MediaExtent> {
  return MediaFile.with(path, async (media) => {
    const audio = media.find('audio');
    return {
      end: media.saysDuration ? (media.duration as number) : await media.measure(),
      soundFrom: audio && Math.max(0, media.time(audio, audio.startTime) ?? 0),
    };
  });
}

function describeVideo(media: MediaFile, stream: Stream): VideoInfo {
  const aspect = pixelAspect(stream, stream.codecpar.sampleAspectRatio);
  const [width, height] = shownSize(viewOf(media.ff, stream), stream.codecpar, aspect);
  return {
    codec: codecName(media, stream),
    width,
    height,
    fps: framesASecond(stream),
    frames: stream.nbFrames > 0n ? Number(stream.nbFrames) : null,
    pixelAspect: aspect,
    duration: duration(media, stream),
  };
}

/** The mean rate of a stream's frames, null where it is unknown. @internal */
export function framesASecond(stream: Stream): number | null {
  for (const rate of [stream.avgFrameRate, stream.rFrameRate]) {
    if (rate.num > 0 && rate.den > 0) return rate.toDouble();
  }
  return null;
}

function codecName(media: MediaFile, stream: Stream): string {
  return media.ff.avGetCodecName(stream.codecpar.codecId) ?? 'unknown';
}

function duration(media: MediaFile, stream: Stream): number | null {
  const { duration: ticks, timeBase } = stream;
  return ticks === media.ff.constants.AV_NOPTS_VALUE || ticks <= 0n
    ? media.duration
    : Number(ticks) * timeBase.toDouble();
}
