/** Moving pictures with sound, whatever makes them: to be looped over, or written into a file. */
import { type Audio, type RgbImage, videoTarget, writeVideo } from '../../media/index.js';
import { checkOptions } from '../../torch/index.js';
import type { MotionFrame, SpeechFrame } from '../motion/index.js';
import { marked } from './mark.js';

export interface WriteOptions {
  /** 0 (lossless) to 51 (worst); 18 by default. */
  readonly quality?: number;
  /** `'little'` (default) for speed, or `'usual'` for files that are a little smaller. */
  readonly effort?: 'usual' | 'little';
  /** Told of each frame, with what it shows, before it is encoded. */
  readonly onFrame?: (picture: RgbImage, motion: MotionFrame, speech: SpeechFrame) => void;
}

/** What a file says of itself: IPTC's word for media that software has composed is in it, where programs look for it. */
export const syntheticComment =
  'Synthetic media: a portrait animated by Headrace (http://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic)';

/** The pictures of one moment, and what made them. */
export interface Moment {
  readonly picture: RgbImage;
  readonly motion: MotionFrame;
  readonly speech: SpeechFrame;
}

/** Each loop over it begins anew and gives the same pictures. */
export abstract class Film implements AsyncIterable<RgbImage> {
  abstract readonly fps: number;
  /** Whether a mark in the pictures says that they are made. */
  protected abstract readonly mark: boolean;

  /** Its pictures from the first on. */
  protected abstract drawn(): AsyncGenerator<Moment, void, void>;

  /** Its sound from the beginning, at its own rate. */
  protected abstract heard(): AsyncIterable<Audio>;

  async *[Symbol.asyncIterator](): AsyncGenerator<RgbImage, void, void> {
    for await (const { picture } of this.#moments()) yield picture;
  }

  /**
   * Writes pictures and sound: `.mp4`, `.mov`, `.mkv`, `.webm`, `.gif`, `NAME-%05d.png` or a folder, see `writeVideo`. The same
   * film gives the same bytes. The file says of itself that it is synthetic.
   * @returns how many frames, and seconds
   * @throws DataError for sound that cannot be read or a file that cannot be written, ConfigError for a name of another kind
   */
  async write(
    path: string,
    options: WriteOptions = {},
  ): Promise<{ readonly frames: number; readonly duration: number }> {
    checkOptions('Animation.write', options, ['quality', 'effort', 'onFrame']);
    const { quality, effort = 'little', onFrame } = options;
    const moments = this.#moments();
    async function* pictures(): AsyncGenerator<RgbImage> {
      for await (const { picture, motion, speech } of moments) {
        onFrame?.(picture, motion, speech);
        yield picture;
      }
    }
    return await writeVideo(path, pictures(), {
      fps: this.fps,
      effort,
      metadata: { comment: syntheticComment },
      ...(quality !== undefined && { quality }),
      ...(videoTarget(path) === 'video' && { audio: this.heard() }),
    });
  }

  async *#moments(): AsyncGenerator<Moment, void, void> {
    for await (const moment of this.drawn()) yield this.mark ? { ...moment, picture: marked(moment.picture) } : moment;
  }
}
