/** Frames and sound, encoded and written into one file as they come. */
import type { Codec, CodecContext, FormatContext, Frame, Packet, Stream } from 'node-av/lib';
import { ConfigError, DataError } from '../torch/errors.js';
import type { AudioCoding, Effort, VideoCoding } from './encoders.js';
import { checked, type FFmpeg } from './ffmpeg.js';
import type { RgbImage } from './frames.js';
import { monoFrame } from './resampler.js';
import { SoundFeed, type SoundSource } from './sound-feed.js';

/** What takes frames one after another. @internal */
export interface FrameWriter {
  add(picture: RgbImage): Promise<void>;
  /** Writes what is still held back. @throws DataError when there were no frames */
  finish(): Promise<void>;
  /** Frees what is held, also after a failure. */
  close(): Promise<void>;
}

/** @internal */
export interface VideoWriterOptions {
  readonly fps: number;
  readonly quality: number;
  readonly effort: Effort;
  readonly sound: SoundSource | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly video: VideoCoding;
  readonly audio: AudioCoding;
}

/** Frames a second as a fraction: 29.97 is 30000 / 1001. */
export function frameRate(fps: number): { num: number; den: number } {
  if (Number.isInteger(fps)) return { num: fps, den: 1 };
  const broadcast = Math.round(fps * 1.001) * 1000;
  if (Math.abs(broadcast / 1001 - fps) < 0.005) return { num: broadcast, den: 1001 };
  return { num: Math.max(1, Math.round(fps * 1000)), den: 1000 };
}

/** @throws DataError unless a frame is as the first was. @internal */
export function checkFrame(path: string, index: number, first: RgbImage, picture: RgbImage): void {
  const { width, height } = first;
  if (picture.width === width && picture.height === height && picture.data.length === width * height * 3) return;
  throw new DataError(
    `${path}: expected frames of ${width} x ${height}, ${width * height * 3} bytes, as the first; ` +
      `frame ${index} is ${picture.width} x ${picture.height}, ${picture.data.length} bytes`,
  );
}

/** A frame of FFmpeg with a copy of a picture. @internal */
export function rgbFrame(ff: FFmpeg, { width, height, data }: RgbImage): Frame {
  const format = ff.constants.AV_PIX_FMT_RGB24;
  return ff.Frame.fromVideoBuffer(Buffer.from(data.buffer, data.byteOffset, data.length), { width, height, format });
}

/** An encoder with its stream. */
interface Track {
  readonly codec: CodecContext;
  readonly stream: Stream;
}

/** Writes mp4, mov, mkv and webm. @internal */
export class VideoWriter implements FrameWriter {
  private frames = 0;
  private first: RgbImage | null = null;
  private readonly format: FormatContext;
  private readonly packet: Packet;
  private readonly scaler;
  private video: Track | null = null;
  private audio: Track | null = null;
  private sound: SoundFeed | null = null;
  private heard = 0;
  private open = false;
  private image: Frame | null = null;
  /** The latest frame on its way through the encoder, while the next is made. */
  private encoding: Promise<void> = Promise.resolve();

  /**
   * @param file - what is written
   * @param path - what errors name
   */
  constructor(
    private readonly ff: FFmpeg,
    private readonly file: string,
    private readonly path: string,
    private readonly options: VideoWriterOptions,
  ) {
    this.format = new ff.FormatContext();
    this.packet = new ff.Packet();
    this.packet.alloc();
    this.scaler = new ff.SoftwareScaleContext();
    this.scaler.allocContext();
  }

  async add(picture: RgbImage): Promise<void> {
    if (this.first === null) await this.begin(picture);
    const { ff } = this;
    checkFrame(this.path, this.frames, this.first as RgbImage, picture);
    await this.encoding;
    await this.hear(this.frames / this.options.fps);
    const source = rgbFrame(ff, picture);
    const image = this.image as Frame;
    checked(ff, image.makeWritable(), this.path);
    checked(ff, this.scaler.scaleFrameSync(image, source), `${this.path}: cannot convert a frame from RGB`);
    source.free();
    image.pts = BigInt(this.frames);
    this.frames += 1;
    this.encoding = this.encodeAside(this.video as Track, image);
    this.encoding.catch(() => {}); // told to whoever waits for it next
  }

  async finish(): Promise<void> {
    if (this.video === null) throw new DataError(`${this.path}: there are no frames to write`);
    await this.encoding;
    await this.hear(this.frames / this.options.fps);
    this.encode(this.video, null);
    await this.hear(Number.POSITIVE_INFINITY);
    if (this.audio !== null) this.encode(this.audio, null);
    checked(this.ff, this.format.writeTrailerSync(), `${this.path}: cannot write`);
    await this.format.closeOutput();
    this.open = false;
  }

  async close(): Promise<void> {
    await this.encoding.catch(() => {});
    await this.sound?.close();
    this.image?.free();
    this.packet.free();
    this.scaler.freeContext();
    this.video?.codec.freeContext();
    this.audio?.codec.freeContext();
    if (this.open) await this.format.closeOutput();
    this.format.freeContext();
  }

  /** Opens the file and both encoders, at the first frame. */
  private async begin(picture: RgbImage): Promise<void> {
    const { width, height } = picture;
    const { ff, options } = this;
    if (options.video.even && (width % 2 === 1 || height % 2 === 1)) {
      throw new ConfigError(
        `${options.video.name} needs an even width and height, got ${width} x ${height}: crop or scale the frames`,
      );
    }
    this.first = picture;
    checked(ff, this.format.allocOutputContext2(null, null, this.file), `${this.path}: cannot write`);
    this.format.setFlags(ff.constants.AVFMT_FLAG_BITEXACT); // no dates and no random numbers
    this.format.metadata = ff.Dictionary.fromObject({ ...options.metadata });
    this.video = await this.videoTrack(width, height);
    if (options.sound !== undefined) {
      this.sound = await SoundFeed.open(options.sound, options.audio.rates, this.path);
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
    const codec = options.video.find(ff);
    const context = this.encoder(codec, options.video.name);
    const rate = frameRate(options.fps);
    context.width = width;
    context.height = height;
    context.pixelFormat = constants.AV_PIX_FMT_YUV420P;
    context.sampleAspectRatio = new ff.Rational(1, 1);
    context.timeBase = new ff.Rational(rate.den, rate.num);
    context.framerate = new ff.Rational(rate.num, rate.den);
    context.threadCount = 1; // with more of them, x264 gives other bytes now and then
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
    return this.track(context, codec, options.video.settings(options.quality, options.effort));
  }

  private async audioTrack(rate: number): Promise<Track> {
    const { ff, options } = this;
    const { AV_SAMPLE_FMT_FLT, AV_SAMPLE_FMT_FLTP, AV_CHANNEL_LAYOUT_MONO } = ff.constants;
    const codec = options.audio.find(ff);
    const context = this.encoder(codec, options.audio.name);
    context.sampleRate = rate;
    context.sampleFormat = options.audio.planar ? AV_SAMPLE_FMT_FLTP : AV_SAMPLE_FMT_FLT;
    context.channelLayout = AV_CHANNEL_LAYOUT_MONO;
    context.bitRate = BigInt(options.audio.bitRate(rate));
    context.timeBase = new ff.Rational(1, rate);
    return this.track(context, codec, {});
  }

  private encoder(codec: Codec | null, name: string): CodecContext {
    if (codec === null) throw new ConfigError(`${this.path}: this build of FFmpeg has no encoder for ${name}`);
    const context = new this.ff.CodecContext();
    context.allocContext3(codec);
    const { AVFMT_GLOBALHEADER, AV_CODEC_FLAG_GLOBAL_HEADER, AV_CODEC_FLAG_BITEXACT } = this.ff.constants;
    context.setFlags(AV_CODEC_FLAG_BITEXACT);
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
  private async hear(until: number): Promise<void> {
    if (this.audio === null || this.sound === null) return;
    const { rate } = this.sound;
    const size = this.audio.codec.frameSize;
    while (this.heard < until * rate) {
      const samples = await this.sound.take(size);
      if (samples.length === 0) return;
      const frame = monoFrame(this.ff, samples, rate, this.options.audio.planar);
      frame.pts = BigInt(this.heard);
      this.encode(this.audio, frame);
      frame.free();
      this.heard += samples.length;
    }
  }

  /** Encodes a frame on another thread, and writes what came of it. */
  private async encodeAside(track: Track, frame: Frame): Promise<void> {
    checked(this.ff, await track.codec.sendFrame(frame), `${this.path}: cannot encode`);
    this.write(track);
  }

  private encode(track: Track, frame: Frame | null): void {
    checked(this.ff, track.codec.sendFrameSync(frame), `${this.path}: cannot encode`);
    this.write(track);
  }

  /** Writes the packets that an encoder has. */
  private write({ codec, stream }: Track): void {
    const { ff, packet } = this;
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
