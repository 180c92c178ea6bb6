import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { saveSafetensors } from 'headrace/io';
import { buildModel } from 'headrace/pipeline';
import { readerModel, TextCutter } from 'headrace/sentiment';
import {
  packWeights,
  parseSentenceConfig,
  pieceTokenizer,
  readSentenceEncoder,
  SentenceEncoder,
  UnigramTokenizer,
  unpackWeights,
  WordPieceTokenizer,
} from 'headrace/text';
import { int64, temporaryFolder, tokenizerJson, values } from './bert-support.js';

/** As golden/sentence.py wrote it. */
const golden = JSON.parse(
  readFileSync(new URL('../../../test/text/golden/sentence.json', import.meta.url), 'utf8'),
) as { config: object; ids: number[][]; vectors: number[][] };

/** Logs of probabilities: `unlike` is likelier whole than as `un` and `like`, `unlikely` as `un` and `likely`. */
const unigrams = {
  added_tokens: [{ id: 9, content: '😍', special: false, normalized: false }],
  normalizer: { type: 'Sequence', normalizers: [{ type: 'NFKC' }, { type: 'Lowercase' }] },
  pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: false },
  model: {
    type: 'Unigram',
    unk_id: 3,
    vocab: [
      ['[PAD]', 0],
      ['▁un', -3],
      ['like', -4],
      ['<unk>', 0],
      ['▁unlike', -6],
      ['likely', -5],
      ['ly', -3],
      ['!', -2],
      ['▁', -5],
    ],
  },
};

test('unigrams: the likeliest pieces, unknown ones as one, emoji by ids of their own however they are drawn', () => {
  const tokenizer = new UnigramTokenizer(unigrams);
  assert.deepEqual(tokenizer.bare('Unlike!'), [4, 7]);
  assert.deepEqual(tokenizer.bare('unlikely unlike'), [1, 5, 4]);
  assert.deepEqual(tokenizer.bare('qqq !'), [8, 3, 8, 7]);
  assert.deepEqual(tokenizer.bare('unlike😍\ufe0f'), [4, 9]);
  assert.deepEqual(tokenizer.bare(' \ufe0f '), []);
  assert.equal(tokenizer.tokens[9], '😍');
  // A text of nothing is a row of something: what has no row at all has no mean either.
  assert.deepEqual(new TextCutter(tokenizer, 8).cut('\ufe0f'), [[3]]);
  assert.throws(
    () => new UnigramTokenizer({ ...unigrams, model: { type: 'Unigram', vocab: [['a']] } }),
    /vocab\[0\].*unk_id/,
  );
});

test('the tokenizer of a folder is that of its kind', (t) => {
  const folder = temporaryFolder(t);
  const write = (content: object): void => writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(content));
  write(unigrams);
  assert.ok(pieceTokenizer(folder) instanceof UnigramTokenizer);
  write(tokenizerJson() as object);
  const words = pieceTokenizer(folder);
  assert.ok(words instanceof WordPieceTokenizer);
  assert.deepEqual([words.frame.start, words.bare('the movies'), words.frame.end], [[2], [8, 9, 11], [3]]);
});

test('a sentence encoder gives what the published graph gives, whatever the padding, from its folder too', (t) => {
  const folder = temporaryFolder(t);
  const model = new SentenceEncoder(parseSentenceConfig(golden.config, 'config.json'));
  const weights = [...model.stateDict()].map(([key, { shape }]) => [key, values(key, shape)] as const);
  saveSafetensors(
    join(folder, 'model.safetensors'),
    weights.map(([key, value]) => [`encoder.${key}`, value] as const),
  );
  writeFileSync(join(folder, 'config.json'), JSON.stringify(golden.config));
  const read = readSentenceEncoder(folder);
  read.eval();
  const given = read.forward(int64(golden.ids)).tolist() as number[][];
  for (const [i, row] of golden.vectors.entries()) {
    for (const [j, value] of row.entries()) assert.ok(Math.abs(given[i]![j]! - value) < 1e-5, `${i}, ${j}`);
  }
  saveSafetensors(join(folder, 'model.safetensors'), [[`encoder.${weights[0]![0]}`, weights[1]![1]]]);
  assert.throws(() => readSentenceEncoder(folder), /word_embeddings\.weight \[20,8\], got/);
});

test('configurations that no sentence encoder has are refused', () => {
  assert.throws(
    () => parseSentenceConfig({ model_type: 'bert' }, 'a.json'),
    /a\.json: expected model_type to be one of/,
  );
  assert.throws(
    () => parseSentenceConfig({ ...golden.config, num_attention_heads: 3 }, 'a.json'),
    /sizes that 3 heads share evenly, got 8/,
  );
});

test('weights in bytes are off by half a step of their row at most, and what is small is kept in halves', () => {
  const matrix = values('matrix', [64, 80]);
  const packed = new Map(
    packWeights([
      ['a', matrix],
      ['b', values('small', [5])],
    ]),
  );
  assert.deepEqual(
    [...packed].map(([key, { dtype }]) => [key, dtype]),
    [
      ['a', 'int8'],
      ['a.scales', 'float32'],
      ['b', 'float16'],
    ],
  );
  const read = unpackWeights(packed);
  assert.deepEqual([...read.keys()], ['a', 'b']);
  const off = read.get('a')!.sub(matrix).abs().amax([1]);
  const steps = matrix.abs().amax([1]).div(127);
  assert.ok(off.div(steps).max().item() <= 0.5001);
  packed.delete('a.scales');
  assert.throws(() => unpackWeights(packed), /scales of the 64 rows of a/);
});

test('a reader on a sentence encoder begins with its weights, and padding changes nothing', (t) => {
  const folder = temporaryFolder(t);
  const model = new SentenceEncoder(parseSentenceConfig(golden.config, 'config.json'));
  const weights = [...model.stateDict()].map(([key, { shape }]) => [`encoder.${key}`, values(key, shape)] as const);
  saveSafetensors(join(folder, 'model.safetensors'), weights);
  const heads = { hidden: 8, filters: 4, dropout: 0 };
  const reader = buildModel(readerModel({ config: golden.config, compute: 'float32', heads, weights: folder }), {
    seed: 1,
  });
  reader.eval();
  const own = reader.stateDict();
  for (const [key, value] of weights) {
    const at = key.replace('encoder.summary', 'reader.summary');
    assert.deepEqual(own.get(at)!.tolist(), value.tolist(), at);
  }
  const all = reader.forward(int64(golden.ids)).tolist() as number[][];
  const [alone] = reader.forward(int64([golden.ids[1]!.filter((id) => id !== 0)])).tolist() as number[][];
  for (const [i, value] of alone!.entries()) assert.ok(Math.abs(value - all[1]![i]!) < 1e-5);
});
