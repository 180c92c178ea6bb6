/** Sound of any kind to mono float samples at another rate, by FFmpeg's resampler. */
import type { FilterContext, FilterGraph, Frame } from 'node-av/lib';
import { ConfigError } from '../torch/errors.js';
import type { Audio } from './audio.js';
import { Breath, checked, type FFmpeg, loadFFmpeg } from './ffmpeg.js';

/** Length of the filter in samples of the lower rate. FFmpeg's default of 32 lets more through near the limit. */
const FILTER_SIZE = 128;

/** Seconds: shorter holes and overlaps come from times that a container rounds. FFmpeg's default of 0.1 would let sound and picture drift. */
const LEAST_HOLE = 0.02;

/** @throws ConfigError */
export function checkRate(rate: number): void {
  if (!(Number.isSafeInteger(rate) && rate >= 100 && rate <= 768_000))
    throw new ConfigError(`expected a whole number of samples a second, 100 to 768000, got ${rate}`);
}

/** A chain of filters: channels to one, rate to `rate`, time stamps to silence or cuts. @internal */
export class Resampler {
  private readonly output: Frame;
  private readonly kind: string;

  private constructor(
    private readonly ff: FFmpeg,
    private readonly graph: FilterGraph,
    private readonly source: FilterContext,
    private readonly sink: FilterContext,
    private readonly inputRate: number,
    private readonly origin: number,
    private readonly where: string,
    like: Frame,
  ) {
    this.output = new ff.Frame();
    this.output.alloc();
    this.kind = kindOf(ff, like);
  }

  /**
   * @param like - a frame of the sound to come
   * @param origin - seconds: the time of the first sample that comes out
   * @param where - named in errors
   */
  static for(ff: FFmpeg, like: Frame, rate: number, origin: number, where: string): Resampler {
    const graph = new ff.FilterGraph();
    graph.alloc();
    try {
      const inputRate = like.sampleRate;
      const add = (filter: string, args: string | null): FilterContext => {
        const made = graph.createFilter(ff.Filter.getByName(filter)!, `${filter}${graph.nbFilters}`, args);
        if (made === null) throw new ConfigError(`${where}: FFmpeg refused its filter ${filter} (${args})`);
        return made;
      };
      const chain = [add('abuffer', `time_base=1/${inputRate}:${kindOf(ff, like)}`)];
      for (const [filter, args] of mixdown(ff, like)) chain.push(add(filter, args));
      chain.push(
        add(
          'aresample',
          `${rate}:async=1:min_comp=1e-6:min_hard_comp=${LEAST_HOLE}:first_pts=0:filter_size=${FILTER_SIZE}`,
        ),
        add('aformat', `sample_fmts=flt:channel_layouts=mono:sample_rates=${rate}`),
        add('abuffersink', null),
      );
      for (let i = 1; i < chain.length; i++) {
        checked(ff, (chain[i - 1] as FilterContext).link(0, chain[i] as FilterContext, 0), where);
      }
      checked(ff, graph.configSync(), `${where}: cannot resample from ${inputRate} to ${rate}`);
      const [source, sink] = [chain[0] as FilterContext, chain[chain.length - 1] as FilterContext];
      return new Resampler(ff, graph, source, sink, inputRate, origin, where, like);
    } catch (error) {
      graph.free();
      throw error;
    }
  }

  /** Whether a frame is of the kind that this was made for. */
  takes(frame: Frame): boolean {
    return kindOf(this.ff, frame) === this.kind;
  }

  /** Takes a frame, whose contents it moves away, and gives what it is enough for. */
  push(frame: Frame, time: number): Float32Array[] {
    frame.timeBase = new this.ff.Rational(1, this.inputRate);
    frame.pts = BigInt(Math.round((time - this.origin) * this.inputRate));
    checked(this.ff, this.source.buffersrcAddFrameSync(frame), `${this.where}: cannot resample`);
    return this.take();
  }

  /** What is left. */
  finish(): Float32Array[] {
    checked(this.ff, this.source.buffersrcAddFrameSync(null), `${this.where}: cannot resample`);
    return this.take();
  }

  private take(): Float32Array[] {
    const out: Float32Array[] = [];
    const { AVERROR_EAGAIN, AVERROR_EOF } = this.ff.constants;
    for (;;) {
      const code = this.sink.buffersinkGetFrameSync(this.output);
      if (code === AVERROR_EAGAIN || code === AVERROR_EOF) return out;
      checked(this.ff, code, `${this.where}: cannot resample`);
      const bytes = this.output.data?.[0] as Buffer;
      const samples = new Float32Array(this.output.nbSamples);
      new Uint8Array(samples.buffer).set(bytes.subarray(0, samples.byteLength));
      out.push(samples);
      this.output.unref();
    }
  }

  close(): void {
    this.output.free();
    this.graph.free();
  }
}

/** The usual loudspeakers of recordings that name none, by how many channels they have; of other numbers they may be microphones. */
const usualLayouts: Readonly<Record<number, string>> = { 6: '5.1', 8: '7.1' };

/**
 * The filters that make one channel of several. Two are averaged. Of more, FFmpeg's matrix (ITU-R BS.775) keeps the centre, where speech
 * is, as loud as it is; front sides come with 0.71, surround with 0.5, deep effects not at all. Where there is no centre, speech is in
 * both front sides, which then weigh as much as stereo's do. Channels of unknown places are averaged.
 */
function mixdown(ff: FFmpeg, { channels, channelLayout }: Frame): (readonly [filter: string, args: string])[] {
  if (channels === 1) return [];
  const floats = ['aformat', 'sample_fmts=fltp'] as const;
  const standard = ['aformat', 'sample_fmts=fltp:channel_layouts=mono'] as const;
  const indices = Array.from({ length: channels }, (_, channel) => `c${channel}`);
  if (channels > 2 && channelLayout.order === ff.constants.AV_CHANNEL_ORDER_NATIVE) {
    if ((channelLayout.mask & ff.constants.AV_CH_FRONT_CENTER) !== 0n) return [floats, standard];
    if ((channelLayout.mask & ff.constants.AV_CH_LAYOUT_STEREO) !== 0n)
      return [floats, standard, ['pan', `mono|c0=${Math.SQRT1_2}*c0`]];
  }
  const usual = usualLayouts[channels];
  if (usual !== undefined && channelLayout.order === ff.constants.AV_CHANNEL_ORDER_UNSPEC)
    return [floats, ['pan', [usual, ...indices.map((c) => `${c}=${c}`)].join('|')], standard];
  return [floats, ['pan', `mono|c0<${indices.join('+')}`]];
}

/** The arguments by which a frame's kind of sound is told to FFmpeg. */
function kindOf(ff: FFmpeg, frame: Frame): string {
  const format = ff.avGetSampleFmtName(frame.format as Parameters<FFmpeg['avGetSampleFmtName']>[0]);
  const layout = ff.avChannelLayoutDescribe(frame.channelLayout) ?? `${frame.channels}c`;
  return `sample_rate=${frame.sampleRate}:sample_fmt=${format}:channel_layout=${layout}`;
}

/** Samples that are handed over at once. */
const PIECE = 1 << 16;

/**
 * Mono samples at another rate: `round(n * to / from)` of them, sample `i` at the time `i / to`. A low-pass filter keeps out what the new
 * rate cannot hold.
 * @param from - samples a second
 * @param to - samples a second
 */
export async function resample(samples: Float32Array, from: number, to: number): Promise<Float32Array> {
  checkRate(from);
  checkRate(to);
  if (!(samples instanceof Float32Array)) throw new ConfigError('Expected samples to resample in a Float32Array.');
  if (from === to || samples.length === 0) return samples.slice();
  const out = new Float32Array(Math.round((samples.length * to) / from));
  let filled = 0;
  for await (const piece of resampleChunks([{ samples, rate: from }], to)) {
    out.set(piece.samples, filled);
    filled += piece.samples.length;
  }
  return out;
}

/**
 * As {@link resample}, in pieces as they come: the same samples, however they are cut. Only what the filter still needs is held.
 * @param chunks - all of one rate
 */
export async function* resampleChunks(
  chunks: Iterable<Audio> | AsyncIterable<Audio>,
  to: number,
): AsyncGenerator<Audio, void, void> {
  checkRate(to);
  const ff = await loadFFmpeg();
  const breath = new Breath();
  let resampler: Resampler | null = null;
  let [heard, given, from] = [0, 0, to];
  try {
    for await (const { samples, rate } of chunks) {
      checkRate(rate);
      from = rate;
      for (let at = 0; at < samples.length; at += PIECE) {
        const frame = monoFrame(ff, samples.subarray(at, at + PIECE), rate);
        resampler ??= Resampler.for(ff, frame, to, 0, 'resample');
        const pieces = resampler.push(frame, (heard + at) / rate);
        frame.free();
        for (const piece of pieces) {
          given += piece.length;
          yield { samples: piece, rate: to };
        }
        if (breath.due()) await breath.take();
      }
      heard += samples.length;
    }
    const last = new Float32Array(Math.max(0, Math.round((heard * to) / from) - given));
    fill(last, resampler?.finish() ?? []);
    if (last.length > 0) yield { samples: last, rate: to };
  } finally {
    resampler?.close();
  }
}

/** Puts pieces one behind the other, as far as there is room. */
function fill(out: Float32Array, pieces: readonly Float32Array[]): void {
  let filled = 0;
  for (const piece of pieces) {
    const part = piece.subarray(0, out.length - filled);
    out.set(part, filled);
    filled += part.length;
  }
}

/**
 * A frame of FFmpeg with a copy of mono samples.
 * @param planar - as what the samples are declared: of one channel the bytes are the same
 * @internal
 */
export function monoFrame(ff: FFmpeg, samples: Float32Array, rate: number, planar = true): Frame {
  const { constants } = ff;
  return ff.Frame.fromAudioBuffer(Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength), {
    nbSamples: samples.length,
    format: planar ? constants.AV_SAMPLE_FMT_FLTP : constants.AV_SAMPLE_FMT_FLT,
    sampleRate: rate,
    channelLayout: constants.AV_CHANNEL_LAYOUT_MONO,
    timeBase: { num: 1, den: rate },
  });
}
