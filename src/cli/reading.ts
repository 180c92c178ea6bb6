// What the user sees while images are read: what was found, what is passed over, how far it is, and what was left out.

import { loadRunData, type ModuleRef } from '../pipeline/index.js';
import { duration } from '../report/index.js';
import type { ProgressStream } from '../run/index.js';
import type { DataOptions, Found, ImageData, ImageSet, LoadHooks } from '../vision/index.js';
import { exitCodes, onInterrupt, say } from './report.js';

/** Milliseconds in which nothing is shown: a short wait needs no progress. */
const quiet = 2000;

/** Such as `12 images/s`. */
export const perSecond =
  (things: string) =>
  (rate: number): string =>
    `${rate.toFixed(0)} ${things}/s`;

/** How far the reading of many files or frames is, once it takes more than two seconds. */
export class ReadingProgress {
  readonly #begun: number;
  #shown = 0;
  #open = false;

  constructor(
    private readonly what: string,
    private readonly stream: ProgressStream = process.stderr,
    private readonly now: () => number = Date.now,
    /** How fast it is, of so many a second. */
    private readonly speed: (rate: number) => string = perSecond('images'),
    /** How many were done before this began. */
    private readonly before: number = 0,
  ) {
    this.#begun = now();
  }

  update(done: number, total: number): void {
    const now = this.now();
    const every = this.stream.isTTY ? 100 : 10_000;
    if (now - this.#begun < quiet || now - this.#shown < every) return;
    this.#shown = now;
    const seconds = (now - this.#begun) / 1000;
    const own = done - this.before;
    const left = ((total - done) * seconds) / Math.max(1, own);
    const text = `${this.what} ${done}/${total}  ${this.speed(own / seconds)}  ETA ${duration(left)}`;
    this.stream.write(this.stream.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
    this.#open = this.stream.isTTY ?? false;
  }

  /** Ends a line that is being rewritten. */
  finish(): void {
    if (this.#open) this.stream.write('\n');
    this.#open = false;
  }
}

/** How far work is that has several parts, each of many steps: a line for each. */
export class PartsProgress {
  #what = '';
  #line: ReadingProgress | null = null;

  constructor(
    private readonly stream: ProgressStream = process.stderr,
    private readonly now: () => number = Date.now,
  ) {}

  update(what: string, done: number, total: number): void {
    if (this.#line === null || what !== this.#what) {
      this.finish();
      // A part that was broken off begins where it stopped.
      this.#line = new ReadingProgress(
        what,
        this.stream,
        this.now,
        (rate) => `${rate.toPrecision(2)}/s`,
        Math.max(0, done - 1),
      );
      this.#what = what;
    }
    this.#line.update(done, total);
  }

  /** Writes a line that stays. */
  keep(text: string): void {
    this.finish();
    this.stream.write(`${text}\n`);
  }

  /** Ends a line that is being rewritten. */
  finish(): void {
    this.#line?.finish();
  }
}

/** The step at which something is that has a few, each of its own length. */
export class StepProgress {
  #shown: number;
  #open = false;

  constructor(
    private readonly what: string,
    private readonly stream: ProgressStream = process.stderr,
    private readonly now: () => number = Date.now,
  ) {
    this.#shown = now();
  }

  begin(step: string, number: number, of: number): void {
    const lines = !this.stream.isTTY;
    // A line that is written over costs nothing; lines that stay are for those who wait long.
    if (lines && this.now() - this.#shown < 10_000) return;
    this.#shown = this.now();
    const text = `${this.what} ${number}/${of}: ${step}`;
    this.stream.write(lines ? `${text}\n` : `\r\x1b[K${text}`);
    this.#open = !lines;
  }

  /** Takes away a line that is being rewritten. */
  finish(): void {
    if (this.#open) this.stream.write('\r\x1b[K');
    this.#open = false;
  }
}

/** Runs `body`; Ctrl-C ends the process at once, saying what it ended. */
export async function interruptible<T>(progress: ReadingProgress, what: string, body: () => Promise<T>): Promise<T> {
  const release = onInterrupt(() => {
    progress.finish();
    say(`headrace: stopped while ${what}; nothing was written`);
    process.exit(exitCodes.interrupted);
  });
  try {
    return await body();
  } finally {
    progress.finish();
    release();
  }
}

/** What a folder of images was found to hold. */
export function describeFound({ parts, classes, lazy, notes }: Found): string[] {
  const shown = classes.length > 10 ? [...classes.slice(0, 10), '...'] : classes;
  const counts = parts.map(
    ({ name, from, images, classes: own }) => `${name}: ${images} images in ${own} classes, ${from}`,
  );
  const how = lazy ? 'images are read from their files as batches need them' : 'images are decoded into memory';
  return [...counts, `classes: ${shown.join(', ')}; ${how}`, ...notes.map((note) => `note: ${note}`)];
}

/** Whether `dataRef` made a reference; one's own kind of data is read without remarks. */
export function isOfSpec(ref: ModuleRef): boolean {
  return ref.export === 'loadDataset' && typeof (ref.options as Partial<DataOptions> | null)?.spec === 'string';
}

/** The images of a reference that `dataRef` made; of a folder it is told what lies there, and what was left out. */
export async function loadImages(ref: ModuleRef): Promise<ImageData<ImageSet>> {
  const progress = new ReadingProgress('reading images');
  const hooks: LoadHooks = {
    onFound: (found) => {
      for (const line of describeFound(found)) say(`headrace: ${line}`);
    },
    onProgress: (done, total) => progress.update(done, total),
  };
  const load = async (): Promise<ImageData<ImageSet>> =>
    (await loadRunData(ref, hooks)) as unknown as ImageData<ImageSet>;
  const images = await interruptible(progress, 'reading images', load);
  const skipped = images.found?.skipped ?? [];
  if (skipped.length > 0) {
    const [first] = skipped;
    say(
      `headrace: ${skipped.length} images that cannot be read were left out, the first ${first?.path}: ${first?.reason}`,
    );
  }
  return images;
}
