/** Folders of videos to a folder of clips: many at once, and going on where it was stopped. */
import { appendFileSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { extname, join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { FolderLock, readJsonFile, sweepUnfinished, writeFileAtomic } from '../../io/index.js';
import { ConfigError, checkOptions, DataError, HeadraceError } from '../../torch/index.js';
import { startThread } from '../../torch/threads.js';
import { clipFrames, clipSizes, frameRates, jobCounts, leastClipSides, margins } from '../ranges.js';
import { checkWhole, checkWithin } from '../render/checks.js';
import { findVideos } from './find.js';
import { isDouble, type LayoutName, layoutLabels, layoutNames } from './layouts.js';
import {
  type ClipRecord,
  clipFile,
  clipFiles,
  jsonLines,
  type PrepareSettings,
  type Rejection,
  readJsonLines,
  readmeOf,
  type VideoOutcome,
} from './records.js';
import { writeSheet } from './sheet.js';
import type { VideoTask } from './video.js';
import type { PrepareJob, PrepareNotice } from './worker.js';

export interface PrepareOptions {
  /** How the files are named and laid out. By default each file is taken for the layout whose names it has, if any. */
  readonly layout?: LayoutName;
  /** Frames a second of the clips. Default 25. */
  readonly fps?: number;
  /** Pixels of the clips' sides, even. Default 256. */
  readonly size?: number;
  /** Share of the face's box that is added on each side. Default 0.1. */
  readonly margin?: number;
  /** Frames of the shortest and the longest clip. Default 64 and 1024. */
  readonly minFrames?: number;
  readonly maxFrames?: number;
  /** Pixels of the smallest square that is cut out. Default half of `size`. */
  readonly minSide?: number;
  /** Videos at once, each on a core. Default: the machine's cores, at most 8. */
  readonly jobs?: number;
  /** Told of each video when it is done, the ones of an earlier run not among them. */
  readonly onVideo?: (outcome: VideoOutcome, progress: PrepareProgress) => void;
}

export interface PrepareProgress {
  /** Videos that are done, and all that were found; `before` were done by an earlier run. */
  readonly done: number;
  readonly total: number;
  readonly before: number;
}

export interface Prepared {
  readonly clips: readonly ClipRecord[];
  readonly rejected: readonly Rejection[];
  readonly videos: number;
  /** Whether it was stopped before all videos were done; the same call goes on. */
  readonly stopped: boolean;
}

const optionNames = [
  'layout',
  'fps',
  'size',
  'margin',
  'minFrames',
  'maxFrames',
  'minSide',
  'jobs',
  'onVideo',
] as const;

/** Videos under preparation, which can be asked to stop. */
export class Preparation {
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  readonly #settings: PrepareSettings;
  readonly #outcomes = new Map<string, VideoOutcome>();
  readonly #threads = new Set<Worker>();
  #failure: HeadraceError | null = null;

  /**
   * @param inputs - videos and folders of videos
   * @param out - the folder of clips, made where it is absent
   * @throws ConfigError for options that cannot be
   */
  constructor(
    private readonly inputs: readonly string[],
    private readonly out: string,
    private readonly options: PrepareOptions = {},
  ) {
    checkOptions('Preparation', options, optionNames);
    this.#settings = settingsOf(options);
  }

  /** Ends soon; what is done is kept, and the same call goes on from there. */
  stop(): void {
    Atomics.store(this.#stop, 0, 1);
  }

  /**
   * Prepares what is not prepared yet. The folder is this process's own until the end.
   * @throws DataError for inputs that do not exist or hold no videos, a folder of other settings, or one that cannot be written
   */
  async run(): Promise<Prepared> {
    const videos = findVideos(this.inputs).filter(({ name }) => !isDouble(name));
    const { layout } = this.#settings;
    const ours = layout === null ? videos : videos.filter(({ name }) => layoutLabels(name, layout).layout !== null);
    if (ours.length === 0) throw new DataError(nothingFound(this.inputs, videos.length, layout));
    mkdirSync(join(this.out, clipFiles.folder), { recursive: true });
    const lock = FolderLock.take(this.out);
    try {
      sweepUnfinished(this.out);
      this.#begin();
      const tasks = this.#tasksOf(ours);
      await this.#all(tasks, ours.length);
      if (this.#failure) throw this.#failure;
      return await this.#finish(ours.map(({ path }) => path));
    } finally {
      lock.release();
    }
  }

  /** Reads what an earlier run did. */
  #begin(): void {
    const path = join(this.out, clipFiles.settings);
    if (existsSync(path)) {
      const before = readJsonFile<Record<string, unknown>>(path, 'settings of prepared clips');
      const other = Object.entries(this.#settings).filter(([name, value]) => before[name] !== value);
      if (other.length > 0) {
        const told = other.map(([name, value]) => `${name} ${before[name]}, not ${value}`).join(', ');
        throw new ConfigError(
          `${this.out} was prepared with other settings (${told}): use them again, or another folder`,
        );
      }
    } else writeFileAtomic(path, `${JSON.stringify(this.#settings, null, 2)}\n`);
    for (const outcome of readJsonLines<VideoOutcome>(join(this.out, clipFiles.videos), true))
      this.#outcomes.set(outcome.video, outcome);
    this.#journal(); // a last line that was torn would spoil the next
  }

  /** Videos that are new or have changed, with names for their clips that no other video's have. */
  #tasksOf(videos: readonly { path: string; name: string }[]): VideoTask[] {
    const names = new Set([...this.#outcomes.values()].map(({ id }) => id));
    return videos.flatMap(({ path, name }) => {
      const known = this.#outcomes.get(path);
      const { size, mtimeMs } = statSync(path);
      if (known !== undefined && known.bytes === size && known.modified === mtimeMs) return [];
      const plain = name.slice(0, name.length - extname(name).length).replaceAll(/[^A-Za-z0-9-]+/g, '_');
      let id = known?.id ?? plain;
      for (let n = 2; known === undefined && names.has(id); n++) id = `${plain}_${n}`;
      names.add(id);
      return [{ path, name, id }];
    });
  }

  async #all(tasks: VideoTask[], total: number): Promise<void> {
    const before = total - tasks.length;
    // What a run that was ended has left of videos that were under way.
    const kept = new Set([...this.#outcomes.values()].flatMap(({ clips }) => clips.map(({ id }) => id)));
    for (const file of readdirSync(join(this.out, clipFiles.folder)))
      if (!kept.has(file.slice(0, file.length - extname(file).length)))
        rmSync(join(this.out, clipFiles.folder, file), { force: true });
    let done = before;
    const waiting = [...tasks];
    const finished = (outcome: VideoOutcome): void => {
      const last = this.#outcomes.get(outcome.video);
      const fresh = new Set(outcome.clips.map(({ id }) => id));
      for (const { id } of last?.clips ?? []) {
        if (fresh.has(id)) continue;
        for (const ending of ['mp4', 'wav', 'npz'] as const) rmSync(clipFile(this.out, id, ending), { force: true });
      }
      this.#outcomes.set(outcome.video, outcome);
      appendFileSync(join(this.out, clipFiles.videos), jsonLines([outcome]));
      done++;
      this.options.onVideo?.(outcome, { done, total, before });
    };
    const jobs = this.options.jobs ?? Math.min(8, availableParallelism());
    await Promise.all(Array.from({ length: Math.min(jobs, tasks.length) }, () => this.#lane(waiting, finished)));
  }

  /** One thread, which takes the next video when it is done with one. */
  #lane(waiting: VideoTask[], finished: (outcome: VideoOutcome) => void): Promise<void> {
    const workerData: PrepareJob = { folder: this.out, settings: this.#settings, stop: this.#stop };
    const worker = startThread(new URL('./worker.js', import.meta.url), { workerData });
    this.#threads.add(worker);
    const next = (): void => {
      const task = Atomics.load(this.#stop, 0) === 0 ? waiting.shift() : undefined;
      worker.postMessage(task ?? null);
    };
    const listen = (notice: PrepareNotice): void => {
      if (notice.kind === 'done') finished(notice.outcome);
      else if (notice.kind === 'failed') finished(failed(notice.task, notice.reason));
      else if (notice.kind === 'broken') this.#fail(notice.message, notice.code);
      next();
    };
    return new Promise((resolve) => {
      worker.on('message', (notice: PrepareNotice) => {
        try {
          listen(notice);
        } catch (error) {
          this.#fail((error as Error).message, '');
          worker.postMessage(null);
        }
      });
      worker.on('error', (error) => this.#fail(error.message, ''));
      worker.on('exit', () => {
        this.#threads.delete(worker);
        resolve();
      });
    });
  }

  #fail(message: string, code: string): void {
    this.#failure ??= new HeadraceError(message, code === '' ? {} : { code });
    this.stop();
  }

  #journal(): void {
    writeFileAtomic(join(this.out, clipFiles.videos), jsonLines([...this.#outcomes.values()]));
  }

  /** The lists, in the order of the videos' names, and the sheet. */
  async #finish(videos: readonly string[]): Promise<Prepared> {
    const all = [...this.#outcomes.values()].sort((a, b) => (a.video < b.video ? -1 : 1));
    const clips = all.flatMap((outcome) => outcome.clips);
    const rejected = all.flatMap((outcome) => outcome.rejected);
    writeFileAtomic(join(this.out, clipFiles.clips), jsonLines(clips));
    writeFileAtomic(join(this.out, clipFiles.rejected), jsonLines(rejected));
    writeFileAtomic(join(this.out, clipFiles.readme), readmeOf(this.#settings));
    this.#journal();
    if (clips.length > 0) await writeSheet(this.out, clips, this.#settings);
    return { clips, rejected, videos: all.length, stopped: videos.some((path) => !this.#outcomes.has(path)) };
  }
}

function failed({ path, id }: VideoTask, reason: string): VideoOutcome {
  const { size: bytes, mtimeMs: modified } = statSync(path);
  return { video: path, id, bytes, modified, clips: [], rejected: [{ video: path, from: null, to: null, reason }] };
}

function nothingFound(inputs: readonly string[], others: number, layout: LayoutName | null): string {
  const where = inputs.join(', ');
  if (layout === null || others === 0) return `${where}: expected videos, or folders of videos, found none`;
  return `${where}: expected videos named as in ${layout}, found ${others} of other names: leave the layout out to take any`;
}

function settingsOf(options: PrepareOptions): PrepareSettings {
  const { layout = null, fps = 25, size = 256, margin = 0.1, minFrames = 64, maxFrames = 1024 } = options;
  const { minSide = Math.ceil(size / 2), jobs = 1 } = options;
  if (layout !== null && !layoutNames.includes(layout))
    throw new ConfigError(`Expected layout among ${layoutNames.join(', ')}, got ${layout}`);
  const where = 'Preparation';
  checkWithin(where, 'fps', fps, frameRates);
  checkWithin(where, 'margin', margin, margins);
  checkWhole(where, 'size', size, ...clipSizes);
  checkWhole(where, 'minFrames', minFrames, ...clipFrames);
  checkWhole(where, 'maxFrames', maxFrames, minFrames, clipFrames[1]);
  checkWhole(where, 'minSide', minSide, ...leastClipSides);
  checkWhole(where, 'jobs', jobs, ...jobCounts);
  if (size % 2 === 1) throw new ConfigError(`Expected size to be even, as H.264 needs it, got ${size}`);
  return { fps, size, margin, minFrames, maxFrames, minSide, layout };
}
