/** One image file: told by its content, whatever its name, and refused where it would swell to far more than it is. */
import { constants } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import type { Sharp } from 'sharp';
import { DataError } from '../../torch/errors.js';
import { decodeBmp } from './bmp.js';
import { decodeNetpbm, isNetpbm } from './netpbm.js';

/** @internal */
export type SharpModule = typeof import('sharp').default;

/** Pixels of any image, however few its bytes: those above which Pillow warns of a decompression bomb. */
const freePixels = 89_478_485;
/** Bytes of RGB that a byte of a larger image may stand for: photographs seldom shrink further. */
const usualRatio = 32;
/** Of larger images one is decoded at a time: a decoder may take many times what it gives. */
const largePixels = 2 ** 24;

/** The bytes of a file, or why there are none. */
export async function readImageFile(path: string): Promise<Uint8Array | { reason: string }> {
  try {
    // A named pipe would be waited for until somebody writes to it.
    await using file = await openFile(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stat = await file.stat();
    if (stat.isDirectory()) return { reason: 'a folder, not an image' };
    if (!stat.isFile()) return { reason: 'a special file, not an image' };
    return stat.size === 0 ? { reason: 'the file is empty (0 bytes)' } : await file.readFile();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { reason: code === 'ENOENT' ? 'no such file' : message };
  }
}

/**
 * An image that is not decoded yet, turned as its EXIF data asks.
 * @internal
 * @throws DataError for what is none of the formats that are read (a drawing or a document, say), and for one of too many pixels
 * @internal
 */
export async function openImage(sharp: SharpModule, bytes: Uint8Array, path: string): Promise<[Sharp, large: boolean]> {
  const bitmap = hasAt(bytes, 0, 'BM');
  if (bitmap || isNetpbm(bytes)) {
    const { pixels, width, height } = bitmap ? decodeBmp(bytes, path) : decodeNetpbm(bytes, path);
    return [sharp(pixels, { raw: { width, height, channels: 3 } }), false];
  }
  if (!isPicture(bytes)) throw new DataError(`${path}: unsupported image format`);
  const image = sharp(bytes).autoOrient();
  const { width, height } = await image.metadata();
  const most = Math.max(freePixels, Math.floor((usualRatio * bytes.length) / 3));
  if (width * height > most) {
    throw new DataError(
      `${path}: too large: ${width}x${height} pixels in ${bytes.length} bytes, where ${most} pixels are taken at most`,
    );
  }
  return [image, width * height > largePixels];
}

let last: Promise<unknown> = Promise.resolve();

/** Runs `work` after all that was given before. */
export function oneAtATime<T>(work: () => Promise<T>): Promise<T> {
  const result = last.then(work);
  last = result.catch(() => {});
  return result;
}

/** JPEG, PNG, GIF, WebP, TIFF (BigTIFF too) and AVIF, by their first bytes: the image library reads more, SVG among them. */
function isPicture(bytes: Uint8Array): boolean {
  if (hasAt(bytes, 0, 'RIFF')) return hasAt(bytes, 8, 'WEBP');
  const beginnings = ['\xff\xd8\xff', '\x89PNG', 'GIF8', 'II*\0', 'II+\0', 'MM\0*', 'MM\0+'];
  return hasAt(bytes, 4, 'ftyp') || beginnings.some((text) => hasAt(bytes, 0, text));
}

function hasAt(bytes: Uint8Array, at: number, text: string): boolean {
  return Buffer.from(bytes.subarray(at, at + text.length)).equals(Buffer.from(text, 'latin1'));
}
