/** Sounds of festival's voices of other languages than English, in the letters of the International Phonetic Alphabet. */

/** How voices spell what the alphabet spells otherwise; by the end of their names, or its beginning. */
const spellings: readonly (readonly [voice: RegExp, sounds: Readonly<Record<string, string>>])[] = [
  [/^(lp|pc)_diphone$/, { ng: 'ŋ', nf: 'ɱ' }],
  [/_fi_/, { '@': 'æ', 7: 'ø', '&': 'ə', L: 'l' }],
  [/^upc_ca_/, { ax: 'ə', rr: 'r' }],
  [
    /^czech_/,
    {
      c: 'ts',
      ch: 'x',
      'c~': 'tʃ',
      'd~': 'ɟ',
      'dz~': 'dʒ',
      'n*': 'ŋ',
      'n~': 'ɲ',
      'r~': 'r',
      'r~*': 'r',
      's~': 'ʃ',
      't~': 'c',
      'z~': 'ʒ',
    },
  ],
];

/** SAMPA's capitals. */
const capitals: Readonly<Record<string, string>> = {
  E: 'ɛ',
  O: 'ɔ',
  S: 'ʃ',
  Z: 'ʒ',
  J: 'ɲ',
  L: 'ʎ',
  N: 'ŋ',
  T: 'θ',
};

/** What spells a voice's sounds otherwise than English voices do, as a function; null for those. */
export function festivalSpelling(voice: string): ((sound: string) => string) | null {
  const own = spellings.find(([pattern]) => pattern.test(voice))?.[1];
  if (own === undefined) return null;
  return (sound) => {
    if (sound === '#' || sound === '_' || sound === 'pau') return '';
    const plain = sound.replace(/[1:]+$/, '');
    return own[plain] ?? [...plain].map((letter) => capitals[letter] ?? letter).join('');
  };
}
