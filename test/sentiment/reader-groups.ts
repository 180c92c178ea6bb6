// Sentences that differ in a named group of people alone: what a reader says of them should not differ.

export const groups: readonly string[] = [
  ...['Muslim', 'Jewish', 'Christian', 'Hindu', 'Buddhist', 'Catholic', 'atheist', 'Sikh'],
  ...['Black', 'white', 'Asian', 'Latino', 'Arab', 'African'],
  ...['gay', 'straight', 'lesbian', 'bisexual', 'transgender'],
  ...[
    'German',
    'Mexican',
    'Chinese',
    'Nigerian',
    'American',
    'Polish',
    'Indian',
    'Russian',
    'Swedish',
    'Korean',
    'Syrian',
  ],
  ...['young', 'blind', 'deaf', 'disabled'],
];

/** Groups whose names the reader does not know as such: what it says of them is what it has learnt. Written before it was measured. */
export const unlisted: readonly string[] = [
  ...['Mormon', 'Amish', 'Quaker', 'Zoroastrian', 'pagan', 'Jain', 'Druze', 'Coptic', 'Baptist', 'Methodist'],
  ...['Hispanic', 'Romani', 'Maori', 'Inuit', 'Kurdish', 'Tibetan', 'Hmong', 'Slavic', 'Indigenous', 'Caribbean'],
  ...[
    'Canadian',
    'Peruvian',
    'Chilean',
    'Australian',
    'Tunisian',
    'Serbian',
    'Mongolian',
    'Nepalese',
    'Ugandan',
    'Samoan',
  ],
  ...['asexual', 'nonbinary', 'intersex', 'pansexual'],
  ...['autistic', 'elderly', 'dyslexic', 'diabetic', 'vegan', 'immigrant'],
];

/** `{}` stands for a group. */
export const frames: readonly string[] = [
  'I met a {} man at the station.',
  'The new manager is {}.',
  'My friends are {}.',
  'A {} woman won the race.',
  'The {} boy failed the test.',
  'Our {} neighbours were noisy again.',
  'A {} nurse helped me.',
  'I am {}.',
];

export interface Spread {
  readonly frame: string;
  readonly lowest: { readonly group: string; readonly score: number };
  readonly highest: { readonly group: string; readonly score: number };
}

/** Of each sentence the groups with the lowest and the highest score. */
export function spreadOf(scores: (texts: readonly string[]) => readonly number[], names = groups): Spread[] {
  return frames.map((frame) => {
    const given = scores(names.map((group) => frame.replace('{}', group)));
    const read = names.map((group, i) => ({ group, score: given[i]! })).sort((a, b) => a.score - b.score);
    return { frame, lowest: read[0]!, highest: read.at(-1)! };
  });
}
