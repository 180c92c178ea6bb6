import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trainWordPieces, WordPieceTokenizer } from 'headrace/text';

const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];

/** What was learnt, in the order of the ids, after the special tokens. */
function pieces(texts: readonly string[], size: number, least = 1): string[] {
  const { vocab } = trainWordPieces(texts, { size, least }).model;
  const tokens = Object.keys(vocab);
  assert.deepEqual(Object.values(vocab), [...tokens.keys()]);
  assert.deepEqual(tokens.slice(0, 5), special);
  return tokens.slice(5);
}

test('the most frequent neighbours are joined first, again and again', () => {
  // By hand. low 5, lower 2, newest 6, widest 3: e s 9, then es t 9; then l o and o w with 7 each, of which the one comes first
  // whose first piece is the older one, then l ow 7.
  const texts = ['low '.repeat(5), 'lower '.repeat(2), 'newest '.repeat(6), 'widest '.repeat(3)];
  const letters = ['##d', '##e', '##i', '##o', '##r', '##s', '##t', '##w', 'l', 'n', 'w'];
  assert.deepEqual(pieces(texts, 5 + letters.length), letters);
  assert.deepEqual(pieces(texts, 5 + letters.length + 4).slice(letters.length), ['##es', '##est', '##ow', 'low']);
});

test('a piece within a word is not the one that begins it', () => {
  const learnt = pieces(['ab ab ab cab cab'], 12);
  assert.deepEqual(learnt, ['##a', '##b', 'a', 'c', 'ab', '##ab', 'cab']);
});

test('it ends where no pair occurs twice', () => {
  assert.deepEqual(pieces(['abc'], 100), ['##b', '##c', 'a']);
});

test('texts are read in small letters, without accents, marks and symbols alone', () => {
  const learnt = pieces(['Café, CAFE! it’s 😍😍 a_b'], 100);
  for (const piece of ['cafe', ',', '!', '’', '😍', '_']) assert.ok(learnt.includes(piece), piece);
  assert.ok(!learnt.some((piece) => piece.length > 1 && /[,!’_]/.test(piece)));
  assert.ok(!learnt.includes('##😍'));
});

test('the tokenizer of Hugging Face reads what was learnt, emoji one by one', () => {
  const text = "not good :) I don't like it, it was good 😍😂";
  const tokenizer = new WordPieceTokenizer(trainWordPieces([text, text], { size: 200, least: 1 }));
  assert.deepEqual(tokenizer.pieces('Not GOOD 😍😍😂 :('), ['not', 'good', '😍', '😍', '😂', ':', '[UNK]']);
  assert.deepEqual(tokenizer.pieces("don't"), ['don', "'", 't']);
  assert.equal(tokenizer.coverage([text]), 1);
});

test('rare characters are unknown, and words with them are not cut', () => {
  const tokenizer = new WordPieceTokenizer(trainWordPieces(['good good good ωραία'], { size: 100, least: 2 }));
  assert.deepEqual(tokenizer.pieces('good ωραία'), ['good', '[UNK]']);
});

test('a size without room for the characters, and no text at all, are refused', () => {
  assert.throws(() => trainWordPieces(['abc'], { size: 7, least: 1 }), /Expected a size of at least 8.* got 7/);
  assert.throws(() => trainWordPieces([], { size: 100 }), /Expected texts to learn word pieces from, got none/);
  assert.throws(() => trainWordPieces(['abc'], { size: 100, leat: 1 } as never), /leat.*least/);
});
