// Texts that come a line each, from a file or standard input, and are read as they come, in constant memory.
import { isUtf8 } from 'node:buffer';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { DataError } from '../torch/index.js';

/** Lines that are read at once. */
const BATCH = 64;
/** Bytes of a line that are read; the rest is left out. */
const LONGEST = 100_000;

export interface InputLine {
  /** Counted from 1. */
  readonly number: number;
  readonly text: string;
  /** What was wrong with it, and what was done. */
  readonly note: string | null;
}

/** The lines of a file, or of standard input for `-`, as many at once as have come. @throws DataError where it cannot be read */
export async function* linesOf(path: string): AsyncGenerator<InputLine[]> {
  const input: AsyncIterable<Buffer> = path === '-' ? process.stdin : createReadStream(path);
  const lines = new LineCutter();
  try {
    for await (const chunk of input) yield* batches(lines.cut(chunk));
  } catch (cause) {
    throw new DataError(`Cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  yield* batches(lines.rest());
}

function* batches(lines: readonly InputLine[]): Generator<InputLine[]> {
  for (let from = 0; from < lines.length; from += BATCH) yield lines.slice(from, from + BATCH);
}

/** Cuts bytes into lines, of each of which it keeps so many bytes at most. */
class LineCutter {
  #kept: Buffer[] = [];
  #length = 0;
  #number = 0;

  cut(chunk: Buffer): InputLine[] {
    const lines: InputLine[] = [];
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      this.#keep(chunk.subarray(from, end));
      lines.push(this.#line());
      from = end + 1;
    }
    this.#keep(chunk.subarray(from));
    return lines;
  }

  /** What follows the last end of a line. */
  rest(): InputLine[] {
    return this.#length === 0 ? [] : [this.#line()];
  }

  #keep(bytes: Buffer): void {
    if (this.#length < LONGEST) this.#kept.push(Buffer.from(bytes.subarray(0, LONGEST - this.#length)));
    this.#length += bytes.length;
  }

  #line(): InputLine {
    const bytes = Buffer.concat(this.#kept);
    const cut = this.#length > LONGEST;
    this.#kept = [];
    this.#length = 0;
    return { number: ++this.#number, ...decoded(bytes, cut) };
  }
}

function decoded(line: Buffer, cut: boolean): Pick<InputLine, 'text' | 'note'> {
  const notes = cut ? [`it is longer than ${LONGEST} bytes: the rest is left out`] : [];
  const bytes = cut ? withoutHalf(line) : line;
  let text = new TextDecoder('utf-8', { ignoreBOM: false }).decode(bytes);
  if (text.includes('\0')) notes.push('it has NUL bytes, which are left out');
  if (!isUtf8(bytes)) {
    notes.push('it is not UTF-8: what is not is left out');
    text = text.replaceAll('\ufffd', '');
  }
  text = text.replaceAll('\0', '').replace(/\r$/, '');
  if (text.includes('\r')) notes.push('it has carriage returns within, which are read as spaces');
  return { text: text.replaceAll('\r', ' '), note: notes.length === 0 ? null : notes.join('; ') };
}

/** Without the beginning of a character that was cut in two with its line. */
function withoutHalf(bytes: Buffer): Buffer {
  const last = bytes.findLastIndex((byte) => (byte & 0xc0) !== 0x80);
  const half = last >= 0 && bytes[last]! >= 0x80 && !isUtf8(bytes.subarray(last));
  return half ? bytes.subarray(0, last) : bytes;
}

/** Writes a line to standard output, and waits where that is full. @returns whether anybody still reads it, as `head` does not for long */
export async function writeLine(text: string): Promise<boolean> {
  if (process.stdout.errored) return false;
  try {
    if (!process.stdout.write(`${text}\n`)) await once(process.stdout, 'drain');
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return false;
    throw error;
  }
}
