/** Both ways to make a head speak, driven by clips: who it is, its emotion and its pose may come of different ones. */
import type { RgbImage } from '../../../media/index.js';
import { trackMotion } from '../../fit/index.js';
import type { MotionTrack } from '../../motion/index.js';
import { Portrait } from '../../portrait/index.js';
import { clipFile } from '../../prepare/records.js';
import type { UsableClips } from '../clips/speak-clips.js';
import type { Factor } from '../irfd.js';
import { SpeakHead } from './speak-head.js';

export const modes = ['speak', 'portrait'] as const;
export type Mode = (typeof modes)[number];

/** Clips by their numbers: whose first frame is the portrait, whose video is followed, and what is said. */
export type Sources = Readonly<Record<Factor | 'sound', number>>;

export class ModeFilms implements Disposable {
  readonly #heads = new Map<number, Promise<SpeakHead>>();
  readonly #portraits = new Map<number, Promise<Portrait>>();
  readonly #tracks = new Map<number, Promise<MotionTrack>>();

  constructor(
    private readonly run: string,
    private readonly prepared: UsableClips['prepared'],
  ) {}

  /**
   * Writes a film.
   * @throws ConfigError, DataError where the mode cannot take one of the clips
   */
  async make(mode: Mode, sources: Sources, out: string): Promise<void> {
    const speech = this.#file(sources.sound, 'wav');
    if (mode === 'speak') {
      const head = await kept(this.#heads, sources.identity, async (index) =>
        SpeakHead.load(this.run, await this.#first(index)),
      );
      const file = (index: number) => ({ file: this.#file(index, 'mp4') });
      const film = await head.animate({ speech, pose: file(sources.pose), emotion: file(sources.emotion) });
      await film.write(out);
      return;
    }
    const portrait = await kept(this.#portraits, sources.identity, async (index) =>
      Portrait.load(await this.#first(index), { crop: 'full' }),
    );
    const [pose, emotion] = [await this.#track(sources.pose), await this.#track(sources.emotion)];
    const { fps } = this.prepared.settings;
    await portrait.animate({ speech, pose, emotion, fps }).write(out);
  }

  #track(index: number): Promise<MotionTrack> {
    return kept(this.#tracks, index, (clip) => trackMotion(this.#file(clip, 'mp4')));
  }

  #file(index: number, ending: 'mp4' | 'wav'): string {
    return clipFile(this.prepared.folder, this.prepared.clips[index]!.id, ending);
  }

  async #first(index: number): Promise<RgbImage> {
    let first: RgbImage | null = null;
    for await (const frame of this.prepared.frames(index, 0, 1)) first = frame;
    return first!;
  }

  [Symbol.dispose](): void {
    for (const loading of this.#portraits.values())
      void loading.then(
        (portrait) => portrait[Symbol.dispose](),
        () => {}, // told when it was asked for
      );
  }
}

/** What takes long is made once, a failure as well. */
function kept<T>(made: Map<number, Promise<T>>, index: number, make: (index: number) => Promise<T>): Promise<T> {
  const found = made.get(index) ?? make(index);
  made.set(index, found);
  return found;
}
