// Contractions: what a user types, and what transcripts without apostrophes hold, are the same words to the encoder.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WordTokenizer } from 'headrace/text';

/** The words that a text comes to; `?` is an unknown one. */
function wordsOf(vocabulary: readonly string[], text: string): string {
  const tokenizer = new WordTokenizer(vocabulary);
  return tokenizer
    .ids(text)
    .map((id) => vocabulary[id - 2] ?? '?')
    .join(' ');
}

const plain = ['i', 'do', 'does', 'can', 'will', 'not', 'like', 'it', 'am', 'have', 'would', 'are', 'dont', 'is'];

test("negation survives in a vocabulary without n't, with an apostrophe, a curly one, none, and in capitals", () => {
  for (const text of ["I don't like it", 'I don’t like it', 'i dont like it', 'I DONT LIKE IT', 'I do not like it']) {
    assert.equal(wordsOf(plain, text), 'i do not like it', text);
  }
});

test("verbs that n't cuts short are whole again, also where the short form is a word of its own", () => {
  assert.equal(wordsOf([...plain, 'ca', 'wo'], "I can't, won't"), 'i can not ? will not');
  assert.equal(wordsOf([...plain, 'ca'], 'ca'), 'ca');
  assert.equal(wordsOf(plain, 'cannot'), 'can not');
  assert.equal(wordsOf(plain, "it isn't; I ain't"), 'it is not ? i is not');
});

test("a vocabulary with n't reads n't, however the text writes it", () => {
  const cut = ['i', 'do', 'ca', "n't", 'not', 'can'];
  assert.equal(wordsOf(cut, "I don't"), "i do n't");
  assert.equal(wordsOf(cut, 'i cant'), "i ca n't");
  assert.equal(wordsOf(cut, 'I do not'), 'i do not');
});

test("other endings become words where the vocabulary lacks them, but 's may be two things", () => {
  assert.equal(wordsOf(plain, "I'm I've I'd I'll"), 'i am i have i would i will');
  assert.equal(wordsOf(plain, "it's"), 'it ?');
  assert.equal(wordsOf(['i', "'m", 'am'], "I'm"), "i 'm");
});
