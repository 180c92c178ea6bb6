/** Contractions in the words that a vocabulary has: many lists of word vectors know no `n't`, and negation is half of sentiment. */

/** Negated verbs as transcripts write them, without an apostrophe, and what {@link splitWords} makes of the part before n't. */
const joined: ReadonlyMap<string, string> = new Map(
  'ai are ca could did does do had has have is must need sha should was were wo would'
    .split(' ')
    .map((verb) => [`${verb}nt`, verb]),
);

/** What the part before n't stands for, where it is no word of its own. */
const verbs: Readonly<Record<string, string>> = { ai: 'is', ca: 'can', sha: 'shall', wo: 'will' };

const endings: Readonly<Record<string, string>> = {
  "'d": 'would',
  "'ll": 'will',
  "'m": 'am',
  "'re": 'are',
  "'ve": 'have',
};

/**
 * Writes `dont` and `do n't` alike: as `do n't` for a vocabulary that knows `n't`, as `do not` for one that does not. Other
 * endings become words where the vocabulary lacks them; `'s` stays, since it may be two things.
 * @param words - as {@link splitWords} cuts them
 */
export function spellOut(words: readonly string[], known: (word: string) => boolean): string[] {
  const cut = words.flatMap((word) => {
    if (word === 'cannot' && !known(word)) return ['can', 'not'];
    const verb = joined.get(word);
    return verb === undefined ? [word] : [verb, "n't"];
  });
  const negates = known("n't");
  return cut.map((word, i) => {
    if (!negates && word === "n't") return 'not';
    if (!negates && cut[i + 1] === "n't") return verbs[word] ?? word;
    return known(word) ? word : (endings[word] ?? word);
  });
}
