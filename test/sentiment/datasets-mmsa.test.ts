import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { saveNpz } from 'headrace/io';
import {
  LazySequences,
  loadMmsaNpz,
  loadMmsaPickle,
  PackedSequences,
  type SentimentData,
  sentimentFormat,
} from 'headrace/sentiment';
import { DataError, tensor } from 'headrace/torch';
import { expectedRows, lists, stored } from './datasets-support.js';

const folder = mkdtempSync(join(tmpdir(), 'headrace-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** What every form of the MOSI-like file must give. */
function checkUnaligned(data: SentimentData): void {
  assert.equal(data.name, 'CMU-MOSI'); // told by 5 and 20 columns
  assert.deepEqual(data.range, [-3, 3]);
  const { splits, sharedVideos } = data.summary();
  assert.deepEqual(
    [splits.train.utterances, splits.valid.utterances, splits.test.utterances, sharedVideos],
    [3, 1, 2, 1],
  );
  assert.deepEqual(data.indices('test'), [4, 5]);
  const [first, third, last] = [data.utterances[0], data.utterances[2], data.utterances[5]];
  assert.deepEqual(
    [first?.id, first?.video, first?.text, first?.label],
    ['vid0$_$0', 'vid0', 'GOOD FILM', Math.fround(2.4)],
  );
  assert.deepEqual([third?.label, third?.class, data.classes[third?.class as number]], [0, 1, 'Neutral']);
  assert.deepEqual([last?.text, last?.split, last?.unimodal], ['好', 'test', null]);
  const { text, audio, vision } = data.features;
  assert.ok(text && audio && vision);
  assert.deepEqual([...audio.lengths], [1, 2, 3, 4, 1, 2]);
  assert.deepEqual([...vision.lengths], [0, 1, 2, 3, 0, 1]);
  assert.deepEqual([...text.lengths], [2, 3, 4, 2, 3, 4]); // the words of text_bert's mask
  assert.deepEqual([...audio.rows(3)], expectedRows(3, 4, 5));
  assert.deepEqual([...vision.rows(3)], expectedRows(3, 3, 20));
  assert.deepEqual([...vision.rows(4)], []);
  assert.deepEqual([...text.rows(5)], expectedRows(5, 4, 4));
  assert.equal(audio.spec.name.startsWith('COVAREP subset'), true);
  assert.deepEqual([audio.spec.dims, audio.spec.unit, vision.spec.name], [5, 'frame', 'FACET 4.1 subset']);
  assert.deepEqual(data.tokens?.shape, [6, 3, 6]);
  assert.deepEqual(lists(data.tokens)[4]?.[1], [1, 1, 1, 0, 0, 0]);
}

test('an unaligned pickle: labels, texts, lengths, features; what is not finite becomes 0 and is counted', () => {
  using data = loadMmsaPickle(stored('unaligned.pkl'));
  checkUnaligned(data);
  assert.ok(data.features.audio instanceof PackedSequences);
  assert.deepEqual([...data.features.audio.rows(0)], [0, 0, 2, 3, 4]); // -inf in column 1
  assert.deepEqual([...data.features.audio.rows(2)].slice(0, 4), [0, 0, 202, 203]); // NaN in columns 0 and 1
  assert.deepEqual(data.features.audio.cleaned, { nan: 2, infinite: 1, utterances: 2 });
  assert.equal(data.features.vision?.rows(5)[0], 0); // 1e300
  assert.deepEqual(data.features.vision?.cleaned, { nan: 0, infinite: 1, utterances: 1 });
});

test('features can stay in the file: the same rows, counted as they are read, until the data is disposed of', () => {
  const data = loadMmsaPickle(stored('unaligned.pkl'), { memory: 'lazy' });
  assert.ok(data.features.audio instanceof LazySequences);
  assert.deepEqual(data.features.audio.cleaned, { nan: 0, infinite: 0, utterances: 0 });
  checkUnaligned(data);
  for (let pass = 0; pass < 2; pass++) for (let i = 0; i < data.length; i++) data.features.audio.rows(i);
  assert.deepEqual(data.features.audio.cleaned, { nan: 2, infinite: 1, utterances: 2 }); // each utterance once
  const small = loadMmsaPickle(stored('unaligned.pkl'), { maxMemory: 300 });
  assert.ok(small.features.audio instanceof PackedSequences && small.features.vision instanceof LazySequences); // 260 and 560 bytes
  small.dispose();
  data.dispose();
  data.dispose();
});

test('an archive of the same columns gives the same data, its features in memory or in the file', () => {
  for (const memory of ['packed', 'lazy'] as const) {
    using data = loadMmsaNpz(stored('set.npz'), { memory });
    checkUnaligned(data);
  }
});

test('an aligned pickle (protocol 2) has no lengths: the words are counted', () => {
  using data = loadMmsaPickle(stored('aligned.pkl'));
  const { audio, vision } = data.features;
  assert.deepEqual([...(audio?.lengths ?? [])], [2, 3, 4, 2, 3, 4]);
  assert.deepEqual([audio?.spec.unit, vision?.spec.unit], ['word', 'word']);
  assert.deepEqual([...(audio?.rows(4) ?? [])], expectedRows(4, 3, 5));
  assert.equal(data.utterances[0]?.text, 'GOOD FILM');
});

test('unimodal labels of CH-SIMS, half floats, and a config that is no split', () => {
  using data = loadMmsaPickle(stored('sims.pkl'));
  assert.deepEqual([data.name, data.range], ['CH-SIMS', [-1, 1]]);
  const { label, unimodal } = data.utterances[1] ?? {};
  assert.equal(label, Math.fround(Math.fround(-1.2 / 3)));
  const half = Math.fround((label as number) * 0.5);
  assert.ok(Math.abs((unimodal?.text ?? 9) - half) < 1e-6 && Math.abs((unimodal?.vision ?? 9) - half - 0.2) < 1e-6);
  assert.deepEqual([...(data.features.vision?.rows(1) ?? [])], expectedRows(1, 1, 709));
  assert.equal(data.features.audio?.spec.rate, 22050 / 512);
});

test('only the wanted modalities are read, and a specification of the user stands over the guess', () => {
  using data = loadMmsaPickle(stored('unaligned.pkl'), {
    modalities: ['audio'],
    name: 'mine',
    specs: { audio: { name: 'my extractor', rate: 50, version: '3' } },
  });
  assert.deepEqual(data.modalities, ['audio']);
  assert.deepEqual(data.specs.audio, { name: 'my extractor', dims: 5, unit: 'frame', rate: 50, version: '3' });
  using bare = loadMmsaPickle(stored('unaligned.pkl'), { modalities: [] });
  assert.deepEqual([bare.modalities, bare.length], [[], 6]);
});

test('columns that are missing, of another form or another length are named with their split', () => {
  const path = join(folder, 'x.npz');
  const good = {
    'train/id': ['a$_$1', 'a$_$2'],
    'train/regression_labels': tensor([1, -1]),
    'train/audio': tensor([
      [[1], [2]],
      [[3], [4]],
    ]),
  };
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ 'train/id': ['a'] }, /x\.npz, train: 1 ids, but 2 entries of regression_labels/],
    [{ 'train/audio': tensor([[[1]]]) }, /train: 2 ids, but 'audio' is LazyArray\(<f4 \[1, 1, 1\]\)/],
    [
      { 'train/audio': tensor([1, 2]) },
      /train: expected an array of 3 dimensions as 'audio', got LazyArray\(<f4 \[2\]\)/,
    ],
    [{ 'train/audio_lengths': tensor([1, 3]) }, /expected a length of 0 to 2 for audio of entry 1, got 3/],
    [
      { 'train/annotations': ['Positive', 'great'] },
      /expected one of Negative, Neutral, Positive for 'a\$_\$2', got 'great'/,
    ],
    [{ 'train/regression_labels': tensor([1, Number.NaN]) }, /expected a label for 'a\$_\$2', got NaN/],
    [{ 'train/text_bert': tensor([[[1]], [[1]]]) }, /expected text_bert of 3 rows/],
    [{ 'train/id': tensor([1, 2]) }, /expected a list of text as 'id'/],
    [{ 'train/id': ['a', 'a'] }, /two utterances are called 'a'/],
    [{ 'test/id': ['b'], 'test/regression_labels': tensor([1]) }, /x\.npz, train has 'audio', the other splits do not/],
  ];
  for (const [change, message] of cases) {
    saveNpz(path, { ...good, ...change } as typeof good);
    assert.throws(
      () => loadMmsaNpz(path),
      (error: Error) => error instanceof DataError && message.test(error.message),
      String(message),
    );
  }
  saveNpz(path, { 'other/id': ['a'] });
  assert.throws(() => loadMmsaNpz(path), /expected the splits train, valid and test, got other/);
  saveNpz(path, good);
  assert.equal(loadMmsaNpz(path).length, 2);
});

test('a pickle with a class in it is refused, and a cut one says so', () => {
  const path = join(folder, 'x.pkl');
  writeFileSync(path, "(S'train'\ncos\nsystem\nd.");
  assert.throws(() => loadMmsaPickle(path), /x\.pkl, at byte 10 \(opcode GLOBAL\): refused "os\.system"/);
  writeFileSync(path, readFileSync(stored('unaligned.pkl')).subarray(0, 3000));
  assert.throws(() => loadMmsaPickle(path), /x\.pkl, at byte \d+.*cut short/);
  writeFileSync(path, '(lp0\n.');
  assert.throws(() => loadMmsaPickle(path), /expected a dict with the keys train, valid and test/);
});

test('the form of a path is told by what lies there', () => {
  assert.equal(sentimentFormat(stored('unaligned.pkl')), 'mmsa-pickle');
  assert.equal(sentimentFormat(stored('set.npz')), 'mmsa-npz');
  assert.throws(() => sentimentFormat(folder), /expected label\.csv, mosi\.jsonl, train_sent_emo\.csv or \.csd files/);
  assert.throws(() => sentimentFormat(join(folder, 'none')), /There is nothing at/);
});
