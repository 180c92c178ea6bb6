/** Prepared clips, read back for training. */
import { join } from 'node:path';
import { loadNpz, readJsonFile } from '../../io/index.js';
import { type Audio, type RgbImage, readAudio, readFrames } from '../../media/index.js';
import { ConfigError, DataError, scope, type Tensor, tensor } from '../../torch/index.js';
import { MotionTrack } from '../motion/index.js';
import { type ClipRecord, clipFile, clipFiles, clipSoundRate, type PrepareSettings, readJsonLines } from './records.js';

/** A clip's numbers, a row for each frame; places in pixels of the clip. */
export interface ClipNumbers {
  /** `[F, 68, 2]` */
  readonly landmarks: Tensor;
  /** `[F, 4]`: x, y, width, height. */
  readonly boxes: Tensor;
  /** `[F, 3]`: yaw, pitch, roll in degrees, as the face analysis reads them. */
  readonly pose: Tensor;
  /** `[F, 7]`, in the order of `expressionNames`. */
  readonly expressions: Tensor;
  /** `[F]`: 1 where the face was found, 0 where the numbers are those of its neighbours. */
  readonly found: Tensor;
  /** `[F, 52]`: ARKit's weights; `[F, 3]` head's pose and position of the fitted face model; its identity. */
  readonly weights: Tensor;
  readonly head: Tensor;
  readonly position: Tensor;
  readonly identity: Tensor;
}

/** Frames of a clip that follow one another, and what is heard while they are shown. */
export interface ClipWindow {
  /** `[count, 3, size, size]`, uint8 RGB. */
  readonly frames: Tensor;
  /** Mono, 16,000 a second; null where the clip has no sound. */
  readonly sound: Float32Array | null;
}

/** A folder that `headrace talk prepare` has made. */
export class PreparedClips {
  private constructor(
    readonly folder: string,
    readonly settings: PrepareSettings,
    readonly clips: readonly ClipRecord[],
  ) {}

  /** @throws DataError where the folder is none of prepared clips, or not finished yet */
  static open(folder: string): PreparedClips {
    const settings = readJsonFile<PrepareSettings>(join(folder, clipFiles.settings), 'settings of prepared clips');
    const clips = readJsonLines<ClipRecord>(join(folder, clipFiles.clips));
    if (clips.length === 0)
      throw new DataError(
        `${folder}: no clips in ${clipFiles.clips}: run the command that makes them (headrace talk prepare, or talk synth with speech) to its end first`,
      );
    return new PreparedClips(folder, settings, clips);
  }

  get length(): number {
    return this.clips.length;
  }

  /** The same folder with some of its clips, such as those of one emotion. */
  filter(keep: (clip: ClipRecord) => boolean): PreparedClips {
    return new PreparedClips(this.folder, this.settings, this.clips.filter(keep));
  }

  /**
   * Two parts without a person in common, so that the second tests on faces that are new: `people` are the second's. Clips of nobody
   * that is known count as of a person of their video.
   * @throws ConfigError for a person of whom there is no clip
   */
  splitPeople(people: readonly string[]): [rest: PreparedClips, held: PreparedClips] {
    const known = new Set(this.clips.map(personOf));
    const absent = people.filter((name) => !known.has(name));
    if (absent.length > 0)
      throw new ConfigError(`${this.folder}: expected people among ${[...known].join(', ')}, got ${absent.join(', ')}`);
    const held = new Set(people);
    return [this.filter((clip) => !held.has(personOf(clip))), this.filter((clip) => held.has(personOf(clip)))];
  }

  /** @throws DataError for a damaged file */
  numbers(index: number): ClipNumbers {
    const path = clipFile(this.folder, this.#clip(index).id, 'npz');
    const arrays = loadNpz(path);
    for (const name of numberNames)
      if (!arrays.has(name)) throw new DataError(`${path}: expected the array ${name}, found ${[...arrays.keys()]}`);
    return Object.fromEntries(numberNames.map((name) => [name, arrays.get(name)])) as unknown as ClipNumbers;
  }

  /** The fitted face model's motion. */
  track(index: number): MotionTrack {
    return scope(() => {
      const { weights, head, position } = this.numbers(index);
      const plain = (values: Tensor): Float32Array => values.contiguous().data() as Float32Array;
      return new MotionTrack({
        fps: this.settings.fps,
        weights: plain(weights),
        pose: plain(head),
        position: plain(position),
      });
    });
  }

  /** The clip's frames, or `count` of them from `from` on. @param size - pixels of their sides; the clips' own by default */
  async *frames(index: number, from = 0, count = Infinity, size?: number): AsyncGenerator<RgbImage, void, void> {
    const { id, frames } = this.#clip(index);
    const last = Math.min(frames, from + count);
    if (!(Number.isInteger(from) && from >= 0 && last > from))
      throw new ConfigError(`${id}: expected frames within 0 to ${frames}, got ${count} from ${from} on`);
    const { fps } = this.settings;
    const section = { start: from / fps, end: (last - 0.5) / fps };
    yield* readFrames(clipFile(this.folder, id, 'mp4'), {
      fps,
      ...section,
      ...(size !== undefined && size !== this.settings.size && { width: size, height: size }),
    });
  }

  /** Of all frames, or of `count` from `from` on; null where the clip has no sound. */
  async sound(index: number, from = 0, count = Infinity): Promise<Audio | null> {
    const { id, sound, frames } = this.#clip(index);
    if (!sound) return null;
    const { fps } = this.settings;
    const last = Math.min(frames, from + count);
    return readAudio(clipFile(this.folder, id, 'wav'), { rate: clipSoundRate, start: from / fps, end: last / fps });
  }

  /** What a network sees of a clip: some frames and their sound. */
  async window(index: number, from: number, count: number): Promise<ClipWindow> {
    const pictures: Uint8Array[] = [];
    for await (const { data } of this.frames(index, from, count)) pictures.push(data);
    const { size } = this.settings;
    const each = 3 * size * size;
    const all = new Uint8Array(pictures.length * each);
    for (const [i, picture] of pictures.entries()) all.set(picture, i * each);
    const frames = tensor(all, { shape: [pictures.length, size, size, 3] })
      .permute([0, 3, 1, 2])
      .contiguous();
    return { frames, sound: (await this.sound(index, from, count))?.samples ?? null };
  }

  #clip(index: number): ClipRecord {
    const clip = this.clips[index];
    if (clip === undefined) throw new ConfigError(`Expected a clip from 0 to ${this.length - 1}, got ${index}`);
    return clip;
  }
}

const numberNames = [
  'landmarks',
  'boxes',
  'pose',
  'expressions',
  'found',
  'weights',
  'head',
  'position',
  'identity',
] as const;

/** Who is in a clip; of nobody that is known a person of their video. */
export function personOf({ person, video }: ClipRecord): string {
  return person ?? video;
}
