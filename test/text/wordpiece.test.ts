import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { WordPieceTokenizer } from 'headrace/text';
import { temporaryFolder, tokenizerJson } from './bert-support.js';

const tokenizer = new WordPieceTokenizer(tokenizerJson(), { maxLength: 8 });

const cases: readonly (readonly [what: string, text: string, pieces: string])[] = [
  ['the longest piece first', 'unaffable', 'un ##aff ##able'],
  ['words, in small letters', 'The MOVIES', 'the movie ##s'],
  ['accents, in either form', 'Café cafe\u0301', 'cafe cafe'],
  ['punctuation, each mark alone', "the,movie!! i't", "the , movie ! ! i ' t"],
  ['Chinese, each character alone', 'a好片was', 'a 好 片 was'],
  ['Chinese beyond the first plane', '好\u{20000}片', '好 [UNK] 片'],
  ['sigma, alike at the end of a word', 'ΣΑΣ', 'σ ##α ##σ'],
  ['unknown words, whole', 'the unq movie', 'the [UNK] movie'],
  ['a word that ends unknown', 'movieq', '[UNK]'],
  ['control characters and other spaces', ' the\tmo\u0000vie\u00a0was\n', 'the movie was'],
  ['words of 100 letters', `a${'b'.repeat(99)}`, ['a', ...new Array(99).fill('##b')].join(' ')],
  ['longer words', `a${'b'.repeat(100)}`, '[UNK]'],
  ['nothing', ' \u200b ', ''],
];
for (const [what, text, pieces] of cases) {
  test(`word pieces: ${what}`, () => assert.equal(tokenizer.pieces(text).join(' '), pieces));
}

test('ids begin with [CLS], end with [SEP], and keep it where a text is cut', () => {
  assert.deepEqual(tokenizer.ids('unaffable!'), [2, 5, 6, 7, 13, 3]);
  assert.deepEqual(tokenizer.ids('the movie was the movie'), [2, 8, 9, 10, 8, 9, 3]);
  assert.deepEqual(tokenizer.ids('the movie was the movie!'), [2, 8, 9, 10, 8, 9, 13, 3]);
  assert.deepEqual(tokenizer.ids('the movie was the movie!!!'), [2, 8, 9, 10, 8, 9, 13, 3]);
  assert.deepEqual(tokenizer.ids('the movie was', 3), [2, 8, 3]);
  assert.deepEqual(tokenizer.ids(''), [2, 3]);
});

test('a table holds ids, the mask and segments, as long as the longest text', () => {
  assert.deepEqual(tokenizer.encode(['movies', 'a', '']).tolist(), [
    [
      [2, 9, 11, 3],
      [1, 1, 1, 1],
      [0, 0, 0, 0],
    ],
    [
      [2, 16, 3, 0],
      [1, 1, 1, 0],
      [0, 0, 0, 0],
    ],
    [
      [2, 3, 0, 0],
      [1, 1, 0, 0],
      [0, 0, 0, 0],
    ],
  ]);
  assert.equal(tokenizer.encode(['a']).dtype, 'int64');
});

test('a given length pads and cuts, and texts stay below the greatest one', () => {
  const ids = (length?: number) =>
    tokenizer.encode(['the movie was!', 'a'], length).select(1, 0).tolist() as number[][];
  assert.deepEqual(ids(4), [
    [2, 8, 9, 3],
    [2, 16, 3, 0],
  ]);
  assert.deepEqual(ids(7)[0], [2, 8, 9, 10, 13, 3, 0]);
  const long = tokenizer
    .encode(['a '.repeat(50)], 10)
    .squeeze(0)
    .tolist() as number[][];
  assert.deepEqual(long[0], [2, 16, 16, 16, 16, 16, 16, 3, 0, 0]);
  assert.deepEqual(long[1], [1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
  assert.throws(() => ids(1), /from 2, for \[CLS\] and \[SEP\], got 1/);
});

test('the padding is the token of that name, and the size is beyond the greatest id', () => {
  const { model } = tokenizerJson() as { model: { vocab: Record<string, number> } };
  const vocab = { ...model.vocab, '[PAD]': 90 };
  const added = [{ id: 90, content: '[PAD]', special: true }];
  const other = new WordPieceTokenizer(tokenizerJson({ model: { ...model, vocab }, added_tokens: added }));
  assert.deepEqual([tokenizer.size, other.size, other.maxLength], [25, 91, 512]);
  assert.deepEqual(other.encode(['a', ''], 4).select(1, 0).tolist(), [
    [2, 16, 3, 90],
    [2, 3, 90, 90],
  ]);
});

test('coverage counts the pieces that are known', () => {
  assert.equal(tokenizer.coverage(['the movie', 'q unaffable']), 5 / 6);
  assert.equal(tokenizer.coverage([]), 1);
});

test('cased vocabularies keep capitals and accents', () => {
  const normalizer = { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: false, strip_accents: null };
  const cased = new WordPieceTokenizer(tokenizerJson({ normalizer: { ...normalizer, lowercase: false } }));
  assert.deepEqual(cased.pieces('The movie café 好片'), ['[UNK]', 'movie', '[UNK]', '[UNK]']);
});

test('files of before the kind of model was named are read', () => {
  const { model } = tokenizerJson() as { model: Record<string, unknown> };
  const { type: _, continuing_subword_prefix: __, ...old } = model;
  assert.deepEqual(new WordPieceTokenizer(tokenizerJson({ model: old })).pieces('movies'), ['movie', '##s']);
});

test('other tokenizers and broken ones are refused, and say where', (t) => {
  const { model } = tokenizerJson() as { model: { vocab: Record<string, number> } };
  const { '[SEP]': _, ...less } = model.vocab;
  const broken: [Record<string, unknown>, RegExp][] = [
    [{ model: { ...model, type: 'BPE' } }, /tokenizer\.json: expected a model of type WordPiece.*got "BPE"/],
    [{ model: { ...model, vocab: [] } }, /a vocabulary, an object/],
    [{ model: { ...model, vocab: { a: -1 } } }, /an id of "a", a whole number from 0, got -1/],
    [{ model: { ...model, vocab: less }, added_tokens: [] }, /expected the token \[SEP\], which BERT needs/],
    [{ model: { ...model, unk_token: undefined } }, /unk_token, a string, got nothing/],
    [{ added_tokens: [{ id: 1 }] }, /added_tokens, a list/],
    [{ pre_tokenizer: { type: 'Unheard' } }, /tokenizer\.json: .*Unheard/],
  ];
  for (const [changes, message] of broken) {
    assert.throws(() => new WordPieceTokenizer(tokenizerJson(changes)), message);
  }
  assert.throws(() => new WordPieceTokenizer(null), /an object, got null/);
  assert.throws(() => new WordPieceTokenizer(tokenizerJson(), { maxLength: 1 }), /from 2/);
  const folder = temporaryFolder(t);
  assert.throws(() => WordPieceTokenizer.fromFolder(folder), /Expected tokenizer\.json in .*vocab\.txt/s);
  writeFileSync(join(folder, 'tokenizer.json'), '{"model"');
  assert.throws(() => WordPieceTokenizer.fromFolder(folder), /tokenizer\.json: /);
});
