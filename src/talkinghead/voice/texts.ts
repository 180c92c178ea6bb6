/** Texts to be spoken for training: words of a dictionary at random, with the small words that hold sentences together. */
import { ConfigError } from '../../torch/index.js';
import type { Chance } from '../training/chance.js';

const small =
  'the a of and to in is was that for it with as on be at by I this had not are but from or have an they which one you were all we her ' +
  'she there would their him been has when who will no more if out so up said what about than into them can only other time new some ' +
  'could these two may first then do any my now such like our over man me even most made after also did many before must through back ' +
  'years where much your way well down should because each just those people how too good very make world still see own work men day ' +
  'get here between both life being under never know same last another while us off might great go come since against right came take three';
/** Words that everyone uses: enough to speak by where there is no dictionary. */
export const smallWords: readonly string[] = small.split(' ');

/** @param words - of a dictionary @param count - of texts, of three to nine words */
export function randomTexts(words: readonly string[], count: number, chance: Chance): string[] {
  const usable = words.filter((word) => /^[a-z]{3,10}$/.test(word));
  if (usable.length < 100)
    throw new ConfigError(`Expected a dictionary of at least 100 words of letters, got ${usable.length}`);
  return Array.from({ length: count }, () => {
    const length = 3 + chance.below(7);
    const text = Array.from({ length }, (_, i) => {
      const word = chance.yes(0.45) ? chance.pick(smallWords) : chance.pick(usable);
      const pause = i < length - 1 && chance.yes(0.08) ? ',' : '';
      return word + pause;
    }).join(' ');
    return text + chance.pick(['.', '.', '.', '?', '!']);
  });
}
