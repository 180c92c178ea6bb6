// A reader of sentiment and emotions, trained on small sets in which a word tells all.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadSafetensors, saveSafetensors } from 'headrace/io';
import { buildModel } from 'headrace/pipeline';
import {
  explainText,
  prepareFinetuning,
  readerModel,
  readFinetuneConfig,
  readUtterances,
  type SentenceReading,
  SentimentReader,
} from 'headrace/sentiment';
import { BertModel, parseBertConfig, parseLstmConfig, trainWordPieces } from 'headrace/text';
import { headrace, lastJson } from '../cli/run.js';

const folder = mkdtempSync(join(tmpdir(), 'headrace-reader-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const [data, bert, run] = ['data', 'bert', 'run'].map((name) => join(folder, name)) as [string, string, string];
const readerOf = join(run, 'reader');

const things = ['the film', 'my phone', 'our dinner', 'this book', 'the hotel', 'her song'];
const words = {
  good: ['great', 'lovely', 'superb', 'delightful'],
  bad: ['awful', 'boring', 'dreadful', 'terrible'],
  plain: ['red', 'square', 'wooden', 'seven'],
};

/** Lines `label, tab, text`, as many as there are things and words of these kinds. */
function lines(kinds: readonly (readonly [label: string, kind: keyof typeof words])[]): string {
  const all = kinds.flatMap(([label, kind]) =>
    words[kind].flatMap((word) => things.map((thing) => `${label}\t${thing} was really ${word} .`)),
  );
  // Kinds and words by turns, so that each part of a file has all.
  const mixed = all.map((line, i) => [(i * 29) % all.length, line] as const).sort(([a], [b]) => a - b);
  return `${mixed.map(([, line]) => line).join('\n')}\n`;
}

/** Lines of a dialogue in MELD's form. */
function dialogue(): string {
  const said = { good: 'positive', bad: 'negative', plain: 'neutral' };
  const rows = (Object.keys(words) as (keyof typeof words)[]).flatMap((kind) =>
    words[kind].flatMap((word) => things.map((thing) => `${thing} was really ${word} .,${said[kind]}`)),
  );
  const head = 'Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID';
  return [
    head,
    ...rows.map((row, i) => {
      const [text, sentiment] = row.split(',');
      return `${i + 1},${text},Ann,neutral,${sentiment},${i},0`;
    }),
  ].join('\n');
}

before(async () => {
  for (const each of [data, bert]) mkdirSync(each);
  const grades = lines([
    ['4', 'good'],
    ['0', 'bad'],
    ['2', 'plain'],
  ]);
  for (const part of ['train', 'valid', 'test']) writeFileSync(join(data, `grades.${part}.tsv`), grades);
  writeFileSync(
    join(data, 'whole.tsv'),
    lines([
      ['1', 'good'],
      ['0', 'bad'],
    ]),
  );
  const emotions = lines([
    ['0,17', 'good'],
    ['11', 'bad'],
    ['27', 'plain'],
  ]);
  for (const part of ['train', 'valid', 'test']) writeFileSync(join(data, `emotions.${part}.tsv`), emotions);
  mkdirSync(join(data, 'talk'));
  for (const part of ['train', 'dev', 'test']) writeFileSync(join(data, 'talk', `${part}_sent_emo.csv`), dialogue());
  const texts = grades.split('\n').map((line) => line.slice(2));
  const tokenizer = trainWordPieces(texts, { size: 200, least: 1 });
  writeFileSync(join(bert, 'tokenizer.json'), JSON.stringify(tokenizer));
  const config = {
    model_type: 'bert',
    vocab_size: Object.keys(tokenizer.model.vocab).length,
    hidden_size: 32,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 64,
    max_position_embeddings: 40,
    type_vocab_size: 1,
  };
  writeFileSync(join(bert, 'config.json'), JSON.stringify(config));
  for (const name of ['LICENSE', 'NOTICE.txt']) writeFileSync(join(bert, name), name);
  const model = new BertModel(parseBertConfig(config, 'test'), { pooler: false });
  saveSafetensors(join(bert, 'model.safetensors'), model.stateDict(), { format: 'pt' });
  const parts = (name: string) =>
    Object.fromEntries(['train', 'valid', 'test'].map((part) => [part, `${name}.${part}.tsv`]));
  const sets = Object.fromEntries(Object.keys(readFinetuneConfig('reader').sets).map((name) => [name, null]));
  const own = {
    sets: {
      ...sets,
      own: { kind: 'grades', ...parts('grades') },
      halves: { kind: 'binary', whole: 'whole.tsv' },
      feelings: { kind: 'goemotions', ...parts('emotions') },
      talk: { kind: 'utterances', folder: 'talk' },
    },
    heads: { hidden: 32, filters: 32, dropout: 0.1 },
    length: 16,
    batchTokens: 128,
    epochs: 6,
    weights: 'int8',
    lr: 5e-3,
    warmupEpochs: 0.5,
  };
  writeFileSync(join(folder, 'own.json'), JSON.stringify(own));
  const args = ['sentiment', 'finetune', join(folder, 'own.json'), '--bert', bert, '--data', data, '--out', run];
  const outcome = await headrace([...args, '--json']);
  assert.equal(outcome.code, 0, outcome.stderr);
});

test('it learns classes, grades, scores and emotions at once, and is tested on parts that it did not see', async () => {
  const [csv, predictions] = [join(folder, 'scores.csv'), join(folder, 'said.csv')];
  const into = ['--csv', csv, '--predictions', predictions];
  const outcome = await headrace(['sentiment', 'eval', readerOf, '--data', data, '--json', ...into]);
  assert.equal(outcome.code, 0, outcome.stderr);
  const { scores } = lastJson(outcome) as { scores: Record<string, Record<string, number>> };
  assert.deepEqual(Object.keys(scores), ['own', 'halves', 'feelings', 'talk']);
  type Name = 'own' | 'halves' | 'feelings' | 'talk';
  const { own, halves, feelings, talk } = scores as Record<Name, Record<string, number>>;
  assert.equal(own.texts, 72);
  assert.equal(own.accuracy, 1);
  assert.equal(own['grades accuracy'], 1);
  assert.equal(halves.texts, Math.ceil(48 / 5));
  assert.equal(halves.accuracy, 1);
  assert.equal(talk.accuracy, 1);
  // 4 emotions of 28 occur; those that never do and are never named have an F1 of 0.
  assert.ok(Math.abs(feelings['macro F1 of 28']! - 4 / 28) < 1e-9, JSON.stringify(feelings));
  assert.ok(Math.abs(feelings["macro F1 of Ekman's"]! - 3 / 7) < 1e-9);
  const cells = (file: string): string[][] =>
    readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => line.split(','));
  const [header, first] = cells(csv) as [string[], string[]];
  assert.deepEqual(header.slice(0, 5), ['Model', 'Set', 'texts', 'accuracy', 'calibration error']);
  assert.deepEqual(first.slice(0, 4), ['reader', 'own', '72', '1']);
  const [columns, ...rows] = cells(predictions) as [string[], ...string[][]];
  assert.deepEqual(columns.slice(0, 6), ['set', 'text', 'label', 'prediction', 'score', 'negative']);
  const of = (set: string): string[][] => rows.filter(([name]) => name === set);
  assert.equal(of('own').length, 72);
  assert.deepEqual(
    (['own', 'halves', 'feelings', 'talk'] as const).map((set) =>
      of(set)
        .find(([, text]) => /great|lovely|superb/.test(text!))!
        .slice(2, 4),
    ),
    [
      ['4', '4'],
      ['positive', 'positive'],
      ['admiration joy', 'admiration joy'],
      ['positive', 'positive'],
    ],
  );
});

test('a reading has a score, probabilities that sum to 1, and the emotions that are likely', () => {
  const reader = SentimentReader.load(readerOf);
  const texts = ['the film was really superb .', 'my phone was really awful .', 'this book was really red .'];
  const [good, bad, plain] = reader.read(texts) as [...ReturnType<SentimentReader['read']>];
  assert.deepEqual([good!.label, bad!.label, plain!.label], ['positive', 'negative', 'neutral']);
  assert.ok(good!.score > 1.5 && bad!.score < -1.5 && Math.abs(plain!.score) < 1);
  for (const { probabilities } of [good!, bad!, plain!]) {
    const sum = Object.values(probabilities).reduce((a, b) => a + b, 0);
    assert.ok(Math.abs(sum - 1) < 1e-9);
  }
  assert.deepEqual(good!.emotions.map(({ name }) => name).sort(), ['admiration', 'joy']);
  assert.deepEqual(
    bad!.emotions.map(({ name }) => name),
    ['disgust'],
  );
  assert.deepEqual(good!.ekman, [{ name: 'joy', probability: good!.emotions[0]!.probability }]);
  assert.deepEqual(
    bad!.ekman.map(({ name }) => name),
    ['disgust'],
  );
  // No set of its training had tweets or irony.
  assert.deepEqual([good!.tweet, good!.irony], [null, null]);
  assert.deepEqual([good!.spoken, bad!.spoken, plain!.spoken], ['positive', 'negative', 'neutral']);
});

test('LSTMs over the same pieces learn in the place of the encoder, and begin with its vectors of pieces', async () => {
  const out = join(folder, 'bilstm');
  const path = join(folder, 'bilstm.json');
  const own = JSON.parse(readFileSync(join(folder, 'own.json'), 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...own, lstm: { layers: 2, width: 24 } }));
  const outcome = await headrace([
    ...['sentiment', 'finetune', path, '--bert', bert, '--data', data, '--out', out, '--json'],
  ]);
  assert.equal(outcome.code, 0, outcome.stderr);
  const { scores } = lastJson(outcome) as { scores: Record<'own' | 'halves', Record<string, number>> };
  assert.deepEqual([scores.own.accuracy, scores.halves.accuracy], [1, 1]);
  const reader = SentimentReader.load(join(out, 'reader'));
  const long = 'the hotel was really boring . her song was really awful .';
  const [alone] = reader.read(['our dinner was really lovely .']);
  const among = reader.read([long, 'our dinner was really lovely .', 'awful'])[1]!;
  assert.ok(Math.abs(alone!.score - among.score) < 1e-5 && alone!.score > 1);
  const config = JSON.parse(readFileSync(join(out, 'text', 'config.json'), 'utf8')) as Record<string, unknown>;
  assert.deepEqual([config.model_type, config.embedding_size, config.hidden_size], ['bilstm', 32, 24]);
  const heads = { hidden: 8, filters: 0, dropout: 0 };
  const begun = buildModel(readerModel({ config, compute: 'float32', heads, weights: bert })).stateDict();
  const pieces = loadSafetensors(join(bert, 'model.safetensors')).tensors.get('embeddings.word_embeddings.weight')!;
  assert.ok(begun.get('lstm.embeddings.word_embeddings.weight')!.equal(pieces));
  assert.ok(begun.get('lstm.layer.1.rnn.weight_ih_l0_reverse')!.abs().max().item() > 0);
  assert.throws(() => parseLstmConfig({ ...config, hidden_size: 25 }, 'x'), /x: expected an even hidden_size/);
});

test('a text is read alike alone and among others, whatever their lengths', () => {
  const reader = SentimentReader.load(readerOf);
  const text = 'our dinner was really lovely .';
  const long = 'the hotel was really boring . her song was really awful . the film was really dreadful .';
  const [alone] = reader.read([text]);
  const among = reader.read([long, text, 'awful', long])[1]!;
  assert.ok(Math.abs(alone!.score - among.score) < 1e-5);
  assert.ok(Math.abs(alone!.probabilities.positive - among.probabilities.positive) < 1e-5);
});

test('a long text is read in pieces that end with sentences, and comes to their mean', () => {
  const reader = SentimentReader.load(readerOf);
  // 6 tokens each; 14 fit, so two sentences and then one.
  const sentences = ['the film was really superb .', 'my phone was really awful .', 'her song was really boring .'];
  const [two, one, all] = reader.outputs([sentences.slice(0, 2).join(' '), sentences[2]!, sentences.join(' ')]);
  const expected = two!.map((value, i) => (value * 14 + one![i]! * 8) / 22);
  for (const [i, value] of all!.entries()) assert.ok(Math.abs(value - expected[i]!) < 1e-5);
});

test('words are told by what the score loses without them, sentence by sentence', async () => {
  const reader = SentimentReader.load(readerOf);
  const text = 'The film was really superb. My phone was awful!';
  const [good, bad] = explainText(reader, text) as [SentenceReading, SentenceReading];
  assert.deepEqual([good.text, bad.text], ['The film was really superb.', 'My phone was awful!']);
  const greatest = [good, bad].map(
    ({ words }) => [...words!].sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect))[0]!,
  );
  assert.deepEqual(
    greatest.map(({ word }) => word),
    ['superb.', 'awful!'],
  );
  const [whole, without] = reader.read(['My phone was awful!', 'My phone was']);
  assert.ok(Math.abs(bad.words![3]!.effect - (whole!.score - without!.score)) < 1e-5);
  assert.deepEqual(
    explainText(reader, 'superb')[0]!.words!.map(({ word }) => word),
    ['superb'],
  );
  const outcome = await headrace(['sentiment', 'predict', readerOf, '--explain', '--text', `${text} ${text}`]);
  assert.equal(outcome.code, 0, outcome.stderr);
  const [, course, first, second] = outcome.stdout.split('\n');
  assert.match(course!, /^ {2}[▆▇█][▁▂▃][▆▇█][▁▂▃] {2}from -3 to \+3/);
  assert.match(first!, /^ {2}\+\d\.\d {2}.*superb\.\[\+\d\.\d\]/);
  assert.match(second!, /awful!\[-\d\.\d\]/);
});

test('what is no English is told; an empty text is an error', () => {
  const reader = SentimentReader.load(readerOf);
  const [known, nonsense] = reader.read(['the hotel was really great .', 'tlo wsba ylli fmh']);
  assert.equal(known!.unsure, null);
  assert.match(nonsense!.unsure!, /not English/);
  assert.throws(() => reader.read(['great', '  ']), /text 2 is empty/);
});

test('the command reads texts with a reader as with other models, and says more', async () => {
  const outcome = await headrace([
    ...['sentiment', 'predict', readerOf, '--json'],
    ...['--text', 'the film was really great .', '--text', ' '],
  ]);
  assert.equal(outcome.code, 1);
  assert.match(outcome.stderr, /text 2 has nothing that the model reads: expected text/);
  const { model, utterances } = lastJson(outcome) as { model: string; utterances: Record<string, unknown>[] };
  assert.equal(model, 'reader');
  const [read, empty] = utterances as [Record<string, unknown>, Record<string, unknown>];
  assert.equal(read.label, 'positive');
  assert.equal((read.probabilities as { positive: number }).positive, read.confidence);
  assert.equal(empty.label, 'unknown');
  const [one] = readUtterances(SentimentReader.load(readerOf), [{ id: 'a', text: 'the film was really great .' }]);
  assert.equal(one!.score, read.score);
  // 18 tokens where 16 are read at once: the course is told unasked.
  const long = 'the film was really great . my phone was really awful . our dinner was really red .';
  const [cut] = readUtterances(SentimentReader.load(readerOf), [{ id: 'b', text: long }]);
  assert.equal(cut!.sentences!.length, 3);
  assert.equal(one!.sentences, undefined);
});

test('its folder is small and describes itself; a damaged one is told', () => {
  const manifest = JSON.parse(readFileSync(join(readerOf, 'reader.json'), 'utf8')) as Record<string, unknown>;
  // Those of the encoder that it began with.
  for (const name of ['LICENSE', 'NOTICE.txt']) assert.equal(readFileSync(join(readerOf, name), 'utf8'), name);
  assert.ok((manifest.temperature as number) > 0);
  assert.throws(() => SentimentReader.load(bert), /Expected the folder of a reader, with reader.json/);
  const old = join(folder, 'old');
  cpSync(readerOf, old, { recursive: true });
  writeFileSync(join(old, 'reader.json'), JSON.stringify({ ...manifest, format: 1 }));
  assert.throws(() => SentimentReader.load(old), /expected format 2, got 1; train the reader again/);
});

test('a folder that no training can begin with is told before anything is made, and the run takes another', async () => {
  const own = readFinetuneConfig(join(folder, 'own.json'));
  const out = join(folder, 'begun');
  const begun = (from: string) => prepareFinetuning(own, { data, out, bert: from });
  const lacking = join(folder, 'lacking');
  cpSync(bert, lacking, { recursive: true });
  renameSync(join(lacking, 'tokenizer.json'), join(lacking, 'kept'));
  await assert.rejects(begun(lacking), /Expected tokenizer\.json in .*lacking, got none\. Make it from vocab\.txt/);
  renameSync(join(lacking, 'kept'), join(lacking, 'tokenizer.json'));
  renameSync(join(lacking, 'model.safetensors'), join(lacking, 'kept'));
  await assert.rejects(begun(lacking), /No model in the folder .*lacking/);
  const json = JSON.parse(readFileSync(join(bert, 'config.json'), 'utf8')) as object;
  writeFileSync(join(lacking, 'config.json'), JSON.stringify({ ...json, vocab_size: 9 }));
  await assert.rejects(begun(lacking), /tokenizer\.json and config\.json of one model .* a vocab_size of 9/);
  await assert.rejects(begun(join(folder, 'bilstm', 'reader')), /got a reader of LSTMs, .*: take the folder that it/);
  await assert.rejects(prepareFinetuning({ ...own, sets: {} }, { data, out, bert: readerOf }), /sets with a part to/);
  assert.equal((await begun(bert)).out, out);
  await assert.rejects(begun(readerOf), /holds texts of another configuration: its settings are bert/);
});

test('configurations with wrong sets are refused', () => {
  assert.throws(() => readFinetuneConfig('reeder'), /Did you mean reader\?/);
  assert.throws(
    () => readFinetuneConfig('reader', { 'sets.sst.kind': 'stras' }),
    /sets\.sst\.kind to be one of .*stars/,
  );
  assert.equal(readFinetuneConfig('reader', { 'sets.imdb': null }).sets.imdb, undefined);
});
