import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, test } from 'node:test';
import { loadCsdFolder, loadLabelFolder, loadMmsaPickle, SentimentBatches } from 'headrace/sentiment';
import { indices, lists, stored, storedCsd } from './datasets-support.js';

const folder = mkdtempSync(join(tmpdir(), 'headrace-faults-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A folder with this label.csv. */
function labels(name: string, bytes: Buffer | string): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'label.csv'), bytes);
  return path;
}
const header = 'video_id,clip_id,text,label,label_T,label_A,label_V,annotation,mode\n';

test('a label.csv in GBK or UTF-16 is read, and GBK is told; another encoding is refused with its line', () => {
  const chinese = (text: Buffer) =>
    Buffer.concat([Buffer.from(`${header}v1,0001,`), text, Buffer.from(',1,,,,Positive,train\n')]);
  const gbk = loadLabelFolder(labels('gbk', chinese(Buffer.from([0xba, 0xdc, 0xba, 0xc3, 0xa3, 0xa1]))));
  assert.equal(gbk.utterances[0]!.text, '很好！');
  assert.match(gbk.notes.join(), /label\.csv is not UTF-8: read as GBK/);
  const wide = Buffer.from(`\ufeff${header}v1,0001,很好,1,,,,,train\n`, 'utf16le');
  assert.equal(loadLabelFolder(labels('utf16', wide)).utterances[0]!.text, '很好');
  const text = `${header}v1,0001,plain,1,,,,,train\nv2,0001,caf\xe9 d\xe9j\xe0 vu,1,,,,,train\n`;
  assert.throws(() => loadLabelFolder(labels('latin', Buffer.from(text, 'latin1'))), {
    name: 'DataError',
    message:
      /label\.csv is not text in UTF-8 \(line 3\), nor in UTF-16 with a mark, nor Chinese in GBK: save it in UTF-8/,
  });
  // EUC-JP's kana and half-wide letters are pairs, too, but not GBK's common ones.
  const lone = Buffer.concat([chinese(Buffer.from([0xba, 0xdc])), Buffer.from([0xe9, 0x2c])]);
  assert.throws(() => loadLabelFolder(labels('lone', lone)), /is not text in UTF-8/);
});

test('rows of commas alone, which spreadsheets leave at the end, are no rows; columns may have blanks around them', () => {
  const data = loadLabelFolder(
    labels('commas', ` ${header.replaceAll(',', ', ')}v1,1,a,1,,,,,train\n,,,,,,,,\n,,,,,,,,\n`),
  );
  assert.deepEqual([data.length, data.utterances[0]!.label], [1, 1]);
});

test('labels beyond the range are refused with their lines', () => {
  const rows = `${header}v1,1,a,3,,,,,train\nv1,2,a,5,,,,,train\nv1,3,a,1,0,9,0,,train\nv1,4,a,1e999,,,,,train\n`;
  assert.throws(() => loadLabelFolder(labels('range', rows)), {
    message:
      /3 faulty rows:\n {2}line 3: expected a label from -3 to 3, got 5\n {2}line 4: expected label_T, label_A and label_V from -3 to 3, got 0, 9, 0\n {2}line 5: .*got Infinity/,
  });
  assert.throws(
    () => loadLabelFolder(join(folder, 'range'), { range: [-1, 1] }),
    /line 2: expected a label from -1 to 1, got 3/,
  );
});

test('.csd labels that are no finite numbers are none, and those beyond 3 are cut; both are told', async () => {
  const path = join(folder, 'csd');
  mkdirSync(path);
  for (const name of ['words.csd', 'sound.csd']) copyFileSync(storedCsd(name), join(path, name));
  copyFileSync(storedCsd('faulty-labels.csd'), join(path, 'labels.csd'));
  writeFileSync(join(path, 'folds.json'), JSON.stringify({ train: ['vidA'], valid: [], test: ['vidB'] }));
  // A path from the working directory leads there as well.
  using data = await loadCsdFolder(relative(process.cwd(), path));
  assert.deepEqual(
    data.utterances.map(({ label }) => label),
    [null, -3, null],
  );
  assert.deepEqual(data.notes, [
    '2 segments have a label that is no finite number, and so none: vidA[0], vidB[0]',
    '1 labels beyond -3 to 3 were cut to it: vidA[1]',
  ]);
});

test('rows that are padded at the start are read from the end, and that is told', () => {
  for (const memory of ['packed', 'lazy'] as const) {
    using data = loadMmsaPickle(stored('start.pkl'), { memory });
    assert.deepEqual(data.notes, [
      'text: rows are padded at the start, and the last ones are read',
      'audio: rows are padded at the start, and the last ones are read',
      'vision: rows are padded at the start, and the last ones are read',
    ]);
    assert.deepEqual(
      (['text', 'audio', 'vision'] as const).map((name) => [...data.features[name]!.lengths]),
      Array(3).fill([1, 2, 3, 1, 1, 2]),
    );
    // make_mmsa.py: 100 * utterance + 10 * row + column, and 1 more where the rows were moved.
    assert.deepEqual([...data.features.audio!.rows(1)], [101, 102, 103, 104, 105, 111, 112, 113, 114, 115]);
    assert.deepEqual([...data.features.text!.rows(5)], [501, 502, 503, 504, 511, 512, 513, 514]);
    const { audio, audioMask } = new SentimentBatches(data, [1]).batch(indices(0));
    assert.deepEqual(lists(audio)[0]![0], [101, 102, 103, 104, 105]);
    assert.deepEqual(lists(audioMask), [[1, 1]]);
  }
});

test('a transcript that is absent is no text, and does not lose the file', () => {
  using data = loadMmsaPickle(stored('start.pkl'));
  assert.deepEqual(
    data.utterances.map(({ text }) => text),
    ['GOOD FILM', null, 'it is a film', 'fine', null, '好'],
  );
});

test('labels of a published form beyond its range are refused with the utterance', () => {
  assert.throws(() => loadMmsaPickle(stored('unaligned.pkl'), { range: [-1, 1] }), {
    name: 'DataError',
    message: /unaligned\.pkl: expected labels from -1 to 1, got 2\.4.* for 'vid0\$_\$0', and 3 more beyond/,
  });
});
