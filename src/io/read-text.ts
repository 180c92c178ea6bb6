/** Text files whose encoding nobody tells: tables, subtitles, lists of words. */
import { readFileSync } from 'node:fs';
import { DataError } from '../torch/errors.js';
import { reason } from './file.js';

export interface ReadText {
  readonly text: string;
  /** `utf-8`, `utf-16le`, `utf-16be`, or `gb18030`: GBK and GB2312 are parts of it. */
  readonly encoding: string;
}

/**
 * Reads a text file: UTF-8, UTF-16 with its mark, or Chinese in GBK, which is told by its bytes. A byte order mark is taken off.
 * @throws DataError for what cannot be read or is none of these, with the line
 */
export function readTextFile(path: string): ReadText {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new DataError(`Cannot read ${path}: ${reason(error)}`, { cause: error });
  }
  const encoding = encodingOf(bytes);
  const text = encoding === null ? null : decoded(bytes, encoding);
  if (encoding !== null && text !== null) return { text, encoding };
  const line = 1 + bytes.subarray(0, firstOther(bytes)).filter((byte) => byte === 0x0a).length;
  throw new DataError(
    `${path} is not text in UTF-8 (line ${line}), nor in UTF-16 with a mark, nor Chinese in GBK: save it in UTF-8 ` +
      '(iconv -f LATIN1 -t UTF-8, or the encoding that it has)',
  );
}

function encodingOf(bytes: Buffer): string | null {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  if (decoded(bytes, 'utf-8') !== null) return 'utf-8';
  return isChinese(bytes) ? 'gb18030' : null;
}

function decoded(bytes: Buffer, encoding: string): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** The share of the pairs beyond ASCII that must be common Chinese characters and signs: in other encodings few are pairs at all. */
const COMMON = 0.9;

/** Whether what is beyond ASCII are pairs of GB2312 (6,763 characters and signs), nearly all: letters with accents stand alone. */
function isChinese(bytes: Buffer): boolean {
  let [pairs, common] = [0, 0];
  for (let i = 0; i < bytes.length; i++) {
    const lead = bytes[i] as number;
    if (lead < 0x80) continue;
    const trail = bytes[++i] ?? 0;
    pairs++;
    const within = (lead >= 0xb0 && lead <= 0xf7) || (lead >= 0xa1 && lead <= 0xa9);
    if (within && trail >= 0xa1) common++;
  }
  return common >= COMMON * pairs && decoded(bytes, 'gb18030') !== null;
}

/** Where the first byte lies that is not of UTF-8. */
function firstOther(bytes: Buffer): number {
  let [low, high] = [0, bytes.length];
  // Bytes that may be the beginning of text in UTF-8, as far as they go.
  const sound = (end: number): boolean => {
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, end), { stream: true });
      return true;
    } catch {
      return false;
    }
  };
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sound(middle)) low = middle;
    else high = middle;
  }
  return low;
}
