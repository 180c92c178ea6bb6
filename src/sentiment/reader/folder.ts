/** The folder of a reader: `reader.json` beside the files of a BERT. */
import { copyFileSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the reader lies that comes with Headrace: English text to a score in [-3, 3], classes and emotions. */
export const shippedModel = fileURLToPath(new URL('../../../models/sentiment-text', import.meta.url));

export const readerFile = (folder: string): string => join(folder, 'reader.json');

const LICENCE = /^(licen[cs]e|notice|copying)(\.\w+)?$/i;

/** What an encoder may be given away under must go with what is made of it. */
export function copyLicences(from: string, to: string): void {
  for (const name of readdirSync(from).filter((file) => LICENCE.test(file))) {
    copyFileSync(join(from, name), join(to, name));
  }
}

/** Whether a folder holds a reader, as `headrace sentiment finetune` makes it. */
export function holdsReader(folder: string): boolean {
  return existsSync(readerFile(folder));
}
