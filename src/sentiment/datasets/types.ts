/** The words of the data sets: splits and utterances. */
import type { Modality } from '../../features/specs.js';

export type SplitName = 'train' | 'valid' | 'test';

export const splitNames: readonly SplitName[] = ['train', 'valid', 'test'];

const spellings: Readonly<Record<string, SplitName>> = {
  train: 'train',
  valid: 'valid',
  dev: 'valid',
  val: 'valid',
  test: 'test',
};

/** The split that a table calls so, in any case; undefined where there is none. */
export function splitCalled(text: string): SplitName | undefined {
  const name = text.toLowerCase();
  return Object.hasOwn(spellings, name) ? spellings[name] : undefined;
}

/** What a source has besides its options: see `SentimentSource`. */
export const sourceFields = ['format', 'path'] as const;

/** Labels of sentiment lie within it, where a set does not say otherwise. */
export const widest: readonly [number, number] = [-3, 3];

/** A stretch of speech with its labels. What a set lacks is null. */
export interface Utterance {
  /** Unique in its data set. */
  readonly id: string;
  /** Utterances of one video (or dialogue) lie in one split. */
  readonly video: string;
  readonly split: SplitName;
  readonly text: string | null;
  /** Seconds within the video. */
  readonly start: number | null;
  readonly end: number | null;
  /** Sentiment, on the data set's range. */
  readonly label: number | null;
  /** An index of the data set's `classes`. */
  readonly class: number | null;
  /** Sentiment as judged from one modality alone. */
  readonly unimodal: Readonly<Record<Modality, number>> | null;
  /** The clip's path, where there is one. */
  readonly media: string | null;
  /** What else the set says: speaker, emotion, ... */
  readonly extra: Readonly<Record<string, string | number>>;
}

/** An utterance of which only the given is known. */
export function utterance(known: Pick<Utterance, 'id' | 'video' | 'split'> & Partial<Utterance>): Utterance {
  const nothing = { text: null, start: null, end: null, label: null, class: null, unimodal: null, media: null };
  return { ...nothing, extra: {}, ...known };
}
