/** Sound as mono samples at a wanted rate. */
import { statSync } from 'node:fs';
import { checkLimits, type ReadLimits } from '../io/limits.js';
import { DataError } from '../torch/errors.js';
import { checkOptions } from '../torch/options.js';
import { Decoder, type ReadOptions, readOptionNames } from './decode.js';
import { checkRate, Resampler } from './resampler.js';

/** Mono sound. */
export interface Audio {
  /** In [-1, 1]; lossy formats may pass that a little, and surround sound mixed to one channel by more. */
  readonly samples: Float32Array;
  /** Samples a second. */
  readonly rate: number;
}

export interface AudioOptions extends ReadOptions {
  /** Samples a second; by default the file's own. */
  readonly rate?: number;
}

const audioOptionNames = [...readOptionNames, 'rate'] as const;

/** Bytes of samples that any file may give at once, and that each byte of a larger file may: speech packed to 6 kbit/s needs as many. */
const freeBytes = 2 ** 28;
const usualRatio = 256;

/**
 * Reads the sound of a recording or a video. Stereo is averaged; of 5.1 and its like the centre keeps its loudness (ITU-R BS.775: front
 * sides 0.71, surround 0.5, no deep effects), so that all at their loudest pass 1. Sample `i` is heard at `start + i / rate` seconds on the clock on which
 * frames have their times: where the sound begins later than the file, or has a hole, there is silence.
 *
 * @param options `maxMemory`: bytes of samples; without it 256 MiB, or 256 times the file's, whichever is more
 * @throws DataError when there is no such file or sound in it, it is cut short, or unpacks to more than the limit
 */
export async function readAudio(path: string, options: AudioOptions & ReadLimits = {}): Promise<Audio> {
  checkLimits('readAudio', options, audioOptionNames);
  const { maxMemory, ...section } = options;
  const chunks: Float32Array[] = [];
  let [rate, bytes] = [0, 0];
  let most = maxMemory;
  for await (const chunk of readAudioChunks(path, section)) {
    most ??= Math.max(freeBytes, usualRatio * statSync(path).size);
    bytes += chunk.samples.byteLength;
    if (bytes > most) {
      throw new DataError(
        `${path}: its sound takes more than ${most} bytes of samples, from ${statSync(path).size} packed ones: allow more with maxMemory, ` +
          'read a part (start, end), or read it in pieces with readAudioChunks',
      );
    }
    chunks.push(chunk.samples);
    rate = chunk.rate;
  }
  return { samples: joined(chunks), rate };
}

/** As {@link readAudio}, in pieces as they are decoded, so that memory does not grow with the recording's length. */
export async function* readAudioChunks(path: string, options: AudioOptions = {}): AsyncGenerator<Audio, void, void> {
  checkOptions('readAudioChunks', options, audioOptionNames);
  if (options.rate !== undefined) checkRate(options.rate);
  const decoder = await Decoder.open(path, 'audio', options);
  const rate = options.rate ?? decoder.stream.codecpar.sampleRate;
  try {
    let left = samplesWanted(options, rate);
    let count = 0;
    for await (const samples of resampled(decoder, options, rate)) {
      const wanted = samples.length > left ? samples.subarray(0, left) : samples;
      left -= wanted.length;
      count += wanted.length;
      if (wanted.length > 0) yield { samples: wanted, rate };
      if (left <= 0) break;
    }
    if (decoder.isEmpty && (options.start ?? 0) === 0)
      throw new DataError(`${path}: its audio stream is empty`, { code: 'EMPTY' });
    if (count === 0) yield { samples: new Float32Array(0), rate };
  } finally {
    await decoder.close();
  }
}

function samplesWanted({ start = 0, end }: AudioOptions, rate: number): number {
  return end === undefined ? Number.POSITIVE_INFINITY : Math.round(end * rate) - Math.round(start * rate);
}

/**
 * The samples from `start` on. Every resampler begins at a time that both rates have a sample for, so that a sample does not depend on
 * where reading began, but for the filter's reach.
 */
async function* resampled(
  decoder: Decoder,
  { start = 0, end }: AudioOptions,
  rate: number,
): AsyncGenerator<Float32Array> {
  const { ff, path } = decoder.media;
  let position = Math.round(start * rate); // of the next sample to give, since the file's beginning
  let skip = 0;
  let resampler: Resampler | null = null;
  const wanted = function* (pieces: readonly Float32Array[]): Generator<Float32Array> {
    for (const piece of pieces) {
      const part = piece.subarray(Math.min(skip, piece.length));
      skip -= piece.length - part.length;
      position += part.length;
      if (part.length > 0) yield part;
    }
  };
  try {
    for await (const { frame, time } of decoder.decode(end)) {
      if (resampler !== null && !resampler.takes(frame)) {
        yield* wanted(resampler.finish()); // the stream changes its rate or channels, as broadcasts do
        resampler.close();
        resampler = null;
      }
      if (resampler === null) {
        const common = greatestCommonDivisor(frame.sampleRate, rate);
        const ticks = Math.floor(
          Math.min(Math.round(time * frame.sampleRate) / frame.sampleRate, position / rate) * common + 1e-6,
        );
        skip = position - ticks * (rate / common);
        resampler = Resampler.for(ff, frame, rate, ticks / common, path);
      }
      yield* wanted(resampler.push(frame, time));
    }
    if (resampler !== null) yield* wanted(resampler.finish());
  } finally {
    resampler?.close();
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function joined(chunks: readonly Float32Array[]): Float32Array {
  const [first] = chunks;
  if (first !== undefined && chunks.length === 1) return first;
  const all = new Float32Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
