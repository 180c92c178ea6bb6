/** Sound that is taken in pieces of a wanted length, however long those are in which it comes. */
import { DataError } from '../torch/errors.js';
import type { Audio } from './audio.js';
import { resampleChunks } from './resampler.js';

/** Sound at once, or in pieces one after another, all of one rate. */
export type SoundSource = Audio | Iterable<Audio> | AsyncIterable<Audio>;

const isWhole = (sound: SoundSource): sound is Audio => 'samples' in sound;

/** Samples that are handed over at once. */
const PIECE = 1 << 16;

/** Sound in pieces of at most some seconds. @internal */
export async function* pieces(sound: SoundSource): AsyncGenerator<Audio, void, void> {
  if (!isWhole(sound)) {
    yield* sound;
    return;
  }
  const { samples, rate } = sound;
  for (let at = 0; at === 0 || at < samples.length; at += PIECE)
    yield { samples: samples.subarray(at, at + PIECE), rate };
}

/** @internal */
export class SoundFeed {
  private readonly waiting: Float32Array[] = [];
  private length = 0;
  private ended = false;

  private constructor(
    readonly rate: number,
    private readonly source: AsyncIterator<Audio>,
  ) {}

  /**
   * Waits for the first piece.
   * @param rates - samples a second that may come out; of others it is made the highest
   * @param where - named in errors
   */
  static async open(sound: SoundSource, rates: readonly number[], where: string): Promise<SoundFeed> {
    const source = pieces(sound)[Symbol.asyncIterator]();
    const first = await source.next();
    const own = first.done ? undefined : first.value.rate;
    const rate = own !== undefined && rates.includes(own) ? own : Math.max(...rates.filter((value) => value <= 48_000));
    const from = rejoined(first, source, where);
    return new SoundFeed(rate, own === undefined || own === rate ? from : resampleChunks(from, rate));
  }

  /** The next samples, fewer than `count` only at the end, none after it. */
  async take(count: number): Promise<Float32Array> {
    while (this.length < count && !this.ended) {
      const next = await this.source.next();
      if (next.done) this.ended = true;
      else if (next.value.samples.length > 0) {
        this.waiting.push(next.value.samples);
        this.length += next.value.samples.length;
      }
    }
    const out = new Float32Array(Math.min(count, this.length));
    for (let filled = 0; filled < out.length; ) {
      const head = this.waiting[0] as Float32Array;
      const part = head.subarray(0, out.length - filled);
      out.set(part, filled);
      filled += part.length;
      if (part.length === head.length) this.waiting.shift();
      else this.waiting[0] = head.subarray(part.length);
    }
    this.length -= out.length;
    return out;
  }

  /** Ends the source, also before its end. */
  async close(): Promise<void> {
    await this.source.return?.();
  }
}

/** @throws DataError where the rate changes */
async function* rejoined(
  first: IteratorResult<Audio, void>,
  rest: AsyncIterator<Audio>,
  where: string,
): AsyncGenerator<Audio, void, void> {
  try {
    for (let next = first; !next.done; next = await rest.next()) {
      const { rate } = next.value;
      if (!first.done && rate !== first.value.rate)
        throw new DataError(
          `${where}: expected sound of one rate, got ${first.value.rate} and then ${rate} samples a second`,
        );
      yield next.value;
    }
  } finally {
    await rest.return?.();
  }
}
