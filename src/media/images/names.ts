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

/** Those of files that can be written, and what they are. */
export const writableImages = { '.png': 'png', '.jpg': 'jpeg', '.jpeg': 'jpeg', '.webp': 'webp' } as const;

export function isImageName(name: string): boolean {
  return imageExtensions.includes(extname(name).toLowerCase());
}
