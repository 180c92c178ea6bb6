import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadCsdFolder, loadSentiment, sentimentFormat } from 'headrace/sentiment';
import { storedCsd } from './datasets-support.js';

const folder = mkdtempSync(join(tmpdir(), 'headrace-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));
for (const name of ['words.csd', 'sound.csd', 'labels.csd']) copyFileSync(storedCsd(name), join(folder, name));
const folds = { train: ['vidA'], valid: [], test: ['vidB'] };
writeFileSync(join(folder, 'folds.json'), JSON.stringify(folds));

// vidA: words good 0-1, sp 1-1.5, film 1.5-3, bad 4-5, end 5-6; segments 0-3 and 4-6. Sound rows 0 to 10 of two columns 2r, 2r + 1 at
// 0, .5, 1, 1.5, 2, 2.5, 4, 4.5, 5, 5.5, 6 for half a second each; row 2 begins with NaN, row 9 ends with -inf.

test('a folder aligned to words: segments, text without pauses, means of frames, cleaned before they are averaged', async () => {
  using data = await loadCsdFolder(folder, { name: 'toy' });
  assert.deepEqual(
    data.utterances.map(({ id, split, text, label, start, end }) => [id, split, text, label, start, end]),
    [
      ['vidA[0]', 'train', 'good film', Math.fround(2.4), 0, 3],
      ['vidA[1]', 'train', 'bad end', Math.fround(-1.2), 4, 6],
      ['vidB[0]', 'test', 'fine', 0.5, 0, 1],
    ],
  );
  assert.deepEqual(data.modalities, ['audio']);
  const { audio } = data.features;
  assert.ok(audio);
  assert.deepEqual(audio.spec, { name: 'COVAREP', dims: 2, unit: 'word', rate: null, version: '1.1' });
  assert.deepEqual([...audio.lengths], [2, 2, 1]);
  assert.deepEqual([...audio.rows(0)], [1, 2, 8, 9]); // rows 0, 1; rows 3, 4, 5
  assert.deepEqual([...audio.rows(1)], [13, 14, 17, 8.5]); // rows 6, 7; rows 8, 9 with 0 for -inf
  assert.deepEqual([...audio.rows(2)], [6, 7]); // the word 0.25-0.75 overlaps both rows
  assert.deepEqual(audio.cleaned, { nan: 1, infinite: 1, utterances: 1 });
});

test('frames as they are, without alignment', async () => {
  using data = await loadSentiment({ format: 'csd', path: folder, align: 'none' });
  const { audio } = data.features;
  assert.deepEqual([...(audio?.lengths ?? [])], [6, 4, 2]);
  assert.deepEqual([...(audio?.rows(0) ?? [])], [0, 1, 2, 3, 0, 5, 6, 7, 8, 9, 10, 11]);
  assert.equal(audio?.spec.unit, 'frame');
  assert.equal(sentimentFormat(folder), 'csd');
});

test('videos without a fold are left out and said; a folder without labels, or with unclear files, is refused', async () => {
  using data = await loadCsdFolder(folder, { folds: { train: ['vidB'], valid: [], test: [] } });
  assert.deepEqual([data.length, data.notes], [1, ['1 labelled videos are in no split and left out']]);
  await assert.rejects(
    loadCsdFolder(folder, { folds: { train: ['x'], valid: [], test: [] } }),
    /none of the 2 labelled videos is in a split/,
  );
  await assert.rejects(
    loadCsdFolder(folder, { folds: { train: ['vidA'], valid: ['vidA'], test: [] } }),
    /'vidA' is in two folds/,
  );
  await assert.rejects(
    loadCsdFolder(folder, { folds: join(folder, 'none.json') }),
    /Cannot read the splits from .*none\.json.*Give them with folds/,
  );
  await assert.rejects(loadCsdFolder(folder, { maxMemory: 10 }), /take more than 10 bytes; align them to words/);
  copyFileSync(storedCsd('sound.csd'), join(folder, 'sound2.csd'));
  await assert.rejects(
    loadCsdFolder(folder),
    /'COVAREP' and 'COVAREP' may both be the audio; say which with files: \{ audio: 'NAME\.csd' \}/,
  );
  using chosen = await loadCsdFolder(folder, { files: { audio: 'sound2.csd' } });
  assert.deepEqual(chosen.modalities, ['audio']);
});
