/** Which sentences of a text say what, and which of their words decided. */
import type { SentimentReader, TextReading } from './reader.js';

/** A word, by what it does to the score of its sentence. */
export interface WordEffect {
  readonly word: string;
  /** The score of the sentence less that which it has without the word. */
  readonly effect: number;
}

export interface SentenceReading extends Pick<TextReading, 'text' | 'score' | 'label'> {
  /** Where they were asked for. */
  readonly words?: readonly WordEffect[];
}

/** What a point follows without ending a sentence: titles, initials, abbreviations. */
const abbreviated = /(?:^|[\s(])(?:mr|mrs|ms|dr|prof|st|vs|etc|e\.g|i\.e|\p{L})\.$/iu;

/** The sentences of a text, without the blanks around them. */
export function sentencesOf(text: string): string[] {
  const sentences: string[] = [];
  for (const part of text.trim().split(/(?<=[.!?…]["'”’)\]]*)\s+|\n+/)) {
    const before = sentences.at(-1);
    if (before !== undefined && abbreviated.test(before)) sentences[sentences.length - 1] = `${before} ${part}`;
    else if (part !== '') sentences.push(part);
  }
  return sentences;
}

/** Reads each sentence of a text by itself: the course of the score over the text. */
export function readSentences(reader: SentimentReader, text: string): SentenceReading[] {
  return reader.read(sentencesOf(text)).map(({ text: sentence, score, label }) => ({ text: sentence, score, label }));
}

/** The same, with what each word does: the sentence is read without it (occlusion, arXiv 1612.08220). */
export function explainText(reader: SentimentReader, text: string): SentenceReading[] {
  const sentences = readSentences(reader, text);
  const cut = sentences.map((sentence) => sentence.text.split(/\s+/));
  const without = cut.flatMap((words) => words.map((_, i) => words.filter((__, j) => j !== i).join(' ')));
  // Nothing is left of a sentence of one word, and nothing says nothing.
  const readings = reader.read(without.filter((rest) => rest !== ''))[Symbol.iterator]();
  const scores = without.map((rest) => (rest === '' ? 0 : readings.next().value!.score))[Symbol.iterator]();
  return sentences.map((sentence, i) => {
    const words = cut[i]!.map((word) => ({ word, effect: sentence.score - scores.next().value! }));
    return { ...sentence, words };
  });
}
