/** Decodes many image files at once into one array of planes. */
import { readFile } from 'node:fs/promises';
import type { Sharp } from 'sharp';
import { DataError } from '../../torch/errors.js';
import { optionalPackage } from '../../torch/optional.js';
import { decodeBmp } from './bmp.js';

export const imageExtensions: readonly string[] = [
  '.jpg',
  '.jpeg',
  '.png',
  '.webp',
  '.bmp',
  '.gif',
  '.tif',
  '.tiff',
  '.avif',
];

/** Enough to keep the decoding threads busy; each holds one decoded image. */
const concurrency = 8;

type SharpModule = typeof import('sharp').default;
type Size = readonly [height: number, width: number];

/**
 * RGB planes of every file, in order: uint8 [N, 3, H, W]. Transparency is dropped, greys become RGB, EXIF rotation is applied.
 * @param size resize (scaled to cover, then cut at the centre); null where all images have one size already
 * @throws DataError naming the file that cannot be decoded or differs in size
 */
export async function decodeImages(
  paths: readonly string[],
  size: Size | null,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<{ pixels: Uint8Array; height: number; width: number }> {
  const sharp = (await optionalPackage<{ default: SharpModule }>('sharp', 'Reading image files')).default;
  const threads = sharp.concurrency();
  sharp.concurrency(1); // small images: many at a time, one thread each
  try {
    const first = await decodeOne(sharp, paths[0] as string, size);
    const { height, width } = first;
    const area = height * width;
    const pixels = new Uint8Array(paths.length * 3 * area);
    let next = 0;
    let done = 0;
    const work = async (): Promise<void> => {
      while (next < paths.length) {
        const at = next++;
        const path = paths[at] as string;
        const image = await decodeOne(sharp, path, size);
        if (image.height !== height || image.width !== width) {
          throw new DataError(
            `${path} is ${image.height}x${image.width}, but ${paths[0]} is ${height}x${width}: give a size to resize them all to`,
          );
        }
        toPlanes(image.data, pixels.subarray(at * 3 * area, (at + 1) * 3 * area), area);
        onProgress(++done, paths.length);
      }
    };
    const stop = (error: unknown): never => {
      next = paths.length; // the other workers end after the image at hand
      throw error;
    };
    const ends = await Promise.allSettled(Array.from({ length: concurrency }, () => work().catch(stop)));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    return { pixels, height, width };
  } finally {
    sharp.concurrency(threads);
  }
}

async function decodeOne(
  sharp: SharpModule,
  path: string,
  size: Size | null,
): Promise<{ data: Uint8Array; height: number; width: number }> {
  try {
    let image = open(sharp, await readFile(path), path);
    if (size !== null) image = image.resize({ height: size[0], width: size[1], fit: 'cover' });
    const { data, info } = await image.toColourspace('srgb').removeAlpha().raw().toBuffer({ resolveWithObject: true });
    return { data, height: info.height, width: info.width };
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`Cannot decode the image ${path}: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

function open(sharp: SharpModule, bytes: Uint8Array, path: string): Sharp {
  if (!path.toLowerCase().endsWith('.bmp')) return sharp(bytes).autoOrient();
  const { pixels, width, height } = decodeBmp(bytes, path);
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

/** Interleaved RGB to three planes. */
function toPlanes(rgb: Uint8Array, out: Uint8Array, area: number): void {
  for (let i = 0; i < area; i++) {
    out[i] = rgb[3 * i] as number;
    out[area + i] = rgb[3 * i + 1] as number;
    out[2 * area + i] = rgb[3 * i + 2] as number;
  }
}
