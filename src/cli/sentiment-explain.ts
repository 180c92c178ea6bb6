// What an explanation looks like in a terminal: a line of blocks for the course of a text, and words by what they did.
import type { SentenceReading, WordEffect } from '../sentiment/index.js';

const BLOCKS = '▁▂▃▄▅▆▇█';
/** A word that does less to the score says nothing. */
const LEAST = 0.15;
/** Sentences of which a course is worth a look. */
const COURSE = 3;

const [GREEN, RED, PLAIN] = ['\x1b[32m', '\x1b[31m', '\x1b[0m'];

/** @param colours - words that decided are coloured; else they have their numbers behind them */
export function explanation(sentences: readonly SentenceReading[], colours: boolean): string[] {
  const course = sentences.length < COURSE ? [] : [`  ${courseOf(sentences)}  from -3 to +3, sentence by sentence`];
  const told = sentences.filter(({ words }) => words !== undefined);
  return [
    ...course,
    ...told.map(({ score, words = [] }) => {
      const shown = words.map((word) => drawn(word, colours)).join(' ');
      return `  ${signed(score)}  ${shown}`;
    }),
  ];
}

/** A block for each sentence, the higher the better. */
export function courseOf(sentences: readonly Pick<SentenceReading, 'score'>[]): string {
  const step = ({ score }: Pick<SentenceReading, 'score'>): number =>
    Math.min(BLOCKS.length - 1, Math.floor(((score + 3) / 6) * BLOCKS.length));
  return sentences.map((sentence) => BLOCKS[step(sentence)]).join('');
}

function drawn({ word, effect }: WordEffect, colours: boolean): string {
  if (Math.abs(effect) < LEAST) return word;
  return colours ? `${effect > 0 ? GREEN : RED}${word}${PLAIN}` : `${word}[${signed(effect)}]`;
}

function signed(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(1)}`;
}
