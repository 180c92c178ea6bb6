/** A media file opened for reading: which streams it has, when it begins, and what is wrong with it where it cannot be read. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { CodecContext, FormatContext, Stream } from 'node-av/lib';
import { FileReader, reason } from '../io/file.js';
import { DataError } from '../torch/errors.js';
import { Breath, checked, explain, type FFmpeg, loadFFmpeg } from './ffmpeg.js';
import { TruncatedError } from './truncated.js';

export type MediaKind = 'audio' | 'video';

const EXPECTED =
  'expected a video (mp4, mov, mkv, webm, avi, mpg), a recording (wav, mp3, m4a, flac, ogg) or a picture';

/** Containers whose index says how long they are, so that what is missing at the end is known to be missing. */
const EXACT = new Set(['mov', 'mp4', 'matroska', 'webm', 'avi', 'wav', 'flac']);

/** Containers whose length is counted from the zero of their clock. */
const FROM_ZERO = new Set(['matroska', 'webm']);

/** What may be missing at a stream's end, and at that of the longest stream, in seconds, before a file counts as cut short. */
const SLACK = { stream: 0.25, whole: 0.5 };

/**
 * Containers that do not say how many samples an encoder put before the sound: with a picture, what is heard this shortly before it is
 * that (in samples: AAC has 1024 to 2112, others fewer), and time begins with the picture.
 */
const WITHOUT_DELAY = new Set(['mpegts', 'mpeg', 'flv', 'hls']);
const LONGEST_DELAY = 2112;

/** The length that is written where it was not known yet. */
const STREAMED = 0xffffff00;

export class MediaFile {
  #start: number | null = null;

  private constructor(
    readonly ff: FFmpeg,
    readonly path: string,
    readonly format: FormatContext,
  ) {}

  /** @throws DataError when there is no such file, or it is a folder, empty, cut short, or no media file */
  static async open(path: string): Promise<MediaFile> {
    checkFile(path);
    const ff = await loadFFmpeg();
    const format = new ff.FormatContext();
    // A playlist may name other files and hosts: only files are opened.
    const options = ff.Dictionary.fromObject({ protocol_whitelist: 'file' });
    const code = await format.openInput(`file:${resolve(path)}`, null, options);
    if (code < 0) throw new DataError(unreadable(path, explain(ff, code)));
    const media = new MediaFile(ff, path, format);
    try {
      const found = await format.findStreamInfo();
      if (found < 0) throw new DataError(unreadable(path, explain(ff, found)));
      if (media.find('audio') === null && media.find('video') === null) {
        throw new DataError(unreadable(path, `${media.describe()} in it`));
      }
    } catch (error) {
      await media.close();
      throw error;
    }
    return media;
  }

  /** Opens, runs `use`, closes. */
  static async with<T>(path: string, use: (media: MediaFile) => T | Promise<T>): Promise<T> {
    const media = await MediaFile.open(path);
    try {
      return await use(media);
    } finally {
      await media.close();
    }
  }

  /** The stream that a player would choose; null where there is none. The cover of a song is no video. */
  find(kind: MediaKind): Stream | null {
    const { constants } = this.ff;
    const index = this.format.findBestStream(
      kind === 'audio' ? constants.AVMEDIA_TYPE_AUDIO : constants.AVMEDIA_TYPE_VIDEO,
    );
    const stream = this.format.streams[index];
    if (stream === undefined || stream.hasDisposition(constants.AV_DISPOSITION_ATTACHED_PIC)) return null;
    return stream;
  }

  /** @throws DataError where there is none */
  stream(kind: MediaKind): Stream {
    const stream = this.find(kind);
    if (stream !== null) return stream;
    const instead = kind === 'audio' ? 'a recording with sound' : 'a video';
    throw new DataError(`${this.path} has no ${kind} stream, only ${this.describe()}: give ${instead}`, {
      code: kind === 'audio' ? 'NO_AUDIO' : 'NO_VIDEO',
    });
  }

  /** Seconds on the file's own clock at which it begins: its time 0 here. */
  get start(): number {
    this.#start ??= this.beginning();
    return this.#start;
  }

  private beginning(): number {
    const start = this.seconds(this.format.startTime) ?? 0;
    const [video, audio] = [this.find('video'), this.find('audio')];
    if (video === null || audio === null || !this.is(WITHOUT_DELAY)) return start;
    const shown = this.clock(video, video.startTime);
    const lead = shown === null ? 0 : shown - start;
    return shown !== null && lead > 0 && lead <= LONGEST_DELAY / audio.codecpar.sampleRate + 1e-3 ? shown : start;
  }

  /** Seconds from its time 0 to its end; null where the file does not say. */
  get duration(): number | null {
    const duration = this.seconds(this.format.duration);
    if (duration === null) return null;
    // Matroska counts from the zero of its clock, others from where they begin.
    const counted = this.is(FROM_ZERO) ? 0 : (this.seconds(this.format.startTime) ?? 0);
    return Math.max(0, duration - (this.start - counted));
  }

  private is(names: ReadonlySet<string>): boolean {
    return (this.format.iformat?.name?.split(',') ?? []).some((name) => names.has(name));
  }

  /** A container's own time, in seconds. */
  private seconds(time: bigint): number | null {
    return time === this.ff.constants.AV_NOPTS_VALUE ? null : Number(time) / 1e6;
  }

  /** A stream's time, in seconds since the file's beginning; null where it is unknown. */
  time(stream: Stream, ticks: bigint): number | null {
    const time = this.clock(stream, ticks);
    return time === null ? null : time - this.start;
  }

  /** The same on the file's own clock. */
  private clock(stream: Stream, ticks: bigint): number | null {
    return ticks === this.ff.constants.AV_NOPTS_VALUE ? null : Number(ticks) * stream.timeBase.toDouble();
  }

  /** Whether the container says how long it is, and does not leave it to be guessed. */
  get saysDuration(): boolean {
    return this.duration !== null && this.is(EXACT) && !(this.is(FROM_ZERO) && this.start > 0);
  }

  /** Reads all packets, which decodes none. The end of the sound or the picture, whichever is later, in seconds. */
  async measure(): Promise<number> {
    const { ff, format } = this;
    const packet = new ff.Packet();
    packet.alloc();
    const streams = [this.find('audio'), this.find('video')].filter((stream) => stream !== null);
    const breath = new Breath();
    let end = 0;
    try {
      for (;;) {
        if (breath.due()) await breath.take();
        const code = format.readFrameSync(packet);
        if (code === ff.constants.AVERROR_EAGAIN) continue;
        if (code < 0) return end;
        const stream = streams.find(({ index }) => index === packet.streamIndex);
        if (stream !== undefined) {
          const ticks = packet.pts === ff.constants.AV_NOPTS_VALUE ? packet.dts : packet.pts;
          const length = Number(packet.duration) * stream.timeBase.toDouble();
          end = Math.max(end, (this.time(stream, ticks) ?? end) + length);
        }
        packet.unref();
      }
    } finally {
      packet.free();
    }
  }

  /** Decoder of a stream, open. @throws DataError where FFmpeg has none */
  async decoder(stream: Stream, threads: number): Promise<CodecContext> {
    const { ff } = this;
    const name = ff.avGetCodecName(stream.codecpar.codecId) ?? 'unknown';
    const codec = ff.Codec.findDecoder(stream.codecpar.codecId);
    if (codec === null)
      throw new DataError(`${this.path}: FFmpeg has no decoder for ${name}; convert the file to another format`);
    const context = new ff.CodecContext();
    context.allocContext3(codec);
    context.parametersToContext(stream.codecpar);
    context.pktTimebase = stream.timeBase;
    context.threadCount = threads;
    checked(ff, await context.open2(codec), `${this.path}: cannot decode ${name}`);
    return context;
  }

  /**
   * The time at which the file says that the stream ends, null where that is unknown or a guess.
   * `whole` is true where it is the end of the longest stream and not of this one.
   */
  announcedEnd(stream: Stream): { end: number; whole: boolean } | null {
    if (!this.is(EXACT)) return null;
    const { AV_NOPTS_VALUE } = this.ff.constants;
    if (stream.duration > 0n && stream.duration !== AV_NOPTS_VALUE) {
      const from = stream.startTime === AV_NOPTS_VALUE ? 0 : (this.time(stream, stream.startTime) ?? 0);
      return { end: from + Number(stream.duration) * stream.timeBase.toDouble(), whole: false };
    }
    return this.duration === null ? null : { end: this.duration, whole: true };
  }

  /** @throws DataError when the file announced more than there was */
  checkEnd({ end: announced, whole }: { end: number; whole: boolean }, reached: number): void {
    if (reached >= announced - (whole ? SLACK.whole : SLACK.stream)) return;
    throw new TruncatedError(
      `${this.path} is cut short: it announces ${announced.toFixed(2)} s and ends after ${reached.toFixed(2)} s`,
    );
  }

  /** WAV and AVI say how many bytes they have. @throws DataError when there are fewer */
  checkBytes(): void {
    if (!['wav', 'avi'].includes(this.format.iformat?.name ?? '')) return;
    FileReader.with(this.path, (file) => {
      const head = Buffer.from(file.read(0, 8));
      const announced = head.readUInt32LE(4);
      if (head.toString('latin1', 0, 4) !== 'RIFF' || announced >= STREAMED) return;
      if (announced + 7 > file.size)
        throw new TruncatedError(`${this.path} is cut short: it announces ${announced + 8} bytes and has ${file.size}`);
    });
  }

  private describe(): string {
    const { ff } = this;
    const names = this.format.streams.map(
      ({ codecpar }) =>
        `${ff.avGetMediaTypeString(codecpar.codecType) ?? 'unknown'} (${ff.avGetCodecName(codecpar.codecId) ?? 'unknown'})`,
    );
    return names.length === 0 ? 'no streams' : names.join(', ');
  }

  async close(): Promise<void> {
    await this.format.closeInput();
  }
}

function checkFile(path: string): void {
  let stat: ReturnType<typeof statSync>;
  try {
    stat = statSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new DataError(`No such file: ${path} (looked from ${process.cwd()})`, { code: 'NO_FILE', cause: error });
    throw new DataError(`Cannot read ${path}: ${reason(error)}`, { cause: error });
  }
  if (!stat.isFile())
    throw new DataError(`${path} is ${stat.isDirectory() ? 'a folder' : 'a special file'}, ${EXPECTED}`);
  if (stat.size === 0) throw new DataError(`${path} is empty, ${EXPECTED}`);
}

/** Why FFmpeg cannot read a file. */
function unreadable(path: string, why: string): string {
  if (lacksIndex(path)) {
    const missing = "it begins as an MP4 file, but its index (the box 'moov', often at the end) is missing";
    return `${path} is cut short: ${missing}. Copy or record it again`;
  }
  return `${path} is not a media file that FFmpeg can read (${why}): ${EXPECTED}`;
}

/** Whether a file begins as MP4 or QuickTime does, and its boxes end without a `moov`. */
function lacksIndex(path: string): boolean {
  return FileReader.with(path, (file) => {
    if (file.size < 16) return false;
    for (let at = 0, first = true; at + 16 <= file.size; first = false) {
      const head = new DataView(file.read(at, 16).buffer);
      const type = String.fromCharCode(...[4, 5, 6, 7].map((byte) => head.getUint8(byte)));
      if (first && type !== 'ftyp') return false;
      if (type === 'moov') return false;
      const size = head.getUint32(0);
      if (size === 0) break; // the last box, to the end
      at += size === 1 ? Number(head.getBigUint64(8)) : Math.max(size, 8);
    }
    return true;
  });
}
