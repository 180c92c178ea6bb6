/** Bounded random access to a file, synchronous: readers run on worker threads or at start-up. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { DataError } from '../torch/errors.js';
import { expectText } from '../torch/expect.js';

/** The largest single read; the system call takes less than 2^31 bytes. */
const chunk = 1 << 30;

/** `Error.message` of anything thrown. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** An open file of known size. Every read is checked against the size before memory is taken. */
export class FileReader {
  private constructor(
    readonly path: string,
    readonly size: number,
    private fd: number | null,
  ) {}

  /** @throws DataError when the path cannot be opened or is not a regular file */
  static open(path: string): FileReader {
    expectText('Reading a file', path, 'its path');
    let fd: number;
    try {
      // A named pipe, which is refused, would first be waited for until somebody writes to it.
      fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    } catch (error) {
      throw new DataError(`Cannot open ${path}: ${reason(error)}`, { cause: error });
    }
    const stat = fstatSync(fd);
    if (!stat.isFile()) {
      closeSync(fd);
      throw new DataError(
        `Cannot read ${path}: expected a file, got ${stat.isDirectory() ? 'a folder' : 'a special file'}`,
      );
    }
    return new FileReader(path, stat.size, fd);
  }

  /** Opens, runs `use`, closes. */
  static with<T>(path: string, use: (file: FileReader) => T): T {
    const file = FileReader.open(path);
    try {
      return use(file);
    } finally {
      file.close();
    }
  }

  /**
   * `length` bytes from `offset`, a fresh copy.
   * @throws DataError when the file ends before, or was cut while open
   */
  read(offset: number, length: number): Uint8Array {
    if (this.fd === null) throw new DataError(`Cannot read ${this.path}: the reader is closed`);
    if (offset < 0 || length < 0 || offset + length > this.size) {
      throw new DataError(
        `${this.path} is cut short: expected ${length} bytes at offset ${offset}, but the file has ${this.size} bytes`,
      );
    }
    const bytes = this.allocate(length);
    let done = 0;
    while (done < length) {
      const got = readSync(this.fd, bytes, done, Math.min(chunk, length - done), offset + done);
      if (got === 0) throw new DataError(`${this.path} was cut short while it was read, at byte ${offset + done}`);
      done += got;
    }
    return bytes;
  }

  private allocate(length: number): Uint8Array {
    try {
      return new Uint8Array(length);
    } catch (error) {
      throw new DataError(`${this.path}: there is no memory for ${length} bytes at once; read it in parts`, {
        cause: error,
      });
    }
  }

  /** Safe to call twice. */
  close(): void {
    if (this.fd !== null) closeSync(this.fd);
    this.fd = null;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
