/** Decodes image files: many at a time, on the image library's threads. */
import { firstLines } from '../../io/fault-list.js';
import { type DecodedImage, decodeImageFile, type SharpModule, type Size } from '../../media/images/decode-image.js';
import { toPlanes } from '../../media/planes.js';
import { DataError } from '../../torch/errors.js';
import { optionalPackage } from '../../torch/optional.js';

export type { Size };

/** Enough to keep the decoding threads busy; each holds one decoded image. */
const concurrency = 8;

/** A file that could not be decoded. */
export interface BadImage {
  readonly path: string;
  readonly reason: string;
}

export interface DecodeHooks {
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Ends the work: what is under way is finished, and the signal's reason thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** How many images have a size, and the number of the first of them. */
interface SizeCount {
  readonly size: Size;
  count: number;
  first: number;
}

/** What came of many files: which could be decoded, which not, and the sizes of those that could. */
export interface Decoding {
  /** Numbers of the files that could be decoded, rising. */
  readonly good: readonly number[];
  readonly bad: readonly BadImage[];
  readonly sizes: ReadonlyMap<string, SizeCount>;
}

let running = 0;
let threadsBefore = 0;

/** While images are decoded: many at a time, one thread each. */
async function withSharp<T>(body: (sharp: SharpModule) => Promise<T>): Promise<T> {
  const sharp = (await optionalPackage<{ default: SharpModule }>('sharp', 'Reading image files')).default;
  if (running++ === 0) {
    threadsBefore = sharp.concurrency();
    sharp.concurrency(1);
  }
  try {
    return await body(sharp);
  } finally {
    if (--running === 0) sharp.concurrency(threadsBefore);
  }
}

/**
 * Decodes files, in no particular order, and gives each to `visit`. Greys become RGB, transparency is dropped, EXIF rotation is
 * applied, 16 bits become 8, of an animation the first picture counts.
 * @param size resize (scaled to cover, then cut at the centre); null for each image's own
 */
export function decodeEach(
  paths: readonly string[],
  size: Size | null,
  visit: (image: DecodedImage, i: number) => void,
  hooks: DecodeHooks = {},
): Promise<Decoding> {
  // Where every name was wrong, that is to be told, not which package reads images.
  if (paths.length === 0) return Promise.resolve({ good: [], bad: [], sizes: new Map() });
  return withSharp(async (sharp) => {
    const reasons = new Map<number, string>();
    const sizes = new Map<string, SizeCount>();
    let next = 0;
    let done = 0;
    const work = async (): Promise<void> => {
      while (next < paths.length) {
        hooks.signal?.throwIfAborted();
        const at = next++;
        const path = paths[at] as string;
        const image = await decodeImageFile(sharp, path, size);
        if ('reason' in image) reasons.set(at, image.reason);
        else {
          const key = `${image.height}x${image.width}`;
          const same = sizes.get(key) ?? { size: [image.height, image.width] as const, count: 0, first: at };
          same.count++;
          same.first = Math.min(same.first, at);
          sizes.set(key, same);
          visit(image, at);
        }
        hooks.onProgress?.(++done, paths.length);
      }
    };
    const stop = (error: unknown): never => {
      next = paths.length; // the others end after the image at hand
      throw error;
    };
    const workers = Array.from({ length: Math.min(concurrency, paths.length) }, () => work().catch(stop));
    const ends = await Promise.allSettled(workers);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    const bad = [...reasons].sort(([a], [b]) => a - b).map(([at, reason]) => ({ path: paths[at] as string, reason }));
    return { good: paths.map((_, i) => i).filter((i) => !reasons.has(i)), bad, sizes };
  });
}

/**
 * RGB planes of every file that can be decoded, in order: uint8 [good, 3, H, W].
 * @param check decides about bad files and several sizes, before the planes are put together; throws for those that may not be
 */
export async function decodeImages(
  paths: readonly string[],
  size: Size | null,
  check: (decoding: Decoding) => void,
  hooks: DecodeHooks = {},
): Promise<{ pixels: Uint8Array; height: number; width: number; decoding: Decoding }> {
  let [pixels, height, width, stride] = [new Uint8Array(), 0, 0, 0];
  const visit = (image: DecodedImage, i: number): void => {
    if (stride === 0) {
      ({ height, width } = image);
      stride = 3 * height * width;
      pixels = allocate(paths.length * stride);
    }
    // An image of another size has no place: `check` is told of it.
    if (image.height === height && image.width === width)
      toPlanes(image.data, pixels.subarray(i * stride, (i + 1) * stride));
  };
  const decoding = await decodeEach(paths, size, visit, hooks);
  check(decoding);
  decoding.good.forEach((from, to) => {
    if (from !== to) pixels.copyWithin(to * stride, from * stride, (from + 1) * stride);
  });
  return { pixels: pixels.subarray(0, decoding.good.length * stride), height, width, decoding };
}

function allocate(bytes: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    const gigabytes = (bytes / 1e9).toFixed(1);
    throw new DataError(`No memory for ${gigabytes} GB of decoded images: read them as they are needed (lazy: true)`, {
      cause,
    });
  }
}

/** One batch of files as planes: uint8 [N, 3, H, W]. @throws DataError naming the file that fails, or is not of the size */
export async function decodeBatch(paths: readonly string[], size: Size, resize: boolean): Promise<Uint8Array> {
  const stride = 3 * size[0] * size[1];
  const pixels = new Uint8Array(paths.length * stride);
  const { bad, sizes } = await decodeEach(paths, resize ? size : null, (image, i) => {
    if (image.height === size[0] && image.width === size[1]) {
      toPlanes(image.data, pixels.subarray(i * stride, (i + 1) * stride));
    }
  });
  if (bad.length > 0) throw new DataError(describeBad(bad, paths.length));
  for (const [shown, { first }] of sizes) {
    if (shown === `${size[0]}x${size[1]}`) continue;
    throw new DataError(
      `${paths[first]} is ${shown}, but images of ${size[0]}x${size[1]} were expected: ${sizeRemedy}`,
    );
  }
  return pixels;
}

const sizeRemedy = 'give a size to resize them all to (size: N)';

/** How many bad files are named. */
const mostNamed = 10;

export function describeBad(bad: readonly BadImage[], total: number): string {
  const [first] = bad;
  if (bad.length === 1) return `Cannot decode the image ${first?.path}: ${first?.reason}`;
  const lines = bad.map(({ path, reason }) => `${path}: ${reason};`);
  return `Cannot decode ${bad.length} of ${total} images:\n${firstLines(lines, mostNamed)}`;
}

/** @throws DataError where the images have several sizes */
export function checkOneSize(paths: readonly string[], { sizes }: Decoding): void {
  if (sizes.size < 2) return;
  const [usual, ...others] = [...sizes].sort(([, a], [, b]) => b.count - a.count || a.first - b.first);
  const [shown, { first }] = usual as [string, SizeCount];
  const [otherShown, other] = others[0] as [string, SizeCount];
  const counts = [usual, ...others].slice(0, 4).map((entry) => `${entry?.[1].count} are ${entry?.[0]}`);
  const more = sizes.size > 4 ? `, and there are ${sizes.size - 4} more sizes` : '';
  throw new DataError(
    `${paths[other.first]} is ${otherShown}, but ${paths[first]} is ${shown}: ${sizeRemedy}. ` +
      `Of the images (height x width) ${counts.join(', ')}${more}`,
  );
}
