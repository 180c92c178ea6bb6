/** What mouths do for the sounds of speech: shapes in ARKit's weights, and the sounds of each alphabet that take them. */
import { ConfigError } from '../../torch/index.js';

/** The movements of a mouth that speech has; `mouthSmile`, `mouthStretch`, `mouthPress`, `mouthLowerDown` and `mouthUpperUp` are of both sides. */
export const mouthMoves = [
  'jawOpen',
  'mouthLowerDown',
  'mouthUpperUp',
  'mouthFunnel',
  'mouthPucker',
  'mouthStretch',
  'mouthSmile',
  'mouthPress',
  'mouthRollLower',
  'mouthRollUpper',
] as const;

export type MouthMove = (typeof mouthMoves)[number];

/** A shape that a mouth makes for a sound. */
export interface Viseme {
  readonly moves: Readonly<Partial<Record<MouthMove, number>>>;
  /** How much of its own shape a sound keeps beside its neighbours: 1 for vowels, little for sounds that the tongue makes alone. */
  readonly dominance: number;
  /** What must not be blurred away: lips together, or the lower lip at the teeth. */
  readonly seal?: 'lips' | 'teeth';
}

/**
 * How far each opens the mouth was measured on ten speakers of the GRID corpus, whose words were aligned to their sound; `open`,
 * `roundOpen` and `pushed`, which its words hardly have, follow from those and from what lip readers need to see. `mouthWeights`
 * makes it more.
 */
export const visemes = {
  rest: { moves: {}, dominance: 1 },
  open: { moves: { jawOpen: 0.25, mouthLowerDown: 0.25, mouthUpperUp: 0.12 }, dominance: 1 },
  wide: { moves: { jawOpen: 0.18, mouthLowerDown: 0.3, mouthUpperUp: 0.18, mouthStretch: 0.15 }, dominance: 1 },
  middle: { moves: { jawOpen: 0.07, mouthLowerDown: 0.12, mouthUpperUp: 0.05 }, dominance: 0.7 },
  roundOpen: { moves: { jawOpen: 0.13, mouthFunnel: 0.3, mouthPucker: 0.15, mouthLowerDown: 0.05 }, dominance: 1 },
  round: { moves: { jawOpen: 0.03, mouthPucker: 0.7, mouthFunnel: 0.12 }, dominance: 1 },
  spread: {
    moves: { jawOpen: 0.06, mouthStretch: 0.25, mouthSmile: 0.12, mouthLowerDown: 0.22, mouthUpperUp: 0.12 },
    dominance: 1,
  },
  halfSpread: { moves: { jawOpen: 0.2, mouthStretch: 0.2, mouthLowerDown: 0.3, mouthUpperUp: 0.15 }, dominance: 1 },
  bunched: { moves: { jawOpen: 0.03, mouthFunnel: 0.2, mouthPucker: 0.25 }, dominance: 0.7 },
  closed: { moves: { mouthRollLower: 0.12, mouthRollUpper: 0.08, mouthPress: 0.35 }, dominance: 1, seal: 'lips' },
  bitten: { moves: { jawOpen: 0.02, mouthRollLower: 0.45, mouthUpperUp: 0.12 }, dominance: 1, seal: 'teeth' },
  tongueOut: { moves: { jawOpen: 0.05, mouthLowerDown: 0.15, mouthUpperUp: 0.06 }, dominance: 0.7 },
  teeth: { moves: { jawOpen: 0.05, mouthLowerDown: 0.25, mouthStretch: 0.12, mouthUpperUp: 0.1 }, dominance: 0.7 },
  tongueUp: { moves: { jawOpen: 0.09, mouthLowerDown: 0.15, mouthUpperUp: 0.06 }, dominance: 0.5 },
  pushed: { moves: { jawOpen: 0.04, mouthFunnel: 0.4, mouthPucker: 0.15, mouthUpperUp: 0.06 }, dominance: 1 },
  hidden: { moves: { jawOpen: 0.12, mouthLowerDown: 0.15, mouthUpperUp: 0.05 }, dominance: 0.4 },
} as const satisfies Record<string, Viseme>;

export type VisemeName = keyof typeof visemes;

/** Visemes by the sounds that take them: the sounds stand between blanks. */
type SoundTable = Readonly<Partial<Record<VisemeName, string>>>;

/** CMU's dictionary, flite, festival's English voices, in small letters. */
const arpabet: SoundTable = {
  rest: 'pau sil h# brth sp spn +noise+',
  open: 'aa',
  wide: 'ae',
  middle: 'ah ax',
  roundOpen: 'ao',
  round: 'uw uh w',
  spread: 'iy ih ix y',
  halfSpread: 'eh',
  bunched: 'er r axr',
  closed: 'm b p em',
  bitten: 'f v',
  tongueOut: 'th dh',
  teeth: 't d n s z en nx dx',
  tongueUp: 'l el',
  pushed: 'sh ch jh zh',
  hidden: 'k g ng hh hv q',
};

const diphthongs: Readonly<Record<string, readonly VisemeName[]>> = {
  ay: ['open', 'open', 'spread'],
  aw: ['open', 'open', 'round'],
  oy: ['roundOpen', 'roundOpen', 'spread'],
  ow: ['roundOpen', 'round', 'round'],
  ey: ['halfSpread', 'halfSpread', 'spread'],
};

/** The letters of the International Phonetic Alphabet, one each, and the capitals that espeak-ng says for some. */
const ipa: SoundTable = {
  open: 'a ɑ ɒ ɐ ɶ A',
  wide: 'æ',
  middle: 'ə ɘ ɜ ʌ ɤ ɨ ɯ ᵻ ᵊ ɿ ʅ',
  roundOpen: 'ɔ o œ ɞ ø ɵ',
  round: 'u ʊ y ʏ ʉ w ʍ ɥ ʮ ʯ',
  spread: 'i ɪ j ʝ ɟ c ç ʎ ɲ',
  halfSpread: 'e ɛ ε',
  bunched: 'ɚ ɝ ɹ ɻ ɺ',
  closed: 'p b m ɓ ʘ',
  bitten: 'f v ʋ ⱱ ɱ ɸ β',
  tongueOut: 'θ ð ǀ',
  teeth: 't d n s z ʈ ɖ ɳ ɾ r ɽ ɗ ʦ ʣ ǃ',
  tongueUp: 'l ɫ ɭ ɬ ɮ ʟ ǁ',
  pushed: 'ʃ ʒ ʂ ʐ ɕ ʑ ʧ ʤ ɧ ǂ S Z',
  hidden: 'k g ɡ ŋ x ɣ ɰ q ɢ ɴ χ ʁ ʀ ħ ʕ h ɦ ʔ ʄ ɠ ʛ ʡ ʢ ʜ N X',
};

/** Alphabets of sounds: `arpabet` is CMU's, flite's and festival's, `ipa` espeak-ng's and everybody's. */
export type SoundAlphabet = 'arpabet' | 'ipa';

function byLetters(table: SoundTable): Map<string, readonly VisemeName[]> {
  const found = Object.entries(table) as [VisemeName, string][];
  return new Map(found.flatMap(([viseme, sounds]) => sounds.split(' ').map((sound) => [sound, [viseme]] as const)));
}

const tables: Readonly<Record<SoundAlphabet, ReadonlyMap<string, readonly VisemeName[]>>> = {
  arpabet: new Map([...byLetters(arpabet), ...Object.entries(diphthongs)]),
  ipa: byLetters(ipa),
};

/** Marks that change no lips: accents, length, tone, palatalisation, ties, espeak's numbers. */
const marks = /[\p{M}\p{Lm}\p{Sk}\p{N}\p{P}\p{S}\s]/gu;

/**
 * The visemes of a sound, one after another, equally long. A silence is `rest`.
 * @param sound - `AY1`, `ay`; in `ipa` one or several letters, `aɪ`, with any marks. Nothing, or marks alone, is a silence
 * @throws ConfigError for a sound that the alphabet has not
 */
export function visemesOf(sound: string, alphabet: SoundAlphabet): readonly VisemeName[] {
  const table = tables[alphabet];
  if (alphabet === 'arpabet') {
    const plain = sound.trim().toLowerCase();
    const found = plain === '' ? (['rest'] as const) : (table.get(plain) ?? table.get(plain.replace(/[0-2]$/, '')));
    return found ?? unknown(sound, alphabet);
  }
  const letters = [
    ...sound
      .replace(/\([a-z-]+\)/g, '')
      .normalize('NFD')
      .replaceAll(marks, ''),
  ];
  if (letters.length === 0) return ['rest'];
  return letters.flatMap((letter) => table.get(letter) ?? unknown(letter, alphabet, sound));
}

function unknown(sound: string, alphabet: SoundAlphabet, within = sound): never {
  const inside = within === sound ? '' : ` in '${within}'`;
  throw new ConfigError(
    `Expected a sound of ${alphabet === 'ipa' ? 'the International Phonetic Alphabet' : "CMU's alphabet, such as AA, B or SIL"}, got '${sound}'${inside}`,
  );
}

/** Whether a sound is a vowel, which syllables are made of. */
export function isVowel(viseme: VisemeName): boolean {
  return vowels.has(viseme);
}

const vowels = new Set<VisemeName>(['open', 'wide', 'middle', 'roundOpen', 'halfSpread']);
