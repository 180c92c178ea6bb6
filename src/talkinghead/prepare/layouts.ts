/** What the names of data sets' files say: who speaks, how, and what. Each layout as its authors distribute it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type LayoutName, layoutNames } from './layout-names.js';

export { type LayoutName, layoutNames };

/** What is known of a clip by its name; null where the layout does not say. */
export interface ClipLabels {
  /** Of all that is recognised; null for other files. */
  readonly layout: LayoutName | null;
  /** Who speaks: the same word for all clips of one person. */
  readonly person: string | null;
  readonly sex: 'female' | 'male' | null;
  /** One of the analyser's seven expressions, or `contempt`, `calm`, which it has not. */
  readonly emotion: string | null;
  /** How strong it is: 1 is the weakest of the layout. */
  readonly level: number | null;
  /** From where the camera looks. */
  readonly view: string | null;
  /** What is said. */
  readonly text: string | null;
  /** What else the name tells, as the layout calls it. */
  readonly more: Readonly<Record<string, string>>;
}

type Known = Partial<Omit<ClipLabels, 'layout'>>;

interface Layout {
  /** At the end of a path with `/`. */
  readonly pattern: RegExp;
  /** Null for files of the set that are no clips of their own. */
  read(parts: Readonly<Record<string, string | undefined>>): Known | null;
}

/** The words of a data set for the analyser's seven expressions. */
const meadEmotions: Readonly<Record<string, string>> = {
  angry: 'angry',
  contempt: 'contempt',
  disgusted: 'disgusted',
  fear: 'fearful',
  happy: 'happy',
  neutral: 'neutral',
  sad: 'sad',
  surprised: 'surprised',
};

const cremaEmotions: Readonly<Record<string, string>> = {
  ANG: 'angry',
  DIS: 'disgusted',
  FEA: 'fearful',
  HAP: 'happy',
  NEU: 'neutral',
  SAD: 'sad',
};

const cremaLevels: Readonly<Record<string, number>> = { LO: 1, MD: 2, HI: 3 };

const cremaSentences: Readonly<Record<string, string>> = {
  IEO: "It's eleven o'clock",
  TIE: 'That is exactly what happened',
  IOM: "I'm on my way to the meeting",
  IWW: 'I wonder what this is about',
  TAI: 'The airplane is almost full',
  MTI: 'Maybe tomorrow it will be cold',
  IWL: 'I would like a new alarm clock',
  ITH: "I think I have a doctor's appointment",
  DFA: "Don't forget a jacket",
  ITS: "I think I've seen this before",
  TSI: 'The surface is slick',
  WSI: "We'll stop in a couple of minutes",
};

const ravdessEmotions = ['neutral', 'calm', 'happy', 'sad', 'angry', 'fearful', 'disgusted', 'surprised'] as const;

const ravdessSentences = ['Kids are talking by the door', 'Dogs are sitting by the door'] as const;

/** The words of GRID's sentences, by the six letters of their names. */
const gridWords: readonly Readonly<Record<string, string>>[] = [
  { b: 'bin', l: 'lay', p: 'place', s: 'set' },
  { b: 'blue', g: 'green', r: 'red', w: 'white' },
  { a: 'at', b: 'by', i: 'in', w: 'with' },
  {},
  Object.fromEntries(
    'zero one two three four five six seven eight nine'.split(' ').map((word, i) => [i === 0 ? 'z' : `${i}`, word]),
  ),
  { a: 'again', n: 'now', p: 'please', s: 'soon' },
];

const layouts: Readonly<Record<LayoutName, Layout>> = {
  mead: {
    pattern:
      /(?<person>[MW]\d{3})\/video\/(?<view>front|down|top|left_30|left_60|right_30|right_60)\/(?<emotion>angry|contempt|disgusted|fear|happy|neutral|sad|surprised)\/level_(?<level>[123])\/(?<sentence>\d+)\.\w+$/,
    read: ({ person, view, emotion, level, sentence }) => ({
      person: person!,
      sex: person!.startsWith('M') ? 'male' : 'female',
      emotion: meadEmotions[emotion!]!,
      level: Number(level),
      view: view!,
      more: { sentence: sentence! },
    }),
  },
  'crema-d': {
    pattern:
      /(?:^|\/)(?<actor>1\d{3})_(?<sentence>[A-Z]{3})_(?<emotion>ANG|DIS|FEA|HAP|NEU|SAD)_(?<level>LO|MD|HI|XX|X)\.\w+$/,
    read: ({ actor, sentence, emotion, level }) => ({
      person: actor!,
      emotion: cremaEmotions[emotion!]!,
      level: cremaLevels[level!] ?? null,
      view: 'front',
      text: cremaSentences[sentence!] ?? null,
      more: { sentence: sentence! },
    }),
  },
  ravdess: {
    pattern:
      /(?:^|\/)(?<modality>0[123])-(?<channel>0[12])-(?<emotion>0[1-8])-(?<level>0[12])-(?<sentence>0[12])-(?<repetition>0[12])-(?<actor>\d\d)\.\w+$/,
    read: ({ modality, channel, emotion, level, sentence, repetition, actor }) =>
      // 02 is the picture of 01 without its sound.
      modality !== '01'
        ? null
        : {
            person: `Actor_${actor}`,
            sex: Number(actor) % 2 === 1 ? 'male' : 'female',
            emotion: ravdessEmotions[Number(emotion) - 1]!,
            level: Number(level),
            view: 'front',
            text: ravdessSentences[Number(sentence) - 1]!,
            more: { channel: channel === '01' ? 'speech' : 'song', repetition: repetition! },
          },
  },
  grid: {
    pattern:
      /(?:(?:^|\/)s(?<folder>\d{1,2})\/(?:video\/)?(?:mpg_\w+\/)?|(?:^|\/|_)s(?<prefix>\d{1,2})_(?:\w+_)?|(?:^|\/|_))(?<code>[blps][bgrw][abiw][a-vx-z][1-9z][anps])\.(?:mpg|mpeg|avi|mp4)$/,
    read: ({ folder, prefix, code }) => {
      const speaker = folder ?? prefix;
      const words = [...code!].map((letter, i) => gridWords[i]![letter] ?? letter);
      return { person: speaker === undefined ? null : `s${speaker}`, view: 'front', text: words.join(' ') };
    },
  },
  hdtf: {
    pattern: /(?:^|\/)(?<source>RD|WDA|WRA)_(?<person>\w+?)_(?<part>\d{3})\.\w+$/,
    read: ({ source, person, part }) => ({ person: `${source}_${person}`, more: { source: source!, part: part! } }),
  },
  voxceleb: {
    pattern:
      /(?:^|\/)(?<person>id\d{5})(?:\/(?<video>[\w-]{11})\/(?<utterance>\d{5})|#(?<cutVideo>[\w-]{11})#(?<from>\d+)#(?<to>\d+))\.\w+$/,
    read: ({ person, video, utterance, cutVideo, from, to }) => ({
      person: person!,
      more: {
        video: (video ?? cutVideo)!,
        ...(utterance === undefined ? { from: from!, to: to! } : { utterance }),
      },
    }),
  },
};

const unknown: ClipLabels = {
  layout: null,
  person: null,
  sex: null,
  emotion: null,
  level: null,
  view: null,
  text: null,
  more: {},
};

/**
 * What a file's name and folders tell.
 * @param path - with `/`
 * @param layout - the one that is expected; by default the one whose names it has
 */
export function layoutLabels(path: string, layout?: LayoutName): ClipLabels {
  for (const name of layout === undefined ? layoutNames : [layout]) {
    const match = layouts[name].pattern.exec(path);
    const known = match && layouts[name].read(match.groups ?? {});
    if (match) return { ...unknown, layout: name, ...known };
  }
  return unknown;
}

/** Whether a layout has this file beside one that is taken: RAVDESS's pictures without sound. */
export function isDouble(path: string): boolean {
  const match = layouts.ravdess.pattern.exec(path);
  return match !== null && layouts.ravdess.read(match.groups ?? {}) === null;
}

/** Where a layout keeps a video's sound apart from it; null where it does not, or the file is absent. */
export function soundBeside(path: string): string | null {
  const match = layouts.mead.pattern.exec(path.replaceAll('\\', '/'));
  if (match === null) return null;
  const { emotion, level, sentence } = match.groups as Record<string, string>;
  const folder = join(path.slice(0, match.index), match.groups!.person!, 'audio', emotion!, `level_${level}`);
  return (
    ['.m4a', '.wav'].map((ending) => join(folder, `${sentence}${ending}`)).find((file) => existsSync(file)) ?? null
  );
}
