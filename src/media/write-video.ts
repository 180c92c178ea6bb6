/** Frames and sound to a video file: H.264 and AAC in mp4, mov or mkv. */
import { randomUUID } from 'node:crypto';
import { renameSync, rmSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import type { Codec, CodecContext, FormatContext, Frame, Packet, Stream } from 'node-av/lib';
import { ConfigError, DataError } from '../torch/errors.js';
import { checkOptions } from '../torch/options.js';
import type { Audio } from './audio.js';
import { Breath, checked, type FFmpeg, loadFFmpeg } from './ffmpeg.js';
import type { RgbImage } from './frames.js';
import { monoFrame, resample } from './resampler.js';

export interface WriteVideoOptions {
  /** Frames a second. */
  readonly fps: number;
  readonly audio?: Audio;
  /** 0 (lossless) to 51 (worst); 18 by default, which looks like the original. */
  readonly quality?: number;
}

const CONTAINERS = ['.mp4', '.mov', '.mkv', '.m4v'];
/** Rates that AAC has. */
const AAC_RATES = [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000];

/**
 * Writes a video, frame by frame as they come, and its sound beside them. The file appears under its name when it is whole.
 * @param frames - all of one size, width and height even
 * @returns what was written
 * @throws ConfigError for options that cannot be; DataError when frames differ in size, or there are none
 */
export async function writeVideo(
  path: string,
  frames: AsyncIterable<RgbImage> | Iterable<RgbImage>,
  options: WriteVideoOptions,
): Promise<{ readonly frames: number; readonly duration: number }> {
  checkOptions('writeVideo', options, ['fps', 'audio', 'quality']);
  const { fps, quality = 18 } = options;
  const extension = extname(path).toLowerCase();
  if (!CONTAINERS.includes(extension))
    throw new ConfigError(`expected a file name that ends in ${CONTAINERS.join(', ')}, got ${path}`);
  if (!(fps > 0 && fps <= 1000)) throw new ConfigError(`expected fps between 0 and 1000, frames a second, got ${fps}`);
  if (!(quality >= 0 && quality <= 51)) throw new ConfigError(`expected a quality from 0 (best) to 51, got ${quality}`);
  const ff = await loadFFmpeg();
  const partial = join(dirname(resolve(path)), `.${basename(path, extension)}.${randomUUID()}${extension}`);
  const writer = new Writer(ff, partial, path, { ...options, quality });
  try {
    const breath = new Breath();
    for await (const frame of frames) {
      await writer.add(frame);
      if (breath.due()) await breath.take();
    }
    await writer.finish();
    renameSync(partial, path);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  } finally {
    await writer.close();
  }
  return { frames: writer.frames, duration: writer.frames / fps };
}

/** Frames a second as a fraction: 29.97 is 30000 / 1001. */
export function frameRate(fps: number): { num: number; den: number } {
  if (Number.isInteger(fps)) return { num: fps, den: 1 };
  const broadcast = Math.round(fps * 1.001) * 1000;
  if (Math.abs(broadcast / 1001 - fps) < 0.005) return { num: broadcast, den: 1001 };
  return { num: Math.max(1, Math.round(fps * 1000)), den: 1000 };
}

/** An encoder with its stream. */
interface Track {
  readonly codec: CodecContext;
  readonly stream: Stream;
}

class Writer {
  frames = 0;
  private size: { width: number; height: number } | null = null;
  private readonly format: FormatContext;
  private readonly packet: Packet;
  private video: Track | null = null;
  private audio: Track | null = null;
  private sound: Audio | null = null;
  private heard = 0;
  private open = false;
  private image: Frame | null = null;
  private readonly scaler;

  constructor(
    private readonly ff: FFmpeg,
    private readonly partial: string,
    private readonly path: string,
    private readonly options: WriteVideoOptions & { quality: number },
  ) {
    this.format = new ff.FormatContext();
    this.packet = new ff.Packet();
    this.packet.alloc();
    this.scaler = new ff.SoftwareScaleContext();
    this.scaler.allocContext();
  }

  async add(picture: RgbImage): Promise<void> {
    await this.begin(picture);
    const { ff } = this;
    const { width, height } = this.size as { width: number; height: number };
    if (picture.width !== width || picture.height !== height || picture.data.length !== width * height * 3) {
      throw new DataError(
        `${this.path}: expected frames of ${width} x ${height}, ${width * height * 3} bytes, as the first; ` +
          `frame ${this.frames} is ${picture.width} x ${picture.height}, ${picture.data.length} bytes`,
      );
    }
    const source = ff.Frame.fromVideoBuffer(
      Buffer.from(picture.data.buffer, picture.data.byteOffset, picture.data.length),
      {
        width,
        height,
        format: ff.constants.AV_PIX_FMT_RGB24,
      },
    );
    const image = this.image as Frame;
    checked(ff, image.makeWritable(), this.path);
    checked(ff, this.scaler.scaleFrameSync(image, source), `${this.path}: cannot convert a frame from RGB`);
    source.free();
    image.pts = BigInt(this.frames);
    this.encode(this.video as Track, image);
    this.frames += 1;
    this.hear(this.frames / this.options.fps);
  }

  async finish(): Promise<void> {
    if (this.video === null) throw new DataError(`${this.path}: there are no frames to write`);
    this.encode(this.video, null);
    this.hear(Number.POSITIVE_INFINITY);
    if (this.audio !== null) this.encode(this.audio, null);
    checked(this.ff, this.format.writeTrailerSync(), `${this.path}: cannot write`);
    await this.format.closeOutput();
    this.open = false;
  }

  async close(): Promise<void> {
    this.image?.free();
    this.packet.free();
    this.scaler.freeContext();
    this.video?.codec.freeContext();
    this.audio?.codec.freeContext();
    if (this.open) await this.format.closeOutput();
    this.format.freeContext();
  }

  /** Opens the file and both encoders, at the first frame. */
  private async begin({ width, height }: RgbImage): Promise<void> {
    if (this.size !== null) return;
    if (width % 2 === 1 || height % 2 === 1)
      throw new ConfigError(`H.264 needs an even width and height, got ${width} x ${height}: crop or scale the frames`);
    const { ff, options } = this;
    this.size = { width, height };
    checked(ff, this.format.allocOutputContext2(null, null, this.partial), `${this.path}: cannot write`);
    this.video = await this.videoTrack(width, height);
    if (options.audio !== undefined) {
      const { samples, rate } = options.audio;
      this.sound = AAC_RATES.includes(rate)
        ? options.audio
        : { samples: await resample(samples, rate, 48000), rate: 48000 };
      this.audio = await this.audioTrack(this.sound.rate);
    }
    checked(ff, this.format.openOutputSync(), `Cannot write ${this.path}`);
    this.open = true;
    const flags = ff.Dictionary.fromObject({ movflags: '+faststart' });
    checked(ff, this.format.writeHeaderSync(flags), `${this.path}: cannot write`);
  }

  private async videoTrack(width: number, height: number): Promise<Track> {
    const { ff, options } = this;
    const { constants } = ff;
    const codec =
      ff.Codec.findEncoderByName(constants.FF_ENCODER_LIBX264) ?? ff.Codec.findEncoder(constants.AV_CODEC_ID_H264);
    const context = this.encoder(codec, 'H.264');
    const rate = frameRate(options.fps);
    context.width = width;
    context.height = height;
    context.pixelFormat = constants.AV_PIX_FMT_YUV420P;
    context.sampleAspectRatio = new ff.Rational(1, 1);
    context.timeBase = new ff.Rational(rate.den, rate.num);
    context.framerate = new ff.Rational(rate.num, rate.den);
    const image = new ff.Frame();
    image.alloc();
    image.width = width;
    image.height = height;
    image.format = constants.AV_PIX_FMT_YUV420P;
    for (const colours of [context, image]) {
      // Said in the file and used in the conversion, so that the colours come back.
      colours.colorSpace = constants.AVCOL_SPC_BT709;
      colours.colorPrimaries = constants.AVCOL_PRI_BT709;
      colours.colorTrc = constants.AVCOL_TRC_BT709;
      colours.colorRange = constants.AVCOL_RANGE_MPEG;
    }
    checked(ff, image.getBuffer(), this.path);
    this.image = image;
    return this.track(context, codec, { crf: String(options.quality), preset: 'medium' });
  }

  private async audioTrack(rate: number): Promise<Track> {
    const { ff } = this;
    const codec = ff.Codec.findEncoder(ff.constants.AV_CODEC_ID_AAC);
    const context = this.encoder(codec, 'AAC');
    context.sampleRate = rate;
    context.sampleFormat = ff.constants.AV_SAMPLE_FMT_FLTP;
    context.channelLayout = ff.constants.AV_CHANNEL_LAYOUT_MONO;
    context.bitRate = BigInt(Math.max(64_000, Math.min(128_000, rate * 4)));
    context.timeBase = new ff.Rational(1, rate);
    return this.track(context, codec, {});
  }

  private encoder(codec: Codec | null, name: string): CodecContext {
    if (codec === null) throw new ConfigError(`${this.path}: this build of FFmpeg has no encoder for ${name}`);
    const context = new this.ff.CodecContext();
    context.allocContext3(codec);
    const { AVFMT_GLOBALHEADER, AV_CODEC_FLAG_GLOBAL_HEADER } = this.ff.constants;
    if (this.format.oformat?.hasFlags(AVFMT_GLOBALHEADER)) context.setFlags(AV_CODEC_FLAG_GLOBAL_HEADER);
    return context;
  }

  private async track(codec: CodecContext, kind: Codec | null, options: Record<string, string>): Promise<Track> {
    const { ff } = this;
    const stream = this.format.newStream();
    checked(ff, await codec.open2(kind, ff.Dictionary.fromObject(options)), `${this.path}: cannot encode`);
    checked(ff, stream.codecpar.fromContext(codec), this.path);
    stream.timeBase = codec.timeBase;
    return { codec, stream };
  }

  /** Encodes the sound up to a time, so that it is written beside the frames. */
  private hear(until: number): void {
    if (this.audio === null || this.sound === null) return;
    const { samples, rate } = this.sound;
    const size = this.audio.codec.frameSize;
    while (this.heard < samples.length && this.heard < until * rate) {
      const frame = monoFrame(this.ff, samples.subarray(this.heard, this.heard + size), rate);
      frame.pts = BigInt(this.heard);
      this.encode(this.audio, frame);
      frame.free();
      this.heard += size;
    }
  }

  private encode({ codec, stream }: Track, frame: Frame | null): void {
    const { ff, packet } = this;
    checked(ff, codec.sendFrameSync(frame), `${this.path}: cannot encode`);
    for (;;) {
      const code = codec.receivePacketSync(packet);
      if (code === ff.constants.AVERROR_EAGAIN || code === ff.constants.AVERROR_EOF) return;
      checked(ff, code, `${this.path}: cannot encode`);
      packet.streamIndex = stream.index;
      if (packet.duration === 0n) packet.duration = 1n; // a frame; the last one's length is known by nothing else
      packet.rescaleTs(codec.timeBase, stream.timeBase);
      checked(ff, this.format.interleavedWriteFrameSync(packet), `${this.path}: cannot write`);
      packet.unref();
    }
  }
}
