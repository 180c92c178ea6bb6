/** Pictures from files and to files. */
import { extname } from 'node:path';
import { writeFileAtomic } from '../../io/index.js';
import { ConfigError, DataError } from '../../torch/errors.js';
import { optionalPackage } from '../../torch/optional.js';
import { checkFrame } from '../faces/types.js';
import type { RgbImage } from '../frames.js';
import { decodeImageFile, type SharpModule } from './decode-image.js';
import { writableImages } from './names.js';

/**
 * Reads a photograph as it is to be seen: turned as its EXIF data asks, in sRGB whatever its colours are (CMYK, grey, 16 bits), white
 * behind what is transparent; of an animation the first picture.
 * @throws DataError naming the file and why it cannot be read
 */
export async function readImage(path: string): Promise<RgbImage> {
  const image = await decodeImageFile(await imageLibrary('Reading image files'), path, null, '#ffffff');
  if ('reason' in image) throw new DataError(`Cannot decode the image ${path}: ${image.reason}`);
  return image;
}

/**
 * Writes a picture, whole or not at all.
 * @param path - ends in `.png`, `.jpg`, `.jpeg` or `.webp`
 * @throws ConfigError for another ending, ShapeError for pixels that do not fit the size, DataError when it cannot be written
 */
export async function writeImage(path: string, image: RgbImage): Promise<void> {
  const format = (writableImages as Readonly<Record<string, string>>)[extname(path).toLowerCase()];
  if (format === undefined)
    throw new ConfigError(`Expected a picture's file to end in .png, .jpg, .jpeg or .webp, got ${path}`);
  checkFrame(image);
  const { data, width, height } = image;
  const sharp = await imageLibrary('Writing image files');
  const encoded = sharp(data, { raw: { width, height, channels: 3 } }).toFormat(
    format as 'png',
    format === 'png' ? {} : { quality: 95 }, // for a PNG this would mean fewer colours
  );
  writeFileAtomic(path, await encoded.toBuffer());
}

async function imageLibrary(use: string): Promise<SharpModule> {
  return (await optionalPackage<{ default: SharpModule }>('sharp', use)).default;
}
