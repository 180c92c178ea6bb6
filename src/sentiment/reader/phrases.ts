/**
 * Sentences made of patterns, for what labelled sets have too little of: negation, contrast, comparison, statements that say
 * nothing good or bad, people of whatever group. Lists are of common words; what is said of a group is the same for all.
 */
import type { Example } from './sets.js';

const words = {
  good: 'good great excellent wonderful lovely nice beautiful fun useful reliable delicious comfortable pleasant impressive charming clever funny fresh kind perfect amazing superb enjoyable solid moving',
  bad: 'bad terrible awful horrible boring ugly useless broken disappointing annoying cheap slow noisy dirty stupid weak unpleasant confusing painful sad nasty dreadful bland dull disgusting',
  // Of people: nobody is delicious.
  kind: 'kind friendly helpful charming clever funny lovely wonderful impressive brave honest fair generous',
  unkind: 'rude unfriendly nasty mean cruel unpleasant annoying awful dreadful lazy dishonest selfish noisy',
  rough: 'bad terrible awful horrible dreadful sad rotten',
  better: 'better nicer kinder cleaner smoother lighter sharper quieter brighter safer',
  worse: 'worse noisier dirtier weaker heavier duller sadder louder cheaper-looking shakier',
  thing:
    'film book camera hotel meal song phone game story soup lamp bag show jacket laptop lesson garden trip cake printer bed play speech keyboard breakfast ending service acting music sound design screen price',
  very: 'very really so extremely truly incredibly absolutely quite',
  mild: 'a+bit rather somewhat slightly a+little',
  not: 'not never hardly barely',
  liked: 'love like enjoy recommend admire',
  disliked: 'hate dislike regret',
  person: 'man woman boy girl person neighbour doctor teacher friend student',
  group:
    'black white asian african indian chinese jewish muslim christian hindu buddhist gay lesbian straight transgender french german mexican american arab russian turkish polish nigerian old young blind deaf disabled rich poor ' +
    'lutheran mennonite presbyterian anglican evangelical shinto taoist rastafarian sunni shiite hasidic secular wiccan ' +
    'bolivian icelandic laotian maltese estonian georgian burmese malaysian venezuelan jamaican haitian libyan zambian fijian bosnian albanian ' +
    'zulu berber basque cherokee navajo aboriginal creole sami uyghur tamil pashtun yoruba pacific ' +
    'aromantic genderfluid epileptic bipolar paraplegic albino overweight left-handed bald tall short ' +
    'pregnant widowed divorced married single adopted homeless retired unemployed teenage middle-aged vegetarian foreign refugee migrant rural urban conservative liberal',
  place: 'kitchen garden library hall office street school museum harbour room yard',
  city: 'berlin paris rome madrid oslo vienna boston tokyo cairo lima',
  count: 'two three four five six seven eight ten eleven twenty forty',
  object: 'box key chair map cup letter bottle lamp table folder coat ticket window ladder pencil',
  day: 'monday tuesday wednesday thursday friday saturday sunday',
  hour: 'noon six seven eight ten eleven half+past+three a+quarter+to+five',
  cheer: '😊 😍 😀 😃 🎉 👏 👍 💕 💖 🙌 😁 ❤ :) :D <3 ;)',
  gloom: '😡 😢 😞 😠 😩 😔 😒 🤢 😕 :( :/ 😤',
} as const;
type Slot = keyof typeof words;

/** What names of groups that nobody has heard of are made of: a reader learns that a name says nothing. */
const syllables = 'ba da ka lo mi no per sa tu va chi gra hel jor mal nu or que rin sten tar ul wes xan yo zem'.split(
  ' ',
);
const endings = 'n ian ese ish ist ite i ic al an'.split(' ');

/** A word that could name a group of people and names none: two or three syllables and an ending. */
function inventedName(draw: (below: number) => number): string {
  const count = 2 + draw(2);
  const begin = Array.from({ length: count }, () => syllables[draw(syllables.length)]!).join('');
  return begin + endings[draw(endings.length)]!;
}

/** Score, then patterns with slots. A pattern is as likely as another. */
const patterns: readonly (readonly [score: number, ...patterns: string[]])[] = [
  [
    1.8,
    'the {thing} was {good}.',
    'what a {good} {thing}!',
    '{good} {thing}, i {liked} it.',
    'this is a {good} {thing}.',
  ],
  [
    -1.8,
    'the {thing} was {bad}.',
    'what a {bad} {thing}!',
    '{bad} {thing}, i {disliked} it.',
    'this is a {bad} {thing}.',
  ],
  [
    2.4,
    'the {thing} is {very} {good}!',
    'the best {thing} i know.',
    'the most {good} {thing} of all.',
    'i {very} {liked} this {thing}.',
  ],
  [
    -2.4,
    'the {thing} is {very} {bad}!',
    'the worst {thing} i know.',
    'the most {bad} {thing} of all.',
    'i {very} {disliked} this {thing}.',
  ],
  [-0.9, 'the {thing} was {mild} {bad}.', 'a {thing} that is {mild} {bad}.', 'the {thing} could be better.'],
  [
    -1.4,
    'the {thing} was {not} {good}.',
    "the {thing} isn't {good}.",
    "i don't {liked} this {thing}.",
    "i wouldn't {liked} the {thing}.",
    'there is nothing {good} about the {thing}.',
    'it was anything but {good}.',
    'nobody could {liked} such a {thing}.',
    "the {thing} doesn't do what it should.",
    'no {good} {thing} at all.',
    'the {thing} is far from {good}.',
  ],
  [
    1.2,
    'the {thing} was not {bad}.',
    "the {thing} isn't {bad} at all.",
    'there was nothing {bad} about the {thing}.',
    'i could find nothing {bad} in it.',
    'the {thing} was never {bad}.',
    "i don't {disliked} the {thing}, on the contrary.",
    'no {bad} {thing}, no trouble.',
    'the {thing} is far from {bad}.',
    'not once was the {thing} {bad}.',
    'the {thing} had no faults.',
  ],
  [
    1.1,
    'the {thing} was {bad}, but the {thing} was {good}.',
    'though the {thing} is {bad}, the {thing} is {good}.',
    'despite the {bad} {thing} i {liked} it.',
    'a {bad} {thing} that the {good} {thing} makes up for.',
    'i thought it would be {bad}, yet it was {good}.',
    'the {thing} is {bad}, still i {liked} it.',
  ],
  [
    -1.1,
    'the {thing} was {good}, but the {thing} was {bad}.',
    'though the {thing} is {good}, the {thing} is {bad}.',
    'in spite of the {good} {thing} it is {bad}.',
    'a {good} {thing}, spoilt by the {bad} {thing}.',
    'i thought it would be {good}, yet it was {bad}.',
    'the {thing} is {good}, still i {disliked} it.',
  ],
  [
    1.4,
    'the {thing} is {better} than the last one.',
    'no other {thing} is {better}.',
    'i never knew a {better} {thing}.',
    'it is a {better} {thing} than most.',
    'the {thing} was more {good} than we thought.',
  ],
  [
    -1.4,
    'the {thing} is {worse} than the last one.',
    'most other {thing}s are {better}.',
    'i know a {better} {thing} than this.',
    'it is a {worse} {thing} than most.',
    'the {thing} was less {good} than we thought.',
    'any other {thing} would have been {better}.',
  ],
  [
    1.6,
    'back from {city} {cheer}',
    'we found the {thing} {cheer}',
    'my {person} came by {cheer}',
    '{day} {cheer}{cheer}',
  ],
  [
    -1.6,
    'back from {city} {gloom}',
    'we lost the {object} {gloom}',
    'no {thing} again {gloom}',
    '{day} {gloom}{gloom}',
  ],
  [
    0,
    'the {object} is in the {place}.',
    'she lives in {city}.',
    'the {place} has {count} {object}s.',
    'he put the {object} on the {object}.',
    'we need {count} {object}s and a {object}.',
    'on {day} we go to {city}.',
    'the lesson ends at {hour}.',
    'how many {object}s are in the {place}?',
    'turn left at the {place}.',
    'the {object} is made of wood.',
    'where is the {object}?',
    'i will call you at {hour} on {day}.',
    'the {place} is closed on {day}.',
    'it is {hour} in {city}.',
    'he has {count} brothers and a sister.',
    'the {object} weighs {count} kilos.',
  ],
  [
    0,
    'the {group} {person} lives in {city}.',
    'the {name} {person} lives in {city}.',
    'my {person} is {group}.',
    'our {person} is {name}.',
    'he is {group}, she is {name}.',
    'we are {name}.',
  ],
  [
    0,
    '{group} people live in this street.',
    '{name} families live in this street.',
    'she talked to a {group} {person} on {day}.',
    'they saw a {name} {person} in the {place}.',
    'the {person} next door is {group}.',
    'the {person} from {city} is {name}.',
  ],
  [
    1.6,
    'the {group} {person} was {kind}.',
    'the {name} {person} was {kind}.',
    'my {group} {person} is {very} {kind}.',
    'i {liked} the {group} {person}.',
    'we {liked} the {name} {person}.',
    'the {name} {person} got the first prize.',
  ],
  [
    -1.6,
    'the {group} {person} had a {rough} day.',
    'the {name} {person} had a {rough} day.',
    'the {thing} of the {group} {person} was {bad}.',
    'those {name} people were {very} {unkind}.',
    'the {group} {person} lost the game.',
    'the {name} {person} broke the {object}.',
  ],
];

/** So many sentences of each score. @param seed - draws them */
export function phraseExamples(each: number, seed: number): Example[] {
  const draw = drawer(seed);
  const lists = Object.fromEntries(
    Object.entries(words).map(([slot, list]) => [slot, list.split(' ').map((word) => word.replaceAll('+', ' '))]),
  ) as Record<Slot, string[]>;
  const fill = (pattern: string): string =>
    pattern.replace(/\{(\w+)\}/g, (_, slot: Slot | 'name') =>
      slot === 'name' ? inventedName(draw) : lists[slot][draw(lists[slot].length)]!,
    );
  return patterns.flatMap(([score, ...all]) =>
    Array.from({ length: each }, () => {
      const text = fill(all[draw(all.length)]!).replace(/\ba (?=[aeiou])/g, 'an ');
      return { text, labels: { score, classes: Math.sign(score) + 1 } };
    }),
  );
}

/** Whole numbers below a limit, from a seed: Lehmer's generator. */
export function drawer(seed: number): (below: number) => number {
  let state = (seed % 2147483646) + 1;
  return (below) => {
    state = (state * 48271) % 2147483647;
    return Math.floor((state / 2147483647) * below);
  };
}
