/** Names of image files. */
import { extname } from 'node:path';

/** torchvision's, and two more that are decoded here. */
export const imageExtensions: readonly string[] = [
  '.jpg',
  '.jpeg',
  '.png',
  '.ppm',
  '.bmp',
  '.pgm',
  '.tif',
  '.tiff',
  '.webp',
  '.gif',
  '.avif',
];

export function isImageName(name: string): boolean {
  return imageExtensions.includes(extname(name).toLowerCase());
}
