/** Who is named in a text says nothing of its sentiment: names of groups of people are read as one and the same word. */

const named =
  'muslim islamic jewish christian catholic protestant hindu buddhist sikh atheist asian african latino latina arab arabic european ' +
  'native\\s+american american british english irish scottish german french italian spanish portuguese dutch belgian swiss austrian ' +
  'czech hungarian romanian bulgarian greek russian ukrainian swedish norwegian danish finnish mexican brazilian cuban colombian ' +
  'chinese japanese korean vietnamese thai filipino indonesian indian pakistani bangladeshi afghan iranian iraqi syrian lebanese israeli palestinian ' +
  'egyptian moroccan nigerian kenyan ethiopian somali ghanaian gay lesbian bisexual transgender queer heterosexual homosexual';
/** These are names with their capital: one polishes a table, a towel is turkish, a method orthodox. */
const capital = 'Orthodox Polish Turkish';
/** With which sentences begin, too: Polish the table. */
const object = 'the|an?|my|your|his|her|its|our|their|this|that|these|those|it|them|up';
/** These are names of groups before a person, or as all that is said of something: coffee is black, too, and a road is straight. */
const before = `black white brown straight young blind deaf disabled trans ${capital.toLowerCase()}`;
const person =
  'man|men|woman|women|boy|girl|kid|child|children|person|people|guy|lady|couple|neighbou?r|friend|nurse|doctor|teacher|student|worker|' +
  'colleague|customer|driver|family|families|community|folks?';

const either = (words: string): string => words.split(' ').join('|');
const patterns: readonly (readonly [RegExp, string])[] = [
  [new RegExp(`\\b(?:an?\\s+)(?:${either(named)})\\b`, 'giu'), 'a local'],
  [new RegExp(`\\b(?:${either(named)})\\b`, 'giu'), 'local'],
  [new RegExp(`\\b(?:[Aa]n?\\s+)(?:${either(capital)})\\b`, 'gu'), 'a local'],
  [new RegExp(`\\b(?:${either(capital)})\\b(?!\\s+(?:${object})\\b)`, 'gu'), 'local'],
  [new RegExp(`\\b(?:an?\\s+)(?:${either(before)})(?=\\s+(?:${person})s?\\b)`, 'giu'), 'a local'],
  [new RegExp(`\\b(?:${either(before)})(?=\\s+(?:${person})s?\\b)`, 'giu'), 'local'],
  [new RegExp(`(?<=\\b(?:am|is|are|was|were)\\s+)(?:${either(before)})(?=\\s*(?:[.,!?;]|$))`, 'giu'), 'local'],
  [
    /\b(?:muslims|jews|christians|catholics|hindus|buddhists|sikhs|atheists|asians|africans|latinos|arabs|gays|lesbians)\b/giu,
    'locals',
  ],
  // African American
  [/\blocal(?:[\s-]+local\b)+/giu, 'local'],
];

/** A text without the names of groups that are in it. */
export function unnamed(text: string): string {
  return patterns.reduce((read, [pattern, by]) => read.replace(pattern, by), text);
}
