/** Reading a pickle from front to back: small reads through a window, large ones left in the file. */
import { DataError } from '../torch/errors.js';
import type { ByteSource } from './bytes.js';

const windowSize = 1 << 16;

/** A place in a source that moves forward. Every length is checked against the source before memory is taken. */
export class PickleCursor {
  private window: Uint8Array = new Uint8Array(0);
  private windowStart = 0;

  constructor(
    readonly source: ByteSource,
    public position = 0,
  ) {}

  get remaining(): number {
    return this.source.size - this.position;
  }

  byte(): number {
    const bytes = this.take(1);
    return bytes[0] as number;
  }

  /** The next `length` bytes; valid until the next call. @throws DataError where the source ends before */
  take(length: number): Uint8Array {
    this.expect(length);
    if (length > windowSize) {
      const bytes = this.source.read(this.position, length);
      this.position += length;
      return bytes;
    }
    if (this.position < this.windowStart || this.position + length > this.windowStart + this.window.length) {
      this.window = this.source.read(this.position, Math.min(windowSize, this.remaining));
      this.windowStart = this.position;
    }
    const start = this.position - this.windowStart;
    this.position += length;
    return this.window.subarray(start, start + length);
  }

  /** Passes over `length` bytes without reading them; returns where they begin. */
  skip(length: number): number {
    this.expect(length);
    const start = this.position;
    this.position += length;
    return start;
  }

  /** An unsigned little-endian integer of `width` bytes, up to 8. @throws DataError beyond 2^53 */
  unsigned(width: number): number {
    const bytes = this.take(width);
    let value = 0;
    for (let i = width - 1; i >= 0; i--) value = value * 256 + (bytes[i] as number);
    if (!Number.isSafeInteger(value)) throw new DataError(`the length ${value} is impossibly large`);
    return value;
  }

  int32(): number {
    return this.unsigned(4) | 0;
  }

  /** The bytes up to the next line feed, which is passed over; valid until the next call. */
  line(): Uint8Array {
    const start = this.position;
    for (let length = 0; ; ) {
      // What the window holds is searched first: lines are short, and many.
      const held = this.windowStart + this.window.length - this.position;
      const piece = this.take(held > 0 ? held : Math.min(windowSize, this.remaining));
      const end = piece.indexOf(0x0a);
      length += end < 0 ? piece.length : end;
      if (end < 0 && this.remaining === 0) throw new DataError('the file is cut short inside a line');
      if (end < 0) continue;
      this.position = start;
      const line = this.take(length);
      this.position++;
      return line;
    }
  }

  private expect(length: number): void {
    if (length < 0 || length > this.remaining) {
      throw new DataError(
        `the file is cut short: expected ${length} more bytes, ${Math.max(0, this.remaining)} are left`,
      );
    }
  }
}
