/** Frames to an animated GIF: 256 colours for all frames, chosen by the first of them. */
import { appendFileSync, truncateSync } from 'node:fs';
import type { CodecContext, FilterContext, FilterGraph, FormatContext, Frame, Packet, Stream } from 'node-av/lib';
import { FileReader } from '../io/file.js';
import { ConfigError, DataError } from '../torch/errors.js';
import { checked, type FFmpeg } from './ffmpeg.js';
import type { RgbImage } from './frames.js';
import { checkFrame, type FrameWriter, rgbFrame } from './video-writer.js';

/** The frames by which colours are chosen, and the bytes that they may take. */
const LOOKED_AT = 64;
const LOOKED_AT_BYTES = 1 << 26;

/** Hundredths of a second are what a GIF counts. @internal */
export const fastestGif = 50;

/** @internal */
export class GifWriter implements FrameWriter {
  private first: RgbImage | null = null;
  private frames = 0;
  private held: Frame[] | null = [];
  private colours: PaletteFilter | null = null;
  private readonly format: FormatContext;
  private readonly packet: Packet;
  private codec: CodecContext | null = null;
  private stream: Stream | null = null;
  private open = false;

  /** @param path - what errors name */
  constructor(
    private readonly ff: FFmpeg,
    private readonly file: string,
    private readonly path: string,
    private readonly options: { readonly fps: number; readonly metadata: Readonly<Record<string, string>> },
  ) {
    this.format = new ff.FormatContext();
    this.packet = new ff.Packet();
    this.packet.alloc();
  }

  async add(picture: RgbImage): Promise<void> {
    this.first ??= picture;
    checkFrame(this.path, this.frames++, this.first, picture);
    const frame = rgbFrame(this.ff, picture);
    if (this.held === null) {
      this.draw(frame);
      return;
    }
    this.held.push(frame);
    if (this.held.length < LOOKED_AT && this.held.length * picture.data.length < LOOKED_AT_BYTES) return;
    await this.begin(this.held);
  }

  async finish(): Promise<void> {
    if (this.first === null) throw new DataError(`${this.path}: there are no frames to write`);
    if (this.held !== null) await this.begin(this.held);
    this.take(this.colours?.finish() ?? []);
    this.encode(null);
    checked(this.ff, this.format.writeTrailerSync(), `${this.path}: cannot write`);
    await this.format.closeOutput();
    this.open = false;
    for (const [name, text] of Object.entries(this.options.metadata)) appendComment(this.file, `${name}: ${text}`);
  }

  async close(): Promise<void> {
    for (const frame of this.held ?? []) frame.free();
    this.colours?.close();
    this.packet.free();
    this.codec?.freeContext();
    if (this.open) await this.format.closeOutput();
    this.format.freeContext();
  }

  /** Chooses the colours, opens the file, and draws what was held. */
  private async begin(held: readonly Frame[]): Promise<void> {
    const { ff, format, path } = this;
    const { width, height } = this.first as RgbImage;
    const palette = choosePalette(ff, held, path);
    this.colours = new PaletteFilter(ff, width, height, palette, path);
    checked(ff, format.allocOutputContext2(null, 'gif', this.file), `${path}: cannot write`);
    const codec = ff.Codec.findEncoder(ff.constants.AV_CODEC_ID_GIF);
    if (codec === null) throw new ConfigError(`${path}: this build of FFmpeg has no encoder for GIF`);
    const context = new ff.CodecContext();
    context.allocContext3(codec);
    context.width = width;
    context.height = height;
    context.pixelFormat = ff.constants.AV_PIX_FMT_PAL8;
    context.timeBase = new ff.Rational(1, 100);
    this.stream = format.newStream();
    checked(ff, await context.open2(codec), `${path}: cannot encode`);
    this.codec = context;
    checked(ff, this.stream.codecpar.fromContext(context), path);
    this.stream.timeBase = context.timeBase;
    checked(ff, format.openOutputSync(), `Cannot write ${path}`);
    this.open = true;
    checked(ff, format.writeHeaderSync(), `${path}: cannot write`);
    this.held = null;
    for (const frame of held) this.draw(frame);
  }

  private drawn = 0;

  private draw(frame: Frame): void {
    frame.pts = BigInt(Math.round((this.drawn++ * 100) / this.options.fps));
    this.take((this.colours as PaletteFilter).push(frame));
    frame.free();
  }

  private take(frames: readonly Frame[]): void {
    for (const frame of frames) {
      this.encode(frame);
      frame.free();
    }
  }

  private encode(frame: Frame | null): void {
    const { ff, packet, path } = this;
    const codec = this.codec as CodecContext;
    const stream = this.stream as Stream;
    checked(ff, codec.sendFrameSync(frame), `${path}: cannot encode`);
    for (;;) {
      const code = codec.receivePacketSync(packet);
      if (code === ff.constants.AVERROR_EAGAIN || code === ff.constants.AVERROR_EOF) return;
      checked(ff, code, `${path}: cannot encode`);
      packet.streamIndex = stream.index;
      packet.duration = BigInt(Math.max(2, Math.round(100 / this.options.fps)));
      packet.rescaleTs(codec.timeBase, stream.timeBase);
      checked(ff, this.format.interleavedWriteFrameSync(packet), `${path}: cannot write`);
      packet.unref();
    }
  }
}

/** A chain of filters with its ends. */
function source(
  ff: FFmpeg,
  graph: FilterGraph,
  width: number,
  height: number,
  format: number,
  name: string,
): FilterContext {
  const args = `video_size=${width}x${height}:pix_fmt=${format}:time_base=1/100:pixel_aspect=1/1`;
  return graph.createFilter(ff.Filter.getByName('buffer')!, name, args) as FilterContext;
}

/** The 256 colours that show these frames best, as FFmpeg's frame of 16 x 16. */
function choosePalette(ff: FFmpeg, frames: readonly Frame[], path: string): Frame {
  const { width, height } = frames[0] as Frame;
  const graph = new ff.FilterGraph();
  graph.alloc();
  try {
    const input = source(ff, graph, width, height, ff.constants.AV_PIX_FMT_RGB24, 'in');
    const format = graph.createFilter(ff.Filter.getByName('format')!, 'format', 'pix_fmts=rgb32') as FilterContext;
    const filter = graph.createFilter(
      ff.Filter.getByName('palettegen')!,
      'gen',
      'reserve_transparent=1',
    ) as FilterContext;
    const sink = graph.createFilter(ff.Filter.getByName('buffersink')!, 'out', null) as FilterContext;
    const chain = [input, format, filter, sink];
    for (let i = 1; i < chain.length; i++) checked(ff, chain[i - 1]!.link(0, chain[i]!, 0), path);
    checked(ff, graph.configSync(), `${path}: cannot choose colours`);
    for (const [i, frame] of frames.entries()) {
      const copy = frame.clone() as Frame; // the filter takes what it is given
      copy.pts = BigInt(i);
      checked(ff, input.buffersrcAddFrameSync(copy), `${path}: cannot choose colours`);
      copy.free();
    }
    checked(ff, input.buffersrcAddFrameSync(null), `${path}: cannot choose colours`);
    const palette = new ff.Frame();
    palette.alloc();
    checked(ff, sink.buffersinkGetFrameSync(palette), `${path}: cannot choose colours`);
    return palette;
  } finally {
    graph.free();
  }
}

/** Frames to those of 256 colours, dithered by a pattern that stays where it is. */
class PaletteFilter {
  private readonly graph: FilterGraph;
  private readonly input: FilterContext;
  private readonly sink: FilterContext;

  constructor(
    private readonly ff: FFmpeg,
    width: number,
    height: number,
    palette: Frame,
    private readonly path: string,
  ) {
    this.graph = new ff.FilterGraph();
    this.graph.alloc();
    const { constants, Filter } = ff;
    this.input = source(ff, this.graph, width, height, constants.AV_PIX_FMT_RGB24, 'in');
    const colours = source(ff, this.graph, palette.width, palette.height, palette.format, 'colours');
    const format = this.graph.createFilter(Filter.getByName('format')!, 'format', 'pix_fmts=rgb32') as FilterContext;
    const args = 'dither=bayer:bayer_scale=4:diff_mode=rectangle';
    const use = this.graph.createFilter(Filter.getByName('paletteuse')!, 'use', args) as FilterContext;
    this.sink = this.graph.createFilter(Filter.getByName('buffersink')!, 'out', null) as FilterContext;
    checked(ff, this.input.link(0, format, 0), path);
    checked(ff, format.link(0, use, 0), path);
    checked(ff, colours.link(0, use, 1), path);
    checked(ff, use.link(0, this.sink, 0), path);
    checked(ff, this.graph.configSync(), `${path}: cannot choose colours`);
    palette.pts = 0n;
    checked(ff, colours.buffersrcAddFrameSync(palette), `${path}: cannot choose colours`);
    checked(ff, colours.buffersrcAddFrameSync(null), `${path}: cannot choose colours`);
    palette.free();
  }

  push(frame: Frame): Frame[] {
    checked(this.ff, this.input.buffersrcAddFrameSync(frame), `${this.path}: cannot choose colours`);
    return this.take();
  }

  finish(): Frame[] {
    checked(this.ff, this.input.buffersrcAddFrameSync(null), `${this.path}: cannot choose colours`);
    return this.take();
  }

  private take(): Frame[] {
    const { ff } = this;
    const out: Frame[] = [];
    for (;;) {
      const frame = new ff.Frame();
      frame.alloc();
      const code = this.sink.buffersinkGetFrameSync(frame);
      if (code >= 0) {
        out.push(frame);
        continue;
      }
      frame.free();
      if (code !== ff.constants.AVERROR_EAGAIN && code !== ff.constants.AVERROR_EOF)
        checked(ff, code, `${this.path}: cannot choose colours`);
      return out;
    }
  }

  close(): void {
    this.graph.free();
  }
}

/** GIF89a has comments for what a file says about itself: blocks of up to 255 bytes, before the last byte. FFmpeg writes none. */
function appendComment(file: string, text: string): void {
  const size = FileReader.with(file, ({ size }) => size);
  const bytes = Buffer.from(text, 'utf8');
  const blocks: Buffer[] = [Buffer.from([0x21, 0xfe])];
  for (let at = 0; at < bytes.length; at += 255) {
    const block = bytes.subarray(at, at + 255);
    blocks.push(Buffer.from([block.length]), block);
  }
  truncateSync(file, size - 1); // the trailer, 0x3b
  appendFileSync(file, Buffer.concat([...blocks, Buffer.from([0, 0x3b])]));
}
