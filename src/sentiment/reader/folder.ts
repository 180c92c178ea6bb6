/** The folder of a reader: `reader.json` beside the files of a BERT. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the reader lies that comes with Headrace: English text to a score in [-3, 3], classes and emotions. */
export const shippedModel = fileURLToPath(new URL('../../../models/sentiment-text', import.meta.url));

export const readerFile = (folder: string): string => join(folder, 'reader.json');

/** Whether a folder holds a reader, as `headrace sentiment finetune` makes it. */
export function holdsReader(folder: string): boolean {
  return existsSync(readerFile(folder));
}
