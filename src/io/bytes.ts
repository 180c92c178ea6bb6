/** Byte ranges that are read when asked for: of a file, of memory, of text that stands for bytes. */
import { DataError } from '../torch/errors.js';

/** Bounded random access to bytes. `FileReader` is one. */
export interface ByteSource {
  /** What errors call it: a path. */
  readonly path: string;
  readonly size: number;
  /** A fresh copy of `length` bytes from `offset`. @throws DataError beyond `size` */
  read(offset: number, length: number): Uint8Array;
}

/** Bytes in memory. */
export class MemoryBytes implements ByteSource {
  constructor(
    readonly bytes: Uint8Array,
    readonly path: string,
  ) {}

  get size(): number {
    return this.bytes.length;
  }

  read(offset: number, length: number): Uint8Array {
    if (offset < 0 || length < 0 || offset + length > this.size) {
      throw new DataError(
        `${this.path} is cut short: expected ${length} bytes at offset ${offset}, but it has ${this.size} bytes`,
      );
    }
    return new Uint8Array(this.bytes.subarray(offset, offset + length)); // a slice of a Buffer would be no copy
  }
}

/** How many bytes of UTF-8 lie between two marks. */
const block = 1 << 16;

/**
 * Bytes that a file holds as UTF-8 text of the characters U+0000 to U+00FF, one a byte, as pickles of protocols 0 to 2 do.
 * The text is scanned once and marked every 64 KiB, so that any part is read without the rest.
 */
export class Latin1Text implements ByteSource {
  readonly size: number;
  /** marks[i]: the number of characters that begin before byte i * block. */
  private readonly marks: number[] = [];

  /** @throws DataError for characters beyond U+00FF and for damaged UTF-8 */
  constructor(
    private readonly file: ByteSource,
    private readonly offset: number,
    private readonly length: number,
  ) {
    let characters = 0;
    let pending = false;
    for (let at = 0; at < length; at += block) {
      this.marks.push(characters);
      for (const byte of file.read(offset + at, Math.min(block, length - at))) {
        const continues = (byte & 0xc0) === 0x80;
        if (continues !== pending || (byte >= 0x80 && !continues && byte !== 0xc2 && byte !== 0xc3)) {
          throw new DataError(
            `${file.path}: the text at byte ${offset} does not stand for bytes (0x${byte.toString(16)})`,
          );
        }
        pending = byte >= 0xc0;
        if (!continues) characters++;
      }
    }
    if (pending) throw new DataError(`${file.path}: the text at byte ${offset} ends inside a character`);
    this.size = characters;
  }

  get path(): string {
    return this.file.path;
  }

  read(offset: number, length: number): Uint8Array {
    if (offset < 0 || length < 0 || offset + length > this.size)
      throw new DataError(`${this.path}: expected ${length} bytes at ${offset} of ${this.size}`);
    const out = new Uint8Array(length);
    if (length === 0) return out;
    let index = this.blockOf(offset);
    let character = this.marks[index] as number;
    let high = 0;
    for (; character < offset + length || high !== 0; index++) {
      const start = index * block;
      for (const byte of this.file.read(this.offset + start, Math.min(block, this.length - start))) {
        if (byte >= 0xc0) high = (byte & 3) << 6;
        // A block may begin inside a character, which the block before has counted.
        const at = (byte & 0xc0) === 0x80 ? character - 1 : character++;
        if (byte < 0xc0 && at >= offset && at < offset + length)
          out[at - offset] = byte < 0x80 ? byte : high | (byte & 0x3f);
        if (byte < 0xc0) high = 0;
      }
    }
    return out;
  }

  /** The block before which at most `character` characters begin; one earlier where that character began there. */
  private blockOf(character: number): number {
    let [low, high] = [0, this.marks.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.marks[middle] as number) <= character) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** A run of bytes in a source, read when asked for. */
export class ByteRange {
  constructor(
    readonly source: ByteSource,
    readonly offset: number,
    readonly length: number,
  ) {}

  /** A copy of the bytes from `start` to `end`. */
  read(start = 0, end = this.length): Uint8Array {
    return this.source.read(this.offset + start, end - start);
  }
}
