/** A computational sequence of the CMU-MultimodalSDK: an HDF5 file `<root>/data/<video>/{features, intervals}` and `<root>/metadata`. */
import { resolve } from 'node:path';
import { type Cleaner, numbersOf } from '../../features/sequences.js';
import { Hdf5File, viewNumbers } from '../../io/index.js';
import { DataError } from '../../torch/errors.js';
import type { Timed } from './csd-align.js';

/** Words of a video with their times. */
export interface TimedWords {
  readonly intervals: Float64Array;
  readonly words: readonly string[];
}

/** An open `.csd` file. Features are read video by video. */
export class CsdFile {
  private constructor(
    private readonly file: Hdf5File,
    /** The sequence's name. */
    readonly root: string,
    readonly videos: ReadonlySet<string>,
    readonly metadata: Readonly<Record<string, unknown>>,
  ) {}

  /** @throws DataError when the file has another layout */
  static async open(path: string): Promise<CsdFile> {
    const file = await Hdf5File.open(resolve(path));
    try {
      const roots = await file.keys('');
      const [root] = roots;
      if (root === undefined || roots.length !== 1) {
        throw new DataError(
          `${path}: expected one group, the sequence's name, got ${roots.slice(0, 5).join(', ') || 'none'}`,
        );
      }
      return new CsdFile(file, root, new Set(await file.keys(`${root}/data`)), await readMetadata(file, root));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get path(): string {
    return this.file.path;
  }

  get version(): string {
    return String(this.metadata['computational sequence version'] ?? 'unknown');
  }

  /** Whether the features are text. */
  async holdsText(): Promise<boolean> {
    const [video] = this.videos;
    return video !== undefined && (await this.file.info(`${this.root}/data/${video}/features`)).type === 'text';
  }

  /**
   * A video's rows, cleaned of what is not finite, unless `cleaner` is null.
   * @throws DataError when features and intervals do not fit
   */
  async read(video: string, cleaner: Cleaner | null): Promise<Timed> {
    const array = await this.file.read(`${this.root}/data/${video}/features`);
    const intervals = await this.intervals(video, array.shape[0] ?? 0);
    const dims = array.shape.slice(1).reduce((product, size) => product * size, 1);
    const count = (array.shape[0] ?? 0) * dims;
    const features = cleaner === null ? Float32Array.from(numbersOf(array), Number) : cleaner.clean(array, count);
    return { intervals, features, dims };
  }

  async readWords(video: string): Promise<TimedWords> {
    const words = await this.file.readText(`${this.root}/data/${video}/features`);
    return { intervals: await this.intervals(video, words.length), words };
  }

  private async intervals(video: string, rows: number): Promise<Float64Array> {
    const array = await this.file.read(`${this.root}/data/${video}/intervals`);
    const values = Float64Array.from(viewNumbers(array));
    if (array.shape.length !== 2 || array.shape[1] !== 2 || array.shape[0] !== rows || !values.every(Number.isFinite)) {
      throw new DataError(
        `${this.path}, ${video}: expected ${rows} intervals of two finite times, got [${array.shape.join(', ')}]`,
      );
    }
    return values;
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

/** Each entry is text that holds JSON; what does not is kept as text. */
async function readMetadata(file: Hdf5File, root: string): Promise<Record<string, unknown>> {
  const metadata: Record<string, unknown> = {};
  if (!(await file.keys(root)).includes('metadata')) return metadata;
  for (const key of await file.keys(`${root}/metadata`)) {
    const info = await file.info(`${root}/metadata/${key}`);
    if (info.type !== 'text') continue;
    const [text = ''] = await file.readText(`${root}/metadata/${key}`);
    try {
      metadata[key] = JSON.parse(text);
    } catch {
      metadata[key] = text;
    }
  }
  return metadata;
}
