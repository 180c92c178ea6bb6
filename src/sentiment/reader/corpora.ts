/** Texts of files: a text a line, or a label, a tab and a text. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../../torch/index.js';

/** A line of a labelled set. */
export interface LabelledText {
  readonly label: string;
  readonly text: string;
}

/** @throws DataError where there is no such file */
function linesOf(folder: string, file: string): string[] {
  const path = join(folder, file);
  if (!existsSync(path)) throw new DataError(`Expected the texts ${file} in ${folder}, there is no such file`);
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}

/** The lines of a TSV file: label, tab, text. @throws DataError for a line without a tab */
export function labelledTexts(folder: string, file: string): LabelledText[] {
  return linesOf(folder, file).map((line, i) => {
    const tab = line.indexOf('\t');
    if (tab < 0) {
      throw new DataError(`${join(folder, file)}, line ${i + 1}: expected a label, a tab and a text, got no tab`);
    }
    return { label: line.slice(0, tab), text: plainText(line.slice(tab + 1)) };
  });
}

/** The texts of a file: of TSV without their labels, of others a line each. */
export function textsOf(folder: string, file: string): string[] {
  if (file.endsWith('.tsv')) return labelledTexts(folder, file).map(({ text }) => text);
  return linesOf(folder, file).map(plainText);
}

const entities: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
};
const brackets: Readonly<Record<string, string>> = { '-lrb-': '(', '-rrb-': ')', '-lsb-': '[', '-rsb-': ']' };

/**
 * A text as people type it. Sets that were cut into words for parsers (SST, MR, CR) have `do n't` and `-lrb-`; others hold
 * what web pages write for signs and line breaks. Marks stand at the word that they follow, or begin.
 */
export function plainText(text: string): string {
  return text
    .replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => entities[entity]!)
    .replace(/<br ?\/?>|\|\|/g, ' ')
    .replace(/-[lr][rs]b-/gi, (bracket) => brackets[bracket.toLowerCase()]!)
    .replace(/ n['’] ?t\b/g, "n't")
    .replace(/ ['’](?=(?:s|m|d|re|ve|ll)\b)/g, "'")
    .replace(/`` ?| ?''/g, '"')
    .replace(/ (?=(?:[.,!?;:)\]%]|\.\.\.)(?: |"|$))/g, '')
    .replace(/(?<=(?:^| )[([$#]) /g, '')
    .trim();
}
