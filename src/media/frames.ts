/** Video frames as RGB bytes, one at a time. */
import type { Frame } from 'node-av/lib';
import { ConfigError, DataError } from '../torch/errors.js';
import { checkOptions } from '../torch/options.js';
import { type Decoded, Decoder, type ReadOptions, readOptionNames } from './decode.js';
import { checked } from './ffmpeg.js';
import { framesASecond } from './info.js';
import { pixelAspect, shownSize, turn, turned, type View, viewOf } from './orientation.js';

/** A picture in RGB. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  /** `height` rows of `width` pixels of red, green and blue. */
  readonly data: Uint8Array;
}

export interface VideoFrame extends RgbImage {
  /** 0, 1, 2, ... */
  readonly index: number;
  /** Seconds since the file's beginning. */
  readonly time: number;
}

export interface FrameOptions extends ReadOptions {
  /** Frames a second, evenly spaced from `start` on. By default the file's own frames at their own times. */
  readonly fps?: number;
  /**
   * Pixels. Where only one of width and height is given, the other follows the picture's shape as it is shown; where both are, they are
   * taken as they are. By default the film's own height, and the width at which its pixels are square.
   */
  readonly width?: number;
  readonly height?: number;
}

/** Pixels of a side. */
const LARGEST = 16384;
/** Times that a pixel may be as wide as high, or as high as wide. */
const WIDEST = 8;

/**
 * Reads a video frame by frame. No more than a few frames are held, whatever the length; nothing is decoded that is not asked for.
 *
 * With `fps`, frame `k` is the picture that is shown at `start + k / fps`, within half a frame: pictures are repeated or left out, never
 * mixed. Where the video begins later than the file (or has a hole), the nearest picture before, or the first, stands for it. Without
 * `fps`, `time` is what the file says.
 *
 * @throws DataError when there is no such file or video in it, or it is cut short
 */
export async function* readFrames(path: string, options: FrameOptions = {}): AsyncGenerator<VideoFrame, void, void> {
  checkFrameOptions(options);
  const decoder = await Decoder.open(path, 'video', options);
  const converter = new Converter(decoder, options);
  try {
    const pictures = options.fps === undefined ? ownFrames(decoder, options) : evenFrames(decoder, options);
    let index = 0;
    for await (const { frame, time } of pictures) yield { index: index++, time, ...converter.convert(frame) };
    if (decoder.isEmpty) throw new DataError(`${path}: its video stream has no frames`, { code: 'EMPTY' });
  } finally {
    converter.close();
    await decoder.close();
  }
}

function checkFrameOptions(options: FrameOptions): void {
  checkOptions('readFrames', options, [...readOptionNames, 'fps', 'width', 'height']);
  const { fps, width, height } = options;
  if (fps !== undefined && !(fps > 0 && Number.isFinite(fps)))
    throw new ConfigError(`expected fps > 0, frames a second, got ${fps}`);
  for (const [name, size] of Object.entries({ width, height })) {
    if (size !== undefined && !(Number.isSafeInteger(size) && size > 0 && size <= LARGEST))
      throw new ConfigError(`expected ${name} to be pixels, 1 to ${LARGEST}, got ${size}`);
  }
}

type Shown = Pick<Decoded, 'frame' | 'time'>;

async function* ownFrames(decoder: Decoder, { start = 0, end }: FrameOptions): AsyncGenerator<Shown> {
  const from = start - 1e-6; // times are rounded to the file's ticks
  for await (const decoded of decoder.decode(end)) if (decoded.time >= from) yield decoded;
}

/** Seconds. Of two pictures as near, the earlier is taken, however their times are rounded. */
const TIE = 1e-6;

/** One picture for each point of an even grid: the last that began before it, or begins within half a step or half a frame. */
async function* evenFrames(decoder: Decoder, options: FrameOptions): AsyncGenerator<Shown> {
  const { start = 0, end = Number.POSITIVE_INFINITY } = options;
  const fps = options.fps as number;
  const timeOf = (k: number): number => start + k / fps;
  const { Frame } = decoder.media.ff;
  const held = new Frame();
  held.alloc();
  let [heldTime, heldDuration] = [Number.NaN, 0];
  let k = 0;
  try {
    for await (const { frame, time, duration } of decoder.decode()) {
      if (!Number.isNaN(heldTime)) {
        const border = time - Math.min((time - heldTime) / 2, 0.5 / fps) + TIE;
        for (; timeOf(k) < border && timeOf(k) < end; k++) yield { frame: held, time: timeOf(k) };
        if (timeOf(k) >= end) return;
      }
      held.unref();
      checked(decoder.media.ff, held.ref(frame), decoder.media.path);
      [heldTime, heldDuration] = [time, duration || 1 / (framesASecond(decoder.stream) ?? fps)];
    }
    if (Number.isNaN(heldTime)) return;
    const border = heldTime + heldDuration - Math.min(heldDuration / 2, 0.5 / fps);
    const last = Math.min(border, end);
    for (; timeOf(k) < last; k++) yield { frame: held, time: timeOf(k) };
  } finally {
    held.free();
  }
}

/** Scales decoded frames and makes them RGB, by the colour space that they name. */
class Converter {
  private readonly scaler;
  private readonly target: Frame;
  private readonly view: View;

  constructor(
    private readonly decoder: Decoder,
    private readonly options: FrameOptions,
  ) {
    const { ff } = decoder.media;
    this.view = viewOf(ff, decoder.stream);
    this.scaler = new ff.SoftwareScaleContext();
    this.scaler.allocContext();
    const { SWS_BICUBIC, SWS_ACCURATE_RND, SWS_FULL_CHR_H_INT, SWS_FULL_CHR_H_INP } = ff.constants;
    this.scaler.setOption(
      'sws_flags',
      SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP,
      ff.constants.AV_OPT_TYPE_FLAGS,
    );
    this.target = new ff.Frame();
    this.target.alloc();
  }

  convert(frame: Frame): RgbImage {
    const { ff, path } = this.decoder.media;
    const [width, height] = this.size(frame);
    const [storedWidth, storedHeight] = turned(this.view, width, height);
    const { target } = this;
    if (target.width !== storedWidth || target.height !== storedHeight) {
      target.unref();
      target.width = storedWidth;
      target.height = storedHeight;
      target.format = ff.constants.AV_PIX_FMT_RGB24;
      checked(ff, target.getBuffer(), `${path}: no memory for a frame of ${storedWidth} x ${storedHeight}`);
    }
    // Both fields of a frame are one picture; FFmpeg refuses to make one of fields that it is told to keep apart.
    frame.clearFlags(ff.constants.AV_FRAME_FLAG_INTERLACED);
    checked(ff, this.scaler.scaleFrameSync(target, frame), `${path}: cannot convert a frame to RGB`);
    const { buffer, byteOffset, length } = target.toBuffer();
    const pixels = new Uint8Array(buffer, byteOffset, length);
    return { width, height, data: turn(this.view, pixels, storedWidth, storedHeight) };
  }

  /** The size asked for, as shown. */
  private size(frame: Frame): [number, number] {
    const { width, height } = this.options;
    if (width !== undefined && height !== undefined) return [width, height];
    const { media, stream } = this.decoder;
    const aspect = pixelAspect(stream, frame.sampleAspectRatio);
    const [ownWidth, ownHeight] = shownSize(this.view, frame, aspect);
    if (aspect > WIDEST || aspect < 1 / WIDEST || Math.max(ownWidth, ownHeight) > LARGEST) {
      throw new DataError(
        `${media.path}: expected pixels up to ${WIDEST} times as wide as high, or as high as wide, and pictures up to ${LARGEST}, ` +
          `got ${frame.width} x ${frame.height} of pixels ${aspect.toPrecision(3)} wide: give both width and height`,
      );
    }
    if (width === undefined && height === undefined) return [ownWidth, ownHeight];
    return [
      width ?? Math.max(1, Math.round((ownWidth * (height as number)) / ownHeight)),
      height ?? Math.max(1, Math.round((ownHeight * (width as number)) / ownWidth)),
    ];
  }

  close(): void {
    this.target.free();
    this.scaler.freeContext();
  }
}
