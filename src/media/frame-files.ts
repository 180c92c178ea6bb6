/** Frames to numbered PNG files, which appear under their names when all are there. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { reason } from '../io/file.js';
import { ConfigError, DataError } from '../torch/errors.js';
import type { RgbImage } from './frames.js';
import { encodePng } from './png.js';
import { checkFrame, type FrameWriter } from './video-writer.js';

/** Files that are compressed at once. */
const AT_ONCE = 4;

/** Where numbered files go: a folder of their own, or names in a folder that may hold other things. @internal */
export interface FramePattern {
  readonly folder: string;
  readonly before: string;
  readonly digits: number;
  /** Whether the folder is theirs alone. */
  readonly own: boolean;
}

/** `frames/` is frames/00000.png and so on; `out/talk-%05d.png` is as it says. */
export function framePattern(path: string): FramePattern {
  const name = basename(path);
  if (!name.includes('%')) return { folder: resolve(path), before: '', digits: 5, own: true };
  const match = /^([^%]*)%(?:0?(\d))?d\.png$/i.exec(name);
  if (match === null)
    throw new ConfigError(`expected numbered files as NAME-%05d.png, or a folder for 00000.png and so on, got ${path}`);
  return { folder: resolve(dirname(path)), before: match[1] as string, digits: Number(match[2] ?? 1), own: false };
}

/** @internal */
export class FrameFiles implements FrameWriter {
  private first: RgbImage | null = null;
  private count = 0;
  private readonly partial: string;
  private readonly writing = new Set<Promise<void>>();
  private failed: unknown = null;

  /** @throws DataError where the folder cannot be written to, or holds other things than frames */
  constructor(
    private readonly path: string,
    private readonly pattern: FramePattern,
    private readonly metadata: Readonly<Record<string, string>>,
  ) {
    const { folder, own } = pattern;
    checkFrames(path, pattern);
    this.partial = join(own ? dirname(folder) : folder, `.${basename(folder)}.${randomUUID()}`);
    try {
      mkdirSync(this.partial);
    } catch (error) {
      throw new DataError(`Cannot write ${path}: ${reason(error)}`, { cause: error });
    }
  }

  async add(picture: RgbImage): Promise<void> {
    this.first ??= picture;
    checkFrame(this.path, this.count, this.first, picture);
    const file = join(this.partial, this.nameOf(this.count++));
    while (this.writing.size >= AT_ONCE) await Promise.race(this.writing);
    if (this.failed !== null) throw this.failed;
    // The next frame may be drawn into the same bytes, and compressing takes them one by one first.
    const bytes = encodePng(picture, this.metadata);
    const task = bytes
      .then((png) => writeFile(file, png))
      .catch((error: unknown) => {
        this.failed ??= new DataError(`Cannot write ${this.path}: ${reason(error)}`, { cause: error });
      })
      .finally(() => this.writing.delete(task));
    this.writing.add(task);
  }

  async finish(): Promise<void> {
    await Promise.all(this.writing);
    if (this.failed !== null) throw this.failed;
    if (this.first === null) throw new DataError(`${this.path}: there are no frames to write`);
    const { folder, own } = this.pattern;
    for (const name of earlierFrames(this.pattern)) rmSync(join(folder, name));
    if (own) {
      rmSync(folder, { recursive: true, force: true }); // empty by now
      renameSync(this.partial, folder);
      return;
    }
    for (let i = 0; i < this.count; i++) renameSync(join(this.partial, this.nameOf(i)), join(folder, this.nameOf(i)));
    rmSync(this.partial, { recursive: true });
  }

  async close(): Promise<void> {
    await Promise.all(this.writing);
    rmSync(this.partial, { recursive: true, force: true });
  }

  private nameOf(index: number): string {
    return `${this.pattern.before}${String(index).padStart(this.pattern.digits, '0')}.png`;
  }
}

/** Names of frames that an earlier run has left. */
function earlierFrames({ folder, before }: FramePattern): string[] {
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return [];
  return readdirSync(folder).filter((name) => name.startsWith(before) && /^\d+\.png$/.test(name.slice(before.length)));
}

/** @throws DataError where a folder that is to hold frames alone holds other things, or is none @internal */
export function checkFrames(path: string, pattern: FramePattern): void {
  const stat = statSync(pattern.folder, { throwIfNoEntry: false });
  if (stat === undefined || !pattern.own) return;
  if (!stat.isDirectory()) throw new DataError(`Cannot write ${path}: expected a folder for frames, got a file`);
  const frames = new Set(earlierFrames(pattern));
  const other = readdirSync(pattern.folder).find((name) => !frames.has(name));
  if (other === undefined) return;
  throw new DataError(
    `Cannot write frames to ${path}: it holds other things, such as ${other}. Give a folder that is new or empty, or a pattern, ` +
      `${join(path, 'NAME-%05d.png')}`,
  );
}
