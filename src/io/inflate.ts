/** Unpacking with Node's zlib, into memory of a known size: what unpacks to more is never held. */
import { constants as buffers } from 'node:buffer';
import { gunzipSync, inflateRawSync, inflateSync, type ZlibOptions, constants as zlib } from 'node:zlib';
import { DataError } from '../torch/errors.js';
import { reason } from './file.js';

const unpackers = { raw: inflateRawSync, zlib: inflateSync, gzip: gunzipSync };
/** The envelope around the packed data. */
export type Packing = keyof typeof unpackers;

/** zlib counts its output in 32 bits. */
const largestPiece = 2 ** 30;

/** Deflate cannot shrink further than this. */
export const maxRatio = 1032;

/**
 * Unpacks all of `packed`. Check `size` against the limits first: it is allocated.
 * @param where named in errors
 * @throws DataError when it is damaged or does not unpack to `size` bytes exactly
 */
export function inflateExactly(packing: Packing, packed: Uint8Array, size: number, where: string): Uint8Array {
  if (size > packed.length * maxRatio + maxRatio) {
    throw new DataError(`${where}: damaged compressed data: ${packed.length} packed bytes cannot hold ${size}`);
  }
  if (size > buffers.MAX_LENGTH) {
    throw new DataError(
      `${where} unpacks to ${size} bytes, more than Node holds in one buffer (${buffers.MAX_LENGTH}); write it unpacked`,
    );
  }
  // One byte more than is announced, so that a longer stream shows; in one piece, so that none is copied.
  const chunkSize = Math.min(largestPiece, Math.max(zlib.Z_MIN_CHUNK, size + 1));
  const bytes = run(packing, packed, { chunkSize, maxOutputLength: size + 1 }, where);
  if (bytes.length !== size) {
    const got = bytes.length > size ? 'more' : `${bytes.length}`;
    throw new DataError(`${where}: damaged compressed data: it announces ${size} bytes and unpacks to ${got}`);
  }
  return bytes;
}

/** The first bytes of what `packed` unpacks to: `length` or more, fewer only where that is all. Takes a few MiB at most. */
export function inflateHead(packing: Packing, packed: Uint8Array, length: number, where: string): Uint8Array {
  const most = length + 4096; // room for a gzip header; deflate itself expands what it cannot shrink by a few bytes only
  const part = packed.subarray(0, most);
  return run(packing, part, { finishFlush: zlib.Z_SYNC_FLUSH, maxOutputLength: maxRatio * most + maxRatio }, where);
}

function run(packing: Packing, packed: Uint8Array, options: ZlibOptions, where: string): Uint8Array {
  try {
    return unpackers[packing](packed, options);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why = code === 'ERR_BUFFER_TOO_LARGE' ? 'it unpacks to more than it announces' : reason(error);
    const what = packing === 'gzip' ? 'gzip file' : 'compressed data';
    throw new DataError(`${where}: damaged ${what} (${why}): fetch it again`, { cause: error });
  }
}
