/** Which encoders a container gets, and how they are set so that the same frames give the same bytes. */
import type { Codec } from 'node-av/lib';
import type { FFmpeg } from './ffmpeg.js';

/** How much time the encoder may take. */
export type Effort = 'usual' | 'little';

/** @internal */
export interface VideoCoding {
  readonly name: string;
  /** Whether width and height have to be even. */
  readonly even: boolean;
  find(ff: FFmpeg): Codec | null;
  /** @param quality - 0 (best) to 51 */
  settings(quality: number, effort: Effort): Record<string, string>;
}

/** @internal */
export interface AudioCoding {
  readonly name: string;
  /** Samples a second that it takes. */
  readonly rates: readonly number[];
  /** Whether it takes channels one after another, and not sample by sample; of one channel that is a matter of names. */
  readonly planar: boolean;
  find(ff: FFmpeg): Codec | null;
  bitRate(rate: number): number;
}

const h264: VideoCoding = {
  name: 'H.264',
  even: true,
  find: ({ Codec, constants }) =>
    Codec.findEncoderByName(constants.FF_ENCODER_LIBX264) ?? Codec.findEncoder(constants.AV_CODEC_ID_H264),
  // Without mbtree x264 repeats itself: with it, one in some thousand runs gave a frame of a few other bytes.
  settings: (quality, effort) => ({
    crf: String(quality),
    preset: effort === 'little' ? 'veryfast' : 'medium',
    mbtree: '0',
  }),
};

const vp9: VideoCoding = {
  name: 'VP9',
  even: false,
  find: ({ Codec, constants }) => Codec.findEncoder(constants.AV_CODEC_ID_VP9),
  settings: (quality, effort) => ({
    crf: String(Math.round((quality * 63) / 51)), // its scale ends at 63
    b: '0', // no bit rate, quality alone
    deadline: effort === 'little' ? 'realtime' : 'good',
    'cpu-used': effort === 'little' ? '6' : '4',
  }),
};

const aac: AudioCoding = {
  name: 'AAC',
  rates: [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000],
  planar: true,
  find: ({ Codec, constants }) => Codec.findEncoder(constants.AV_CODEC_ID_AAC),
  bitRate: (rate) => Math.max(64_000, Math.min(128_000, rate * 4)),
};

const opus: AudioCoding = {
  name: 'Opus',
  rates: [8000, 12000, 16000, 24000, 48000],
  planar: false,
  find: ({ Codec, constants }) => Codec.findEncoderByName(constants.FF_ENCODER_LIBOPUS),
  bitRate: () => 96_000,
};

/** What is written into each container, by the end of the file's name. @internal */
export const codings: Readonly<Record<string, { readonly video: VideoCoding; readonly audio: AudioCoding }>> = {
  '.mp4': { video: h264, audio: aac },
  '.m4v': { video: h264, audio: aac },
  '.mov': { video: h264, audio: aac },
  '.mkv': { video: h264, audio: aac },
  '.webm': { video: vp9, audio: opus },
};
