/** One image file to RGB, or why not, in words. */
import { DataError } from '../../torch/errors.js';
import { oneAtATime, openImage, readImageFile, type SharpModule } from './image-file.js';
import { imageExtensions, isImageName } from './names.js';

/** @internal */
export type { SharpModule } from './image-file.js';

export type Size = readonly [height: number, width: number];

/** Interleaved RGB. */
export interface DecodedImage {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
}

/**
 * Greys become RGB, other colour spaces sRGB, EXIF rotation is applied, 16 bits become 8, of an animation the first picture counts.
 * @param size - resize (scaled to cover, then cut at the centre); null for the image's own
 * @internal
 * @param behind - the colour behind what is transparent; null drops transparency, and shows what colour lies there
 * @internal
 */
export async function decodeImageFile(
  sharp: SharpModule,
  path: string,
  size: Size | null,
  behind: string | null = null,
): Promise<DecodedImage | { reason: string }> {
  const bytes = await readImageFile(path);
  if ('reason' in bytes) return bytes;
  try {
    const [image, large] = await openImage(sharp, bytes, path);
    const decode = async (): Promise<DecodedImage> => {
      const sized = size === null ? image : image.resize({ height: size[0], width: size[1], fit: 'cover' });
      const opaque = behind === null ? sized.removeAlpha() : sized.flatten({ background: behind });
      const { data, info } = await opaque.toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
      return { data, height: info.height, width: info.width };
    };
    return await (large ? oneAtATime(decode) : decode());
  } catch (error) {
    return { reason: reasonOf(error, path) };
  }
}

/** In words: the libraries' own messages name their functions. */
function reasonOf(error: unknown, path: string): string {
  const message = error instanceof Error ? error.message : String(error);
  if (/unsupported image format/i.test(message)) {
    return isImageName(path)
      ? `not an image, or cut off in its first bytes (expected the content of one of ${imageExtensions.join(' ')})`
      : `not an image (expected one of ${imageExtensions.join(' ')})`;
  }
  if (error instanceof DataError) return message.replace(`${path}: `, '').replace(`${path} `, '');
  const first = message.split('\n')[0] as string;
  if (/failOn/.test(first)) return 'cut short or damaged';
  if (/pixel limit/i.test(message)) return `too large: ${first}`;
  if (
    /read error|premature|unexpected end|end of file|bad seek|unable to parse|corrupt|truncated|too small/i.test(
      message,
    )
  ) {
    return `cut short or damaged (${first})`;
  }
  return first;
}
