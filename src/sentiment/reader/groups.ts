/** Who is named in a text says nothing of its sentiment: names of groups of people are read as one and the same word. */

const named =
  'muslim islamic jewish christian catholic protestant orthodox hindu buddhist sikh atheist asian african latino latina arab arabic european ' +
  'american british english irish scottish german french italian spanish portuguese dutch belgian swiss austrian polish czech hungarian ' +
  'romanian bulgarian greek turkish russian ukrainian swedish norwegian danish finnish mexican brazilian cuban colombian chinese japanese ' +
  'korean vietnamese thai filipino indonesian indian pakistani bangladeshi afghan iranian iraqi syrian lebanese israeli palestinian ' +
  'egyptian moroccan nigerian kenyan ethiopian somali ghanaian gay lesbian bisexual transgender queer heterosexual homosexual';
/** These are names of groups before a person, or as all that is said of something: coffee is black, too, and a road is straight. */
const before = 'black white brown straight young blind deaf disabled trans';
const person =
  'man|men|woman|women|boy|girl|kid|child|children|person|people|guy|lady|couple|neighbou?r|friend|nurse|doctor|teacher|student|worker|' +
  'colleague|customer|driver|family|families|community|folks?';

const either = (words: string): string => words.split(' ').join('|');
const patterns: readonly (readonly [RegExp, string])[] = [
  [new RegExp(`\\b(?:an?\\s+)(?:${either(named)})\\b`, 'giu'), 'a local'],
  [new RegExp(`\\b(?:${either(named)})\\b`, 'giu'), 'local'],
  [new RegExp(`\\b(?:an?\\s+)(?:${either(before)})(?=\\s+(?:${person})s?\\b)`, 'giu'), 'a local'],
  [new RegExp(`\\b(?:${either(before)})(?=\\s+(?:${person})s?\\b)`, 'giu'), 'local'],
  [new RegExp(`(?<=\\b(?:am|is|are|was|were)\\s+)(?:${either(before)})(?=\\s*(?:[.,!?;]|$))`, 'giu'), 'local'],
  [
    /\b(?:muslims|jews|christians|catholics|hindus|buddhists|sikhs|atheists|asians|africans|latinos|arabs|gays|lesbians)\b/giu,
    'locals',
  ],
];

/** A text without the names of groups that are in it. */
export function unnamed(text: string): string {
  return patterns.reduce((read, [pattern, by]) => read.replace(pattern, by), text);
}
