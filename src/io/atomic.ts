/** Files that are whole or absent: written under a temporary name, synced, then renamed. */
import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { DataError } from '../torch/errors.js';
import { expectText } from '../torch/expect.js';
import { reason } from './file.js';

let counter = 0;

/**
 * A file in the making. `write` appends; `commit` makes it appear under its name in one step; `abort` leaves no trace.
 * A crash in between leaves the previous file as it was (and perhaps a `.name.*.tmp` beside it).
 */
export class AtomicFile {
  private readonly temporary: string;
  private fd: number | null;

  /** @throws DataError when the folder is absent or not writable */
  constructor(readonly path: string) {
    expectText('Writing a file', path, 'its path');
    this.temporary = join(dirname(path), `.${basename(path)}.${process.pid}-${threadId}-${counter++}.tmp`);
    try {
      this.fd = openSync(this.temporary, 'wx');
    } catch (error) {
      throw new DataError(`Cannot write ${path}: ${reason(error)}. Check that its folder exists and is writable`, {
        cause: error,
      });
    }
  }

  /** Appends bytes. @throws DataError (disk full, ...); the temporary file is removed */
  write(bytes: Uint8Array): void {
    this.guard((fd) => {
      for (let done = 0; done < bytes.length; )
        done += writeSync(fd, bytes, done, Math.min(1 << 30, bytes.length - done));
    });
  }

  /** Syncs the bytes to the disk and renames the file into place. */
  commit(): void {
    this.guard((fd) => {
      fsyncSync(fd);
      closeSync(fd);
      this.fd = null;
      renameSync(this.temporary, this.path);
      syncFolder(dirname(this.path));
    });
  }

  /** Drops what was written; does nothing after `commit`. */
  abort(): void {
    if (this.fd === null) return;
    closeSync(this.fd);
    this.fd = null;
    remove(this.temporary);
  }

  private guard(action: (fd: number) => void): void {
    if (this.fd === null) throw new DataError(`Cannot write ${this.path}: it was committed or aborted before`);
    try {
      action(this.fd);
    } catch (error) {
      const closed = this.fd === null;
      this.abort();
      if (closed) remove(this.temporary);
      throw new DataError(`Cannot write ${this.path}: ${reason(error)}`, { cause: error });
    }
  }
}

/** On the way out of a failure: another error would hide the first, which says what went wrong. */
function remove(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // A folder that is gone, or closed to us: nothing is left that could be removed.
  }
}

/**
 * Removes what writers that are gone have left half made in a folder. Call it only where nobody else writes there.
 * @returns the names removed
 */
export function sweepUnfinished(folder: string): string[] {
  expectText('sweepUnfinished', folder, 'a folder');
  const left = readdirSync(folder).filter((name) => /^\..+\.\d+-\d+-\d+\.tmp$/.test(name));
  for (const name of left) rmSync(join(folder, name), { force: true });
  return left;
}

/** The rename itself reaches the disk only with its folder. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return; // Windows has no handle on a folder to sync
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Writes a whole file so that a reader sees the old one or the new one, never a part.
 * @param data text (UTF-8), bytes, or pieces in order
 * @throws DataError naming the path and the cause
 */
export function writeFileAtomic(path: string, data: string | Uint8Array | Iterable<Uint8Array>): void {
  const file = new AtomicFile(path);
  try {
    if (typeof data === 'string') file.write(Buffer.from(data));
    else if (data instanceof Uint8Array) file.write(data);
    else for (const piece of data) file.write(piece);
    file.commit();
  } finally {
    file.abort();
  }
}
