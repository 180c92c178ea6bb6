/** JSON from files: looked through before it is parsed, since a small text can hold very many lists. */
import { DataError } from '../torch/errors.js';
import { reason } from './file.js';
import { checkStructure, type ReadLimits, structureLimit } from './limits.js';

/** Lists and objects inside each other. Files of models have three levels, and some in their metadata. */
const maxDepth = 64;
/** What V8 takes at most for a list or an object, for a value or a key in one, and for a byte of text. */
const [containerMemory, valueMemory, textMemory] = [160, 48, 1];

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Parses JSON in UTF-8.
 * @param what named in errors with `where`: "safetensors header"
 * @returns the value, and the text that it was parsed from
 * @throws DataError when it is damaged, nested too deep, or takes more than it may; then nothing was parsed
 */
export function parseJson(bytes: Uint8Array, where: string, what: string, limits: ReadLimits): [unknown, string] {
  checkStructure(`${where}, its ${what}`, bytes.length * textMemory, limits);
  lookThrough(bytes, `${where}, its ${what}`, structureLimit(limits));
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return [JSON.parse(text), text];
  } catch (error) {
    throw new DataError(`${where} has a damaged ${what}: ${reason(error)}`, { cause: error });
  }
}

/** One pass over the bytes, which need not be sound JSON; takes no memory. */
function lookThrough(bytes: Uint8Array, where: string, most: number): void {
  let memory = bytes.length * textMemory;
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === quote) at = stringEnd(bytes, at);
    else if (byte === comma || byte === colon) memory += valueMemory;
    else if (byte === closeList || byte === closeObject) depth--;
    else if (byte === openList || byte === openObject) {
      memory += containerMemory;
      depth++;
      if (depth > maxDepth) throw new DataError(`${where}: lists and objects nested deeper than ${maxDepth}`);
    }
    if (memory > most) {
      throw new DataError(
        `${where}: its structure takes more than ${Math.floor(most)} bytes; allow more with maxMemory`,
      );
    }
  }
}

/** The place of the closing quote. */
function stringEnd(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < bytes.length && bytes[at] !== quote) at += bytes[at] === backslash ? 2 : 1;
  return at;
}
