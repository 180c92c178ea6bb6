/** Packets to decoded frames: of one stream, in order, one at a time, so that memory does not grow with the file. */
import type { CodecContext, Frame, Packet, Stream } from 'node-av/lib';
import { ConfigError, DataError } from '../torch/errors.js';
import { Breath, explain } from './ffmpeg.js';
import { MediaFile, type MediaKind } from './media-file.js';
import { TruncatedError } from './truncated.js';

/** Which part of a file to read, and how. */
export interface ReadOptions {
  /** Seconds since the file's beginning; 0 by default. */
  readonly start?: number;
  /** Seconds since the file's beginning; by default the end. */
  readonly end?: number;
  /** Threads of the decoder: by default 1 for sound, and for video as many as FFmpeg likes. The result does not depend on it. */
  readonly threads?: number;
  /** Takes what there is of a file that was cut short, which is an error otherwise. */
  readonly allowTruncated?: boolean;
  /** Told at the end of what is damaged within the file: what cannot be decoded is left out, or mended by the decoder. */
  readonly note?: (remark: string) => void;
}

export const readOptionNames = ['start', 'end', 'threads', 'allowTruncated', 'note'] as const;

/** What is decoded before `start`, in seconds, so that decoders which need a run-up are in order by then; of sound this much at least. */
const RUN_UP = 1;
const LEAST_OF_SOUND = 0.2;

/** What is looked for further back, each time that what was found is too late. */
const FURTHER = 4;

/** Seconds by which times may go back where a file is only untidy. */
const BACKWARDS = 0.5;

/** A decoded frame. @internal */
export interface Decoded {
  readonly frame: Frame;
  /** Seconds since the file's beginning. */
  readonly time: number;
  /** Seconds that it lasts; 0 where that is unknown. */
  readonly duration: number;
}

/** @throws ConfigError unless 0 <= start < end */
export function checkSection({ start = 0, end = Number.POSITIVE_INFINITY }: ReadOptions): void {
  if (!(start >= 0 && Number.isFinite(start) && end > start))
    throw new ConfigError(`expected 0 <= start < end, in seconds, got start ${start} and end ${end}`);
}

/** A stream of a file while it is decoded. @internal */
export class Decoder {
  /** The end of the latest packet of this stream, and of any, in seconds. */
  private reached = 0;
  private reachedByAny = 0;
  private refused = 0;
  private lastError = 0;
  /** Of the section that was asked for: packets that were refused, frames that are not as they were, and when the first was. */
  private readonly damage = { packets: 0, frames: 0, first: Number.POSITIVE_INFINITY };
  private frames = 0;
  private next = 0;
  private latest = Number.NEGATIVE_INFINITY;
  private ended = false;
  /** Whether `packet` is the first to decode, and the time from which on frames are whole after a search. */
  private holds = false;
  private wholeFrom = Number.NEGATIVE_INFINITY;

  private constructor(
    readonly media: MediaFile,
    private readonly kind: MediaKind,
    readonly stream: Stream,
    private readonly codec: CodecContext,
    private readonly packet: Packet,
    private readonly frame: Frame,
    private readonly options: ReadOptions,
  ) {}

  /**
   * Opens a file's audio or video, where reading has to begin for `start`.
   * @throws DataError when that cannot be, ConfigError for a section that cannot be
   */
  static async open(path: string, kind: MediaKind, options: ReadOptions): Promise<Decoder> {
    checkSection(options);
    const decoder = await Decoder.atBeginning(path, kind, options);
    try {
      if (await decoder.seek()) return decoder;
    } catch (error) {
      await decoder.close();
      throw error;
    }
    await decoder.close();
    return Decoder.atBeginning(path, kind, options);
  }

  private static async atBeginning(path: string, kind: MediaKind, options: ReadOptions): Promise<Decoder> {
    const media = await MediaFile.open(path);
    try {
      const stream = media.stream(kind);
      if (!options.allowTruncated) media.checkBytes();
      const codec = await media.decoder(stream, options.threads ?? (kind === 'audio' ? 1 : 0));
      const packet = new media.ff.Packet();
      packet.alloc();
      const frame = new media.ff.Frame();
      frame.alloc();
      return new Decoder(media, kind, stream, codec, packet, frame, options);
    } catch (error) {
      await media.close();
      throw error;
    }
  }

  /**
   * The frames from a little before `start` on, as far as `end`. Each is valid until the next is asked for.
   * @throws DataError when nothing can be decoded, or the file ends before it should
   */
  async *decode(end = Number.POSITIVE_INFINITY): AsyncGenerator<Decoded> {
    try {
      yield* this.packetsDecoded(end);
    } finally {
      this.tellDamage();
    }
  }

  private async *packetsDecoded(end: number): AsyncGenerator<Decoded> {
    const { media, packet, codec, stream } = this;
    const { constants } = media.ff;
    let code = 0;
    const breath = new Breath();
    for (;;) {
      if (breath.due()) await breath.take();
      if (!this.holds) code = media.format.readFrameSync(packet);
      this.holds = false;
      if (code === constants.AVERROR_EAGAIN) continue;
      if (code < 0) break;
      const ours = packet.streamIndex === stream.index;
      this.follow(ours);
      if (ours) this.accept(codec.sendPacketSync(packet));
      packet.unref();
      if (!ours) continue;
      for (const decoded of this.receive()) {
        if (decoded.time >= end) return;
        yield decoded;
      }
    }
    codec.sendPacketSync(null);
    for (const decoded of this.receive()) {
      if (decoded.time >= end) return;
      yield decoded;
    }
    this.ended = true;
    this.checkWhole(code);
  }

  /** Whether all was read and gave nothing. */
  get isEmpty(): boolean {
    return this.ended && this.frames === 0;
  }

  async close(): Promise<void> {
    this.frame.free();
    this.packet.free();
    this.codec.freeContext();
    await this.media.close();
  }

  /**
   * Goes to a packet from which all frames of the section can be decoded, and holds it. Some containers lead to any packet near a time, also
   * between key frames, others to a later time; then it is looked for further back.
   * @returns false when only the file's beginning will do, which is not where reading then stands
   */
  private async seek(): Promise<boolean> {
    const { media, options } = this;
    const { start = 0 } = options;
    const { AVSEEK_FLAG_BACKWARD } = media.ff.constants;
    for (let runUp = RUN_UP; start - runUp > 0; runUp *= FURTHER) {
      const time = BigInt(Math.round((start - runUp + media.start) * 1e6));
      const code = await media.format.seekFrame(-1, time, AVSEEK_FLAG_BACKWARD);
      if (code < 0) return false; // a file that cannot be searched is read from its beginning
      const found = this.firstWhole();
      if (found !== null && found <= this.latestBeginning()) {
        this.holds = true;
        if (this.kind === 'video') this.wholeFrom = found;
        return true;
      }
      this.packet.unref();
    }
    return start - RUN_UP <= 0;
  }

  /** Reads up to a packet that can be decoded without those before it. Its time, null where there is none or it has no time. */
  private firstWhole(): number | null {
    const { media, packet, stream } = this;
    const { AVERROR_EAGAIN, AV_NOPTS_VALUE } = media.ff.constants;
    for (;;) {
      const code = media.format.readFrameSync(packet);
      if (code === AVERROR_EAGAIN) continue;
      if (code < 0) return null;
      if (packet.streamIndex === stream.index && (this.kind === 'audio' || packet.isKeyframe)) {
        return media.time(stream, packet.pts === AV_NOPTS_VALUE ? packet.dts : packet.pts);
      }
      packet.unref();
    }
  }

  /** The latest time at which decoding may begin. */
  private latestBeginning(): number {
    const { media, stream, options, kind } = this;
    const latest = (options.start ?? 0) - (kind === 'audio' ? LEAST_OF_SOUND : 0) + 1e-6;
    return Math.max(latest, media.time(stream, stream.startTime) ?? latest);
  }

  /** Notes how far the file has been read. */
  private follow(ours: boolean): void {
    const { media, packet } = this;
    const stream = ours ? this.stream : media.format.streams[packet.streamIndex];
    if (stream === undefined) return;
    const { AV_NOPTS_VALUE } = media.ff.constants;
    const ticks = packet.pts === AV_NOPTS_VALUE ? packet.dts : packet.pts;
    const end = (media.time(stream, ticks) ?? 0) + Number(packet.duration) * stream.timeBase.toDouble();
    this.reachedByAny = Math.max(this.reachedByAny, end);
    if (ours) this.reached = Math.max(this.reached, end);
  }

  /** Counts what the decoder refused: a damaged packet costs its frame, and the next ones may be whole. */
  private accept(code: number): void {
    const { constants } = this.media.ff;
    if (code >= 0 || code === constants.AVERROR_EAGAIN) return;
    this.refused += 1;
    this.lastError = code;
    this.damaged('packets', this.reached);
  }

  private damaged(what: 'packets' | 'frames', time: number): void {
    if (time < (this.options.start ?? 0)) return;
    this.damage[what] += 1;
    this.damage.first = Math.min(this.damage.first, time);
  }

  private tellDamage(): void {
    const { packets, frames, first } = this.damage;
    if (packets + frames === 0) return;
    const counts = [
      ...(packets > 0 ? [`${packets} packet${packets > 1 ? 's' : ''} that cannot be decoded`] : []),
      ...(frames > 0 ? [`${frames} frame${frames > 1 ? 's' : ''} of which a part is lost`] : []),
    ];
    this.options.note?.(
      `${this.media.path}: its ${this.kind} is damaged from ${first.toFixed(2)} s on, with ${counts.join(' and ')}: copy or record it again`,
    );
  }

  private *receive(): Generator<Decoded> {
    const { media, stream, codec, frame } = this;
    const { constants } = media.ff;
    for (;;) {
      const code = codec.receiveFrameSync(frame);
      if (code === constants.AVERROR_EAGAIN || code === constants.AVERROR_EOF) return;
      if (code < 0) {
        this.accept(code);
        return;
      }
      const time = media.time(stream, frame.bestEffortTimestamp) ?? this.next;
      const duration = Number(frame.duration) * stream.timeBase.toDouble();
      this.next = time + duration;
      this.frames += 1;
      if (time >= this.wholeFrom - 1e-6) {
        this.checkOrder(time);
        if (frame.decodeErrorFlags !== 0 || frame.hasFlags(constants.AV_FRAME_FLAG_CORRUPT))
          this.damaged('frames', time);
        yield { frame, time, duration };
      }
      frame.unref();
    }
  }

  /** @throws DataError where the file's clock begins anew: what follows has no time of its own */
  private checkOrder(time: number): void {
    if (time < this.latest - BACKWARDS) {
      throw new DataError(
        `${this.media.path}: its clock goes back from ${this.latest.toFixed(2)} to ${time.toFixed(2)} s, as where recordings were joined ` +
          'byte by byte. Join them again so that time goes on (ffmpeg -f concat), or read each by itself',
        { code: 'CLOCK' },
      );
    }
    this.latest = Math.max(this.latest, time);
  }

  /** @param last - what FFmpeg said at the end */
  private checkWhole(last: number): void {
    const { media, stream, options } = this;
    const { start = 0, end = Number.POSITIVE_INFINITY } = options;
    const announced = media.announcedEnd(stream);
    if (announced !== null && announced.end > start && !options.allowTruncated) {
      media.checkEnd(
        { ...announced, end: Math.min(announced.end, end) },
        announced.whole ? this.reachedByAny : this.reached,
      );
    }
    if (last !== media.ff.constants.AVERROR_EOF && !options.allowTruncated) {
      throw new TruncatedError(
        `${media.path}: reading stopped after ${this.reachedByAny.toFixed(2)} s (${explain(media.ff, last)})`,
      );
    }
    if (this.frames === 0 && this.refused > 0) {
      throw new DataError(
        `${media.path}: none of ${this.refused} packets could be decoded (${explain(media.ff, this.lastError)}). ` +
          'The file is damaged: copy or record it again',
      );
    }
  }
}
