import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  loadLabelFolder,
  loadMeldFolder,
  loadMosiFolder,
  loadSentiment,
  loadTable,
  sentimentFormat,
  toCsv,
} from 'headrace/sentiment';
import { ConfigError, DataError } from 'headrace/torch';
import { expectedRows, stored } from './datasets-support.js';

const folder = mkdtempSync(join(tmpdir(), 'headrace-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const floats = (values: readonly number[]): Buffer => Buffer.from(Float32Array.from(values).buffer);

const header = 'video_id,clip_id,text,label,label_T,label_A,label_V,annotation,mode';
const labels = (...rows: string[]): void =>
  writeFileSync(join(folder, 'label.csv'), `\ufeff${[header, ...rows].join('\r\n')}\r\n`);

test('label.csv: quoted text, ids that stay text, unimodal labels or none, clips where they are', async () => {
  mkdirSync(join(folder, 'Raw', '0001'), { recursive: true });
  writeFileSync(join(folder, 'Raw', '0001', '0002.mp4'), '');
  labels(
    '0001,0002,"well, ""good""",0.6,0.4,0,-0.2,Positive,train',
    '0001,0003,很好,-0.2,,,,Negative,valid',
    'b,1,,0,,,,,test',
  );
  const data = await loadSentiment({ format: 'label-csv', path: folder, name: 'mine' });
  const [first, second, third] = data.utterances;
  assert.deepEqual([first?.id, first?.text, first?.label, first?.class], ['0001$_$0002', 'well, "good"', 0.6, 2]);
  assert.deepEqual(first?.unimodal, { text: 0.4, audio: 0, vision: -0.2 });
  assert.equal(first?.media, join(folder, 'Raw', '0001', '0002.mp4'));
  assert.deepEqual([second?.text, second?.unimodal, second?.media, second?.split], ['很好', null, null, 'valid']);
  assert.deepEqual([third?.text, third?.class], ['', null]);
  assert.deepEqual([data.name, data.range, data.classes], ['mine', [-1, 1], ['Negative', 'Neutral', 'Positive']]);
  assert.equal(sentimentFormat(folder), 'label-csv');
});

test('label.csv: all faulty rows are told at once, with their lines', () => {
  labels(
    'a,1,x,high,,,,Positive,train',
    'a,2,x,1,,,,Positive,training',
    ',3,x,1,,,,great,test',
    'a,4,x,1,bad,,,,test',
    'a,5,x,1,,,,,test',
    'a,5,y,1,,,,,test',
  );
  assert.throws(
    () => loadLabelFolder(folder),
    (error: Error) => {
      assert.ok(error instanceof DataError);
      assert.match(error.message, /label\.csv: 6 faulty rows:/);
      assert.match(error.message, /line 2: expected a number as label, got 'high'/);
      assert.match(error.message, /line 3: expected train, valid or test as mode, got 'training'/);
      assert.match(error.message, /line 4: expected a video_id and a clip_id/);
      assert.match(error.message, /line 4: expected Negative, Neutral, Positive as annotation, got 'great'/);
      assert.match(error.message, /line 5: expected numbers, or nothing, as label_T/);
      assert.match(error.message, /line 7: the clip 'a\$_\$5' comes twice/);
      return true;
    },
  );
  writeFileSync(join(folder, 'label.csv'), 'video_id,text\na,b\n');
  assert.throws(() => loadLabelFolder(folder), /missing: clip_id, label, mode; found: video_id, text/);
  labels('a,1,"open,1,,,,,train');
  assert.throws(() => loadLabelFolder(folder), /Cannot read .*label\.csv as CSV/);
  labels();
  assert.throws(() => loadLabelFolder(folder), /label\.csv has no rows/);
});

test('label.csv: features of an MMSA file are joined by id, in the order of the rows', () => {
  labels('vid2,5,x,3,,,,,test', 'vid0,1,y,-1,,,,,train');
  using data = loadLabelFolder(folder, { features: stored('unaligned.pkl') });
  assert.deepEqual(
    data.utterances.map(({ text }) => text),
    ['x', 'y'],
  );
  assert.deepEqual([...(data.features.audio?.rows(1) ?? [])], expectedRows(1, 2, 5));
  assert.deepEqual(data.tokens?.shape, [2, 3, 6]);
  labels('vid2,5,x,3,,,,,test', 'vid0,9,y,-1,,,,,train');
  assert.throws(
    () => loadLabelFolder(folder, { features: stored('unaligned.pkl') }),
    /no features of 1 of the 2 clips: vid0\$_\$9/,
  );
});

/** Four utterances: the last video is in the standard test part and in the bc-LSTM training part. */
function mosi(dir: string): void {
  mkdirSync(dir, { recursive: true });
  const line = (i: number, std: string, bclstm: string): string =>
    JSON.stringify({
      id: `v${i}_1`,
      video: `v${i}`,
      text: `TEXT ${i}`,
      sentiment: i - 1.5,
      start: i,
      end: i + 0.5,
      speaker: 7,
      split_std: std,
      split_bclstm: bclstm,
    });
  const lines = [
    line(0, 'train', 'train'),
    line(1, 'dev', 'train'),
    line(2, 'train', 'test'),
    line(3, 'test', 'train'),
  ];
  writeFileSync(join(dir, 'mosi.jsonl'), `${lines.join('\n')}\n`);
  writeFileSync(join(dir, 'text.f32'), floats([1, 2, 3, 4, 5, 6, 7, 8]));
  writeFileSync(join(dir, 'audio.f32'), floats([10, Number.NaN, 30, 40]));
  writeFileSync(join(dir, 'video.f32'), floats([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]));
}

test('the MOSI folder: both splits, one row an utterance, times and texts', () => {
  const dir = join(folder, 'mosi');
  mosi(dir);
  const std = loadMosiFolder(dir, { split: 'std' });
  assert.deepEqual(
    std.utterances.map(({ split }) => split),
    ['train', 'valid', 'train', 'test'],
  );
  assert.deepEqual(std.modalities, ['audio']); // what is fair by default
  assert.deepEqual([...(std.features.audio?.rows(2) ?? [])], [30]);
  assert.deepEqual(std.features.audio?.cleaned, { nan: 1, infinite: 0, utterances: 1 });
  assert.deepEqual(
    [std.utterances[3]?.text, std.utterances[3]?.label, std.utterances[3]?.end, std.utterances[3]?.extra.speaker],
    ['TEXT 3', 1.5, 3.5, 7],
  );
  const own = loadMosiFolder(dir, { split: 'bclstm', validShare: 0.4 });
  assert.deepEqual(own.modalities, ['text', 'audio', 'vision']);
  assert.deepEqual(own.indices('test'), [2]);
  assert.deepEqual([own.indices('train').length, own.indices('valid').length], [2, 1]);
  assert.deepEqual(loadMosiFolder(dir, { split: 'bclstm', validShare: 0.4 }).indices('valid'), own.indices('valid'));
  assert.deepEqual([...(own.features.vision?.rows(3) ?? [])], [10, 11, 12]);
  assert.match(own.specs.text?.name ?? '', /trained on the labels of the bc-LSTM training videos/);
  const clean = loadMosiFolder(dir, { split: 'bclstm', validShare: 1, validFrom: 'test' });
  assert.deepEqual([clean.indices('train').length, clean.indices('valid')], [3, [2]]); // a video that trained no features
});

test('the trap of MOSI: text.f32 and video.f32 are refused in the standard split, unless forced, which is noted', () => {
  const dir = join(folder, 'mosi');
  mosi(dir);
  for (const features of [['text'], ['audio', 'vision'], ['text', 'vision']] as const) {
    assert.throws(
      () => loadMosiFolder(dir, { split: 'std', features }),
      (error: Error) =>
        error instanceof ConfigError &&
        /cannot be used with the split 'std'.*trained on the labels.*force: true/.test(error.message),
    );
  }
  const forced = loadMosiFolder(dir, { split: 'std', features: ['text'], force: true });
  assert.deepEqual(forced.notes, ['forced: text features were trained on labels of the test part']);
  assert.throws(() => loadMosiFolder(dir, { split: 'all' as 'std' }), /expected 'std' or 'bclstm', got 'all'/);
});

test('damaged MOSI folders say where', () => {
  const dir = join(folder, 'mosi');
  mosi(dir);
  writeFileSync(join(dir, 'audio.f32'), Buffer.alloc(18));
  assert.throws(
    () => loadMosiFolder(dir, { split: 'std' }),
    /audio\.f32: expected 4 rows of float32 \(a multiple of 16 bytes\), got 18 bytes/,
  );
  writeFileSync(join(dir, 'mosi.jsonl'), '{"id": "a"}\n');
  assert.throws(() => loadMosiFolder(dir, { split: 'std' }), /mosi\.jsonl, line 1: expected id, video, text/);
  writeFileSync(join(dir, 'mosi.jsonl'), '\n{\n');
  assert.throws(() => loadMosiFolder(dir, { split: 'std' }), /mosi\.jsonl, line 2: /);
});

test('MELD: three files, dialogues as videos, either label as the class', () => {
  const dir = join(folder, 'meld');
  mkdirSync(dir);
  const head = 'Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n';
  for (const name of ['train', 'dev', 'test']) {
    writeFileSync(
      join(dir, `${name}_sent_emo.csv`),
      `${head}1,"Oh, my God!",Phoebe,joy,positive,0,1,4,7,"00:20:57,256","01:00:00,5"\n`,
    );
  }
  const data = loadMeldFolder(dir);
  const [first] = data.utterances;
  assert.deepEqual(
    [data.length, first?.id, first?.video, first?.text],
    [3, 'train/dia0_utt1', 'train/dia0', 'Oh, my God!'],
  );
  assert.deepEqual(
    [first?.class, data.classes, first?.start, first?.end],
    [2, ['negative', 'neutral', 'positive'], 1257.256, 3600.5],
  );
  assert.deepEqual(first?.extra, { speaker: 'Phoebe', sentiment: 'positive', emotion: 'joy' });
  const emotions = loadMeldFolder(dir, { target: 'emotion' });
  assert.equal(emotions.classes[emotions.utterances[0]?.class as number], 'joy');
  writeFileSync(join(dir, 'dev_sent_emo.csv'), `${head}1,x,P,joy,happy,0,1,4,7,,\n`);
  assert.throws(
    () => loadMeldFolder(dir),
    /dev_sent_emo\.csv: 1 faulty rows:\n {2}line 2: expected negative, neutral, positive as sentiment, got 'happy'/,
  );
});

test("a table of one's own: CSV or JSON lines, splits named or divided by groups, scores or classes, clips by path", () => {
  const path = join(folder, 'mine.csv');
  writeFileSync(join(folder, 'a.wav'), '');
  const rows = ['"good, really",2,train,a.wav', 'bad,-1.5,dev,', 'so so,,test,'];
  writeFileSync(path, `text,label,split,audio\n${rows.join('\n')}\n`);
  const data = loadTable(path);
  assert.deepEqual(
    data.utterances.map(({ text, label, split, media }) => [text, label, split, media]),
    [
      ['good, really', 2, 'train', join(folder, 'a.wav')],
      ['bad', -1.5, 'valid', null],
      ['so so', null, 'test', null],
    ],
  );
  assert.deepEqual([data.range, data.classes], [[-3, 3], []]);
  const lines = Array.from({ length: 40 }, (_, i) => ({
    text: `t${i}`,
    label: i % 3 ? 'happy' : 'angry',
    group: i >> 1,
  }));
  const file = join(folder, 'mine.jsonl');
  writeFileSync(file, lines.map((line) => JSON.stringify(line)).join('\n'));
  const divided = loadTable(file);
  const counts = (['train', 'valid', 'test'] as const).map((split) => divided.indices(split).length);
  assert.deepEqual([counts, divided.classes, divided.summary().sharedVideos], [[32, 4, 4], ['angry', 'happy'], 0]);
  assert.match(divided.notes.join(), /names no splits: eight of ten groups train/);
  writeFileSync(file, '{"label": 1}\n{"text": "x", "label": 7}\n[1]\n{"text": "y", "label": 0, "video": "no.mp4"}\n');
  assert.throws(
    () => loadTable(file),
    /3 faulty rows:.*line 3: expected an object.*line 2: expected a label from -3 to 3, got 7.*line 4: there is no .*no\.mp4/s,
  );
  assert.equal(
    toCsv([
      ['a', 'b'],
      ['x,"y"', Number.NaN],
    ]),
    'a,b\n"x,""y""",\n',
  );
});
