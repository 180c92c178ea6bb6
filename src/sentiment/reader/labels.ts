/** What a reader says of a text, and how labels of many sets become rows of numbers that lack what a set does not tell. */

/** GoEmotions' emotions, in the order of its numbers. */
export const emotionNames = [
  'admiration',
  'amusement',
  'anger',
  'annoyance',
  'approval',
  'caring',
  'confusion',
  'curiosity',
  'desire',
  'disappointment',
  'disapproval',
  'disgust',
  'embarrassment',
  'excitement',
  'fear',
  'gratitude',
  'grief',
  'joy',
  'love',
  'nervousness',
  'optimism',
  'pride',
  'realization',
  'relief',
  'remorse',
  'sadness',
  'surprise',
  'neutral',
] as const;
export type EmotionName = (typeof emotionNames)[number];

/** Ekman's groups of them, as GoEmotions' authors have them. */
export const ekmanGroups: Readonly<Record<string, readonly EmotionName[]>> = {
  anger: ['anger', 'annoyance', 'disapproval'],
  disgust: ['disgust'],
  fear: ['fear', 'nervousness'],
  joy: [
    'admiration',
    'amusement',
    'approval',
    'caring',
    'desire',
    'excitement',
    'gratitude',
    'joy',
    'love',
    'optimism',
    'pride',
    'relief',
  ],
  sadness: ['disappointment', 'embarrassment', 'grief', 'remorse', 'sadness'],
  surprise: ['confusion', 'curiosity', 'realization', 'surprise'],
  neutral: ['neutral'],
};

/** What the groups say of sentiment: nothing where they are surprised. */
const sentimentOf: Readonly<Record<string, number>> = { anger: 0, disgust: 0, fear: 0, sadness: 0, joy: 2, neutral: 1 };

export const classNames = ['negative', 'neutral', 'positive'] as const;
export const tweetEmotions = ['anger', 'joy', 'optimism', 'sadness'] as const;
export type TweetEmotion = (typeof tweetEmotions)[number];

/** The numbers that a reader gives for a text, one task after another. */
export const outputs = {
  score: 1,
  classes: 3,
  grades: 5,
  emotions: emotionNames.length,
  tweet: 4,
  irony: 2,
  spoken: 3,
} as const;
export type OutputName = keyof typeof outputs;
export const outputCount = Object.values(outputs).reduce((sum, count) => sum + count, 0);

/** Where a task's numbers begin. */
export function outputAt(name: OutputName): number {
  const names = Object.keys(outputs) as OutputName[];
  return names.slice(0, names.indexOf(name)).reduce((sum, before) => sum + outputs[before], 0);
}

/** What a text's label tells; what is absent is not known. */
export interface Labels {
  /** In [-3, 3]. */
  readonly score?: number;
  /** Of {@link classNames}. */
  readonly classes?: number;
  /** From 0, very negative, to 4. */
  readonly grades?: number;
  readonly emotions?: readonly number[];
  /** Of {@link tweetEmotions}. */
  readonly tweet?: number;
  /** 1 where it is meant otherwise than it says. */
  readonly irony?: number;
  /** Of {@link classNames}, of a line of a dialogue: a task of its own, since those labels know what was said before, and how. */
  readonly spoken?: number;
}

/** Columns of a row of labels: how much it counts, then the tasks; NaN for what is not known. */
export const columns = {
  weight: 0,
  score: 1,
  classes: 2,
  grades: 3,
  tweet: 4,
  irony: 5,
  spoken: 6,
  emotions: 7,
} as const;
export const columnCount = columns.emotions + emotionNames.length;

export function labelRow(labels: Labels, weight: number): number[] {
  const { score, classes, grades, tweet, irony, spoken, emotions } = labels;
  const known = [score, classes, grades, tweet, irony, spoken].map((value) => value ?? Number.NaN);
  const marks = emotionNames.map((_, i) => (emotions === undefined ? Number.NaN : emotions.includes(i) ? 1 : 0));
  return [weight, ...known, ...marks];
}

/** How a set writes its labels. */
export type LabelKind = 'binary' | 'grades' | 'stars' | 'score' | 'goemotions' | 'tweet-emotion' | 'irony';

/** Reads a label, null where it is none of its kind. */
export const labelReaders: Readonly<Record<LabelKind, (label: string) => Labels | null>> = {
  binary: (label) => within(label, 0, 1, (value) => ({ classes: 2 * value })),
  grades: (label) =>
    within(label, 0, 4, (grades) => ({ grades, score: 1.25 * (grades - 2), classes: sign(grades - 2) })),
  stars: (label) => within(label, 1, 10, (stars) => ({ score: (stars - 5.5) / 1.8, classes: sign(stars - 5.5) })),
  score: scoreLabels,
  goemotions: goEmotions,
  'tweet-emotion': (label) => within(label, 0, 3, (tweet) => ({ tweet, classes: tweet === 1 || tweet === 2 ? 2 : 0 })),
  irony: (label) => within(label, 0, 1, (irony) => ({ irony })),
};

export function scoreLabels(label: string): Labels | null {
  const score = Number(label);
  return label.trim() !== '' && Math.abs(score) <= 3 ? { score, classes: sign(score) } : null;
}

function goEmotions(label: string): Labels | null {
  const emotions = label.split(',').map(Number);
  if (label === '' || emotions.some((n) => !Number.isInteger(n) || n < 0 || n >= emotionNames.length)) return null;
  const said = new Set(emotions.map((n) => sentimentOf[ekmanOf(emotionNames[n]!)]));
  const [only] = said;
  return said.size === 1 && only !== undefined ? { emotions, classes: only } : { emotions };
}

export function ekmanOf(name: EmotionName): string {
  return Object.keys(ekmanGroups).find((group) => ekmanGroups[group]!.includes(name))!;
}

function within(label: string, least: number, most: number, make: (value: number) => Labels): Labels | null {
  const value = Number(label);
  return label !== '' && Number.isInteger(value) && value >= least && value <= most ? make(value) : null;
}

/** 0, 1 or 2: negative, neutral, positive. */
function sign(value: number): number {
  return Math.sign(value) + 1;
}
