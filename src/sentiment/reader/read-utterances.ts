/** Utterances as a reader reads them, in the form of other models' predictions. */
import { checkOptions } from '../../torch/options.js';
import type { SentimentPrediction, UtteranceInput } from '../predict.js';
import { explainText, readSentences, type SentenceReading } from './explain.js';
import type { SentimentReader, TextReading } from './reader.js';

/** A prediction with what a reader says besides. Its confidence is the probability of its label. */
export type UtteranceReading = SentimentPrediction &
  Partial<Omit<TextReading, 'text' | 'score' | 'label' | 'pieces'>> & {
    /** Of a text that is longer than what is read at once, and of all that are explained. */
    readonly sentences?: readonly SentenceReading[];
  };

export interface ReadOptions {
  /** Says what each word does to the score. Default false. */
  readonly explain?: boolean;
}

/** Reads the words of utterances. One without has no score, and its text is `missing`. */
export function readUtterances(
  reader: SentimentReader,
  inputs: readonly UtteranceInput[],
  options: ReadOptions = {},
): UtteranceReading[] {
  checkOptions('readUtterances', options, ['explain']);
  const { explain = false } = options;
  const has = (text: string | null): text is string => text !== null && text.trim() !== '';
  const readings = reader.read(inputs.map(({ text }) => text).filter(has))[Symbol.iterator]();
  return inputs.map(({ id, text, start = null, end = null }) => {
    const about = { id, text, start, end, unimodal: {} };
    if (!has(text)) return { ...about, score: Number.NaN, label: 'unknown', confidence: 0, missing: ['text'] };
    const { text: _, pieces, ...reading } = readings.next().value!;
    const said = { ...about, ...reading, confidence: reading.probabilities[reading.label], missing: [] };
    if (explain) return { ...said, sentences: explainText(reader, text) };
    return pieces > 1 ? { ...said, sentences: readSentences(reader, text) } : said;
  });
}
